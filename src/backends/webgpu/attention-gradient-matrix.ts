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
import type { Attention } from "../../compiler/attention-lengths.ts";
import type { CompositeKernel } from "../../ir/kernel.ts";
import type { RowsAt } from "./attention-gradient-stage.ts";
import { GradientStage, gradientLayout, keysOf, ownHalf, ownRow, step, weightRow } from "./attention-gradient-stage.ts";
import { lowestScore } from "./attention-mask.ts";
import type { GpuDispatch, GpuKernelCode, GpuTarget } from "./kernel-code.ts";
import { multipliesHalves, side } from "./subgroup-matrices.ts";
import type { Shader } from "./wgsl-shader.ts";
import { floatLiteral } from "./wgsl-types.ts";

/** Bytes that are kept of a query: the logarithm to base two of the sum of its weights, and the mean of its slopes. */
const statisticsBytes = 8;
/** Features at most: each sixteen of them are one more matrix of sums that a subgroup keeps. */
const mostFeatures = 128;

/** Whether the kernels take the gradient of this attention: half floats, whole matrices of features, queries that see a key. */
export function isGradientForMatrices(
  { features, valueFeatures, mask, isCausal, queries, keys, heads }: Attention,
  { inputs }: CompositeKernel["call"],
  target: GpuTarget,
): boolean {
  return (
    multipliesHalves(target) &&
    inputs.every(({ dtype }) => dtype === "float16") &&
    mask === null &&
    !(isCausal && queries > keys) &&
    features === valueFeatures &&
    features % (2 * side) === 0 &&
    features <= mostFeatures &&
    heads * queries * statisticsBytes <= target.bindingBytes &&
    gradientLayout(features, target) !== null
  );
}

/** The code of a gradient that `isGradientForMatrices`. */
export function emitMatrixGradient(kernel: CompositeKernel, target: GpuTarget, attention: Attention): GpuKernelCode {
  const stageOf = (blocksOf: "queries" | "keys"): GradientStage =>
    new GradientStage(kernel, target, attention, blocksOf);
  return {
    dispatches: [new QueryGradient(stageOf("queries")).emit(), new KeyGradient(stageOf("keys")).emit()],
    scratchBytes: [attention.heads * attention.queries * statisticsBytes],
  };
}

/** The dispatch of blocks of queries. */
class QueryGradient {
  readonly #stage: GradientStage;

  constructor(stage: GradientStage) {
    this.#stage = stage;
  }

  emit(): GpuDispatch {
    const { shader } = this.#stage;
    const { group, queries, keys, isCausal } = this.#stage.attention;
    const offset = keys - queries;
    shader.line(`let key_head = head / ${group} * ${keys};`);
    shader.line(`let end = ${isCausal ? `min(${keys}, row0 + ${this.#stage.blockRows + offset})` : keys};`);
    shader.line(`let turns = (end + ${step - 1}) / ${step};`);
    shader.line(`let query = row0 + pair * ${side} + ${ownRow} % ${side};`);
    shader.line(`let limit = ${isCausal ? `min(query + ${offset}, ${keys - 1})` : keys - 1};`);
    this.#emitStatistics();
    this.#emitSums();
    return this.#stage.build();
  }

  readonly #rowsAt = (turn: string): RowsAt => ({
    base: "key_head",
    first: this.#stage.shader.let("first", `${turn} * ${step}`),
  });

  /** The text of whether all queries of the block see all keys of a turn. */
  get #isWhole(): string {
    const { queries, keys, isCausal } = this.#stage.attention;
    return `turn * ${step} + ${step} <= ${isCausal ? `min(row0 + ${keys - queries + 1}, ${keys})` : keys}`;
  }

  /** The text of the first of a thread's eight keys. */
  readonly #key = `turn * ${step} + ${ownRow} / ${side} * ${side} + ${ownHalf} * 8`;

