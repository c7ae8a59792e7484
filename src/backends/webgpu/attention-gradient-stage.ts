/**
 * What the two dispatches of an attention's gradient have in common: the rows of a block, which stay in matrices, and those of the
 * other side, which pass through workgroup memory and are multiplied twice, for scores and slopes and with what these become.
 */
import { MLXError } from "../../base/errors.ts";
import type { Attention } from "../../compiler/attention-lengths.ts";
import type { CompositeKernel } from "../../ir/kernel.ts";
import type { RowBlock } from "./attention-staging.ts";
import { halves, padding, RowStaging, rowSize } from "./attention-staging.ts";
import { gridOf } from "./grid.ts";
import type { GpuDispatch, GpuTarget } from "./kernel-code.ts";
import {
  addProduct,
  elementBytes,
  enableMatrices,
  loadMatrix,
  side,
  storeSums,
  subgroupThreads,
  zeroSums,
} from "./subgroup-matrices.ts";
import { ShaderMemory } from "./wgsl-memory.ts";
import { Shader } from "./wgsl-shader.ts";

/** Threads of a pair of subgroups. */
const pairThreads = 2 * subgroupThreads;
/** Rows of the other side at a time. */
export const step = 32;
/** Elements of workgroup memory of a row of sixteen weights or changes, which take the places of scores and slopes. */
export const weightRow: number = side / halves + padding;
/** Elements of a row of sixteen sums: the longer one takes subgroups' stores to different banks. */
const [shortRow, longRow] = [side / 4 + padding, side / 4 + 2 * padding];

/** How workgroups are made up. */
interface Layout {
  /** Pairs of subgroups, each with sixteen rows of the block. */
  readonly pairs: number;
  /** Elements of workgroup memory of a row of sixteen sums. */
  readonly sumRow: number;
  /** Elements of workgroup memory: rows of the other side, scores and slopes; at first the rows of the block. */
  readonly elements: number;
}

function layoutOf(features: number, pairs: number, sumRow: number): Layout {
  const row = rowSize(features);
  return { pairs, sumRow, elements: Math.max(2 * step * row + pairs * 2 * step * sumRow, 2 * pairs * side * row) };
}

/**
 * The layout for a device, null where none fits: small workgroups, of which a multiprocessor runs two at a time if together they
 * need no more memory than one may have (8 % faster on an H100), or large ones.
 */
export function gradientLayout(features: number, { workgroupBytes }: GpuTarget): Layout | null {
  const small = layoutOf(features, 2, longRow);
  if (2 * small.elements * elementBytes <= workgroupBytes) return small;
  const large = [layoutOf(features, 4, longRow), layoutOf(features, 4, shortRow)];
  return large.find(({ elements }) => elements * elementBytes <= workgroupBytes) ?? null;
}

/** Whose rows a block has. */
export type BlockSide = "queries" | "keys";

/** Where rows of the other side begin: the text of the first row of their head, and of the first of them in it. */
export interface RowsAt {
  readonly base: string;
  readonly first: string;
}

/**
 * Eight keys of a query, as a thread has them: names of their scores and slopes, four each. The second half of a row has its two
 * fours the other way round, which takes threads of both halves to different banks.
 */
export interface Eight {
  readonly scores: readonly string[];
  readonly slopes: readonly string[];
}

/** The text of the row of sums that a thread has. */
export const ownRow = "(place / 2)";
/** The text of which half of the row. */
export const ownHalf = "(place % 2)";

/** The texts of the first key of each of a thread's fours, counted from `first`, the text of the first of its eight. */
export function keysOf(first: string): readonly string[] {
  return [`${first} + 4 * ${ownHalf}`, `${first} + 4 - 4 * ${ownHalf}`];
}

/** The text of a dispatch while it is written, whose blocks have rows of queries or of keys. */
export class GradientStage {
  readonly shader: Shader = new Shader();
  readonly memory: ShaderMemory;
  readonly attention: Attention;
  readonly #side: BlockSide;
  readonly #staging: RowStaging;
  /** Rows of a block. */
  readonly blockRows: number;
  readonly #layout: Layout;
  /** Elements of workgroup memory that rows of one operand take, and the scores of a pair, or its slopes. */
  readonly #operandSize: number;
  readonly #scoresSize: number;
  readonly #workgroups: GpuDispatch["workgroups"];

