/** Loop kernels of planned graphs, run on the GPU in every schedule and compared with the interpreter. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import { describe, expect, it } from "vitest";
import { emitLoops } from "../../src/backends/webgpu/loop-kernel.ts";
import type { Tuning } from "../../src/backends/webgpu/loop-shape.ts";
import { defaultTuning, softwareTuning } from "../../src/backends/webgpu/loop-shape.ts";
import type { Dtype } from "../../src/base/dtype.ts";
import { DeviceError } from "../../src/base/errors.ts";
import type { LoopKernel } from "../../src/ir/kernel.ts";
import { testDevice } from "../setup/gpu-device.ts";
import { floorTarget } from "../setup/gpu-target.ts";
import { kernelsOf } from "../setup/planned-kernels.ts";
import { compare } from "./compare-loops.ts";

/** Arrays that plans take for data; none of them is computed. */
const data = (shape: readonly number[], dtype: Dtype = "float32"): mx.MLXArray => {
  const array = mx.zeros(shape, dtype).add(mx.array(1, dtype));
  inputs.push(array);
  return array;
};
let inputs: mx.MLXArray[] = [];

/** The loop kernels that compute `build()`. */
async function loopsOf(build: () => mx.MLXArray | readonly mx.MLXArray[]): Promise<LoopKernel[]> {
  inputs = [];
  const roots = [build()].flat();
  await mx.evaluate(...inputs);
  return kernelsOf(roots).filter((kernel) => kernel.kind === "loop");
}

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
  "many half floats": () => data([9_001], "float16").mul(2),
  "many bytes": () => mx.maximum(data([5_003], "uint8"), 2),
  "many rows reversed": () => mx.flip(data([101, 33]), 1).mul(3),
  "bfloat16 rows": () => mx.softmax(data([5, 64], "bfloat16"), -1),
  "gathered rows": () => mx.take(data([5, 12]), data([7], "int32"), 0),
  "the gradient of a product of four": () => mx.grad((x: mx.MLXArray) => mx.prod(x, 0).sum())(data([4, 1])),
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
  "a mean of squared distances from the mean of each row": () => {
    const x = data([200, 70]);
    return x
      .sub(x.mean(-1, { keepAxes: true }))
      .square()
      .mean();
  },
  "rows, shifted by the mean of all": () => {
    const x = data([200, 70]);
    return mx.softmax(x.sub(x.mean()), -1);
  },
  "random bits": () => mx.random.bits([33], { key: mx.random.key(3) }),
};

describe("on this device", () => {
  it.each(Object.entries(cases))("%s", async (_, build) => {
    const { target } = await testDevice();
    for (const kernel of await loopsOf(build)) await compare(kernel, target);
  });
});

describe("on the least that a device offers", () => {
  it.each(["softmax of rows", "column sums", "sums over the ends", "half floats", "places of the greatest"])(
    "%s",
    async (name) => {
      const build = cases[name];
      if (!build) throw new Error(`no case ${name}`);
      for (const kernel of await loopsOf(build)) await compare(kernel, floorTarget);
    },
  );
});

describe("in slices and rounds, as large kernels run", () => {
  /** Decides on small kernels as the usual numbers do on large ones. */
  const small: Tuning = { ...defaultTuning, threads: 16, mostThreads: 32, fill: 512, alone: 64, unrolled: 2 };

  it.each(Object.entries(cases).filter(([name]) => !name.startsWith("a chain")))("%s", async (_, build) => {
    const { target } = await testDevice();
    for (const kernel of await loopsOf(build)) await compare(kernel, target, small);
  });
});

describe("as drivers without hardware run them", () => {
  it.each([
    "a chain of 65,537",
    "half floats",
    "a sum of 65,537",
    "row sums of odd length",
    "column sums",
    "places of the greatest",
    "softmax of rows of odd length",
    "two results",
  ])("%s", async (name) => {
    const build = cases[name];
    if (!build) throw new Error(`no case ${name}`);
    const { target } = await testDevice();
    for (const kernel of await loopsOf(build)) await compare(kernel, target, softwareTuning);
  });

  it("each point has one thread, and nobody waits for another, where there are some dozens of them", async () => {
    for (const kernel of await loopsOf(() => mx.softmax(data([100, 50]), -1).sum(0))) {
      const { dispatches } = emitLoops(kernel, { ...floorTarget, isSoftware: true });
      for (const { wgsl } of dispatches) expect(wgsl).not.toContain("Barrier");
    }
  });
});

describe("limits of a device", () => {
  it.each([
    ["float32", 1_003, 1024],
    ["float16", 1_003, 512],
    ["uint8", 3_001, 1024],
  ] as const)("a buffer of %s larger than a binding is bound in windows", async (dtype, size, bindingBytes) => {
    const { target } = await testDevice();
    const build = (): mx.MLXArray => data([size], dtype).mul(2);
    for (const kernel of await loopsOf(build)) await compare(kernel, { ...target, bindingBytes, storageBuffers: 8 });
    for (const kernel of await loopsOf(() => mx.flip(data([size], dtype), 0).mul(2)))
      await compare(kernel, { ...target, bindingBytes, storageBuffers: 8 });
  });

  it("more windows than bindings are a DeviceError that says so", async () => {
    const [kernel] = await loopsOf(() => data([1_003]).mul(2));
    const tooMany = (): unknown => kernel && emitLoops(kernel, { ...floorTarget, bindingBytes: 512 });
    expect(tooMany).toThrow(DeviceError);
    expect(tooMany).toThrow(/binds 16 buffers or parts of large ones, and this device at most 8/);
  });

  it("more workgroups than fit along an axis go in rows", async () => {
    const { target } = await testDevice();
    const tuning = { ...defaultTuning, threads: 16 };
    for (const build of [() => data([5_000]).mul(2), () => data([100, 33]).sum(-1), () => data([3_000]).sum()])
      for (const kernel of await loopsOf(build)) await compare(kernel, { ...target, workgroupsPerAxis: 7 }, tuning);
  });

  it("a kernel without a binding to spare for scratch memory runs in one dispatch", async () => {
    const { target } = await testDevice();
    const [kernel] = await loopsOf(() => mx.softmax(data([200_000])));
    if (!kernel) throw new Error("there is a kernel");
    expect(emitLoops(kernel, floorTarget).dispatches).toHaveLength(3);
    expect(await compare(kernel, { ...target, storageBuffers: 2 })).toBe(1);
  });

  it("a sum over nothing is 0", async () => {
    const { target } = await testDevice();
    for (const kernel of await loopsOf(() => data([0, 5]).sum(0).add(1))) await compare(kernel, target);
  });
});

describe("few dispatches", () => {
  const dispatches = async (build: () => mx.MLXArray): Promise<number> => {
    let count = 0;
    for (const kernel of await loopsOf(build)) count += emitLoops(kernel, floorTarget).dispatches.length;
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
