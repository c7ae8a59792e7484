/**
 * Products of 16-bit floats by matrix operations: of a tile of 128 × 128, or of 128 × 256 where there are many, each subgroup of 32
 * threads has 64 × 64, as 4 × 4 matrices of 16 × 16 sums in float32.
 */
import { MLXError } from "../../base/errors.ts";
import type { Axis, Expr } from "../../ir/expr.ts";
import type { ContractionKernel } from "../../ir/kernel.ts";
import type { MatrixSchedule } from "./contraction-schedule.ts";
import { halfOperand, shapeOf } from "./contraction-schedule.ts";
import { emitSliceSums, keepPartialSums, partialSums } from "./contraction-slices.ts";
import { gridOf } from "./grid.ts";
import type { GpuDispatch, GpuKernelCode, GpuTarget } from "./kernel-code.ts";
import { ProductShader } from "./product-shader.ts";
import { addProduct, enableMatrices, loadMatrix, side, storeSums, subgroupThreads } from "./subgroup-matrices.ts";
import { runsAlongDepth, TilePieces } from "./tile-pieces.ts";
import type { TilePlace } from "./tile-place.ts";
import { tilePlace } from "./tile-place.ts";

/** Rows of a tile, and products per turn. */
const tileRows = 128;
const depth = 32;
/** Products per result from which a tile may last two turns. */
const leastForTwo = 512;
/** Rows and columns of a subgroup's part, in elements and in matrices. */
const part = 64;
const perPart = part / side;
/** Halves of an element of workgroup memory, 16 bytes that a thread writes at once. */
const unit = 8;
/** Halves that keep rows in workgroup memory on different banks. */
const padding = 8;
/** Matrices of results, side by side, that a subgroup has in workgroup memory at a time; floats of a row there, and of an element. */
const together = 2;
const resultStride = together * side + 4;
const perElement = 4;
/** Elements of workgroup memory that hold the results of a subgroup. */
const resultSize = (side * resultStride) / perElement;

/** The code of a product by matrix operations. */
export function emitMatrices(kernel: ContractionKernel, target: GpuTarget, schedule: MatrixSchedule): GpuKernelCode {
  const { columns, slices } = schedule;
  const first = new MatrixEmitter(kernel, target, columns, slices).emit();
  if (slices === 1) return { dispatches: [first], scratchBytes: [] };
  return {
    dispatches: [first, emitSliceSums(kernel, target, slices)],
    scratchBytes: [partialSums(kernel, slices).byteLength],
  };
}

type Side = "left" | "right";

/** One operand: the pieces that threads bring, and how they lie in workgroup memory. */
interface Operand {
  readonly name: Side;
  readonly pieces: TilePieces;
  /** Turns that a tile lasts. */
  readonly turns: number;
  /** Halves from one row of workgroup memory to the next; a row runs the way pieces do. */
  readonly stride: number;
  /** Names of the elements to which pieces go. */
  readonly targets: readonly string[];
}

class MatrixEmitter {
  readonly #product: ProductShader;
  readonly #columns: number;
  readonly #threads: number;
  readonly #slices: number;
  /** Turns that a left tile lasts: two bring whole lines of memory where it runs along the depth. */
  readonly #leftTurns: number;

