/** Blocks of rows of half floats on their way to workgroup memory, eight a thread and load, held in registers in between. */

import type { ShaderMemory } from "./wgsl-memory.ts";
import type { Shader } from "./wgsl-shader.ts";

/** Halves of an element of workgroup memory. */
export const halves = 8;
/** Elements that keep rows on different banks. */
export const padding = 1;

/** Elements of a row of features in workgroup memory. */
export const rowSize = (features: number): number => features / halves + padding;

/** A block of rows. */
export interface RowBlock {
  readonly name: string;
  readonly slot: number;
  readonly features: number;
  /** Features of a row of the operand, and the first of those that the block has; it has all unless this is given. */
  readonly line?: { readonly features: number; readonly first: number };
  readonly rows: number;
  /** Rows of the operand, and the text of its first one. */
  readonly length: number;
  readonly base: string;
  /** The variable of workgroup memory that the block goes to, and the element of it at which the block begins. */
  readonly memory: string;
  readonly target: number;
  /** Whether bits 2 and 3 of a row's number change places on the way. */
  readonly isSwapped?: boolean;
}

/** Brings blocks of rows to workgroup memory. */
export class RowStaging {
  readonly #shader: Shader;
  readonly #memory: ShaderMemory;
  readonly #threads: number;

  constructor(shader: Shader, memory: ShaderMemory, threads: number) {
    this.#shader = shader;
    this.#memory = memory;
    this.#threads = threads;
  }

  /** Declares the registers of a block. */
  declare(block: RowBlock): void {
    for (let k = 0; k < this.#count(block); k++) this.#shader.line(`var next_${block.name}${k}: vec4u;`);
  }

  /** Loads the rows from `first` on, an i32, into registers; beyond the last row its copies. */
  load(block: RowBlock, first: string): void {
    const shader = this.#shader;
    const perRow = block.features / halves;
    this.#each(block, (k, place) => {
      const line = shader.let("line", `${block.base} + min(${first} + ${place} / ${perRow}, ${block.length - 1})`);
      const origin = block.line
        ? `${line} * ${block.line.features} + ${block.line.first}`
        : `${line} * ${block.features}`;
      const at = `${origin} + (${place} % ${perRow}) * ${halves}`;
      shader.line(`next_${block.name}${k} = ${this.#memory.loadEight(block.slot, at)};`);
    });
  }

  /** Puts the registers into workgroup memory. */
  store(block: RowBlock): void {
    const perRow = block.features / halves;
    this.#each(block, (k, place) => {
      const row = block.isSwapped ? this.#swapped(`${place} / ${perRow}`) : `(${place} / ${perRow})`;
      const at = `${block.target} + ${row} * ${rowSize(block.features)} + ${place} % ${perRow}`;
      this.#shader.line(`${block.memory}[${at}] = next_${block.name}${k};`);
    });
  }

  #swapped(row: string): string {
    const name = this.#shader.let("line", row);
    return `((${name} & ~12) | ((${name} & 4) << 1u) | ((${name} & 8) >> 1u))`;
  }

  #count({ rows, features }: RowBlock): number {
    return Math.ceil((rows * features) / halves / this.#threads);
  }

  /** What a thread does for each of its elements, where it has that many. */
  #each(block: RowBlock, body: (k: number, place: string) => void): void {
    const all = (block.rows * block.features) / halves;
    for (let k = 0; k < this.#count(block); k++) {
      const first = k * this.#threads;
      const one = (): void => body(k, this.#shader.let("place", `own + ${first}`));
      if (first + this.#threads <= all) one();
      else this.#shader.block(`if (own < ${all - first})`, one);
    }
  }
}
