/** Sums that several workgroups share: where each leaves its part, and the dispatch that adds the parts up in order. */
import type { ContractionKernel } from "../../ir/kernel.ts";
import { shapeOf } from "./contraction-schedule.ts";
import { gridOf } from "./grid.ts";
import type { GpuDispatch, GpuTarget } from "./kernel-code.ts";
import { ProductShader } from "./product-shader.ts";

/** How partial sums lie in scratch memory: vectors of four columns, by slice, batch and row. */
export interface PartialSums {
  readonly byteLength: number;
  /** Vectors of a row. */
  readonly quads: number;
  /** The text of the place of a vector; all operands are texts of i32. */
  position(slice: string, batch: string, row: string, quad: string): string;
}

/** The partial sums of `kernel` in so many slices. */
export function partialSums(kernel: ContractionKernel, slices: number): PartialSums {
  const { batch, m, n } = shapeOf(kernel);
  const quads = Math.ceil(n / 4);
  return {
    byteLength: slices * batch * m * quads * 16,
    quads,
    position: (slice, batchPlace, row, quad) =>
      `((${slice} * ${batch} + ${batchPlace}) * ${m} + ${row}) * ${quads} + ${quad}`,
  };
}

/** Where four sums of a slice stand: texts of i32. */
interface PartialPlace {
  readonly slice: string;
  readonly batch: string;
  readonly row: string;
  readonly quad: string;
}

/** Leaves four sums, the value of `sums`, in scratch memory, unless they lie beyond the product. */
export function keepPartialSums(
  { shader, memory, kernel }: ProductShader,
  slices: number,
  { slice, batch, row, quad }: PartialPlace,
  sums: string,
): void {
  const { position, quads } = partialSums(kernel, slices);
  const name = memory.scratch(0, "vec4f", true);
  shader.block(`if (${row} < ${kernel.m.length} && ${quad} < ${quads})`, () => {
    shader.line(`${name}[${position(slice, batch, row, quad)}] = ${sums};`);
  });
}

const threads = 64;

/** The dispatch that adds up partial sums and stores the results: four columns a thread. */
export function emitSliceSums(kernel: ContractionKernel, target: GpuTarget, slices: number): GpuDispatch {
  const product = new ProductShader(kernel, target);
  const { shader, memory } = product;
  const { batch, m } = shapeOf(kernel);
  const { quads, position } = partialSums(kernel, slices);
  const grid = gridOf(shader, target, Math.ceil((batch * m * quads) / threads));
  const point = shader.let("point", `${grid.place} * ${threads} + i32(thread)`);
  shader.block(`if (${point} >= ${batch * m * quads})`, () => shader.line("return;"));
  const quad = shader.let("quad", `${point} % ${quads}`);
  const row = shader.let("row", `(${point} / ${quads}) % ${m}`);
  const place = shader.let("batch", `${point} / ${quads * m}`);
  product.bindBatch(place);
  const name = memory.scratch(0, "vec4f", false);
  shader.line("var total = vec4f();");
  shader.block(`for (var slice = 0; slice < ${slices}; slice++)`, () => {
    shader.line(`total += ${name}[${position("slice", place, row, quad)}];`);
  });
  product.storeFour({ row, quad, mayLeaveRows: false, mayLeaveColumns: false }, "total");
  return product.dispatch(threads, grid.workgroups);
}
