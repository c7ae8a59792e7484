/** Loop kernels of planned graphs, run on the GPU in every schedule and compared with the interpreter. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import { describe, expect, it } from "vitest";
import { currentRuntime } from "../../src/array/device.ts";
import type { GpuTarget } from "../../src/backends/webgpu/kernel-code.ts";
import { emitLoops } from "../../src/backends/webgpu/loop-kernel.ts";
import type { Tuning } from "../../src/backends/webgpu/loop-schedule.ts";
import { defaultTuning } from "../../src/backends/webgpu/loop-schedule.ts";
import type { Dtype, TypedArray } from "../../src/base/dtype.ts";
import { carrierOf, isFloating } from "../../src/base/dtype.ts";
import { elementsOf, readElement } from "../../src/base/elements.ts";
import { interpret } from "../../src/ir/interpret.ts";
import type { LoopKernel } from "../../src/ir/kernel.ts";
import { Random } from "../laws/bench.ts";
import { testDevice } from "../setup/gpu-device.ts";
import { runKernel } from "./run-kernel.ts";

/** Arrays that plans take for data; none of them is computed. */
const data = (shape: readonly number[], dtype: Dtype = "float32"): mx.MLXArray => {
  const array = mx.zeros(shape, dtype).add(mx.array(1, dtype));
  inputs.push(array);
  return array;
};
let inputs: mx.MLXArray[] = [];

/** The loop kernels that compute `build()`. */
async function kernelsOf(build: () => mx.MLXArray | readonly mx.MLXArray[]): Promise<LoopKernel[]> {
  inputs = [];
  const roots = [build()].flat();
  await mx.evaluate(...inputs);
  return currentRuntime()
    .plan(roots)
    .steps.map(({ kernel }) => kernel)
    .filter((kernel) => kernel.kind === "loop");
}

function drawn(dtype: Dtype, size: number, random: Random): TypedArray {
  if (dtype === "bool")
    return elementsOf(
      dtype,
      Array.from({ length: size }, () => random.whole(0, 1)),
    );
  if (!isFloating(dtype))
    return elementsOf(
      dtype,
      Array.from({ length: size }, () => random.whole(0, 4)),
    );
  return elementsOf(
    dtype,
    Array.from({ length: size }, () => random.between(0.25, 1.5)),
  );
}

const constantOf = (dtype: Dtype): number => (isFloating(dtype) ? 1.375 : 3);

async function compare(kernel: LoopKernel, target: GpuTarget, tuning: Tuning = defaultTuning): Promise<number> {
  const random = new Random(kernel.slots.length);
  const expected = kernel.slots.map(({ dtype, size, isOutput }) =>
    isOutput ? new (carrierOf(dtype))(size) : drawn(dtype, size, random),
  );
  const actual = expected.map((elements) => elements.slice());
  const constants = kernel.arguments.map(constantOf);
  interpret(kernel, expected, constants);
  const code = emitLoops(kernel, target, tuning);
  await runKernel(code, kernel, actual, constants);
  const wrong = kernel.slots.flatMap(({ dtype, size, isOutput }, slot) => {
    const [wanted, is] = [expected[slot], actual[slot]];
    if (!isOutput || !wanted || !is) return [];
    const relative = dtype === "float16" ? 2e-3 : dtype === "bfloat16" ? 1.6e-2 : 2e-6;
    return Array.from({ length: size }, (_, k) => k).flatMap((k) => {
      const [w, i] = [Number(readElement(wanted, k, dtype)), Number(readElement(is, k, dtype))];
      const isClose = isFloating(dtype) ? Math.abs(w - i) <= relative * Math.max(1, Math.abs(w)) : w === i;
      return isClose || Object.is(w, i) ? [] : [`%${slot}[${k}] = ${i}, not ${w}`];
    });
  });
  expect(wrong.slice(0, 8), code.dispatches.map(({ wgsl }) => wgsl).join("\n")).toEqual([]);
  return code.dispatches.length;
}

/** What a device offers at least. */
const floor: GpuTarget = {
  hasF16: false,
  subgroups: null,
  matrixTiles: [],
  storageBuffers: 8,
  bindingBytes: 2 ** 27,
  workgroupsPerAxis: 65_535,
  workgroupBytes: 16_384,
  workgroupThreads: 256,
};

