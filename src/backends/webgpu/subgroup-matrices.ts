/** Matrices of 16 × 16 half floats that the threads of a subgroup multiply together, their sums in float32. */
import type { GpuTarget } from "./kernel-code.ts";
import type { Shader } from "./wgsl-shader.ts";

/** Rows and columns of a matrix. */
export const side = 16;
/** Threads of a subgroup. */
export const subgroupThreads = 32;
/** Bytes of an element of workgroup memory, which holds eight halves or four sums. */
export const elementBytes = 16;

/** Whether the device multiplies such matrices in subgroups of that size, and of no other. */
export function multipliesHalves({ matrixTiles, subgroups, hasF16 }: GpuTarget): boolean {
  const hasTile = matrixTiles.some(({ m, n, k }) => m === side && n === side && k === side);
  return hasTile && subgroups?.min === subgroupThreads && subgroups.max === subgroupThreads && hasF16;
}

/** Lets `shader` multiply matrices. */
export function enableMatrices(shader: Shader): void {
  for (const feature of ["f16", "subgroups", "chromium_experimental_subgroup_matrix"]) shader.enable(feature);
  // What a subgroup has follows from the place of its threads, which nobody can tell to be the same in all of them.
  shader.silence("chromium.subgroup_matrix_uniformity");
}

/** The text of sums that are zero. */
export const zeroSums: string = `subgroup_matrix_result<f32, ${side}, ${side}>()`;

/** The text of a matrix of halves in workgroup memory: `at` and `stride` in elements of it. */
export function loadMatrix(
  kind: "left" | "right",
  order: "row" | "col",
  memory: string,
  at: string,
  stride: number,
): string {
  return `subgroupMatrixLoad<subgroup_matrix_${kind}<f16, ${side}, ${side}>, ${order}_major>(&${memory}, u32(${at}), ${stride}u)`;
}

/** The statement that adds the product of two matrices to sums. */
export function addProduct(sums: string, left: string, right: string): string {
  return `${sums} = subgroupMatrixMultiplyAccumulate(${left}, ${right}, ${sums});`;
}

/** The statement that puts sums into workgroup memory. */
export function storeSums(sums: string, memory: string, at: string, stride: number): string {
  return `subgroupMatrixStore<row_major>(&${memory}, u32(${at}), ${sums}, ${stride}u);`;
}

/** The text of sums in workgroup memory. */
export function loadSums(memory: string, at: string, stride: number): string {
  return `subgroupMatrixLoad<subgroup_matrix_result<f32, ${side}, ${side}>, row_major>(&${memory}, u32(${at}), ${stride}u)`;
}