  /** The first pass. */
  #emitStatistics(): void {
    const { shader, memory } = this.#stage;
    const { queries, scale } = this.#stage.attention;
    const factor = floatLiteral(Math.fround(scale * Math.LOG2E));
    // What a thread knows of the keys of its query that it meets; three others have the rest.
    shader.line(`var most = ${lowestScore};`);
    shader.line("var total = 0f;");
    shader.line("var slopes = 0f;");
    const weigh = (): void => {
      const eight = this.#stage.eight();
      const keys = keysOf(shader.let("key", this.#key));
      const x = eight.scores.map((score, part) =>
        shader.let("x", `select(vec4f(${lowestScore}), ${score} * ${factor}, ${seen(keys[part] ?? "")})`),
      );
      const four = shader.let("four", `max(${x.join(", ")})`);
      const next = shader.let("next", `max(most, max(max(${four}.x, ${four}.y), max(${four}.z, ${four}.w)))`);
      const shrink = shader.let("shrink", `exp2(most - ${next})`);
      const weights = x.map((name) => shader.let("weight", `exp2(${name} - ${next})`));
      const sum = shader.let("sum", weights.join(" + "));
      shader.line(`total = fma(total, ${shrink}, (${sum}.x + ${sum}.y) + (${sum}.z + ${sum}.w));`);
      const products = weights.map((weight, part) => `dot(${weight}, ${eight.slopes[part]})`);
      shader.line(`slopes = fma(slopes, ${shrink}, ${products.join(" + ")});`);
      shader.line(`most = ${next};`);
    };
    this.#stage.pass(this.#rowsAt, weigh, null);
    shader.line("workgroupBarrier();");
    shader.line("tile[scores + place] = vec4u(bitcast<u32>(most), bitcast<u32>(total), bitcast<u32>(slopes), 0u);");
    shader.line("workgroupBarrier();");
    // Both halves of the query's rows in all blocks of sixteen keys.
    const found = Array.from({ length: (2 * step) / side }, (_, k) =>
      shader.let(
        "found",
        `bitcast<vec4f>(tile[scores + place % ${2 * side} / 2 * 2 + ${(k >> 1) * 2 * side + (k % 2)}])`,
      ),
    );
    const greatest = shader.let(
      "greatest",
      found.map((name) => `${name}.x`).reduce((a, b) => `max(${a}, ${b})`),
    );
    const shrinks = found.map((name) => shader.let("shrink", `exp2(${name}.x - ${greatest})`));
    const joined = (lane: string): string => found.map((name, k) => `${name}.${lane} * ${shrinks[k]}`).join(" + ");
    const sum = shader.let("sum", joined("y"));
    shader.line(`let statistics = vec2f(${greatest} + log2(${sum}), (${joined("z")}) / ${sum});`);
    shader.block(`if (place < ${2 * side} && ${ownHalf} == 0 && query < ${queries})`, () =>
      shader.line(`${memory.scratch(0, "vec2f", true)}[head * ${queries} + query] = statistics;`),
    );
  }

  /** The second pass. */
  #emitSums(): void {
    const { shader, memory } = this.#stage;
    const { queries, features, scale } = this.#stage.attention;
    // Each subgroup of a pair has half of the features.
    const count = features / side / 2;
    this.#stage.declareSums(count);
    const weigh = (): void => {
      emitWeights(this.#stage, { scale, isWhole: this.#isWhole, key: this.#key, keepsWeights: false });
    };
    this.#stage.pass(this.#rowsAt, weigh, () => this.#stage.add(count, "0", "0", `part * ${count}`));
    const factor = floatLiteral(Math.fround(scale));
    this.#stage.eachSum(count, (value, row, matrix, column) => {
      const feature = `part * ${count * side} + ${matrix * side} + ${column}`;
      const at = `${beginOf(0, this.#stage.attention)} + (${headOf(0, this.#stage.attention)} * ${queries} + ${row}) * ${features} + ${feature}`;
      shader.line(memory.storeFour(this.#stage.output, shader.let("at", at), `${value} * ${factor}`));
    });
  }
}

/** The dispatch of blocks of keys. */
class KeyGradient {
  readonly #stage: GradientStage;

  constructor(stage: GradientStage) {
    this.#stage = stage;
  }

