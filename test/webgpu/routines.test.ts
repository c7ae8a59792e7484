/** Routines on the GPU against their definitions on the CPU: short rows and long ones, every dtype, special values. */
import * as mx from "mlx-ts";
import { describe, expect, it, vi } from "vitest";
import { emitRoutine } from "../../src/backends/webgpu/routine-kernel.ts";
import type { Dtype, TypedArray } from "../../src/base/dtype.ts";
import { isFloating } from "../../src/base/dtype.ts";
import { elementsOf, readElement, writeElement } from "../../src/base/elements.ts";
import type { RoutineKernel } from "../../src/ir/kernel.ts";
import { scatterInto } from "../../src/primitives/scatter.ts";
import { floorTarget } from "../setup/gpu-target.ts";
import { given, kernelsOf } from "../setup/planned-kernels.ts";
import { compareKernel, drawn } from "./compare-kernel.ts";

// Software drivers compile slowly, and more so on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

const gpuDtypes: readonly Dtype[] = [
  "bool",
  "uint8",
  "uint16",
  "uint32",
  "int8",
  "int16",
  "int32",
  "float16",
  "bfloat16",
  "float32",
];

/** The routines among the kernels of `root`. */
function routinesOf(root: mx.MLXArray): RoutineKernel[] {
  return kernelsOf([root]).filter((kernel) => kernel.kind === "routine");
}

/** Compares the one routine that `root` needs, its inputs given by slot or drawn. */
async function check(
  root: mx.MLXArray,
  inputs: ReadonlyMap<number, TypedArray> = new Map(),
  tolerance = 0,
): Promise<void> {
  const [kernel, ...others] = routinesOf(root);
  expect(others).toEqual([]);
  if (!kernel) throw new Error("there is a routine");
  await compareKernel(kernel, (_, target) => emitRoutine(kernel, target), {
    inputs,
    tolerance,
    targets: [floorTarget],
  });
}

/** Drawn elements among which there are NaN, infinities, zeros of both signs and equal ones. */
function withSpecials(dtype: Dtype, count: number): TypedArray {
  const elements = drawn(dtype, count, 5);
  if (!isFloating(dtype)) return elements;
  const specials = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 0, 0.5, 0.5];
  for (let k = 0; k < count; k += 3) writeElement(elements, k, dtype, specials[k % specials.length] ?? 0);
  return elements;
}

function indices(values: readonly number[]): TypedArray {
  return elementsOf("int32", values);
}

describe("sorting", () => {
  it.each(gpuDtypes)("short rows of %s, and their positions", async (dtype) => {
    const x = await given([5, 19], dtype);
    await check(mx.sort(x), new Map([[0, withSpecials(dtype, 95)]]));
    await check(mx.argSort(x), new Map([[0, withSpecials(dtype, 95)]]));
  });

  it("one element, and one that fills a workgroup", async () => {
    await check(mx.sort(await given([3, 1])));
    await check(mx.argSort(await given([2, 2048])));
  });

  it("rows of several blocks, merged", async () => {
    await check(mx.sort(await given([2, 5000])), new Map([[0, withSpecials("float32", 10_000)]]));
    await check(mx.argSort(await given([1, 9001], "uint8")));
  });

  it("places in sorted rows", async () => {
    const sorted = withSpecials("float32", 40).sort();
    const inputs = new Map([
      [0, sorted],
      [1, withSpecials("float32", 30)],
    ]);
    await check(mx.searchSorted(await given([40]), await given([5, 6])), inputs);
    await check(mx.searchSorted(await given([40]), await given([5, 6]), { side: "right" }), inputs);
  });
});

