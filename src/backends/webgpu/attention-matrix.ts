/**
 * Attention of half floats by the matrix operations of subgroups: each of four has sixteen queries, whose scores of a block of
 * keys pass through workgroup memory, where threads turn them into weights. Weights are relative to the greatest score of the
 * query's first block. Where later ones exceed it by so much that halves could not hold the weights, the loop is left, and entered
 * again when the sums have been scaled: that takes them through memory too, and drivers make slow loops of such a part inside.
 *
 * ```text
 * a turn, with the block of keys k       ⎸ barrier ⎸ bring values k and keys k + 1
 *   sums += weights k - 1 · values k - 1 ⎸         ⎸ weights k = exp2(scores k - reference)
 *   scores k = queries · keys k          ⎸         ⎸ barrier: does a weight overflow?
 * ```
 */
import type { Attention } from "../../compiler/attention-lengths.ts";
import type { CompositeKernel } from "../../ir/kernel.ts";
import { slotOfPart } from "../../ir/kernel.ts";
import { lowestScore, noScore } from "./attention-mask.ts";
import type { RowBlock } from "./attention-staging.ts";
import { halves, padding, RowStaging, rowSize } from "./attention-staging.ts";
import { storeStatistics } from "./attention-statistics.ts";
import { gridOf } from "./grid.ts";
import type { GpuDispatch, GpuKernelCode, GpuTarget } from "./kernel-code.ts";
import {
  addProduct,
  elementBytes,
  enableMatrices,
  loadMatrix,
  loadSums,
  multipliesHalves,
  side,
  storeSums,
  subgroupThreads,
  zeroSums,
} from "./subgroup-matrices.ts";
import { ShaderMemory } from "./wgsl-memory.ts";
import { Shader } from "./wgsl-shader.ts";
import { floatLiteral } from "./wgsl-types.ts";

const threads = 128;
const subgroups = threads / subgroupThreads;
const queryBlock = subgroups * side;
const keyBlock = 32;
/** Features of queries at most: each sixteen of them are one more matrix that a subgroup keeps. */
const mostFeatures = 128;
/** Features of queries that pass through workgroup memory at a time. */
const featureStep = 64;
/** Floats of an element of workgroup memory. */
const floats = 4;
/** Elements of a row of scores: one in which subgroups store them, and threads read them, on different banks. */
const scoreRow = keyBlock / floats + 2;
const scoreSize = side * scoreRow;
/** Elements of a row of weights; the last row is not padded, which leaves room for a flag in half of 48 KiB. */
const weightRow = keyBlock / halves + padding;
const weightSize = side * weightRow;
const allWeights = subgroups * weightSize - padding;
/** Vectors of scores of a thread: every second of its row. */
const perThread = keyBlock / 2 / floats;
/** The sum of sixteen weights from which a half may not hold one of them. */
const mostWeight = floatLiteral(32_768);

/** Whether the kernel takes this attention: half floats, whole matrices of features, no mask but that of time. */
export function isForMatrices(attention: Attention, { inputs }: CompositeKernel["call"], target: GpuTarget): boolean {
  const { features, valueFeatures, mask } = attention;
  const elements = keyBlock * (rowSize(features) + rowSize(valueFeatures)) + subgroups * scoreSize + allWeights;
  return (
    multipliesHalves(target) &&
    inputs.every(({ dtype }) => dtype === "float16") &&
    mask === null &&
    features % side === 0 &&
    features <= mostFeatures &&
    valueFeatures % (2 * side) === 0 &&
    target.workgroupBytes >= (elements + 1) * elementBytes
  );
}

/** The code of an attention that `isForMatrices`. */
export function emitMatrixAttention(kernel: CompositeKernel, target: GpuTarget, attention: Attention): GpuKernelCode {
  return new MatrixAttention(kernel, target, attention).emit();
}

class MatrixAttention {
  readonly #shader = new Shader();
  readonly #memory: ShaderMemory;
  readonly #staging: RowStaging;
  readonly #kernel: CompositeKernel;
  readonly #target: GpuTarget;
  readonly #attention: Attention;

  constructor(kernel: CompositeKernel, target: GpuTarget, attention: Attention) {
    this.#memory = new ShaderMemory(this.#shader, kernel, target);
    this.#staging = new RowStaging(this.#shader, this.#memory, threads);
    this.#kernel = kernel;
    this.#target = target;
    this.#attention = attention;
  }

