/** One operand of a product by tiles: what workgroup memory holds of it, depth by depth, for each team and stage. */
import type { ProductShader } from "./product-shader.ts";
import type { TileSource } from "./tile-pieces.ts";
import { TilePieces } from "./tile-pieces.ts";

/** What of an operand passes through workgroup memory at a time, and for whom. */
export interface Staging extends TileSource {
  readonly teams: number;
  /** Name of the team of the thread. */
  readonly team: string;
  readonly stages: number;
}

/** A place in the depth of a tile: that of a loop's variable, if any, plus an offset. */
export interface Depth {
  readonly text: string;
  readonly offset: number;
}

/** Loads tiles of an operand and reads them back. */
export class StagedOperand {
  readonly #product: ProductShader;
  readonly #staging: Staging;
  readonly #pieces: TilePieces;
  /** Where the pieces go, in elements. */
  readonly #targets: readonly string[];
  readonly #base: string;

  /** Declares memory and registers, and computes what is the same for all tiles. */
  constructor(product: ProductShader, staging: Staging) {
    this.#product = product;
    this.#staging = staging;
    const { shader } = product;
    const { name, lines, depth, stages, teams, team } = staging;
    this.#base = teams === 1 ? "" : shader.let("base", `${team} * ${lines * depth}`);
    this.#pieces = new TilePieces(product, staging, 4);
    const elements = lines * depth * teams;
    for (let stage = 0; stage < stages; stage++) {
      const type = this.#pieces.runsAlongDepth ? `array<f32, ${elements}>` : `array<vec4f, ${elements / 4}>`;
      shader.declare(`var<workgroup> ${name}${stage}: ${type};`);
    }
    this.#targets = this.#pieces.pieces.map((piece) => {
      const within = `${piece.depth} * ${lines} + ${piece.line}`;
      return shader.let("at", this.#base === "" ? within : `${this.#base} + ${within}`);
    });
  }

  /** Loads the tile that begins at product `begin`, an i32 and a multiple of the depth, into registers. */
  load(begin: string): void {
    this.#pieces.load(begin);
  }

  /** Puts the registers into workgroup memory. */
  store(stage: number): void {
    const { shader } = this.#product;
    const { name, lines } = this.#staging;
    for (const [k, { register }] of this.#pieces.pieces.entries()) {
      const target = this.#targets[k];
      if (!this.#pieces.runsAlongDepth) {
        shader.line(`${name}${stage}[${target} >> 2u] = ${register};`);
        continue;
      }
      for (let lane = 0; lane < 4; lane++)
        shader.line(`${name}${stage}[${target} + ${lane * lines}] = ${register}.${"xyzw"[lane]};`);
    }
  }

  /** The text of four neighbours at depth `depth` of the tile, `offset` rows or columns after `first`, a text; both multiples of four. */
  read(stage: number, depth: Depth, first: string, offset: number): string {
    const { name, lines } = this.#staging;
    const parts = [
      ...(this.#base === "" ? [] : [this.#base]),
      ...(depth.text === "" ? [] : [`${depth.text} * ${lines}`]),
      first,
      `${depth.offset * lines + offset}`,
    ];
    return this.#vectorAt(`${name}${stage}`, parts.join(" + "));
  }

  /** Uses the memory of a stage for something else: writes four sums. */
  writeSums(place: string, sums: string): void {
    const { shader } = this.#product;
    const name = `${this.#staging.name}0`;
    if (!this.#pieces.runsAlongDepth) shader.line(`${name}[${place}] = ${sums};`);
    else for (let lane = 0; lane < 4; lane++) shader.line(`${name}[${place} * 4 + ${lane}] = ${sums}.${"xyzw"[lane]};`);
  }

  /** The text of four sums that `writeSums` put there. */
  readSums(place: string): string {
    const name = `${this.#staging.name}0`;
    return this.#pieces.runsAlongDepth ? this.#vectorAt(name, `${place} * 4`) : `${name}[${place}]`;
  }

  #vectorAt(name: string, start: string): string {
    if (!this.#pieces.runsAlongDepth) return `${name}[(${start}) >> 2u]`;
    const lanes = [0, 1, 2, 3].map((lane) => `${name}[${start} + ${lane}]`);
    return `vec4f(${lanes.join(", ")})`;
  }
}
