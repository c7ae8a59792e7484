/** Attention as one kernel on the GPU against its definition: lengths that fill no block, grouped heads, masks, half floats. */
import * as mx from "mlx-ts";
import { describe, expect, it, vi } from "vitest";
import { attentionOf } from "../../src/backends/webgpu/attention-call.ts";
import { emitAttention } from "../../src/backends/webgpu/attention-kernel.ts";
import type { Dtype } from "../../src/base/dtype.ts";
import type { CompositeKernel } from "../../src/ir/kernel.ts";
import { testDevice } from "../setup/gpu-device.ts";
import { floorTarget, matrixTarget } from "../setup/gpu-target.ts";
import type { AttentionCase } from "./attention-kernels.ts";
import { buffersOf, kernelOfCall, logarithmsOf, paramsOf, statisticsOf, statisticsType } from "./attention-kernels.ts";
import { differences, testTargets } from "./compare-kernel.ts";
import { runKernel } from "./run-kernel.ts";

// Software drivers compile slowly, and more so on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

interface Case extends AttentionCase {
  readonly valueFeatures: number;
  readonly dtype?: Dtype;
  readonly mask?: readonly [dtype: Dtype, shape: readonly number[]];
  /** Changes the drawn mask. */
  readonly change?: (mask: Float32Array | Uint8Array) => void;
}

/** The kernel that a backend gets for this attention. */
function kernelOf(given: Case): CompositeKernel {
  const { leading, keyHeads, queries, keys, features, valueFeatures, dtype = "float32", mask } = given;
  const keyLeading = [...leading.slice(0, -1), keyHeads];
  const shapes = [
    [...leading, queries, features],
    [...keyLeading, keys, features],
    [...keyLeading, keys, valueFeatures],
  ];
  const inputs = shapes.map((shape) => ({ shape, dtype }));
  if (mask) inputs.push({ shape: [...mask[1]], dtype: mask[0] });
  const output = { shape: [...leading, queries, valueFeatures], dtype };
  return kernelOfCall({ name: "scaledDotProductAttention", inputs, output, params: paramsOf(given) }, [
    statisticsType(given),
  ]);
}

/** Compares the kernel with the definition, computed on the CPU in float32. */
async function check(given: Case, targets = [floorTarget]): Promise<void> {
  const kernel = kernelOf(given);
  const buffers = buffersOf(kernel);
  const mask = given.mask ? buffers[3] : undefined;
  if (mask instanceof Float32Array || mask instanceof Uint8Array) given.change?.(mask);
  const arrays = kernel.call.inputs.map(({ shape, dtype }, slot) => {
    const elements = buffers[slot] ?? new Float32Array();
    const array = mx.fromTypedArray(elements, [...shape], dtype);
    return dtype === "bool" ? array : mx.asType(array, "float32");
  });
  const [q, k, v, given4] = arrays;
  if (!q || !k || !v) throw new Error("there are three inputs");
  const expected = await mx.fast
    .scaledDotProductAttention(q, k, v, {
      scale: given.features ** -0.5,
      mask: given.isCausal ? "causal" : (given4 ?? null),
    })
    .data();
  const logarithms = logarithmsOf(await statisticsOf(arrays, given).data());
  const { dtype } = kernel.call.output;
  for (const target of targets) {
    await runKernel(emitAttention(kernel, target), kernel, buffers);
    const [output = new Float32Array(), statistics = new Float32Array()] = buffers.slice(-2);
    const actual = await mx.asType(mx.fromTypedArray(output, [output.length], dtype), "float32").data();
    const tolerance = dtype === "float32" ? 2e-6 : dtype === "float16" ? 2 ** -10 : 2 ** -7;
    if (!(expected instanceof Float32Array && actual instanceof Float32Array)) throw new Error("results are float32");
    expect(differences(expected, actual, "float32", tolerance)).toEqual([]);
    expect(differences(logarithms, logarithmsOf(statistics), "float32", 2e-6)).toEqual([]);
  }
}