  emit(): GpuKernelCode {
    const shader = this.#shader;
    const workgroups = this.#begin();
    this.#keepQueries();
    const { valueFeatures } = this.#attention;
    for (let j = 0; j < valueFeatures / side; j++) shader.line(`var sum${j} = ${zeroSums};`);
    shader.line(`var reference = ${noScore};`);
    // The sum of a thread's weights without the last turn's, which may have to be computed again.
    shader.line("var total = 0f;");
    shader.line("var recent = 0f;");
    const [keys, values] = this.#blocks();
    for (const each of [keys, values]) this.#staging.declare(each);
    this.#staging.load(keys, "0");
    this.#staging.store(keys);
    this.#staging.load(values, "0");
    this.#staging.load(keys, `${keyBlock}`);
    shader.line("var turn = 0;");
    shader.block("loop", () => {
      shader.block("while (turn < turns)", () => {
        shader.line("if (workgroupUniformLoad(&raised) != 0u) { break; }");
        this.#addValues();
        this.#scores();
        shader.line("workgroupBarrier();");
        for (const each of [values, keys]) this.#staging.store(each);
        this.#staging.load(values, `(turn + 1) * ${keyBlock}`);
        this.#staging.load(keys, `(turn + 2) * ${keyBlock}`);
        this.#weigh();
        shader.line("turn++;");
      });
      shader.line("if (workgroupUniformLoad(&raised) == 0u) { break; }");
      this.#raise();
    });
    this.#addValues();
    this.#finish();
    const bindings = this.#memory.bindings();
    return { dispatches: [{ wgsl: shader.build(threads), bindings, workgroups }], scratchBytes: [] };
  }

  /** Declares workgroup memory, and names what a thread is about. */
  #begin(): GpuDispatch["workgroups"] {
    const shader = this.#shader;
    const { heads, group, queries, keys, features, valueFeatures, isCausal } = this.#attention;
    enableMatrices(shader);
    // Memories of their own: drivers then know that loads from one need not wait for stores to another.
    shader.declare(`var<workgroup> keys_tile: array<vec4u, ${keyBlock * rowSize(features)}>;`);
    shader.declare(`var<workgroup> values_tile: array<vec4u, ${keyBlock * rowSize(valueFeatures)}>;`);
    shader.declare(`var<workgroup> scores_tile: array<vec4u, ${subgroups * scoreSize}>;`);
    shader.declare(`var<workgroup> weights_tile: array<vec4u, ${allWeights}>;`);
    shader.declare("var<workgroup> raised: atomic<u32>;");
    const blocks = Math.ceil(queries / queryBlock);
    const grid = gridOf(shader, this.#target, heads * blocks);
    shader.line(`let head = ${grid.place} % ${heads};`);
    shader.line(`let key_head = ${group === 1 ? "head" : `head / ${group}`};`);
    // The last queries see most keys: they begin first.
    shader.line(`let query0 = (${blocks - 1} - ${grid.place} / ${heads}) * ${queryBlock};`);
    shader.line("let own = i32(thread);");
    shader.line(`let subgroup = own / ${subgroupThreads};`);
    shader.line(`let row = (own % ${subgroupThreads}) / 2;`);
    shader.line("let half = own % 2;");
    shader.line(`let scores = subgroup * ${scoreSize};`);
    shader.line(`let weights = subgroup * ${weightSize};`);
    shader.line(`let query = query0 + subgroup * ${side} + row;`);
    shader.line(`var end = ${keys};`);
    if (isCausal) {
      // Keys up to the last one that a query of the workgroup sees: all of them if some query sees none.
      const first = shader.let("first", `query0 + ${keys - queries}`);
      shader.block(`if (${first} >= 0)`, () => shader.line(`end = min(${keys}, ${first} + ${queryBlock});`));
    }
    shader.line(`let turns = (end + ${keyBlock - 1}) / ${keyBlock};`);
    return grid.workgroups;
  }