  constructor(kernel: CompositeKernel, target: GpuTarget, attention: Attention, blocksOf: BlockSide) {
    this.memory = new ShaderMemory(this.shader, kernel, target);
    this.attention = attention;
    this.#side = blocksOf;
    const layout = gradientLayout(attention.features, target);
    if (!layout)
      throw new MLXError("codegen", "the device has too little workgroup memory for the gradient of attention");
    this.#layout = layout;
    this.blockRows = layout.pairs * side;
    this.#staging = new RowStaging(this.shader, this.memory, layout.pairs * pairThreads);
    this.#operandSize = step * rowSize(attention.features);
    this.#scoresSize = step * layout.sumRow;
    this.#workgroups = this.#begin(target);
    this.#keepRows();
    for (const each of this.#others("")) this.#staging.declare(each);
  }

  /** The dispatch. */
  build(): GpuDispatch {
    const bindings = this.memory.bindings();
    return { wgsl: this.shader.build(this.#layout.pairs * pairThreads), bindings, workgroups: this.#workgroups };
  }

  /** Names what a thread is about: `head`, `row0`, `pair`, `part` and `place` in the pair, whose `scores` begin there. */
  #begin(target: GpuTarget): GpuDispatch["workgroups"] {
    const shader = this.shader;
    const { heads, group } = this.attention;
    enableMatrices(shader);
    shader.declare(`var<workgroup> tile: array<vec4u, ${this.#layout.elements}>;`);
    const blocks = Math.ceil(this.attention[this.#side] / this.blockRows);
    const places = this.#side === "queries" ? heads : heads / group;
    const grid = gridOf(shader, target, places * blocks);
    shader.line(`let head = ${grid.place} % ${places};`);
    // The last queries see most keys, and the first keys are seen by most queries: they begin first.
    const block = `${grid.place} / ${places}`;
    shader.line(`let row0 = (${this.#side === "queries" ? `${blocks - 1} - ${block}` : block}) * ${this.blockRows};`);
    shader.line("let own = i32(thread);");
    shader.line(`let pair = own / ${pairThreads};`);
    shader.line(`let part = (own / ${subgroupThreads}) % 2;`);
    shader.line(`let place = own % ${pairThreads};`);
    shader.line(`let scores = ${2 * this.#operandSize} + pair * ${2 * this.#scoresSize};`);
    return grid.workgroups;
  }

  /** Brings the rows of the block into matrices, where they stay: queries and cotangents, or keys and values. */
  #keepRows(): void {
    const shader = this.shader;
    const { features } = this.attention;
    const stride = rowSize(features);
    const size = this.blockRows * stride;
    const length = this.attention[this.#side];
    const isLeft = this.#side === "queries";
    const own = (isLeft ? [0, 3] : [1, 2]).map(
      (slot, k): RowBlock => ({
        name: `own${k}_`,
        slot,
        features,
        rows: this.blockRows,
        length,
        base: `head * ${length}`,
        memory: "tile",
        target: k * size,
      }),
    );
    for (const each of own) this.#staging.declare(each);
    for (const each of own) this.#staging.load(each, "row0");
    for (const each of own) this.#staging.store(each);
    shader.line("workgroupBarrier();");
    for (let k = 0; k < features / side; k++) {
      const at = `part * ${size} + pair * ${side * stride} + ${2 * k}`;
      const matrix = loadMatrix(isLeft ? "left" : "right", isLeft ? "row" : "col", "tile", at, stride);
      shader.line(`let own_${k} = ${matrix};`);
    }
  }

  /** The two operands of the other side, whose rows are counted from `base`. */
  #others(base: string): readonly RowBlock[] {
    const { queries, keys, features } = this.attention;
    return (this.#side === "queries" ? [1, 2] : [0, 3]).map((slot, k) => ({
      name: `other${k}_`,
      slot,
      features,
      rows: step,
      length: this.#side === "queries" ? keys : queries,
      base,
      memory: "tile",
      target: k * this.#operandSize,
    }));
  }

  /**
   * Goes past all rows of the other side in `turns`: `weigh` sees the scores and slopes of a `turn`, then `add` adds products with
   * the rows, which are still there.
   */
  pass(rowsAt: (turn: string) => RowsAt, weigh: () => void, add: () => void): void {
    const shader = this.shader;
    const load = (turn: string): void => {
      const { base, first } = rowsAt(turn);
      for (const each of this.#others(base)) this.#staging.load(each, first);
    };
    const store = (): void => {
      for (const each of this.#others("")) this.#staging.store(each);
      shader.line("workgroupBarrier();");
    };
    // Others may still read what this thread writes over.
    shader.line("workgroupBarrier();");
    shader.block("", () => load("0"));
    store();
    shader.block("if (1 < turns)", () => load("1"));
    this.#multiply();
    shader.block("for (var turn = 0; turn < turns; turn++)", () => {
      shader.line("workgroupBarrier();");
      weigh();
      shader.line("workgroupBarrier();");
      add();
      shader.line("workgroupBarrier();");
      store();
      shader.block("if (turn + 2 < turns)", () => load("(turn + 2)"));
      shader.block("if (turn + 1 < turns)", () => this.#multiply());
    });
  }

  /** Scores or slopes of the block's rows with those in the tile, into workgroup memory: rows are queries, columns keys. */
  #multiply(): void {
    const shader = this.shader;
    const stride = rowSize(this.attention.features);
    const parts = Array.from({ length: step / side }, (_, j) => j);
    shader.block("", () => {
      // Said to be zero, because drivers may set a variable without a value to zero once, and not in every round.
      for (const j of parts) shader.line(`var products${j} = ${zeroSums};`);
      for (let k = 0; k < this.attention.features / side; k++) {
        for (const j of parts) {
          const at = `part * ${this.#operandSize} + ${j * side * stride + 2 * k}`;
          if (this.#side === "queries") {
            const keys = shader.let("keys", loadMatrix("right", "col", "tile", at, stride));
            shader.line(addProduct(`products${j}`, `own_${k}`, keys));
          } else {
            const queries = shader.let("queries", loadMatrix("left", "row", "tile", at, stride));
            shader.line(addProduct(`products${j}`, queries, `own_${k}`));
          }
        }
      }
      for (const j of parts) {
        const at = `scores + part * ${this.#scoresSize} + ${j * side * this.#layout.sumRow}`;
        shader.line(storeSums(`products${j}`, "tile", at, this.#layout.sumRow));
      }
    });
  }

  /** The eight keys of a query that a thread has. */
  eight(): Eight {
    const { shader } = this;
    const at = shader.let("at", `scores + ${ownRow} * ${this.#layout.sumRow}`);
    const four = (name: string, from: string): string => shader.let(name, `bitcast<vec4f>(tile[${at} + ${from}])`);
    const [first, second] = [`3 * ${ownHalf}`, `1 + ${ownHalf}`];
    return {
      scores: [four("score", first), four("score", second)],
      slopes: [four("slope", `${this.#scoresSize} + ${first}`), four("slope", `${this.#scoresSize} + ${second}`)],
    };
  }

  /** The text of where the first, second or either matrix of a pair's scores and slopes begins. */
  matrixAt(which: string): string {
    return `scores + ${which} * ${this.#scoresSize}`;
  }

  /** Declares the sums of a subgroup, of so many matrices. */
  declareSums(count: number): void {
    for (let j = 0; j < count; j++) this.shader.line(`var sum${j} = ${zeroSums};`);
  }

  /**
   * Adds the products of half floats in the place of scores or slopes, `weights`, with an `operand` of the other side, from a
   * `column` of matrices on.
   */
  add(count: number, weights: string, operand: string, column: string): void {
    const shader = this.shader;
    const stride = rowSize(this.attention.features);
    const order = this.#side === "queries" ? "row" : "col";
    for (let j = 0; j < step / side; j++) {
      shader.block("", () => {
        const at = `${this.matrixAt(weights)} + ${j * side * weightRow}`;
        shader.line(`let weights = ${loadMatrix("left", order, "tile", at, weightRow)};`);
        for (let k = 0; k < count; k++) {
          const from = `${operand} * ${this.#operandSize} + ${column} * 2 + ${j * side * stride + 2 * k}`;
          const rows = shader.let("rows", loadMatrix("right", "row", "tile", from, stride));
          shader.line(addProduct(`sum${k}`, "weights", rows));
        }
      });
    }
  }

  /** Calls `body` for each four sums of a thread: their name, the row in their head, and the column in a matrix of the given number. */
  eachSum(count: number, body: (value: string, row: string, matrix: number, column: string) => void): void {
    const shader = this.shader;
    const together = step / side;
    const memory = this.matrixAt("part");
    shader.line(`let lane = own % ${subgroupThreads};`);
    for (let first = 0; first < count; first += together) {
      const matrices = Math.min(together, count - first);
      shader.line("workgroupBarrier();");
      for (let j = 0; j < matrices; j++)
        shader.line(
          storeSums(`sum${first + j}`, "tile", `${memory} + ${j * side * this.#layout.sumRow}`, this.#layout.sumRow),
        );
      shader.line("workgroupBarrier();");
      for (let k = 0; k < 2 * matrices; k++) {
        shader.block("", () => {
          const inside = shader.let("inside", `(lane + ${subgroupThreads * (k % 2)}) / 4`);
          const at = `${memory} + (${(k >> 1) * side} + ${inside}) * ${this.#layout.sumRow} + lane % 4`;
          const value = shader.let("value", `bitcast<vec4f>(tile[${at}])`);
          const row = shader.let("row", `row0 + pair * ${side} + ${inside}`);
          shader.block(`if (${row} < ${this.attention[this.#side]})`, () =>
            body(value, row, first + (k >> 1), "lane % 4 * 4"),
          );
        });
      }
    }
  }
}
