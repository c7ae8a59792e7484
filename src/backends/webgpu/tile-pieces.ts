/**
 * Tiles of an operand of a product on their way from memory into registers: four neighbouring elements a thread and load, or the
 * bits of eight halves.
 */
import { MLXError } from "../../base/errors.ts";
import { loadsIn } from "../../compiler/loads.ts";
import { accessScore } from "../../compiler/loop-nest.ts";
import type { Axis, Expr } from "../../ir/expr.ts";
import type { ProductShader } from "./product-shader.ts";

/** What of an operand a tile holds, and who brings it. */
export interface TileSource {
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
  /** Whether tiles may reach beyond the last product. */
  readonly mayLeave: boolean;
}

/** A vector that a thread brings: the register that holds it, and names of where its first element stands in the tile. */
export interface Piece {
  readonly register: string;
  readonly line: string;
  readonly depth: string;
}

/** A piece with what it is loaded by. */
interface Load extends Piece {
  /** Four neighbours each, in terms of the lane axis. */
  readonly fours: readonly Expr[];
  /** Runs along the depth: over elements, or over vectors of them. */
  readonly axis: Axis;
  /** The place in the depth of a tile that `axis` counts. */
  readonly place: string;
}

/** Whether neighbours of an operand in memory are neighbours along the depth, and not neighbouring rows or columns. */
export function runsAlongDepth({ e, kernel }: ProductShader, expr: Expr, line: Axis): boolean {
  const score = (axis: Axis): number => loadsIn(expr).reduce((sum, at) => sum + accessScore(e, at, axis), 0);
  return score(kernel.k) > score(line);
}

/** The pieces of a tile that each thread brings. */
export class TilePieces {
  /** Whether pieces are neighbours along the depth, and not neighbouring rows or columns. */
  readonly runsAlongDepth: boolean;
  readonly #product: ProductShader;
  readonly #source: TileSource;
  readonly #loads: readonly Load[];
  /** Elements of a vector: four in float32, or eight halves as bits. */
  readonly #width: 4 | 8;

  /** Declares registers, and computes what is the same for all tiles. */
  constructor(product: ProductShader, source: TileSource, width: 4 | 8) {
    this.#product = product;
    this.#source = source;
    this.#width = width;
    const { shader, em } = product;
    this.runsAlongDepth = runsAlongDepth(product, source.expr, source.line);
    this.#loads = this.runsAlongDepth ? this.#alongDepth() : this.#alongLines();
    for (const { register } of this.#loads) shader.line(`var ${register}: ${width === 4 ? "vec4f" : "vec4u"};`);
    em.hoist(this.#loads.flatMap((load) => load.fours));
  }

  get pieces(): readonly Piece[] {
    return this.#loads;
  }

  /** Loads the tile that begins at product `begin`, an i32 and a multiple of the depth, into registers. */
  load(begin: string): void {
    const { shader, em, lane } = this.#product;
    for (const { register, fours, place, axis } of this.#loads) {
      em.block("", () => {
        const at = shader.let(
          "k",
          this.runsAlongDepth ? `${begin} / ${this.#width} + ${place}` : `${begin} + ${place}`,
        );
        em.bindAxis(axis, at);
        em.withLanes(lane, () => shader.line(`${register} = ${this.#vector(fours, at)};`));
      });
    }
  }

  /** The text of a vector at place `at`, 0 beyond the last product. */
  #vector(fours: readonly Expr[], at: string): string {
    const { mayLeave } = this.#source;
    const { length } = this.#product.kernel.k;
    const isWhole = !(mayLeave && this.runsAlongDepth) || length % this.#width === 0;
    if (isWhole) {
      const value = this.#width === 4 ? this.#four(fours[0]) : this.#eight(fours);
      const end = this.runsAlongDepth ? length / this.#width : length;
      return mayLeave ? `select(vec4${this.#width === 4 ? "f" : "u"}(), ${value}, ${at} < ${end})` : value;
    }
    const inside = (part: number): string =>
      `vec4i(0, 1, 2, 3) < vec4i(${length} - ${this.#width} * ${at} - ${4 * part})`;
    if (this.#width === 4) return `select(vec4f(), ${this.#four(fours[0])}, ${inside(0)})`;
    return bitsOf(fours.map((four, part) => `select(vec4<f16>(), ${this.#product.halves(four)}, ${inside(part)})`));
  }

  #four(expr: Expr | undefined): string {
    if (!expr) throw new MLXError("codegen", "a piece has no elements");
    return this.#product.operand(expr, 4);
  }

  #eight(fours: readonly Expr[]): string {
    const [first] = fours;
    return (first && this.#product.eight(first)) ?? bitsOf(fours.map((four) => this.#product.halves(four)));
  }

  get #count(): number {
    const { lines, depth, threads } = this.#source;
    return (lines * depth) / this.#width / threads;
  }

