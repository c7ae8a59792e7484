/**
 * The gradient of attention of half floats by the matrix operations of subgroups, without a score in memory. One dispatch has blocks
 * of queries: past all keys a first time for the sums of weights, a second time for the gradient of queries. Another has blocks of
 * keys, and goes past all queries for the gradients of keys and values. Subgroups work in pairs on the same sixteen rows: one
 * computes scores and the other slopes, the gradients of weights, which meet in workgroup memory.
 * Source: Dao et al. 2022, algorithm 4.
 *
 * ```text
 * a block's rows      tile: rows of the other side, brought by all threads
 *   pair 0  part 0:   scores = queries · keysᵀ          ┐  weights = exp2(scores − total)
 *           part 1:   slopes = cotangents · valuesᵀ     ┘  changes = weights · (slopes − mean)
 *   pair 1  …         then sums += weightsᵀ · cotangents, changesᵀ · queries, or changes · keys
 * ```
 */
import { MLXError } from "../../base/errors.ts";
import type { Attention } from "../../compiler/attention-lengths.ts";
import type { CompositeKernel } from "../../ir/kernel.ts";
import { lowestScore } from "./attention-mask.ts";
import type { RowBlock } from "./attention-staging.ts";
import { halves, padding, RowStaging, rowSize } from "./attention-staging.ts";
import { gridOf } from "./grid.ts";
import type { GpuDispatch, GpuKernelCode, GpuTarget } from "./kernel-code.ts";
import { ShaderMemory } from "./wgsl-memory.ts";
import { Shader } from "./wgsl-shader.ts";
import { floatLiteral } from "./wgsl-types.ts";

/** Rows and columns of a matrix. */
const side = 16;
/** Threads of a pair of subgroups. */
const pairThreads = 64;
/** Elements of workgroup memory of a row of sixteen floats, and of sixteen halves. */
const floatRow = side / 4 + padding;
const halfRow = side / halves + padding;

/** How the work is cut. */
export interface GradientTiles {
  /** Pairs of subgroups of a workgroup. */
  readonly pairs: number;
  /** Matrices of rows that a pair has below one another: each row of the other side that it loads serves so many. */
  readonly strips: number;
  /** Rows of the other side at a time. */
  readonly step: number;
  /** Whether weights and the next tile have memory of their own: two barriers a step instead of five. */
  readonly isPipelined: boolean;
}

/** The ways to cut it that are worth a trial. */
export const gradientTiles: readonly GradientTiles[] = [
  { pairs: 4, strips: 1, step: 32, isPipelined: false },
  { pairs: 2, strips: 1, step: 32, isPipelined: false },
  { pairs: 2, strips: 1, step: 32, isPipelined: true },
  { pairs: 2, strips: 2, step: 32, isPipelined: false },
  { pairs: 4, strips: 1, step: 32, isPipelined: true },
  { pairs: 1, strips: 2, step: 32, isPipelined: true },
  { pairs: 2, strips: 1, step: 64, isPipelined: false },
];
/** Those that are taken for blocks of queries and of keys. */
export const gradientChoice = { ofQueries: 0, ofKeys: 0 };

/** Whether the kernels take the gradient of this attention: half floats, whole matrices of features, queries that see a key. */
export function isGradientForMatrices(
  { features, valueFeatures, mask, isCausal, queries, keys, heads }: Attention,
  { inputs }: CompositeKernel["call"],
  { matrixTiles, subgroups, hasF16, workgroupBytes, bindingBytes }: GpuTarget,
): boolean {
  return (
    hasF16 &&
    subgroups?.min === 32 &&
    subgroups.max === 32 &&
    matrixTiles.some((tile) => tile.m === side && tile.n === side && tile.k === side) &&
    inputs.every(({ dtype }) => dtype === "float16") &&
    mask === null &&
    !(isCausal && queries > keys) &&
    features === valueFeatures &&
    features % (2 * side) === 0 &&
    features <= 128 &&
    heads * queries * 8 <= bindingBytes &&
    workgroupBytes >= 48 * 1024
  );
}

