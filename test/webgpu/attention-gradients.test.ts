/** The parts of the gradient of attention on the GPU against their definitions. */
import * as mx from "mlx-ts";
import { describe, expect, it, vi } from "vitest";
import type { GradientPart } from "../../src/backends/webgpu/attention-call.ts";
import { emitGradient, gradientLanes } from "../../src/backends/webgpu/attention-gradients.ts";
import type { GpuTarget } from "../../src/backends/webgpu/kernel-code.ts";
import type { Dtype } from "../../src/base/dtype.ts";
import { carrierOf } from "../../src/base/dtype.ts";
import { apply } from "../../src/graph/primitive.ts";
import type { CompositeKernel } from "../../src/ir/kernel.ts";
import {
  attentionKeyGradientRow,
  attentionQueryGradientRow,
  attentionStatisticsRow,
} from "../../src/primitives/attention-gradient.ts";
import { floorTarget } from "../setup/gpu-target.ts";
import { differences, drawn, testTargets } from "./compare-kernel.ts";
import { runKernel } from "./run-kernel.ts";

// Software drivers compile slowly, and more so on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

const rows = {
  attentionStatistics: attentionStatisticsRow,
  attentionQueryGradient: attentionQueryGradientRow,
  attentionKeyGradient: attentionKeyGradientRow,
} as const;

interface Case {
  readonly heads: number;
  readonly keyHeads: number;
  readonly queries: number;
  readonly keys: number;
  readonly features: number;
  readonly valueFeatures: number;
  readonly isCausal?: boolean;
  readonly mask?: mx.MLXArray;
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, one) => product * one, 1);

/** Compares each part with its definition, computed on the CPU; the statistics are those of the attention itself. */
async function check(given: Case, targets = [floorTarget]): Promise<void> {
  const { heads, keyHeads, queries, keys, features, valueFeatures, isCausal = false, mask } = given;
  const params = { scale: features ** -0.5, isCausal };
  const shapes = [
    [1, heads, queries, features],
    [1, keyHeads, keys, features],
    [1, keyHeads, keys, valueFeatures],
    [1, heads, queries, valueFeatures],
  ];
  const tensors = shapes.map((shape, slot) => mx.fromTypedArray(drawn("float32", sizeOf(shape), slot + 3), shape));
  const masks = mask ? [mask] : [];
  const known = apply(attentionStatisticsRow, [...tensors, ...masks], params);
  for (const name of ["attentionStatistics", "attentionQueryGradient", "attentionKeyGradient"] as const) {
    const inputs = [...tensors, ...(name === "attentionStatistics" ? [] : [known]), ...masks];
    await compare(name, inputs, params, targets);
  }
}

async function compare(
  name: GradientPart,
  inputs: readonly mx.MLXArray[],
  params: { readonly scale: number; readonly isCausal: boolean },
  targets: readonly GpuTarget[],
): Promise<void> {
  const output = apply(rows[name], inputs, params);
  const expected = await output.data();
  const types = [...inputs, output].map(({ shape, dtype }): { shape: readonly number[]; dtype: Dtype } => ({
    shape,
    dtype,
  }));
  const kernel: CompositeKernel = {
    kind: "composite",
    label: name,
    flops: 0,
    arguments: [],
    slots: types.map(({ shape, dtype }, slot) => ({ dtype, size: sizeOf(shape), isOutput: slot === inputs.length })),
    call: { name, inputs: types.slice(0, -1), output: { shape: output.shape, dtype: output.dtype }, params },
  };
  for (const target of targets) {
    const buffers = [
      ...(await Promise.all(inputs.map((input) => input.data()))),
      new (carrierOf(output.dtype))(output.size),
    ];
    await runKernel(emitGradient(kernel, target), kernel, buffers);
    const actual = buffers.at(-1);
    if (!(expected instanceof Float32Array && actual instanceof Float32Array)) throw new Error("results are float32");
    expect(differences(expected, actual, "float32", 4e-6)).toEqual([]);
  }
}

const plain: Case = { heads: 2, keyHeads: 2, queries: 20, keys: 30, features: 4, valueFeatures: 4 };

describe("parts of the gradient of attention", () => {
  it("of lengths that fill no step, with features that several threads share", async () => {
    const [floor, own = floor] = await testTargets();
    if (!own) throw new Error("there is a device");
    await check({ ...plain, queries: 37, keys: 29, features: 24, valueFeatures: 32 }, [own]);
  });

  it("in time, with more keys than queries and with fewer", async () => {
    await check({ ...plain, queries: 19, keys: 26, isCausal: true });
    await check({ ...plain, queries: 23, keys: 11, isCausal: true });
  });

  it("of heads that share keys and values", async () => {
    await check({ ...plain, heads: 6, features: 4, valueFeatures: 8 });
  });

  it("with truths, among them queries that see nothing, and with numbers that are added", async () => {
    const place = mx.arange(600).reshape([20, 30]);
    await check({ ...plain, mask: place.greater(65) });
    await check({ ...plain, mask: place.multiply(0.01) });
  });

  it("are left to their definitions where features fill no vectors, or too many threads would share them", () => {
    const lanes = (features: number): unknown => {
      const shape = [1, 1, 64, features];
      const inputs = [0, 1, 2, 3].map(() => ({ shape, dtype: "float32" as const }));
      const call = {
        name: "attentionStatistics",
        inputs,
        output: { shape: [1, 1, 64, 3], dtype: "float32" as const },
        params: { scale: 1, isCausal: false },
      };
      return gradientLanes(call, floorTarget);
    };
    expect(lanes(16)).not.toBeNull();
    expect(lanes(18)).toBeNull();
    expect(lanes(128)).toBeNull();
  });
});
