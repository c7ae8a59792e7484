/**
 * The transforms of tiled convolutions F(2 × 2, 3 × 3), four channels at a time: sixteen products take the place of 36.
 * Source: Lavin & Gray 2015, section 4.1. Knows registers, neither addresses nor loops.
 */
import type { FunctionBuilder } from "./assembler.ts";
import type { OpName } from "./opcodes.ts";

/** Places of a transformed tile. */
export const PLACES = 16;

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

/** 3 × 3 weights → 4 × 4. */
export function transformWeights(v: VectorScope, weights: Grid): Grid {
  return bothWays(weights, ([a = 0, b = 0, c = 0]) => {
    const [outer, inner] = [v.half(v.add(a, c)), v.half(b)];
    return [a, v.add(outer, inner), v.subtract(outer, inner), c];
  });
}

/** 4 × 4 pixels → 4 × 4. */
export function transformPixels(v: VectorScope, pixels: Grid): Grid {
  return bothWays(pixels, ([a = 0, b = 0, c = 0, d = 0]) => [
    v.subtract(a, c),
    v.add(b, c),
    v.subtract(c, b),
    v.subtract(b, d),
  ]);
}

/** 4 × 4 sums of products → 2 × 2 outputs. */
export function transformSums(v: VectorScope, sums: Grid): Grid {
  return bothWays(sums, ([a = 0, b = 0, c = 0, d = 0]) => [v.add(v.add(a, b), c), v.subtract(v.subtract(b, c), d)]);
}
