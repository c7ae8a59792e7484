/**
 * Products by the matrix operations of subgroups. No software driver has these, so each operation is replaced by a function that
 * does the same for every thread of a subgroup: what is tested is all that stands around them.
 */
import * as mx from "mlx-ts";
import { expect, it, vi } from "vitest";
import { emitContraction } from "../../src/backends/webgpu/contraction-kernel.ts";
import { contractionSchedule } from "../../src/backends/webgpu/contraction-schedule.ts";
import type { GpuKernelCode } from "../../src/backends/webgpu/kernel-code.ts";
import type { ContractionKernel } from "../../src/ir/kernel.ts";
import { testDevice } from "../setup/gpu-device.ts";
import { floorTarget, matrixTarget } from "../setup/gpu-target.ts";
import { given, kernelOf } from "../setup/planned-kernels.ts";
import { compareKernel } from "./compare-kernel.ts";
import { emulated } from "./emulated-matrices.ts";

vi.setConfig({ testTimeout: 120_000 });

const withMatrices = matrixTarget(32);

function codeOf(kernel: ContractionKernel, slices: number): GpuKernelCode {
  return emulated(emitContraction(kernel, withMatrices, { kind: "matrix", columns: 128, slices }));
}

const half = (shape: readonly number[]): Promise<mx.MLXArray> => given(shape, "float16");

interface Case {
  readonly name: string;
  readonly slices: number;
  build(): Promise<mx.MLXArray>;
}

const cases: readonly Case[] = [
  { name: "as they lie, by eights", slices: 1, build: async () => (await half([70, 48])).matmul(await half([48, 72])) },
  {
    name: "as they lie, of lengths that are no multiples of eight, in two slices",
    slices: 2,
    build: async () => (await half([70, 44])).matmul(await half([44, 66])),
  },
  {
    name: "both transposed, with one operand computed",
    slices: 1,
    build: async () => mx.exp(mx.transpose(await half([40, 68]))).matmul(mx.transpose(await half([72, 40]))),
  },
];

for (const { name, slices, build } of cases) {
  it(`operands ${name}`, async (context) => {
    const { target } = await testDevice();
    context.skip(!target.hasF16, "the driver has no 16-bit floats");
    const kernel = kernelOf("contraction", await build());
    await compareKernel(kernel, () => codeOf(kernel, slices), { targets: [withMatrices] });
  });
}

it("products are what the interpreter gives, on a device that has matrix operations", async (context) => {
  const { target } = await testDevice();
  context.skip(target.matrixTiles.length === 0, "the driver has no matrix operations");
  const [left, right] = [await half([150, 100]), await half([100, 202])];
  const [tall, wide] = [await half([136, 264]), await half([130, 136])];
  // So long that tiles of the left last two turns.
  const [longer, other] = [await half([130, 600]), await half([600, 202])];
  for (const root of [left.matmul(right), mx.exp(tall.T).matmul(wide.T).add(1), longer.matmul(other)]) {
    const kernel = kernelOf("contraction", root);
    expect(contractionSchedule(kernel, target).kind).toBe("matrix");
    const emit = (): GpuKernelCode => emitContraction(kernel, target);
    await compareKernel(kernel, emit, { targets: [target], tolerance: 2 ** -10 });
    // No software driver has the memory for wide tiles.
    const wider = (): GpuKernelCode => emitContraction(kernel, target, { kind: "matrix", columns: 256, slices: 1 });
    await compareKernel(kernel, wider, { targets: [target], tolerance: 2 ** -10 });
  }
});

it("the schedule takes matrix operations where both operands are halves, and only there", async () => {
  const [a, b] = [await half([128, 128]), await half([128, 128])];
  expect(contractionSchedule(kernelOf("contraction", a.matmul(b)), withMatrices).kind).toBe("matrix");
  expect(contractionSchedule(kernelOf("contraction", a.matmul(b)), floorTarget).kind).toBe("tile");
  const large = kernelOf("contraction", (await half([2048, 64])).matmul(await half([64, 2048])));
  const roomy = matrixTarget(48);
  expect(contractionSchedule(large, withMatrices)).toEqual({ kind: "matrix", columns: 128, slices: 1 });
  expect(contractionSchedule(large, roomy)).toEqual({ kind: "matrix", columns: 256, slices: 1 });
  const wide = mx.ones([128, 128]);
  await mx.evaluate(wide);
  expect(contractionSchedule(kernelOf("contraction", wide.matmul(wide.add(1))), withMatrices).kind).toBe("tile");
});
