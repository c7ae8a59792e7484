/** What threads of a subgroup find is joined by exchanging registers, on devices where neighbouring threads share one. */
import * as mx from "mlx-ts";
import { describe, expect, it } from "vitest";
import { setGpu } from "../../src/array/device.ts";
import { adoptDevice, openDevice } from "../../src/backends/webgpu/adapter.ts";
import type { GpuTarget } from "../../src/backends/webgpu/kernel-code.ts";
import { emitLoops } from "../../src/backends/webgpu/loop-kernel.ts";
import { WebGpuBackend } from "../../src/backends/webgpu/webgpu-backend.ts";
import type { LoopKernel } from "../../src/ir/kernel.ts";
import { testDevice } from "../setup/gpu-device.ts";
import { floorTarget } from "../setup/gpu-target.ts";
import { given, kernelOf, kernelsOf } from "../setup/planned-kernels.ts";
import { changedDevice } from "./changed-device.ts";
import { compare } from "./compare-loops.ts";

/** The kernel that computes `build` of an array of this shape. */
async function loopOf(shape: readonly number[], build: (x: mx.MLXArray) => mx.MLXArray): Promise<LoopKernel> {
  return kernelOf("loop", build(await given(shape)));
}

const wide: GpuTarget = { ...floorTarget, subgroups: { min: 32, max: 32 } };

/** Barriers in each dispatch of a kernel. */
const barriersOf = (kernel: LoopKernel, target: GpuTarget): number[] =>
  emitLoops(kernel, target).dispatches.map(({ wgsl }) => wgsl.split("workgroupBarrier();").length - 1);

describe("barriers", () => {
  it("a row that a subgroup has to itself needs none, a row of a workgroup three", async () => {
    const short = await loopOf([64, 512], (x) => x.sum(-1));
    expect([barriersOf(short, floorTarget), barriersOf(short, wide)]).toEqual([[5], [0]]);
    const long = await loopOf([64, 4096], (x) => x.sum(-1));
    expect([barriersOf(long, floorTarget), barriersOf(long, wide)]).toEqual([[6], [3]]);
  });

  it("where columns lie side by side, threads of a subgroup join as far as they share a column", async () => {
    const columns = await loopOf([4096, 8], (x) => x.max(0));
    expect([barriersOf(columns, floorTarget), barriersOf(columns, wide)]).toEqual([[6], [3]]);
  });

  it("without subgroups there is nothing of them in a shader", async () => {
    const kernel = await loopOf([64, 4096], (x) => x.sum(-1));
    expect(emitLoops(kernel, floorTarget).dispatches[0]?.wgsl).not.toContain("subgroup");
  });
});

describe("every share of a subgroup gives what the definition gives", () => {
  const reductions: Readonly<Record<string, readonly [readonly number[], (x: mx.MLXArray) => mx.MLXArray]>> = {
    "a sum of all": [[70, 301], (x) => x.sum()],
    "sums of rows": [[5, 2048], (x) => x.sum(-1)],
    "sums of columns": [[301, 8], (x) => x.sum(0)],
    "sums of three columns": [[301, 3], (x) => x.sum(0)],
    "places of the greatest": [[3, 700], (x) => mx.argMax(x, -1)],
    "softmax of rows": [[3, 132], (x) => mx.softmax(x, -1)],
    "a mean of squared distances from the mean of each row": [
      [200, 70],
      (x) =>
        x
          .sub(x.mean(-1, { keepAxes: true }))
          .square()
          .mean(),
    ],
  };

  it.each(Object.entries(reductions))("%s", async (_, [shape, build]) => {
    const { target } = await testDevice();
    const { min = 1, max = 1 } = target.subgroups ?? {};
    const kernels = kernelsOf([build(await given(shape))]).filter((kernel) => kernel.kind === "loop");
    for (const kernel of kernels)
      for (let size = 1; size <= min; size *= 2)
        await compare(kernel, { ...target, subgroups: size === 1 ? null : { min: size, max } });
  });
});

it("NaN goes through the greatest and the least, and has the first place, wherever it stands", async () => {
  setGpu(new WebGpuBackend({ ...(await testDevice()), isShared: true }));
  for (const length of [33, 600]) {
    for (const place of [0, 5, 31, length - 1]) {
      const row = Array.from({ length }, (_, k) => (k === place ? Number.NaN : Math.sin(k)));
      const x = mx.array([row, row.map((value) => (Number.isNaN(value) ? 2 : value))]);
      const found = await mx.withDevice("gpu", () => [x.max(1), x.min(1), mx.argMax(x, 1), x.sum(1)]);
      const wanted = [x.max(1), x.min(1), mx.argMax(x, 1), x.sum(1)];
      for (const [k, array] of found.entries()) {
        const [is, should] = [await array.tolist(), await wanted[k]?.tolist()];
        if (k < 3) expect(is).toEqual(should);
        else expect(Number.isNaN(Number(Array.isArray(is) ? is[0] : is))).toBe(true);
      }
    }
  }
  mx.gpu.close();
  setGpu(null);
});

describe("the trial of a device", () => {
  it("finds subgroups where the adapter has them", async () => {
    const { target, device } = await testDevice();
    expect(target.subgroups !== null).toBe(device.features.has("subgroups"));
  });

  it("refuses subgroups whose threads are not neighbours", async () => {
    const { device, target, info } = await openDevice();
    if (!target.subgroups) return;
    const turned = changedDevice(device, {
      adapterInfo: info,
      createShaderModule: ({ code }: { readonly code: string }) =>
        device.createShaderModule({ code: code.replace("Xor(thread, 1u)", "Xor(thread, 2u)") }),
    });
    expect((await adoptDevice(turned)).target.subgroups).toBeNull();
    device.destroy();
  });

  it("refuses subgroups that do not compile", async () => {
    const { device, info } = await openDevice();
    const without = changedDevice(device, {
      adapterInfo: info,
      createComputePipelineAsync: () => Promise.reject(new Error("no subgroups")),
    });
    expect((await adoptDevice(without)).target.subgroups).toBeNull();
    device.destroy();
  });
});