  constructor(kernel: ContractionKernel, target: GpuTarget, columns: number, slices: number) {
    this.#product = new ProductShader(kernel, target);
    this.#columns = columns;
    this.#threads = (tileRows / part) * (columns / part) * subgroupThreads;
    this.#slices = slices;
    const { left, m, k } = kernel;
    // The results of a wide tile take as much memory as two turns of the left one.
    const takesTwo = columns > tileRows && k.length >= leastForTwo && runsAlongDepth(this.#product, left, m);
    this.#leftTurns = takesTwo ? 2 : 1;
  }

  emit(): GpuDispatch {
    const { shader, em, kernel, target } = this.#product;
    enableMatrices(shader);
    const { batch, k } = shapeOf(kernel);
    const tiles = { rows: Math.ceil(kernel.m.length / tileRows), columns: Math.ceil(kernel.n.length / this.#columns) };
    const grid = gridOf(shader, target, tiles.rows * tiles.columns * batch * this.#slices);
    const place = tilePlace(shader, grid.place, tiles, batch, this.#slices);
    this.#product.bindBatch(place.batch);
    const row0 = shader.let("row", `${place.row} * ${tileRows}`);
    const column0 = shader.let("column", `${place.column} * ${this.#columns}`);
    const own = shader.let("own", "i32(thread)");
    const subgroup = shader.let("subgroup", `${own} / ${subgroupThreads}`);
    const across = this.#columns / part;
    const row = shader.let("row", `(${subgroup} / ${across}) * ${part}`);
    const column = shader.let("column", `(${subgroup} % ${across}) * ${part}`);
    const step = this.#leftTurns;
    const turns = Math.ceil(k / (depth * step * this.#slices)) * step;
    const mayLeave = k !== turns * depth * this.#slices;
    const operands = [
      this.#operand("left", kernel.left, kernel.m, row0, own, mayLeave),
      this.#operand("right", kernel.right, kernel.n, column0, own, mayLeave),
    ] as const;
    const begin = shader.let("begin", this.#slices === 1 ? "0" : `${place.slice} * ${turns * depth}`);
    for (let i = 0; i < perPart; i++) {
      for (let j = 0; j < perPart; j++) shader.line(`var sum${i}_${j}: subgroup_matrix_result<f32, ${side}, ${side}>;`);
    }
    for (const { pieces } of operands) pieces.load(begin);
    em.block(`for (var turn = 0; turn < ${turns}; turn += ${step})`, () => {
      for (let turn = 0; turn < step; turn++) {
        const due = operands.filter((operand) => turn % operand.turns === 0);
        for (const operand of due) this.#store(operand);
        shader.line("workgroupBarrier();");
        for (const lasting of new Set(due.map(({ turns }) => turns))) {
          const next = `turn + ${turn + lasting}`;
          // Without the condition drivers put off these loads until their values are stored, and wait for them there.
          em.block(`if (${next} < ${turns})`, () => {
            const at = shader.let("k", `${begin} + (${next}) * ${depth}`);
            for (const { pieces } of due.filter((operand) => operand.turns === lasting)) pieces.load(at);
          });
        }
        for (let inner = 0; inner < depth; inner += side)
          this.#multiply(operands, turn, inner, { left: row, right: column });
        shader.line("workgroupBarrier();");
      }
    });
    this.#finish(
      own,
      subgroup,
      shader.let("row", `${row0} + ${row}`),
      shader.let("column", `${column0} + ${column}`),
      place,
    );
    return this.#product.dispatch(this.#threads, grid.workgroups);
  }

  #operand(name: Side, expr: Expr, line: Axis, origin: string, thread: string, mayLeave: boolean): Operand {
    const { shader } = this.#product;
    const half = halfOperand(expr);
    const lines = name === "left" ? tileRows : this.#columns;
    const threads = this.#threads;
    if (!half) throw new MLXError("codegen", "an operand holds no 16-bit floats");
    const turns = name === "left" ? this.#leftTurns : 1;
    const source = { name, expr: half, line, lines, depth: turns * depth, origin, threads, thread, mayLeave };
    const pieces = new TilePieces(this.#product, source, unit);
    const stride = padding + (pieces.runsAlongDepth ? turns * depth : lines);
    const rows = pieces.runsAlongDepth ? lines : depth;
    const elements = (rows * stride) / unit;
    // The left tile's memory serves for the results too.
    const size = name === "left" ? Math.max(elements, (threads / subgroupThreads) * resultSize) : elements;
    shader.declare(`var<workgroup> ${name}_tile: array<vec4u, ${size}>;`);
    const targets = pieces.pieces.map((piece) =>
      shader.let(
        "at",
        pieces.runsAlongDepth
          ? `(${piece.line} * ${stride} + ${piece.depth}) / ${unit}`
          : `(${piece.depth} * ${stride} + ${piece.line}) / ${unit}`,
      ),
    );
    return { name, pieces, turns, stride, targets };
  }

  /** Puts the registers into workgroup memory. */
  #store({ name, pieces, targets }: Operand): void {
    for (const [k, { register }] of pieces.pieces.entries()) {
      this.#product.shader.line(`${name}_tile[${targets[k]}] = ${register};`);
    }
  }

  /** Adds the products of sixteen columns of the left tile with as many rows of the right, from `inner` on in a turn. */
  #multiply(
    [left, right]: readonly [left: Operand, right: Operand],
    turn: number,
    inner: number,
    first: Readonly<Record<Side, string>>,
  ): void {
    const { shader } = this.#product;
    const matrix = ({ name, pieces, turns, stride }: Operand, line: number): string => {
      const along = pieces.runsAlongDepth;
      const own = `(${first[name]} + ${line})`;
      const from = (turn % turns) * depth + inner;
      // Rows of workgroup memory are rows of the left matrix if they run along the depth, and columns of the right.
      const order = along === (name === "left") ? "row" : "col";
      const at = along ? `${own} * ${stride} + ${from}` : `${from * stride} + ${own}`;
      return loadMatrix(name, order, `${name}_tile`, `(${at}) / ${unit}`, stride / unit);
    };
    shader.block("", () => {
      const rows = Array.from({ length: perPart }, (_, i) => shader.let("a", matrix(left, i * side)));
      for (let j = 0; j < perPart; j++) {
        const four = shader.let("b", matrix(right, j * side));
        for (const [i, a] of rows.entries()) shader.line(addProduct(`sum${i}_${j}`, a, four));
      }
    });
  }

  /** Matrices of sums go through workgroup memory, where threads find four columns of a row as vectors. */
  #finish(own: string, subgroup: string, row0: string, column0: string, place: TilePlace): void {
    const { shader, em } = this.#product;
    const perRow = (together * side) / perElement;
    const stride = resultStride / perElement;
    const base = shader.let("base", `${subgroup} * ${resultSize}`);
    for (let i = 0; i < perPart; i++) {
      for (let j = 0; j < perPart; j += together) {
        for (let k = 0; k < together; k++) {
          const at = `${base} + ${(k * side) / perElement}`;
          shader.line(storeSums(`sum${i}_${j + k}`, "left_tile", at, stride));
        }
        shader.line("workgroupBarrier();");
        em.block(
          `for (var four = ${own} % ${subgroupThreads}; four < ${side * perRow}; four += ${subgroupThreads})`,
          () => {
            const row = shader.let("row", `${row0} + ${i * side} + four / ${perRow}`);
            const quad = shader.let("quad", `${column0} / 4 + ${(j * side) / 4} + four % ${perRow}`);
            const at = `${base} + (four / ${perRow}) * ${stride} + four % ${perRow}`;
            this.#keep(row, quad, shader.let("sums", `bitcast<vec4f>(left_tile[${at}])`), place);
          },
        );
        shader.line("workgroupBarrier();");
      }
    }
  }

  #keep(row: string, quad: string, sums: string, place: TilePlace): void {
    const { m, n } = this.#product.kernel;
    if (this.#slices > 1) keepPartialSums(this.#product, this.#slices, { ...place, row, quad }, sums);
    else {
      const leaves = { mayLeaveRows: m.length % tileRows !== 0, mayLeaveColumns: n.length % this.#columns !== 0 };
      this.#product.storeFour({ row, quad, ...leaves }, sums);
    }
  }
}