const plain: Case = { leading: [1, 2], keyHeads: 2, queries: 20, keys: 40, features: 16, valueFeatures: 16 };

describe("attention in blocks", () => {
  it("of lengths that fill no block, with features that fill no vector", async () => {
    await check({ ...plain, queries: 70, keys: 45, features: 11, valueFeatures: 37 });
  });

  it("with more workgroup memory than the floor", async () => {
    await check({ ...plain, queries: 66, features: 40 }, [{ ...floorTarget, workgroupBytes: 32 * 1024 }]);
  });

  it("with the device's own limits, of one head", async () => {
    await check({ ...plain, leading: [1], keyHeads: 1 }, [...(await testTargets())]);
  });

  it("with rows in registers, shared by as many threads as the device lets", async () => {
    await check({ ...plain, queries: 35, keys: 41, features: 24, valueFeatures: 64 }, [...(await testTargets())]);
    await check({ ...plain, queries: 150, keys: 9, features: 64, valueFeatures: 40 }, [
      (await testTargets())[1] ?? floorTarget,
    ]);
  });

  it("causal, with more keys than queries and with fewer", async () => {
    await check({ ...plain, queries: 67, keys: 80, isCausal: true });
    await check({ ...plain, queries: 70, keys: 33, isCausal: true });
  });

  it("of heads that share keys and values", async () => {
    await check({ ...plain, leading: [2, 6], keyHeads: 2, features: 8, valueFeatures: 12 });
  });

  it("with a mask of truths, among them queries that see nothing", async () => {
    await check({
      ...plain,
      mask: ["bool", [20, 40]],
      change: (mask) => mask.fill(0, 0, 80),
    });
  });

  it("with a mask that is added, one for each head, with infinities", async () => {
    await check({
      ...plain,
      mask: ["float32", [2, 1, 40]],
      change: (mask) => mask.fill(Number.NEGATIVE_INFINITY, 0, 35),
    });
  });

  it.each(["float16", "bfloat16"] as const)("of %s, summed in float32", async (dtype) => {
    await check({ ...plain, dtype });
  });
});

it("what is not taken whole stays with the definition", () => {
  const taken = (given: Partial<Case>): boolean => attentionOf(kernelOf({ ...plain, ...given }).call) !== null;
  expect(taken({})).toBe(true);
  expect(taken({ queries: 1 })).toBe(false);
  expect(taken({ dtype: "float64" })).toBe(false);
  expect(taken({ valueFeatures: 256 })).toBe(false);
});

describe("attention of half floats by matrix operations", () => {
  const withMatrices = matrixTarget(48);
  const taken = (given: Partial<Case>, target = withMatrices): boolean => {
    const kernel = kernelOf({ ...plain, features: 64, valueFeatures: 64, dtype: "float16", ...given });
    return emitAttention(kernel, target).dispatches.some(({ wgsl }) => wgsl.includes("subgroupMatrixLoad"));
  };

  it("is taken where the device has them, features fill matrices, and no array is the mask", () => {
    expect(taken({})).toBe(true);
    expect(taken({ isCausal: true, leading: [2, 4], keyHeads: 2 })).toBe(true);
    expect(taken({ dtype: "float32" })).toBe(false);
    expect(taken({ features: 24 })).toBe(false);
    expect(taken({ mask: ["bool", [20, 40]] })).toBe(false);
    expect(taken({}, { ...withMatrices, matrixTiles: [] })).toBe(false);
  });

  it("gives what the definition gives, on a device that has them", async (context) => {
    const { target } = await testDevice();
    context.skip(target.matrixTiles.length === 0, "the driver has no matrix operations");
    const given: Case = { ...plain, features: 64, valueFeatures: 64, dtype: "float16" };
    await check({ ...given, queries: 100, keys: 75 }, [target]);
    await check({ ...given, leading: [2, 4], queries: 90, keys: 170, features: 48, isCausal: true }, [target]);
    await check({ ...given, queries: 130, keys: 90, valueFeatures: 128, isCausal: true }, [target]);
  });
});