describe("cumulative operations", () => {
  const operations = { cumsum: mx.cumsum, cumprod: mx.cumprod, cummax: mx.cummax, cummin: mx.cummin } as const;

  it.each(Object.entries(operations))("%s of every dtype", async (_, operation) => {
    for (const dtype of gpuDtypes) {
      if (dtype === "bool" && operation === mx.cumsum) continue;
      await check(operation(await given([3, 21], dtype), -1), new Map(), 1e-6);
    }
  });

  it("NaN and infinities", async () => {
    const inputs = new Map([[0, withSpecials("float32", 60)]]);
    const x = await given([3, 20]);
    await check(mx.cummax(x, -1), inputs);
    await check(mx.cummin(x, -1), inputs);
    await check(mx.logCumsumExp(x, -1), inputs, 1e-6);
  });

  it("from the end, in rows shorter than a thread's share and longer than a block", async () => {
    await check(mx.cumsum(await given([70, 3], "int32"), -1, { reverse: true }));
    await check(mx.cumsum(await given([2, 5000], "int32"), -1, { reverse: true }));
    await check(mx.cumsum(await given([2, 4097]), -1), new Map(), 1e-5);
    await check(mx.logCumsumExp(await given([1, 2500]), -1), new Map(), 1e-6);
  });

  it("recurrences, which derivatives of products are", async () => {
    const slope = async (shape: readonly number[]): Promise<RoutineKernel | undefined> => {
      const x = await given(shape);
      const [, push] = [x, mx.jvp((y: mx.MLXArray) => mx.cumprod(y, -1), [x], [x])] as const;
      return routinesOf(push[1][0] ?? x).find(({ call }) => call.name === "recurrence");
    };
    for (const shape of [
      [3, 20],
      [2, 3000],
    ]) {
      const kernel = await slope(shape);
      if (!kernel) throw new Error("there is a recurrence");
      await compareKernel(kernel, (_, target) => emitRoutine(kernel, target), { targets: [floorTarget] });
    }
  });
});

describe("scattering", () => {
  const few = indices([2, -1, 2, 0, 7, -8, 2]);
  const many = indices(Array.from({ length: 90 }, (_, k) => ((k * 7) % 11) - 3));
  const ops = ["set", "add", "multiply", "maximum", "minimum"] as const;

  /** Compares the routine that `root` needs, with index arrays as given. */
  async function checkScatter(root: mx.MLXArray, places: TypedArray): Promise<void> {
    const [kernel] = routinesOf(root);
    if (!kernel) throw new Error("there is a routine");
    const slots = kernel.slots.flatMap(({ dtype, isOutput }, slot) => (dtype === "int32" && !isOutput ? [slot] : []));
    await check(root, new Map(slots.map((slot) => [slot, places])));
  }

  it.each(ops)("%s, of few updates and of many", async (op) => {
    const x = await given([7, 5]);
    for (const places of [few, many]) {
      const [index, updates] = [await given([places.length], "int32"), await given([places.length, 5])];
      await checkScatter(scatterInto(op, x, updates, [index], { batchRank: 0, axes: [0] }), places);
    }
  });

  it.each(["bool", "uint8", "int16", "float16", "bfloat16", "uint32"] as const)("elements of %s", async (dtype) => {
    const x = await given([7, 3], dtype);
    const [index, updates] = [await given([few.length], "int32"), await given([few.length, 3], dtype)];
    for (const op of ["set", "add", "multiply"] as const)
      await checkScatter(scatterInto(op, x, updates, [index], { batchRank: 0, axes: [0] }), few);
  });

  it("places of uint32, of which those beyond int32 are nowhere", async () => {
    const [x, index] = [await given([7, 2]), await given([4], "uint32")];
    const scattered = scatterInto("add", x, await given([4, 2]), [index], { batchRank: 0, axes: [0] });
    const [kernel] = routinesOf(scattered);
    const slot = kernel?.slots.findIndex(({ dtype }) => dtype === "uint32") ?? -1;
    await check(scattered, new Map([[slot, elementsOf("uint32", [6, 2 ** 32 - 1, 2 ** 31, 6])]]));
  });

  it("two axes at once, one in the middle, and one of each row in a batch", async () => {
    const index = await given([few.length], "int32");
    const pairs = await given([few.length, 3], "float32");
    await checkScatter(
      scatterInto("add", await given([7, 3, 7]), pairs, [index, index], { batchRank: 0, axes: [0, 2] }),
      few,
    );
    const middle = await given([few.length, 3, 2]);
    await checkScatter(scatterInto("add", await given([3, 7, 2]), middle, [index], { batchRank: 0, axes: [1] }), few);
    const [rows, updates] = [await given([2, 45], "int32"), await given([2, 45])];
    await checkScatter(scatterInto("add", await given([2, 7]), updates, [rows], { batchRank: 1, axes: [1] }), many);
  });
});

