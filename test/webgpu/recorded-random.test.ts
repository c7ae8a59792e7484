/** Random numbers on the GPU are those that MLX recorded, bit for bit. */
import * as mx from "mlx-ts";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { setGpu } from "../../src/array/device.ts";
import { WebGpuBackend } from "../../src/backends/webgpu/webgpu-backend.ts";
import { describeCase } from "../oracle/describe-case.ts";
import { shards } from "../oracle/recorded-shards.ts";
import { replay } from "../oracle/replay.ts";
import { testDevice } from "../setup/gpu-device.ts";

vi.setConfig({ testTimeout: 120_000 });

beforeAll(async () => {
  setGpu(new WebGpuBackend(await testDevice()));
  mx.setDefaultDevice("gpu");
});

afterAll(() => {
  mx.setDefaultDevice("cpu");
  setGpu(null);
});

it.each(["uniform", "randint", "bernoulli", "categorical", "permutation"])("%s", async (name) => {
  const random = shards.filter(({ area }) => area === "random");
  const recorded = random.flatMap((shard) => shard.cases.map((one) => ({ shard, one })));
  const numbered = recorded.filter(({ one }) => one.f === `random.${name}` && !JSON.stringify(one).includes("int64"));
  // Every kernel is compiled, which takes software drivers long: a part, among it the long ones.
  const chosen = numbered.filter(({ one }, k) => k % 8 === 0 || JSON.stringify(one.args).includes("[65]"));
  expect(chosen.length).toBeGreaterThan(1);
  for (const { shard, one } of chosen) expect(await replay(shard, one), describeCase(one)).toBeNull();
});
