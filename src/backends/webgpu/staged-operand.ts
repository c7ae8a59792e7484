/** One operand of a product on its way through workgroup memory: four elements a thread and load, held in registers in between. */
import { accessScore, loadsIn } from "../../compiler/loop-nest.ts";
import type { Axis, Expr } from "../../ir/expr.ts";
import type { ProductShader } from "./product-shader.ts";

/** What of an operand passes through workgroup memory at a time, and who brings it there. */
export interface Staging {
  readonly name: "left" | "right";
  readonly expr: Expr;
  /** The axis of rows (left) or columns (right). */
  readonly line: Axis;
  /** Rows or columns of a tile, and products per tile. */
  readonly lines: number;
  readonly depth: number;
  /** Name of the first row or column of the tile, an i32. */
  readonly origin: string;
  /** Threads that bring a tile, and the name of the place of a thread among them. */
  readonly threads: number;
  readonly thread: string;
  readonly teams: number;
  /** Name of the team of the thread. */
  readonly team: string;
  readonly stages: number;
  /** Whether tiles may reach beyond the last product. */
  readonly mayLeave: boolean;
}

/** A place in the depth of a tile: that of a loop's variable, if any, plus an offset. */
export interface Depth {
  readonly text: string;
  readonly offset: number;
}

/** A vector that a thread brings. */
interface Piece {
  readonly register: string;
  readonly expr: Expr;
  /** The place in the depth of a tile: of the vector divided by four if it runs along the depth. */
  readonly depth: string;
  readonly axis: Axis;
  /** Where it goes in workgroup memory, in elements. */
  readonly target: string;
}

/** Loads tiles of an operand and reads them back; in workgroup memory they lie depth by depth. */
export class StagedOperand {
  readonly #product: ProductShader;
  readonly #staging: Staging;
  readonly #runsAlongDepth: boolean;
  readonly #pieces: readonly Piece[];
  readonly #base: string;

  /** Declares memory and registers, and computes what is the same for all tiles. */
  constructor(product: ProductShader, staging: Staging) {
    this.#product = product;
    this.#staging = staging;
    const { shader, e } = product;
    const { name, lines, depth, stages, teams, expr, line, team } = staging;
    const score = (axis: Axis): number => loadsIn(expr).reduce((sum, at) => sum + accessScore(e, at, axis), 0);
    this.#runsAlongDepth = score(product.kernel.k) > score(line);
    const elements = lines * depth * teams;
    for (let stage = 0; stage < stages; stage++) {
      const type = this.#runsAlongDepth ? `array<f32, ${elements}>` : `array<vec4f, ${elements / 4}>`;
      shader.declare(`var<workgroup> ${name}${stage}: ${type};`);
    }
    this.#base = teams === 1 ? "" : shader.let("base", `${team} * ${lines * depth}`);
    this.#pieces = this.#runsAlongDepth ? this.#alongDepth() : this.#alongLines();
    for (const { register } of this.#pieces) shader.line(`var ${register}: vec4f;`);
    product.em.hoist(this.#pieces.map((piece) => piece.expr));
  }

  get #pieceCount(): number {
    const { lines, depth, threads } = this.#staging;
    return (lines * depth) / 4 / threads;
  }

  /** Vectors of four neighbours along the depth. */
  #alongDepth(): readonly Piece[] {
    const { shader, em, e, lane, kernel } = this.#product;
    const { lines, depth, threads, thread, origin, line, expr, name } = this.#staging;
    const perLine = depth / 4;
    const quad = shader.let("quad", `${thread} % ${perLine}`);
    const first = shader.let("line", `${thread} / ${perLine}`);
    const fours = this.#product.newAxis(Math.ceil(kernel.k.length / 4));
    const inner = e.add(e.scale(e.axis(fours), 4), e.axis(lane));
    return Array.from({ length: this.#pieceCount }, (_, k) => {
      const own = shader.let("line", `${first} + ${(k * threads) / perLine}`);
      const axis = this.#product.newAxis(line.length);
      em.bindAxis(axis, shader.let("line", `${origin} + ${own}`));
      const spelled = new Map([
        [line.id, e.axis(axis)],
        [kernel.k.id, inner],
      ]);
      return {
        register: `${name}_next${k}`,
        expr: e.substitute(expr, spelled),
        depth: quad,
        axis: fours,
        target: this.#offset(`${quad} * ${4 * lines} + ${own}`),
      };
    });
  }