  /** The place of each four lanes of vector `axis`. */
  #lanesOf(axis: Axis): readonly Expr[] {
    const { e, lane } = this.#product;
    const first = e.scale(e.axis(axis), this.#width);
    return Array.from({ length: this.#width / 4 }, (_, k) => e.add(e.add(first, e.index(4 * k)), e.axis(lane)));
  }

  /** Vectors of neighbours along the depth. */
  #alongDepth(): readonly Load[] {
    const { shader, em, e, kernel } = this.#product;
    const { depth, threads, thread, origin, line, expr, name } = this.#source;
    const perLine = depth / this.#width;
    const place = shader.let("place", `${thread} % ${perLine}`);
    const within = shader.let("depth", `${place} * ${this.#width}`);
    const first = this.#width === 4 ? shader.let("line", `${thread} / ${perLine}`) : this.#spreadLine(perLine);
    const axis = this.#product.newAxis(Math.ceil(kernel.k.length / this.#width));
    const inner = this.#lanesOf(axis);
    return Array.from({ length: this.#count }, (_, k) => {
      const own = shader.let("line", `${first} + ${(k * threads) / perLine}`);
      const row = this.#product.newAxis(line.length);
      em.bindAxis(row, shader.let("line", `${origin} + ${own}`));
      const fours = inner.map((depthAt) =>
        e.substitute(
          expr,
          new Map([
            [line.id, e.axis(row)],
            [kernel.k.id, depthAt],
          ]),
        ),
      );
      return { register: `${name}_next${k}`, line: own, depth: within, fours, axis, place };
    });
  }

  /**
   * The first line of a thread, the lowest bit of its place moved up by two. Where a line takes five elements of workgroup memory,
   * eight threads that write four of two lines each do so on different banks.
   */
  #spreadLine(perLine: number): string {
    const { shader } = this.#product;
    const place = shader.let("place", `${this.#source.thread} / ${perLine}`);
    return shader.let("line", `(${place} & ~5) | ((${place} & 1) << 2u) | ((${place} >> 2u) & 1)`);
  }

  /** Vectors of neighbouring rows or columns. */
  #alongLines(): readonly Load[] {
    const { shader, em, e, kernel } = this.#product;
    const { lines, threads, thread, origin, line, expr, name } = this.#source;
    const perDepth = lines / this.#width;
    const place = shader.let("place", `${thread} % ${perDepth}`);
    const within = shader.let("line", `${place} * ${this.#width}`);
    const first = shader.let("depth", `${thread} / ${perDepth}`);
    const vectors = this.#product.newAxis(Math.ceil(line.length / this.#width));
    em.bindAxis(vectors, shader.let("vector", `${origin} / ${this.#width} + ${place}`));
    const along = this.#lanesOf(vectors);
    return Array.from({ length: this.#count }, (_, k) => {
      const own = shader.let("depth", `${first} + ${(k * threads) / perDepth}`);
      const axis = this.#product.newAxis(kernel.k.length);
      const fours = along.map((lineAt) =>
        e.substitute(
          expr,
          new Map([
            [line.id, lineAt],
            [kernel.k.id, e.axis(axis)],
          ]),
        ),
      );
      return { register: `${name}_next${k}`, line: within, depth: own, fours, axis, place: own };
    });
  }
}

/** The text of the bits of two vectors of four halves as vec4u. */
function bitsOf(halves: readonly string[]): string {
  return `vec4u(${halves.map((text) => `bitcast<vec2u>(${text})`).join(", ")})`;
}