  /** Brings the subgroup's queries into matrices, through the memory of the scores. */
  #keepQueries(): void {
    const shader = this.#shader;
    const { features, queries } = this.#attention;
    for (let first = 0; first < features; first += featureStep) {
      const part = Math.min(featureStep, features - first);
      const own: RowBlock = {
        name: `query${first}_`,
        slot: 0,
        features: part,
        line: { features, first },
        rows: queryBlock,
        length: queries,
        base: `head * ${queries}`,
        memory: "scores_tile",
        target: 0,
      };
      this.#staging.declare(own);
      this.#staging.load(own, "query0");
      if (first > 0) shader.line("workgroupBarrier();");
      this.#staging.store(own);
      shader.line("workgroupBarrier();");
      for (let k = 0; k < part / side; k++) {
        const at = `subgroup * ${side * rowSize(part)} + ${2 * k}`;
        shader.line(`let own_${first / side + k} = ${loadMatrix("left", "row", "scores_tile", at, rowSize(part))};`);
      }
    }
  }

  /**
   * A block of keys and one of values. Keys lie in such an order that the scores of a thread, every second vector of a row, are
   * those of eight neighbouring keys each.
   */
  #blocks(): readonly [keys: RowBlock, values: RowBlock] {
    const { keys, features, valueFeatures } = this.#attention;
    const common = { rows: keyBlock, length: keys, base: `key_head * ${keys}`, target: 0 };
    return [
      { ...common, name: "key", slot: 1, features, memory: "keys_tile", isSwapped: true },
      { ...common, name: "value", slot: 2, features: valueFeatures, memory: "values_tile" },
    ];
  }

  /** The products of the queries with the block's keys, into memory. */
  #scores(): void {
    const shader = this.#shader;
    const { features } = this.#attention;
    const parts = Array.from({ length: keyBlock / side }, (_, j) => j);
    shader.block("", () => {
      // Said to be zero, because drivers may set a variable without a value to zero once, and not in every round.
      for (const j of parts) shader.line(`var products${j} = ${zeroSums};`);
      for (let k = 0; k < features / side; k++) {
        for (const j of parts) {
          const at = `${j * side * rowSize(features) + 2 * k}`;
          const key = loadMatrix("right", "col", "keys_tile", at, rowSize(features));
          shader.line(addProduct(`products${j}`, `own_${k}`, key));
        }
      }
      for (const j of parts)
        shader.line(storeSums(`products${j}`, "scores_tile", `scores + ${(j * side) / floats}`, scoreRow));
    });
  }

  /** Adds the values of the block before by their weights, which are zero at first. */
  #addValues(): void {
    const shader = this.#shader;
    const { valueFeatures } = this.#attention;
    const size = rowSize(valueFeatures);
    for (let k = 0; k < keyBlock / side; k++) {
      shader.block("", () => {
        const own = shader.let("own", loadMatrix("left", "row", "weights_tile", `weights + ${2 * k}`, weightRow));
        for (let j = 0; j < valueFeatures / side; j++) {
          const value = loadMatrix("right", "row", "values_tile", `${k * side * size + 2 * j}`, size);
          shader.line(addProduct(`sum${j}`, own, value));
        }
      });
    }
  }

  /** Each thread turns half a row of scores into weights. */
  #weigh(): void {
    const shader = this.#shader;
    shader.block("", () => {
      this.#readScores("turn");
      shader.block("if (turn == 0)", () => shader.line(`reference = ${this.#greatest()};`));
      shader.line("total += recent;");
      this.#writeWeights();
      shader.line(`if (recent > ${mostWeight}) { atomicStore(&raised, 1u); }`);
    });
  }

  /** Computes the last turn's weights again, relative to greater scores, and scales the sums. */
  #raise(): void {
    const shader = this.#shader;
    this.#readScores("(turn - 1)");
    shader.line(`let next = max(reference, ${this.#greatest()});`);
    shader.line("let shrink = exp2(reference - next);");
    shader.line("total *= shrink;");
    shader.line("reference = next;");
    this.#writeWeights();
    shader.line("if (own == 0) { atomicStore(&raised, 0u); }");
    shader.line("workgroupBarrier();");
    this.#throughMemory(
      (at) => shader.line(`scores_tile[${at}] = bitcast<vec4u>(bitcast<vec4f>(scores_tile[${at}]) * shrink);`),
      true,
    );
  }

  /** Names a thread's scores of a turn, times log₂ e. */
  #readScores(turn: string): void {
    const shader = this.#shader;
    const { keys, queries, scale, isCausal } = this.#attention;
    const offset = keys - queries;
    const factor = floatLiteral(Math.fround(scale * Math.LOG2E));
    const first = shader.let("key", `${turn} * ${keyBlock}`);
    const seen = (c: number, test: string): string =>
      `vec4i(${first} + half * 8 + ${(c >> 1) * side + (c % 2) * 4}) + vec4i(0, 1, 2, 3) ${test}`;
    for (let c = 0; c < perThread; c++) {
      const at = `scores + row * ${scoreRow} + ${2 * c} + half`;
      shader.line(`var score${c} = bitcast<vec4f>(scores_tile[${at}]) * ${factor};`);
    }
    if (isCausal) {
      shader.block(`if (${first} + ${keyBlock - 1} > query0 + ${offset})`, () => {
        for (let c = 0; c < perThread; c++)
          shader.line(
            `score${c} = select(vec4f(${lowestScore}), score${c}, ${seen(c, `<= vec4i(query + ${offset})`)});`,
          );
      });
    }
    if (keys % keyBlock !== 0) {
      // Beyond the last key there is nothing, not even a score that is not seen.
      shader.block(`if (${first} + ${keyBlock} > ${keys})`, () => {
        for (let c = 0; c < perThread; c++)
          shader.line(`score${c} = select(vec4f(${noScore}), score${c}, ${seen(c, `< vec4i(${keys})`)});`);
      });
    }
  }

  /** The name of the greatest score of a row. */
  #greatest(): string {
    const shader = this.#shader;
    const four = Array.from({ length: perThread }, (_, c) => `score${c}`).reduce((a, b) => `max(${a}, ${b})`);
    const most = shader.let("most", four);
    const own = shader.let("greatest", `max(max(${most}.x, ${most}.y), max(${most}.z, ${most}.w))`);
    return shader.let("greatest", `max(${own}, subgroupShuffleXor(${own}, 1u))`);
  }

  /** Writes a thread's weights, and sets `recent` to their sum. */
  #writeWeights(): void {
    const shader = this.#shader;
    const four = Array.from({ length: perThread }, (_, c) => shader.let("weight", `exp2(score${c} - reference)`));
    const sum = shader.let("sum", four.join(" + "));
    shader.line(`recent = (${sum}.x + ${sum}.y) + (${sum}.z + ${sum}.w);`);
    for (let c = 0; c < perThread; c += 2) {
      const parts = [c, c + 1].flatMap((k) => [`${four[k]}.xy`, `${four[k]}.zw`]);
      const bits = `vec4u(${parts.map((part) => `pack2x16float(${part})`).join(", ")})`;
      shader.line(`weights_tile[weights + row * ${weightRow} + ${c} + half] = ${bits};`);
    }
  }

  /** Takes the sums through the memory of the scores, two matrices at a time: `body` sees where a thread's vectors and their features are. */
  #throughMemory(body: (at: string, feature: string) => void, isReturned: boolean): void {
    const shader = this.#shader;
    const { valueFeatures } = this.#attention;
    for (let j = 0; j < valueFeatures / side; j += 2) {
      for (const k of [0, 1]) shader.line(storeSums(`sum${j + k}`, "scores_tile", `scores + ${k * 4}`, scoreRow));
      shader.line("workgroupBarrier();");
      for (let c = 0; c < perThread; c++)
        body(shader.let("at", `scores + row * ${scoreRow} + ${2 * c} + half`), `${j * side + 8 * c} + half * 4`);
      shader.line("workgroupBarrier();");
      if (!isReturned) continue;
      for (const k of [0, 1]) shader.line(`sum${j + k} = ${loadSums("scores_tile", `scores + ${k * 4}`, scoreRow)};`);
      shader.line("workgroupBarrier();");
    }
  }

  /** Divides by the sums of weights, and stores. */
  #finish(): void {
    const shader = this.#shader;
    const { queries, valueFeatures } = this.#attention;
    shader.line("total += recent;");
    shader.line("total += subgroupShuffleXor(total, 1u);");
    const [result, statistics] = [slotOfPart(this.#kernel, 0), slotOfPart(this.#kernel, 1)];
    if (statistics !== null)
      shader.block(`if (half == 0 && query < ${queries})`, () => {
        const greatest = `reference * ${floatLiteral(Math.fround(Math.LN2))}`;
        storeStatistics(shader, this.#memory, statistics, `head * ${queries} + query`, [greatest, "total"]);
      });
    if (result === null) return;
    this.#throughMemory((at, feature) => {
      const value = shader.let("value", `bitcast<vec4f>(scores_tile[${at}]) / total`);
      shader.block(`if (query < ${queries})`, () => {
        const place = `(head * ${queries} + query) * ${valueFeatures} + ${feature}`;
        shader.line(this.#memory.storeFour(result, place, value));
      });
    }, false);
  }
}