  emit(): GpuDispatch {
    const { shader, memory } = this.#stage;
    const { queries, keys, group, isCausal, features, scale } = this.#stage.attention;
    const offset = keys - queries;
    const count = features / side;
    shader.line(`let begin = ${isCausal ? `max(0, row0 - ${offset})` : 0};`);
    shader.line(`let per_head = (${queries} - begin + ${step - 1}) / ${step};`);
    shader.line(`let turns = per_head * ${group};`);
    this.#stage.declareSums(count);
    const weigh = (): void => {
      const { base, first } = this.#rowsAt("turn");
      shader.line(`let query = ${first} + ${ownRow};`);
      shader.line(`let statistics = ${memory.scratch(0, "vec2f", false)}[${base} + min(query, ${queries - 1})];`);
      // A row beyond the last query sees nothing.
      shader.line(`let limit = select(-1, ${isCausal ? `query + ${offset}` : keys - 1}, query < ${queries});`);
      const inTime = isCausal ? ` && ${first} + ${offset + 1} >= row0 + ${this.#stage.blockRows}` : "";
      emitWeights(this.#stage, {
        scale,
        isWhole: `${first} + ${step} <= ${queries}${inTime}`,
        key: `row0 + pair * ${side} + ${ownHalf} * 8`,
        keepsWeights: true,
      });
    };
    // Weights are multiplied with cotangents, changes with queries.
    this.#stage.pass(this.#rowsAt, weigh, () => this.#stage.add(count, "part", "(1 - part)", "0"));
    const [head, ofKeys, ofValues] = [
      headOf(1, this.#stage.attention),
      beginOf(1, this.#stage.attention),
      beginOf(2, this.#stage.attention),
    ];
    shader.line(`let factor = select(${floatLiteral(Math.fround(scale))}, 1f, part == 0);`);
    shader.line(`let begin_of_gradient = select(${ofKeys}, ${ofValues}, part == 0);`);
    this.#stage.eachSum(count, (value, row, matrix, column) => {
      const at = `begin_of_gradient + (${head} * ${keys} + ${row}) * ${features} + ${matrix * side} + ${column}`;
      shader.line(memory.storeFour(this.#stage.output, shader.let("at", at), `${value} * factor`));
    });
    return this.#stage.build();
  }

  /** Queries of one head of a group after those of another. */
  readonly #rowsAt = (turn: string): RowsAt => {
    const { shader } = this.#stage;
    const { queries, group } = this.#stage.attention;
    return {
      base: shader.let("base", `(head * ${group} + ${turn} / per_head) * ${queries}`),
      first: shader.let("first", `begin + ${turn} % per_head * ${step}`),
    };
  };
}

/** What weights are made by, beside the `statistics` of a thread's query, which sees keys up to `limit`. */
interface Weighing {
  readonly scale: number;
  /** The text of whether all is seen; and of the first of eight keys, where it is not. */
  readonly isWhole: string;
  readonly key: string;
  /** Whether weights are needed, or changes alone. */
  readonly keepsWeights: boolean;
}

/** Makes weights and changes of scores and slopes, in their place. */
function emitWeights(stage: GradientStage, { scale, isWhole, key, keepsWeights }: Weighing): void {
  const { shader } = stage;
  const factor = floatLiteral(Math.fround(scale * Math.LOG2E));
  const eight = stage.eight();
  const weights = eight.scores.map((score) => {
    const weight = shader.name("weight");
    shader.line(`var ${weight} = exp2(fma(${score}, vec4f(${factor}), vec4f(-statistics.x)));`);
    return weight;
  });
  shader.block(`if (!(${isWhole}))`, () => {
    const keys = keysOf(shader.let("key", key));
    for (const [part, weight] of weights.entries())
      shader.line(`${weight} = select(vec4f(), ${weight}, ${seen(keys[part] ?? "")});`);
  });
  const changes = weights.map((weight, part) =>
    shader.let("change", `${weight} * (${eight.slopes[part]} - statistics.y)`),
  );
  // Others may still read the scores.
  shader.line("workgroupBarrier();");
  for (const [matrix, values] of (keepsWeights ? [weights, changes] : [changes]).entries())
    shader.line(
      `tile[${stage.matrixAt(`${matrix}`)} + ${ownRow} * ${weightRow} + ${ownHalf}] = ${bitsOf(shader, values)};`,
    );
}

/** The text of which of four keys from `key` on the query of a thread sees. */
function seen(key: string): string {
  return `(vec4i(${key}) + vec4i(0, 1, 2, 3)) <= vec4i(limit)`;
}

/** The bits of a thread's two fours as halves, in the order of their keys. */
function bitsOf(shader: Shader, fours: readonly string[]): string {
  const [first, second] = fours.map((four) =>
    shader.let("bits", `vec2u(pack2x16float(${four}.xy), pack2x16float(${four}.zw))`),
  );
  return `select(vec4u(${first}, ${second}), vec4u(${second}, ${first}), ${ownHalf} == 1)`;
}

/** Heads of an example that the gradient of an input has: of queries, or of keys and values. */
function headsOf(slot: number, { leading, group }: Attention): number {
  const heads = leading.at(-1) ?? 1;
  return slot === 0 ? heads : heads / group;
}

/** The text of which of them a block is about. */
function headOf(slot: number, attention: Attention): string {
  return `(head % ${headsOf(slot, attention)})`;
}

/** The text of where an example's gradient of an input begins in the output: those of queries, keys and values follow one another. */
function beginOf(slot: number, attention: Attention): string {
  const { queries, keys, features } = attention;
  const ofQueries = headsOf(0, attention) * queries * features;
  const ofKeys = headsOf(1, attention) * keys * features;
  const begin = slot === 0 ? 0 : ofQueries + (slot - 1) * ofKeys;
  return `head / ${headsOf(slot, attention)} * ${ofQueries + 2 * ofKeys} + ${begin}`;
}