describe("copies", () => {
  it("many arrays joined, along the first axis and the last", async () => {
    const parts = await Promise.all(Array.from({ length: 10 }, (_, k) => given([3, 1 + (k % 3)])));
    await check(mx.concatenate(parts, 1));
    await check(
      mx.concatenate(
        parts.map((part) => mx.transpose(part)),
        0,
      ),
    );
    const bytes = await Promise.all(Array.from({ length: 9 }, (_, k) => given([2, 3 + k], "int8")));
    await check(mx.concatenate(bytes, 1));
    const longs = await Promise.all(Array.from({ length: 9 }, () => given([2, 3], "int64")));
    await check(mx.concatenate(longs, 0));
  });

  it("bytes read as another dtype", async () => {
    await check(mx.view(await given([3, 5]), "uint8"));
    await check(mx.view(await given([3, 8], "int8"), "float16"));
  });
});

describe("covariance roots", () => {
  it.each([1, 2, 5, 30])("those of %i rows, of every size of number", async (n) => {
    const sizes = [1, 1e-25, 1e25];
    const kernel = routinesOf(
      mx.random.multivariateNormal(mx.zeros([n]), await given([sizes.length, n, n]), [sizes.length]),
    ).find(({ call }) => call.name === "covarianceRoot");
    if (!kernel) throw new Error("there is a root");
    const drawnRoot = drawn("float32", sizes.length * n * n, 3);
    const covariances = Float32Array.from({ length: sizes.length * n * n }, (_, p) => {
      const [m, i, j] = [Math.floor(p / (n * n)), Math.floor(p / n) % n, p % n];
      const at = (row: number, column: number): number =>
        Number(readElement(drawnRoot, (m * n + row) * n + column, "float32"));
      const product = Array.from({ length: n }, (_, k) => at(k, i) * at(k, j)).reduce((sum, x) => sum + x, 0);
      return (sizes[m] ?? 0) * (product + (i === j ? 0.1 : 0));
    });
    for (const [m] of sizes.entries()) {
      const one = covariances.subarray(m * n * n, (m + 1) * n * n);
      const repeated = Float32Array.from({ length: covariances.length }, (_, p) => one[p % (n * n)] ?? 0);
      await compareKernel(kernel, (_, target) => emitRoutine(kernel, target), {
        inputs: new Map([[0, repeated]]),
        targets: [floorTarget],
      });
    }
  });

  it("of a matrix of lower rank, to what the root of rounding errors is", async () => {
    const n = 4;
    const kernel = routinesOf(mx.random.multivariateNormal(mx.zeros([n]), await given([n, n]))).find(
      ({ call }) => call.name === "covarianceRoot",
    );
    if (!kernel) throw new Error("there is a root");
    const column = [1, -2, 0.3, 0.7];
    const covariance = Float32Array.from(
      { length: n * n },
      (_, p) => (column[p % n] ?? 0) * (column[Math.floor(p / n)] ?? 0),
    );
    for (const elements of [covariance, new Float32Array(n * n)]) {
      await compareKernel(kernel, (_, target) => emitRoutine(kernel, target), {
        inputs: new Map([[0, elements]]),
        tolerance: 1e-3,
        targets: [floorTarget],
      });
    }
  });
});