const cases: Readonly<Record<string, () => mx.MLXArray | readonly mx.MLXArray[]>> = {
  "a chain of 65,537": () => mx.tanh(data([65_537]).mul(0.5)).add(1),
  "a chain of 1": () => data([1]).mul(0.5).add(1),
  "a chain of 5": () =>
    data([5])
      .mul(0.5)
      .add(data([5])),
  "a row added to each row": () => data([33, 20]).add(data([20])),
  "a row of odd length added to each row": () => data([33, 19]).add(data([19])),
  "a column added to each row": () => data([33, 20]).add(data([33, 1])),
  "a transposed view": () => data([37, 24]).transpose().add(1),
  "a reversed slice": () => mx.get(mx.flip(data([37, 24]), 0), "::2").mul(3),
  "bytes compared": () => mx.greater(data([37, 5], "uint8"), data([37, 5], "uint8")),
  "half floats": () => data([37, 5], "float16").mul(2).add(1),
  "half floats transposed": () => data([36, 8], "float16").transpose().add(1),
  "bytes transposed": () => data([7, 9], "int8").transpose().add(1),
  "bfloat16 rows": () => mx.softmax(data([5, 64], "bfloat16"), -1),
  "gathered rows": () => mx.take(data([5, 12]), data([7], "int32"), 0),
  "two results": () => {
    const x = mx.exp(data([10, 10]));
    return [x, x.add(1)];
  },
  "a sum of 1": () => data([1]).sum(),
  "a sum of 3": () => data([3]).sum(),
  "a sum of 127": () => data([127]).sum(),
  "a sum of 65,537": () => data([65_537]).sum(),
  "a mean of squares": () => data([300, 301]).square().mean(),
  "row sums": () => data([9, 4096]).sum(-1),
  "row sums of odd length": () => data([9, 1001]).sum(-1),
  "short row sums": () => data([300, 3]).sum(-1),
  "column sums": () => data([301, 64]).sum(0),
  "column sums of odd length": () => data([301, 5]).sum(0),
  "sums over the middle": () => data([6, 50, 12]).sum(1),
  "sums over the ends": () => data([6, 50, 12]).sum([0, 2]),
  products: () => data([6, 9]).prod(-1),
  "the greatest and least": () => [data([6, 130]).max(-1), data([6, 130]).min(0)],
  "places of the greatest": () => mx.argMax(data([6, 130], "int32"), -1),
  "the place of the least": () => mx.argMin(data([6, 130])),
  "all and any": () => [mx.all(data([6, 13], "bool"), 1), mx.any(data([6, 13], "bool"))],
  "sums of small integers": () => data([6, 130], "int8").sum(-1),
  "softmax of rows": () => mx.softmax(data([7, 260]), -1),
  "softmax of rows of odd length": () => mx.softmax(data([7, 259]), -1),
  "softmax of columns": () => mx.softmax(data([50, 12]), 0),
  "softmax of long rows": () => mx.softmax(data([3, 9000]), -1),
  "softmax of the whole": () => mx.softmax(data([123, 77])),
  layerNorm: () => mx.fast.layerNorm(data([9, 96]), data([96]), data([96])),
  "rmsNorm in half floats": () => mx.fast.rmsNorm(data([9, 96], "float16"), data([96], "float16")),
  "cross-entropy": () => nn.losses.crossEntropy(data([19, 50]), data([19], "int32"), { reduction: "mean" }),
  "variance of columns": () => mx.variance(data([40, 20]), 0),
  "random bits": () => mx.random.bits([33], { key: mx.random.key(3) }),
};

describe("on this device", () => {
  it.each(Object.entries(cases))("%s", async (_, build) => {
    const { target } = await testDevice();
    for (const kernel of await kernelsOf(build)) await compare(kernel, target);
  });
});

describe("on the least that a device offers", () => {
  it.each(["softmax of rows", "column sums", "sums over the ends", "half floats", "places of the greatest"])(
    "%s",
    async (name) => {
      const build = cases[name];
      if (!build) throw new Error(`no case ${name}`);
      for (const kernel of await kernelsOf(build)) await compare(kernel, floor);
    },
  );
});

describe("in slices and rounds, as large kernels run", () => {
  /** Decides on small kernels as the usual numbers do on large ones. */
  const small: Tuning = { ...defaultTuning, threads: 16, mostThreads: 32, fill: 512, alone: 64, unrolled: 2 };

  it.each(Object.entries(cases).filter(([name]) => !name.startsWith("a chain")))("%s", async (_, build) => {
    const { target } = await testDevice();
    for (const kernel of await kernelsOf(build)) await compare(kernel, target, small);
  });
});

describe("few dispatches", () => {
  const dispatches = async (build: () => mx.MLXArray): Promise<number> => {
    let count = 0;
    for (const kernel of await kernelsOf(build)) count += emitLoops(kernel, floor).dispatches.length;
    return count;
  };

  it("a sum of few elements is one, a long one two", async () => {
    expect(await dispatches(() => data([10_000]).sum())).toBe(1);
    expect(await dispatches(() => data([1_000_000]).sum())).toBe(2);
  });

  it("softmax of rows is one, of one long row three", async () => {
    expect(await dispatches(() => mx.softmax(data([512, 512]), -1))).toBe(1);
    expect(await dispatches(() => mx.softmax(data([1_000_000])))).toBe(3);
  });
});