/** The code of a gradient that `isGradientForMatrices`. */
export function emitMatrixGradient(
  kernel: CompositeKernel,
  target: GpuTarget,
  attention: Attention,
  choice: { readonly ofQueries: number; readonly ofKeys: number } = gradientChoice,
): GpuKernelCode {
  const part = (name: "ofQueries" | "ofKeys"): GpuDispatch => {
    const tiles = gradientTiles[choice[name]];
    if (!tiles) throw new MLXError("codegen", "there is no such way to cut the gradient of attention");
    return new GradientEmitter(kernel, target, attention, tiles, name === "ofQueries").emit();
  };
  return {
    dispatches: [part("ofQueries"), part("ofKeys")],
    scratchBytes: [attention.heads * attention.queries * 8],
  };
}

/** A part of workgroup memory. */
interface Region {
  readonly begin: number;
  readonly size: number;
}

class GradientEmitter {
  readonly #shader = new Shader();
  readonly #memory: ShaderMemory;
  readonly #kernel: CompositeKernel;
  readonly #target: GpuTarget;
  readonly #attention: Attention;
  readonly #tiles: GradientTiles;
  readonly #ofQueries: boolean;
  readonly #staging: RowStaging;
  /** Rows of a block. */
  readonly #rows: number;
  /** Elements of the rows of one operand in a tile. */
  readonly #operandSize: number;
  /** Elements of the scores of a pair, or of its slopes, and of its weights if they do not take the place of scores. */
  readonly #scoresSize: number;
  readonly #weightsSize: number;

  constructor(
    kernel: CompositeKernel,
    target: GpuTarget,
    attention: Attention,
    tiles: GradientTiles,
    ofQueries: boolean,
  ) {
    this.#memory = new ShaderMemory(this.#shader, kernel, target);
    this.#kernel = kernel;
    this.#target = target;
    this.#attention = attention;
    this.#tiles = tiles;
    this.#ofQueries = ofQueries;
    this.#staging = new RowStaging(this.#shader, this.#memory, tiles.pairs * pairThreads);
    this.#rows = tiles.pairs * tiles.strips * side;
    this.#operandSize = tiles.step * rowSize(attention.features);
    this.#scoresSize = tiles.strips * tiles.step * floatRow;
    this.#weightsSize = tiles.strips * tiles.step * halfRow;
  }

  get #scores(): Region {
    const begin = (this.#tiles.isPipelined ? 4 : 2) * this.#operandSize;
    return { begin, size: this.#tiles.pairs * 2 * this.#scoresSize };
  }

  get #weights(): Region {
    const { begin, size } = this.#scores;
    const matrices = this.#ofQueries ? 1 : 2;
    return {
      begin: begin + size,
      size: this.#tiles.isPipelined ? this.#tiles.pairs * matrices * this.#weightsSize : 0,
    };
  }

