/**
 * The transforms of tiled convolutions of 3 × 3 weights for 2 × 2 outputs, four channels at a time: products of sixteen places
 * instead of 36 with stride 1, F(2 × 2, 3 × 3) of Lavin & Gray 2015, section 4.1; with stride 2 of 25, as every other weight
 * meets every other pixel in F(2, 2), and those between them meet the rest. Knows registers, neither addresses nor loops.
 */
import type { FunctionBuilder } from "./assembler.ts";
import type { OpName } from "./opcodes.ts";

/** How far tiles of outputs move over pixels. */
export type TileStride = 1 | 2;

/** Pixels that a tile sees along an axis, and places of a transformed tile along it. */
export function placesAlong(stride: TileStride): number {
  return stride + 3;
}

/** Matrices of transformed weights. */
export const MATRICES = 16;

/**
 * The place of each pixel of a transformed tile, row by row, and for each matrix how many places meet it. Places that meet the
 * same matrix, which are those of the weights in the middle with stride 2, are neighbours.
 */
export function placesOf(stride: TileStride): { readonly places: readonly number[]; readonly met: readonly number[] } {
  const matrixOf = (line: number): number => Math.min(line, 3);
  const lines = Array.from({ length: placesAlong(stride) }, (_, line) => line);
  const matrices = lines.flatMap((row) => lines.map((column) => matrixOf(row) * 4 + matrixOf(column)));
  const ordered = [...matrices.keys()].sort((a, b) => (matrices[a] ?? 0) - (matrices[b] ?? 0));
  return {
    places: matrices.map((_, k) => ordered.indexOf(k)),
    met: Array.from({ length: MATRICES }, (_, matrix) => matrices.filter((one) => one === matrix).length),
  };
}

type Grid = readonly (readonly number[])[];

/** Writes vector expressions into locals that come from a stack and go back to it. */
export class VectorScope {
  readonly #f: FunctionBuilder;
  readonly #own: number[] = [];

  constructor(f: FunctionBuilder) {
    this.#f = f;
  }

  /** A local set to what `push` leaves on the stack. */
  keep(push: () => void): number {
    push();
    const local = this.#f.local("v128");
    this.#f.set(local);
    this.#own.push(local);
    return local;
  }

  op(name: OpName, a: number, b: number): number {
    return this.keep(() => this.#f.get(a, b).op(name));
  }

  add(a: number, b: number): number {
    return this.op("f32x4.add", a, b);
  }

  subtract(a: number, b: number): number {
    return this.op("f32x4.sub", a, b);
  }

  half(a: number): number {
    return this.keep(() => this.#f.get(a).splatF32(0.5).op("f32x4.mul"));
  }

  /** Gives all locals back. */
  release(): void {
    for (const local of this.#own.splice(0)) this.#f.release(local);
  }
}

/** `transform` applied to the columns of a grid, then to the rows of what that gives. */
function bothWays(grid: Grid, transform: (line: readonly number[]) => readonly number[]): Grid {
  const columns = (grid[0] ?? []).map((_, x) => transform(grid.map((row) => row[x] ?? 0)));
  const turned = (columns[0] ?? []).map((_, y) => columns.map((column) => column[y] ?? 0));
  return turned.map(transform);
}

/** 3 × 3 weights → 4 × 4 matrices. */
export function transformWeights(v: VectorScope, weights: Grid, stride: TileStride): Grid {
  return bothWays(weights, ([a = 0, b = 0, c = 0]) => {
    if (stride === 2) return [a, v.add(a, c), c, b];
    const [outer, inner] = [v.half(v.add(a, c)), v.half(b)];
    return [a, v.add(outer, inner), v.subtract(outer, inner), c];
  });
}

/** Pixels → the grid of places. */
export function transformPixels(v: VectorScope, pixels: Grid, stride: TileStride): Grid {
  return bothWays(pixels, ([a = 0, b = 0, c = 0, d = 0, e = 0]) =>
    stride === 2
      ? [v.subtract(a, c), c, v.subtract(c, e), b, d]
      : [v.subtract(a, c), v.add(b, c), v.subtract(c, b), v.subtract(b, d)],
  );
}

/** Sums of products at the places → 2 × 2 outputs. */
export function transformSums(v: VectorScope, sums: Grid, stride: TileStride): Grid {
  return bothWays(sums, ([a = 0, b = 0, c = 0, d = 0, e = 0]) =>
    stride === 2
      ? [v.add(v.add(a, b), d), v.add(v.subtract(b, c), e)]
      : [v.add(v.add(a, b), c), v.subtract(v.subtract(b, c), d)],
  );
}