  /** Vectors of four neighbouring rows or columns. */
  #alongLines(): readonly Piece[] {
    const { shader, em, e, lane, kernel, newAxis } = this.#product;
    const { lines, threads, thread, origin, line, expr, name } = this.#staging;
    const perDepth = lines / 4;
    const quad = shader.let("quad", `${thread} % ${perDepth}`);
    const first = shader.let("depth", `${thread} / ${perDepth}`);
    const fours = newAxis.call(this.#product, Math.ceil(line.length / 4));
    em.bindAxis(fours, shader.let("quad", `${origin} / 4 + ${quad}`));
    const along = e.add(e.scale(e.axis(fours), 4), e.axis(lane));
    return Array.from({ length: this.#pieceCount }, (_, k) => {
      const own = shader.let("depth", `${first} + ${(k * threads) / perDepth}`);
      const axis = this.#product.newAxis(kernel.k.length);
      const spelled = new Map([
        [line.id, along],
        [kernel.k.id, e.axis(axis)],
      ]);
      return {
        register: `${name}_next${k}`,
        expr: e.substitute(expr, spelled),
        depth: own,
        axis,
        target: this.#offset(`${own} * ${lines} + ${quad} * 4`),
      };
    });
  }

  #offset(text: string): string {
    return this.#product.shader.let("at", this.#base === "" ? text : `${this.#base} + ${text}`);
  }

  /** Loads the tile that begins at product `begin`, an i32 and a multiple of the depth, into registers. */
  load(begin: string): void {
    const { shader, em, lane, kernel } = this.#product;
    const { mayLeave } = this.#staging;
    const length = kernel.k.length;
    for (const { register, expr, depth, axis } of this.#pieces) {
      em.block("", () => {
        const place = shader.let("k", this.#runsAlongDepth ? `${begin} / 4 + ${depth}` : `${begin} + ${depth}`);
        em.bindAxis(axis, place);
        em.withLanes(lane, () => {
          const value = this.#product.operand(expr, 4);
          if (!mayLeave) shader.line(`${register} = ${value};`);
          else if (!this.#runsAlongDepth) shader.line(`${register} = select(vec4f(), ${value}, ${place} < ${length});`);
          else if (length % 4 === 0) shader.line(`${register} = select(vec4f(), ${value}, ${place} < ${length / 4});`);
          else {
            const inside = `vec4i(0, 1, 2, 3) < vec4i(${length} - 4 * ${place})`;
            shader.line(`${register} = select(vec4f(), ${value}, ${inside});`);
          }
        });
      });
    }
  }

  /** Puts the registers into workgroup memory. */
  store(stage: number): void {
    const { shader } = this.#product;
    const { name, lines } = this.#staging;
    for (const { register, target } of this.#pieces) {
      if (!this.#runsAlongDepth) {
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
    if (!this.#runsAlongDepth) shader.line(`${name}[${place}] = ${sums};`);
    else for (let lane = 0; lane < 4; lane++) shader.line(`${name}[${place} * 4 + ${lane}] = ${sums}.${"xyzw"[lane]};`);
  }

  /** The text of four sums that `writeSums` put there. */
  readSums(place: string): string {
    const name = `${this.#staging.name}0`;
    return this.#runsAlongDepth ? this.#vectorAt(name, `${place} * 4`) : `${name}[${place}]`;
  }

  #vectorAt(name: string, start: string): string {
    if (!this.#runsAlongDepth) return `${name}[(${start}) >> 2u]`;
    const lanes = [0, 1, 2, 3].map((lane) => `${name}[${start} + ${lane}]`);
    return `vec4f(${lanes.join(", ")})`;
  }
}
