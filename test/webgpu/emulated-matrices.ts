/**
 * Shaders with the matrix operations of subgroups on drivers that have none: each operation is replaced by a function that does the
 * same for every thread of a subgroup, so that what stands around them runs.
 */
import type { GpuKernelCode } from "../../src/backends/webgpu/kernel-code.ts";

/**
 * The same code without matrix operations. A loaded matrix is where it lies in workgroup memory; what is named `own_…` stays, of
 * a left matrix a row with each thread, of a right one a column. Of a matrix of results a thread has eight neighbours of a row, or
 * of a column where columns stay.
 */
export function emulated(code: GpuKernelCode): GpuKernelCode {
  return {
    ...code,
    dispatches: code.dispatches.map((dispatch) => ({ ...dispatch, wgsl: emulatedShader(dispatch.wgsl) })),
  };
}

function emulatedShader(wgsl: string): string {
  if (!wgsl.includes("subgroup_matrix")) return wgsl;
  const hasColumns = /let own_\d+ = subgroupMatrixLoad<subgroup_matrix_right/.test(wgsl);
  const memories = [...wgsl.matchAll(/var<workgroup> (\w*tile): array<vec4u/g)].map(([, name = ""]) => name);
  const numberOf = (name: string): number => memories.indexOf(name);
  const body = wgsl
    .replace(/enable subgroups;\n/, wgsl.includes("subgroupShuffle") ? "$&" : "")
    .replace("enable chromium_experimental_subgroup_matrix;\n", "")
    .replace("diagnostic(off, chromium.subgroup_matrix_uniformity);\n", "")
    .replaceAll(/subgroupMatrixLoad<subgroup_matrix_result<f32, 16, 16>, row_major>\(&(\w+), /g, "load_$1(")
    .replaceAll("subgroup_matrix_result<f32, 16, 16>", "array<f32, 8>")
    .replaceAll(
      /let own_(\d+) = subgroupMatrixLoad<[^(]*\(&(\w+), (.*)\);/g,
      (_, matrix: string, name: string, rest: string) => `let own_${matrix} = keep_${name}(${matrix}u, ${rest});`,
    )
    .replaceAll(
      /subgroupMatrixLoad<subgroup_matrix_\w+<f16, 16, 16>, (row|col)_major>\(&(\w+), /g,
      (_, order: string, name: string) => `${order}_matrix(${numberOf(name)}u, `,
    )
    // Single words: indexing the components of vectors takes this driver's compiler minutes.
    .replaceAll(
      /(\w*tile): array<vec4u, (\d+)>/g,
      (_, name: string, count: string) => `${name}: array<u32, ${4 * Number(count)}>`,
    )
    .replaceAll(/(\w*tile)\[([^\]]*)\] = (.*);/g, "put_$1($2, $3);")
    .replaceAll(/bitcast<vec4f>\((\w*tile)\[([^\]]*)\]\)/g, "four_of_$1($2)")
    .replaceAll("subgroupMatrixMultiplyAccumulate(", "multiply(")
    .replaceAll(/subgroupMatrixStore<row_major>\(&(\w+), /g, "store_$1(")
    .replace(/(fn main\([^{]*\{)/, "$1\n  lane = thread % 32u;\n  zero = workgroup.z;");
  return `${body}
var<private> lane: u32;
// Loops to bounds that are not known when compiling are not written out.
var<private> zero: u32;
var<private> kept: array<u32, 64>;
// The memory, the first half of a matrix in it, and how far it is to the next row and the next column.
fn row_matrix(memory: u32, at: u32, stride: u32) -> vec4u { return vec4u(memory, at * 8u, stride * 8u, 1u); }
fn col_matrix(memory: u32, at: u32, stride: u32) -> vec4u { return vec4u(memory, at * 8u, 1u, stride * 8u); }
${[halfIn([...memories, "kept"]), multiplication(hasColumns), ...memories.map((name) => accessTo(name, memories.length, hasColumns))].join("\n")}
`;
}

/** The row and column of result `i` of a thread. */
const placeOf = (hasColumns: boolean): readonly [row: string, column: string] => {
  const [line, within] = ["lane / 2u", "(lane % 2u) * 8u + i"];
  return hasColumns ? [within, line] : [line, within];
};

const halfIn = (memories: readonly string[]): string => `fn half_in(memory: u32, at: u32) -> f32 {
  var word = 0u;
  switch memory {
${memories.map((name, k) => `    case ${k === memories.length - 1 ? "default" : `${k}u`}: { word = ${name}[at >> 1u]; }`).join("\n")}
  }
  return unpack2x16float(word >> ((at & 1u) * 16u)).x;
}`;

function multiplication(hasColumns: boolean): string {
  const [row, column] = placeOf(hasColumns);
  return `fn multiply(a: vec4u, b: vec4u, c: array<f32, 8>) -> array<f32, 8> {
  var result = c;
  for (var i = 0u; i < 8u + zero; i++) {
    for (var k = 0u; k < 16u + zero; k++) {
      result[i] += half_in(a.x, a.y + (${row}) * a.z + k * a.w) * half_in(b.x, b.y + k * b.z + (${column}) * b.w);
    }
  }
  return result;
}`;
}

/** Reads and writes of workgroup memory, now of words; what stays with a thread, sixteen halves of each matrix, is memory too. */
function accessTo(memory: string, kept: number, hasColumns: boolean): string {
  const [row, column] = placeOf(hasColumns);
  return `fn put_${memory}(at: i32, x: vec4u) {
  let k = at * 4;
  ${memory}[k] = x.x; ${memory}[k + 1] = x.y; ${memory}[k + 2] = x.z; ${memory}[k + 3] = x.w;
}
fn four_of_${memory}(at: i32) -> vec4f {
  let k = at * 4;
  return bitcast<vec4f>(vec4u(${memory}[k], ${memory}[k + 1], ${memory}[k + 2], ${memory}[k + 3]));
}
fn store_${memory}(offset: u32, given: array<f32, 8>, stride: u32) {
  var part = given;
  for (var i = 0u; i < 8u + zero; i++) {
    ${memory}[(offset + (${row}) * stride) * 4u + ${column}] = bitcast<u32>(part[i]);
  }
}
fn load_${memory}(offset: u32, stride: u32) -> array<f32, 8> {
  var part: array<f32, 8>;
  for (var i = 0u; i < 8u + zero; i++) {
    part[i] = bitcast<f32>(${memory}[(offset + (${row}) * stride) * 4u + ${column}]);
  }
  return part;
}
fn keep_${memory}(matrix: u32, at: u32, stride: u32) -> vec4u {
  for (var k = 0u; k < 8u + zero; k++) { kept[matrix * 8u + k] = ${memory}[(at + (lane / 2u) * stride) * 4u + k]; }
  return vec4u(${kept}u, matrix * 16u, ${hasColumns ? "1u, 0u" : "0u, 1u"});
}`;
}