  emit(): GpuDispatch {
    const shader = this.#shader;
    const { heads, group, queries, keys, features, isCausal } = this.#attention;
    for (const feature of ["f16", "subgroups", "chromium_experimental_subgroup_matrix"]) shader.enable(feature);
    shader.silence("chromium.subgroup_matrix_uniformity");
    const size = Math.max(this.#weights.begin + this.#weights.size, 2 * this.#rows * rowSize(features));
    shader.declare(`var<workgroup> tile: array<vec4u, ${size}>;`);
    const blocks = Math.ceil((this.#ofQueries ? queries : keys) / this.#rows);
    const places = this.#ofQueries ? heads : heads / group;
    const grid = gridOf(shader, this.#target, places * blocks);
    shader.line(`let head = ${grid.place} % ${places};`);
    // The last queries see most keys, and the first keys are seen by most queries: they begin first.
    shader.line(`let block = ${this.#ofQueries ? `${blocks - 1} - ` : ""}${grid.place} / ${places};`);
    shader.line(`let row0 = block * ${this.#rows};`);
    shader.line("let own = i32(thread);");
    shader.line(`let pair = own / ${pairThreads};`);
    shader.line("let part = (own / 32) % 2;");
    shader.line(`let place = own % ${pairThreads};`);
    shader.line(`let scores = ${this.#scores.begin} + pair * ${2 * this.#scoresSize};`);
    this.#keepRows();
    const offset = keys - queries;
    if (this.#ofQueries) {
      shader.line(`let other = head / ${group} * ${keys};`);
      shader.line(`let end = ${isCausal ? `min(${keys}, row0 + ${this.#rows + offset})` : keys};`);
      shader.line(`let turns = (end + ${this.#tiles.step - 1}) / ${this.#tiles.step};`);
      for (const each of this.#others("other")) this.#staging.declare(each);
      this.#emitStatistics(offset);
      this.#emitOfQueries(offset);
    } else {
      shader.line(`let begin = ${isCausal ? `max(0, row0 - ${offset})` : 0};`);
      shader.line(`let perHead = (${queries} - begin + ${this.#tiles.step - 1}) / ${this.#tiles.step};`);
      shader.line(`let turns = perHead * ${group};`);
      for (const each of this.#others("other")) this.#staging.declare(each);
      this.#emitOfKeys(offset);
    }
    const bindings = this.#memory.bindings();
    return { wgsl: shader.build(this.#tiles.pairs * pairThreads), bindings, workgroups: grid.workgroups };
  }

  /** Brings the rows of the block into matrices, where they stay. */
  #keepRows(): void {
    const shader = this.#shader;
    const { queries, keys, features } = this.#attention;
    const length = this.#ofQueries ? queries : keys;
    const size = this.#rows * rowSize(features);
    const own = [this.#ofQueries ? 0 : 1, this.#ofQueries ? 3 : 2].map(
      (slot, k): RowBlock => ({
        name: `own${k}_`,
        slot,
        features,
        rows: this.#rows,
        length,
        base: `head * ${length}`,
        target: k * size,
      }),
    );
    for (const each of own) this.#staging.declare(each);
    for (const each of own) this.#staging.load(each, "row0");
    for (const each of own) this.#staging.store(each);
    shader.line("workgroupBarrier();");
    const [kind, order] = this.#ofQueries ? (["left", "row"] as const) : (["right", "col"] as const);
    const depth = features / side;
    for (let k = 0; k < this.#tiles.strips * depth; k++) {
      const first = `${this.#rowOf(`${Math.floor(k / depth)}`)} * ${side * rowSize(features)}`;
      const at = `part * ${size} + ${first} + ${2 * (k % depth)}`;
      shader.line(`let own_${k} = ${load(kind, order, at, rowSize(features))};`);
    }
  }

  /** The text of which of the workgroup's matrices of rows is a pair's `strip`. */
  #rowOf(strip: string): string {
    return this.#tiles.strips === 1 ? "pair" : `(pair * ${this.#tiles.strips} + ${strip})`;
  }

  get #strips(): readonly number[] {
    return Array.from({ length: this.#tiles.strips }, (_, k) => k);
  }

  /** The two operands of the other side whose rows are counted from `base`. */
  #others(base: string, tile: string | null = null): readonly RowBlock[] {
    const { queries, keys, features } = this.#attention;
    return (this.#ofQueries ? [1, 2] : [0, 3]).map((slot, k) => ({
      name: `other${k}_`,
      slot,
      features,
      rows: this.#tiles.step,
      length: this.#ofQueries ? keys : queries,
      base,
      target: tile === null ? k * this.#operandSize : `${tile} + ${k * this.#operandSize}`,
    }));
  }

  /** Loads what turn `turn` needs into registers. */
  #load(turn: string): void {
    const shader = this.#shader;
    const { step } = this.#tiles;
    if (this.#ofQueries) {
      const first = shader.let("first", `${turn} * ${step}`);
      for (const each of this.#others("other")) this.#staging.load(each, first);
      return;
    }
    const { group, queries } = this.#attention;
    const { head, first } = this.#queriesOf(turn);
    const base = shader.let("base", `(head * ${group} + ${head}) * ${queries}`);
    for (const each of this.#others(base)) this.#staging.load(each, first);
  }

  /** Which of the heads that share keys turn `turn` is about, and its first query. */
  #queriesOf(turn: string): { readonly head: string; readonly first: string } {
    const shader = this.#shader;
    const { step } = this.#tiles;
    if (this.#attention.group === 1) return { head: "0", first: shader.let("first", `begin + ${turn} * ${step}`) };
    return {
      head: shader.let("member", `${turn} / perHead`),
      first: shader.let("first", `begin + (${turn} % perHead) * ${step}`),
    };
  }

  /**
   * Goes past all rows of the other side: `weigh` makes weights of scores and slopes, in two steps if these share memory, and
   * `add` adds products with the rows in the tile at the element of the given name.
   */
  #pass(weigh: () => void, add: ((tile: string) => void) | null): void {
    const shader = this.#shader;
    const { isPipelined } = this.#tiles;
    const tileOf = (turn: string): string =>
      isPipelined ? shader.let("tile", `(${turn} & 1) * ${2 * this.#operandSize}`) : "0";
    const store = (turn: string): void => {
      for (const each of this.#others("other", tileOf(turn))) this.#staging.store(each);
    };
    const loadAfter = (turn: string): void =>
      shader.block(`if (${turn} + 1 < turns)`, () => this.#load(shader.let("next", `${turn} + 1`)));
    // Others may still read what this thread writes over.
    shader.line("workgroupBarrier();");
    shader.block("", () => {
      this.#load("0");
      store("0");
    });
    shader.line("workgroupBarrier();");
    loadAfter("0");
    this.#multiply("0");
    shader.block("for (var turn = 0; turn < turns; turn++)", () => {
      shader.line("let next_turn = turn + 1;");
      shader.line("workgroupBarrier();");
      weigh();
      if (isPipelined) {
        store("next_turn");
        shader.line("workgroupBarrier();");
        loadAfter("next_turn");
        add?.(tileOf("turn"));
      } else {
        if (add) {
          shader.line("workgroupBarrier();");
          add("0");
        }
        shader.line("workgroupBarrier();");
        store("next_turn");
        shader.line("workgroupBarrier();");
        loadAfter("next_turn");
      }
      shader.block("if (next_turn < turns)", () => this.#multiply(tileOf("next_turn")));
    });
  }

  /** Scores or slopes of the block's rows with those in the tile, into workgroup memory: rows are queries, columns keys. */
  #multiply(tile: string): void {
    const shader = this.#shader;
    const { features } = this.#attention;
    const size = rowSize(features);
    const depth = features / side;
    for (let j = 0; j < this.#tiles.step / side; j++) {
      shader.block("", () => {
        // Said to be zero, because drivers may set a variable without a value to zero once, and not in every round.
        for (const r of this.#strips)
          shader.line(`var products${r} = subgroup_matrix_result<f32, ${side}, ${side}>();`);
        for (let k = 0; k < depth; k++) {
          const at = `${tile} + part * ${this.#operandSize} + ${j * side * size + 2 * k}`;
          const rows = shader.let(
            "rows",
            this.#ofQueries ? load("right", "col", at, size) : load("left", "row", at, size),
          );
          for (const r of this.#strips) {
            const kept = `own_${r * depth + k}`;
            const operands = this.#ofQueries ? `${kept}, ${rows}` : `${rows}, ${kept}`;
            shader.line(`products${r} = subgroupMatrixMultiplyAccumulate(${operands}, products${r});`);
          }
        }
        for (const r of this.#strips)
          shader.line(
            store(
              `products${r}`,
              `scores + part * ${this.#scoresSize} + ${(r * this.#tiles.step + j * side) * floatRow}`,
            ),
          );
      });
    }
  }

  /** Calls `body` for each eight keys of a query that a thread has. */
  #eachEight(body: (eight: Eight) => void): void {
    const shader = this.#shader;
    const { step } = this.#tiles;
    const perStrip = (2 * step) / pairThreads;
    for (let k = 0; k < this.#tiles.strips * perStrip; k++) {
      const strip = Math.floor(k / perStrip);
      const row = step < pairThreads ? `(place % ${step})` : "place";
      const half = step < pairThreads ? `(place / ${step})` : `${k % perStrip}`;
      const line = strip === 0 ? row : `(${strip * step} + ${row})`;
      const at = shader.let("at", `scores + ${line} * ${floatRow} + ${half} * 2`);
      const four = (name: string, from: number): string => shader.let(name, `bitcast<vec4f>(tile[${at} + ${from}])`);
      body({
        k,
        strip,
        row,
        line,
        half,
        scores: [four("score", 0), four("score", 1)],
        slopes: [four("slope", this.#scoresSize), four("slope", this.#scoresSize + 1)],
      });
    }
  }

  /** The text of which of four keys from `key` on a query sees that sees the keys up to `limit`. */
  #seen(key: string, limit: string): string {
    return `(vec4i(${key}) + vec4i(0, 1, 2, 3)) <= vec4i(${limit})`;
  }

  /** The first pass of a block of queries: the logarithm to base two of each one's sum, and the mean of its slopes. */
  #emitStatistics(offset: number): void {
    const shader = this.#shader;
    const { queries, keys, isCausal, scale } = this.#attention;
    const factor = floatLiteral(Math.fround(scale * Math.LOG2E));
    for (const r of this.#strips) {
      shader.line(`let query${r} = row0 + ${this.#rowOf(`${r}`)} * ${side} + place % ${side};`);
      shader.line(`let limit${r} = ${isCausal ? `min(query${r} + ${offset}, ${keys - 1})` : keys - 1};`);
      // What a thread knows of the keys of its query that it meets; three others have the rest.
      shader.line(`var most${r} = ${lowestScore};`);
      shader.line(`var total${r} = 0f;`);
      shader.line(`var slopes${r} = 0f;`);
    }
    this.#pass(() => {
      this.#eachEight(({ strip, row, half, scores, slopes }) => {
        const key = shader.let("key", `turn * ${this.#tiles.step} + ${row} / ${side} * ${side} + ${half} * 8`);
        const x = scores.map((score, part) =>
          shader.let(
            "x",
            `select(vec4f(${lowestScore}), ${score} * ${factor}, ${this.#seen(`${key} + ${4 * part}`, `limit${strip}`)})`,
          ),
        );
        const four = shader.let("four", `max(${x[0]}, ${x[1]})`);
        const next = shader.let("most", `max(most${strip}, max(max(${four}.x, ${four}.y), max(${four}.z, ${four}.w)))`);
        const shrink = shader.let("shrink", `exp2(most${strip} - ${next})`);
        const weights = x.map((name) => shader.let("weight", `exp2(${name} - ${next})`));
        const sum = shader.let("sum", `${weights[0]} + ${weights[1]}`);
        shader.line(`total${strip} = fma(total${strip}, ${shrink}, (${sum}.x + ${sum}.y) + (${sum}.z + ${sum}.w));`);
        const products = weights.map((weight, part) => `dot(${weight}, ${slopes[part]})`);
        shader.line(`slopes${strip} = fma(slopes${strip}, ${shrink}, ${products.join(" + ")});`);
        shader.line(`most${strip} = ${next};`);
      });
    }, null);
    shader.line("workgroupBarrier();");
    for (const r of this.#strips) {
      const parts = ["most", "total", "slopes"].map((name) => `bitcast<u32>(${name}${r})`).join(", ");
      shader.line(`tile[scores + ${r * pairThreads} + place] = vec4u(${parts}, 0u);`);
    }
    shader.line("workgroupBarrier();");
    for (const r of this.#strips) {
      const found = Array.from({ length: pairThreads / side }, (_, k) =>
        shader.let("found", `bitcast<vec4f>(tile[scores + place % ${side} + ${r * pairThreads + k * side}])`),
      );
      const greatest = shader.let(
        "most",
        found.map((name) => `${name}.x`).reduce((a, b) => `max(${a}, ${b})`),
      );
      const shrinks = found.map((name) => shader.let("shrink", `exp2(${name}.x - ${greatest})`));
      const joined = (lane: string): string => found.map((name, k) => `${name}.${lane} * ${shrinks[k]}`).join(" + ");
      const sum = shader.let("sum", joined("y"));
      shader.line(`let statistics${r} = vec2f(${greatest} + log2(${sum}), (${joined("z")}) / ${sum});`);
      shader.block(`if (place < ${side} && query${r} < ${queries})`, () =>
        shader.line(`${this.#memory.scratch(0, "vec2f", true)}[head * ${queries} + query${r}] = statistics${r};`),
      );
    }
  }

  /** The second pass of a block of queries. */
  #emitOfQueries(offset: number): void {
    const shader = this.#shader;
    const { queries, keys, isCausal, features } = this.#attention;
    const sums = features / side / 2;
    this.#declareSums(sums);
    this.#pass(
      () => {
        const first = shader.let("first", `turn * ${this.#tiles.step}`);
        const isWhole = `${first} + ${this.#tiles.step} <= ${isCausal ? `min(row0 + ${offset + 1}, ${keys})` : keys}`;
        this.#weigh(isWhole, ({ row, half }) => `${first} + ${row} / ${side} * ${side} + ${half} * 8`);
      },
      (tile) => this.#add(tile, sums, `part * ${2 * sums}`, "row"),
    );
    this.#finish(sums, `part * ${sums * side}`, (row) => ({
      length: queries,
      position: this.#position(0, "head", row),
    }));
  }

  /** The pass of a block of keys. */
  #emitOfKeys(offset: number): void {
    const shader = this.#shader;
    const { queries, keys, group, isCausal, features } = this.#attention;
    const { step } = this.#tiles;
    const sums = features / side;
    this.#declareSums(sums);
    this.#pass(
      () => {
        const { head, first } = this.#queriesOf("turn");
        shader.line(`let query = ${first} + place % ${step};`);
        const at = `(head * ${group} + ${head}) * ${queries} + min(query, ${queries - 1})`;
        shader.line(`let statistics0 = ${this.#memory.scratch(0, "vec2f", false)}[${at}];`);
        // A row beyond the last query sees nothing.
        const limit = isCausal ? `query + ${offset}` : `${keys - 1}`;
        shader.line(`let limit0 = select(-1, ${limit}, query < ${queries});`);
        const inTime = isCausal ? ` && ${first} + ${offset + 1} >= row0 + ${this.#rows}` : "";
        this.#weigh(
          `${first} + ${step} <= ${queries}${inTime}`,
          ({ strip, half }) => `row0 + ${this.#rowOf(`${strip}`)} * ${side} + ${half} * 8`,
        );
      },
      (tile) => this.#add(tile, sums, `(1 - part) * ${this.#operandSize}`, "col"),
    );
    this.#finish(sums, "0", (row) => {
      const places = [1, 2].map((slot) => this.#position(slot, "head", row));
      return { length: keys, position: `select(${places[0]}, ${places[1]}, part == 0)` };
    });
  }

  /**
   * Makes weights and changes of scores and slopes, by the `statistics` of the query of a thread, which sees keys up to `limit`;
   * all of a step if `isWhole`. `keyOf` gives the text of the first of eight keys.
   */
  #weigh(isWhole: string, keyOf: (eight: Eight) => string): void {
    const shader = this.#shader;
    const { isPipelined } = this.#tiles;
    const factor = floatLiteral(Math.fround(this.#attention.scale * Math.LOG2E));
    const places: { readonly at: string; readonly bits: readonly string[] }[] = [];
    shader.line(`let is_whole = ${isWhole};`);
    this.#eachEight((eight) => {
      const { k, strip, line, half, scores, slopes } = eight;
      const query = this.#ofQueries ? strip : 0;
      for (const [part, score] of scores.entries())
        shader.line(`var weight${k}_${part} = exp2(fma(${score}, vec4f(${factor}), vec4f(-statistics${query}.x)));`);
      shader.block("if (!is_whole)", () => {
        const first = shader.let("key", keyOf(eight));
        for (const part of [0, 1]) {
          const seen = this.#seen(`${first} + ${4 * part}`, `limit${query}`);
          shader.line(`weight${k}_${part} = select(vec4f(), weight${k}_${part}, ${seen});`);
        }
      });
      const weights = [0, 1].map((part) => `weight${k}_${part}`);
      const changes = slopes.map((slope, part) =>
        shader.let("change", `${weights[part]} * (${slope} - statistics${query}.y)`),
      );
      const bits = [...(this.#ofQueries ? [] : [weights]), changes].map((pair) => shader.let("bits", bitsOf(pair)));
      places.push({ at: `${line} * ${this.#weightRow} + ${half}`, bits });
    });
    // Weights take the place of scores that others may still read.
    if (!isPipelined) shader.line("workgroupBarrier();");
    for (const { at, bits } of places)
      for (const [matrix, eight] of bits.entries())
        shader.line(`tile[${this.#weightsAt(`${matrix}`)} + ${at}] = ${eight};`);
  }

  /** Elements of a row of weights or changes, and the text of the first element of those of a pair. */
  get #weightRow(): number {
    return this.#tiles.isPipelined ? halfRow : floatRow;
  }

  #weightsAt(matrix: string): string {
    if (!this.#tiles.isPipelined) return `scores + ${matrix} * ${this.#scoresSize}`;
    const perPair = this.#weightsSize * (this.#ofQueries ? 1 : 2);
    return `${this.#weights.begin} + pair * ${perPair} + ${matrix} * ${this.#weightsSize}`;
  }

  #declareSums(count: number): void {
    for (let j = 0; j < this.#tiles.strips * count; j++)
      this.#shader.line(`var sum${j} = subgroup_matrix_result<f32, ${side}, ${side}>();`);
  }

  /** Adds products of weights or changes with rows in the tile, whose matrices begin at `first`. */
  #add(tile: string, sums: number, first: string, order: "row" | "col"): void {
    const shader = this.#shader;
    const size = rowSize(this.#attention.features);
    for (let j = 0; j < this.#tiles.step / side; j++) {
      shader.block("", () => {
        const matrix = this.#weightsAt(this.#ofQueries ? "0" : "part");
        for (const r of this.#strips) {
          const at = `${matrix} + ${(r * this.#tiles.step + j * side) * this.#weightRow}`;
          shader.line(`let weights${r} = ${load("left", order, at, this.#weightRow)};`);
        }
        for (let k = 0; k < sums; k++) {
          const at = `${tile} + ${first} + ${j * side * size + 2 * k}`;
          const rows = shader.let("rows", load("right", "row", at, size));
          for (const r of this.#strips) {
            const sum = `sum${r * sums + k}`;
            shader.line(`${sum} = subgroupMatrixMultiplyAccumulate(weights${r}, ${rows}, ${sum});`);
          }
        }
      });
    }
  }

  /** The text of where a row of the gradient of input `slot` begins in the output. */
  #position(slot: number, head: string, row: string): string {
    const { leading, heads, group, queries, keys, features } = this.#attention;
    const perExample = leading.at(-1) ?? 1;
    const [ofQueries, ofKeys] = [perExample * queries * features, (perExample / group) * keys * features];
    const count = slot === 0 ? perExample : perExample / group;
    const begin = slot === 0 ? 0 : ofQueries + (slot - 1) * ofKeys;
    const line = `((${head} % ${count}) * ${slot === 0 ? queries : keys} + ${row}) * ${features} + ${begin}`;
    return heads === perExample ? line : `(${head} / ${count}) * ${ofQueries + 2 * ofKeys} + ${line}`;
  }

  /** Stores the sums, which are features from `column` on. */
  #finish(
    sums: number,
    column: string,
    placeOf: (row: string) => { readonly length: number; readonly position: string },
  ): void {
    const shader = this.#shader;
    const scale = floatLiteral(Math.fround(this.#attention.scale));
    shader.line(`let factor = ${this.#ofQueries ? scale : `select(${scale}, 1f, part == 0)`};`);
    shader.line("let lane = own % 32;");
    const { strips, step } = this.#tiles;
    const together = (strips * step) / side;
    const memory = `scores + part * ${this.#scoresSize}`;
    for (let first = 0; first < strips * sums; first += together) {
      const matrices = Math.min(together, strips * sums - first);
      shader.line("workgroupBarrier();");
      for (let j = 0; j < matrices; j++) shader.line(store(`sum${first + j}`, `${memory} + ${j * side * floatRow}`));
      shader.line("workgroupBarrier();");
      for (let k = 0; k < 2 * matrices; k++) {
        const matrix = first + (k >> 1);
        shader.block("", () => {
          const inside = shader.let("row", `(lane + ${32 * (k % 2)}) / 4`);
          const at = `${memory} + (${(k >> 1) * side} + ${inside}) * ${floatRow} + lane % 4`;
          const value = shader.let("value", `bitcast<vec4f>(tile[${at}]) * factor`);
          const strip = this.#rowOf(`${Math.floor(matrix / sums)}`);
          const row = shader.let("row", `row0 + ${strip} * ${side} + ${inside}`);
          const { length, position } = placeOf(row);
          shader.block(`if (${row} < ${length})`, () => {
            const place = shader.let("at", `${position} + ${column} + ${(matrix % sums) * side} + lane % 4 * 4`);
            shader.line(this.#memory.storeFour(this.#kernel.slots.length - 1, place, value));
          });
        });
      }
    }
  }
}

/** Eight keys of a query: where they stand among those of a pair, and names of their scores and slopes, four each. */
interface Eight {
  readonly k: number;
  readonly strip: number;
  /** The row of the strip, and of all strips. */
  readonly row: string;
  readonly line: string;
  readonly half: string;
  readonly scores: readonly string[];
  readonly slopes: readonly string[];
}

/** The bits of two vectors of four as halves. */
function bitsOf(fours: readonly string[]): string {
  const pairs = fours.flatMap((four) => [`${four}.xy`, `${four}.zw`]);
  return `vec4u(${pairs.map((pair) => `pack2x16float(${pair})`).join(", ")})`;
}

/** The text of a matrix of halves in workgroup memory: `at` and `stride` in elements. */
function load(kind: "left" | "right", order: "row" | "col", at: string, stride: number): string {
  return `subgroupMatrixLoad<subgroup_matrix_${kind}<f16, ${side}, ${side}>, ${order}_major>(&tile, u32(${at}), ${stride}u)`;
}

/** The statement that puts a matrix of sums into workgroup memory. */
function store(name: string, at: string): string {
  return `subgroupMatrixStore<row_major>(&tile, u32(${at}), ${name}, ${floatRow}u);`;
}
