/**
 * Products by the matrix operations of subgroups. No software driver has these, so each operation is replaced by a function that
 * does the same for every thread of a subgroup: what is tested is all that stands around them.
 */
import * as mx from "mlx-ts";
import { expect, it, vi } from "vitest";
import { emitContraction } from "../../src/backends/webgpu/contraction-kernel.ts";
import { contractionSchedule } from "../../src/backends/webgpu/contraction-schedule.ts";
import type { GpuKernelCode, GpuTarget } from "../../src/backends/webgpu/kernel-code.ts";
import type { ContractionKernel } from "../../src/ir/kernel.ts";
import { testDevice } from "../setup/gpu-device.ts";
import { floorTarget } from "../setup/gpu-target.ts";
import { given, kernelOf } from "../setup/planned-kernels.ts";
import { compareKernel } from "./compare-kernel.ts";

vi.setConfig({ testTimeout: 120_000 });

const matrixTarget: GpuTarget = {
  ...floorTarget,
  hasF16: true,
  subgroups: { min: 32, max: 32 },
  matrixTiles: [{ m: 16, n: 16, k: 16 }],
  workgroupBytes: 32 * 1024,
};

/**
 * The same shader without matrix operations: a loaded matrix is where it lies in workgroup memory, and of a matrix of results
 * each thread of a subgroup has eight elements.
 */
function emulated(wgsl: string): string {
  if (!wgsl.includes("subgroup_matrix")) return wgsl;
  const orders = new Map<string, string>();
  const text = wgsl
    .replace("enable subgroups;\n", "")
    .replace("enable chromium_experimental_subgroup_matrix;\n", "")
    .replace("diagnostic(off, chromium.subgroup_matrix_uniformity);\n", "")
    .replaceAll("subgroup_matrix_result<f32, 16, 16>", "array<f32, 8>")
    .replaceAll(
      /subgroupMatrixLoad<subgroup_matrix_\w+<f16, 16, 16>, (row|col)_major>\(&(\w+), /g,
      (_, order: string, name: string) => {
        orders.set(name, order);
        return "vec2u(";
      },
    )
    // Single words: indexing the components of vectors takes this driver's compiler minutes.
    .replaceAll(/_tile: array<vec4u, (\d+)>/g, (_, count: string) => `_tile: array<u32, ${4 * Number(count)}>`)
    .replaceAll(/(\w+)_tile\[(\w+)\] = (\w+);/g, "put_$1($2, $3);")
    .replaceAll(/bitcast<vec4f>\(left_tile\[(.*)\]\);/g, "results_at($1);")
    .replaceAll("subgroupMatrixMultiplyAccumulate(", "multiply_add(")
    .replaceAll("subgroupMatrixStore<row_major>(&left_tile, ", "store_results(")
    .replace(/(fn main\([^{]*\{)/, "$1\n  first = (thread % 32u) * 8u;\n  zero = workgroup.z;");
  const element = (name: string, row: string, column: string, at: string): string => {
    const [slow, fast] = orders.get(name) === "row" ? [row, column] : [column, row];
    return `half_of(${name}[((${at}.x + (${slow}) * ${at}.y) * 8u + ${fast}) >> 1u], ${fast})`;
  };
  return `${text}
var<private> first: u32;
// Loops to bounds that are not known when compiling are not written out.
var<private> zero: u32;
fn put_left(at: i32, x: vec4u) {
  let k = at * 4;
  left_tile[k] = x.x; left_tile[k + 1] = x.y; left_tile[k + 2] = x.z; left_tile[k + 3] = x.w;
}
fn put_right(at: i32, x: vec4u) {
  let k = at * 4;
  right_tile[k] = x.x; right_tile[k + 1] = x.y; right_tile[k + 2] = x.z; right_tile[k + 3] = x.w;
}
fn results_at(at: i32) -> vec4f {
  let k = at * 4;
  return bitcast<vec4f>(vec4u(left_tile[k], left_tile[k + 1], left_tile[k + 2], left_tile[k + 3]));
}
fn half_of(word: u32, place: u32) -> f32 { return f32(bitcast<vec2<f16>>(word >> ((place & 1u) * 16u)).x); }
fn multiply_add(a: vec2u, b: vec2u, c: array<f32, 8>) -> array<f32, 8> {
  var result = c;
  for (var i = 0u; i < 8u + zero; i++) {
    for (var k = 0u; k < 16u + zero; k++) {
      result[i] += ${element("left_tile", "(first + i) / 16u", "k", "a")} * ${element("right_tile", "k", "(first + i) % 16u", "b")};
    }
  }
  return result;
}
fn store_results(offset: u32, given: array<f32, 8>, stride: u32) {
  var part = given;
  for (var i = 0u; i < 8u + zero; i++) {
    let place = (offset + ((first + i) / 16u) * stride) * 4u + (first + i) % 16u;
    left_tile[place] = bitcast<u32>(part[i]);
  }
}
`;
}

function codeOf(kernel: ContractionKernel, slices: number): GpuKernelCode {
  const code = emitContraction(kernel, matrixTarget, { kind: "matrix", columns: 128, slices });
  return { ...code, dispatches: code.dispatches.map((dispatch) => ({ ...dispatch, wgsl: emulated(dispatch.wgsl) })) };
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
    await compareKernel(kernel, () => codeOf(kernel, slices), { targets: [matrixTarget] });
  });
}

it("products are what the interpreter gives, on a device that has matrix operations", async (context) => {
  const { target } = await testDevice();
  context.skip(target.matrixTiles.length === 0, "the driver has no matrix operations");
  const [left, right] = [await half([150, 100]), await half([100, 202])];
  const [tall, wide] = [await half([136, 264]), await half([130, 136])];
  for (const root of [left.matmul(right), mx.exp(tall.T).matmul(wide.T).add(1)]) {
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
  expect(contractionSchedule(kernelOf("contraction", a.matmul(b)), matrixTarget).kind).toBe("matrix");
  expect(contractionSchedule(kernelOf("contraction", a.matmul(b)), floorTarget).kind).toBe("tile");
  const large = kernelOf("contraction", (await half([2048, 64])).matmul(await half([64, 2048])));
  const roomy = { ...matrixTarget, workgroupBytes: 48 * 1024 };
  expect(contractionSchedule(large, matrixTarget)).toEqual({ kind: "matrix", columns: 128, slices: 1 });
  expect(contractionSchedule(large, roomy)).toEqual({ kind: "matrix", columns: 256, slices: 1 });
  const wide = mx.ones([128, 128]);
  await mx.evaluate(wide);
  expect(contractionSchedule(kernelOf("contraction", wide.matmul(wide.add(1))), matrixTarget).kind).toBe("tile");
});
