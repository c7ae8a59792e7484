/**
 * The gradient of attention of half floats by the matrix operations of subgroups, without a score in memory. One dispatch has blocks
 * of queries: past all keys a first time for the sums of weights, a second time for the gradient of queries. Another has blocks of
 * keys, and goes past all queries for the gradients of keys and values. Subgroups work in pairs on the same sixteen rows: one
 * computes scores and the other slopes, the gradients of weights, which meet in workgroup memory. In the first pass both compute
 * scores, of two blocks of keys: the mean of a query's slopes is the product of its cotangent and its result.
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
import { halves } from "./attention-staging.ts";
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
    shader.line(`let query = row0 + pair * ${side} + ${ownRow} % ${side};`);
    shader.line(`let limit = ${isCausal ? `min(query + ${offset}, ${keys - 1})` : keys - 1};`);
    shader.line("var statistics: vec2f;");
    shader.block("", () => this.#emitStatistics());
    this.#emitSums();
    return this.#stage.build();
  }

  /** Counts turns of so many keys, and tells where those of a turn begin. */
  #turnsOf(keys: number): (turn: string) => RowsAt {
    const { shader } = this.#stage;
    shader.line(`let turns = (end + ${keys - 1}) / ${keys};`);
    return (turn) => ({ base: "key_head", first: shader.let("first", `${turn} * ${keys}`) });
  }

  /** The text of whether all queries of the block see all keys of a turn. */
  get #isWhole(): string {
    const { queries, keys, isCausal } = this.#stage.attention;
    return `turn * ${step} + ${step} <= ${isCausal ? `min(row0 + ${keys - queries + 1}, ${keys})` : keys}`;
  }

  /** The text of the first of a thread's eight keys, in turns of so many. */
  #keyIn(keys: number): string {
    return `turn * ${keys} + ${ownRow} / ${side} * ${side} + ${ownHalf} * 8`;
  }

  /** The first pass: scores alone, by both subgroups of a pair. */
  #emitStatistics(): void {
    const { shader, memory } = this.#stage;
    const { queries, scale } = this.#stage.attention;
    const factor = floatLiteral(Math.fround(scale * Math.LOG2E));
    this.#stage.keep([0]);
    // What a thread knows of the keys of its query that it meets; three others have the rest.
    shader.line(`var most = ${lowestScore};`);
    shader.line("var total = 0f;");
    const weigh = (): void => {
      const { scores, slopes } = this.#stage.eight();
      const key = shader.let("key", this.#keyIn(2 * step));
      const keys = [...keysOf(key), ...keysOf(`${key} + ${step}`)];
      const x = [...scores, ...slopes].map((score, part) =>
        shader.let("x", `select(vec4f(${lowestScore}), ${score} * ${factor}, ${seen(keys[part] ?? "")})`),
      );
      const four = shader.let(
        "four",
        x.reduce((a, b) => `max(${a}, ${b})`),
      );
      const next = shader.let("next", `max(most, max(max(${four}.x, ${four}.y), max(${four}.z, ${four}.w)))`);
      const weights = x.map((name) => shader.let("weight", `exp2(${name} - ${next})`));
      const sum = shader.let("sum", weights.join(" + "));
      shader.line(`total = fma(total, exp2(most - ${next}), (${sum}.x + ${sum}.y) + (${sum}.z + ${sum}.w));`);
      shader.line(`most = ${next};`);
    };
    const others = [
      { slot: 1, after: 0 },
      { slot: 1, after: step },
    ];
    this.#stage.pass({ others, rowsAt: this.#turnsOf(2 * step), weigh, add: null });
    shader.line("workgroupBarrier();");
    const mean = this.#partOfMean();
    shader.line(`tile[scores + place] = vec4u(bitcast<vec3u>(vec3f(most, total, ${mean})), 0u);`);
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
    const sum = found.map((name) => `${name}.y * exp2(${name}.x - ${greatest})`).join(" + ");
    shader.line(`statistics = vec2f(${greatest} + log2(${sum}), ${found.map((name) => `${name}.z`).join(" + ")});`);
    shader.block(`if (place < ${2 * side} && ${ownHalf} == 0 && query < ${queries})`, () =>
      shader.line(`${memory.scratch(0, "vec2f", true)}[head * ${queries} + query] = statistics;`),
    );
  }

  /** What a thread's quarter of the features adds to the product of its query's cotangent and result. */
  #partOfMean(): string {
    const { shader, memory } = this.#stage;
    const { queries, features } = this.#stage.attention;
    const quarter = `(${ownRow} / ${side} * 2 + ${ownHalf}) * ${features / 4}`;
    const at = shader.let("at", `(head * ${queries} + min(query, ${queries - 1})) * ${features} + ${quarter}`);
    const products: string[] = [];
    for (let k = 0; k < features / 4; k += halves) {
      const [cotangent, result] = [3, 4].map((slot) => shader.let("row", memory.loadEight(slot, `${at} + ${k}`)));
      for (const lane of ["x", "y", "z", "w"])
        products.push(`dot(unpack2x16float(${cotangent}.${lane}), unpack2x16float(${result}.${lane}))`);
    }
    return products.join(" + ");
  }

  /** The second pass. */
  #emitSums(): void {
    const { shader, memory } = this.#stage;
    const { queries, features, scale } = this.#stage.attention;
    this.#stage.keep([0, 3]);
    // Each subgroup of a pair has half of the features.
    const count = features / side / 2;
    this.#stage.declareSums(count);
    const weigh = (): void => {
      emitWeights(this.#stage, { scale, isWhole: this.#isWhole, key: this.#keyIn(step), keepsWeights: false });
    };
    const others = [
      { slot: 1, after: 0 },
      { slot: 2, after: 0 },
    ];
    const add = (): void => this.#stage.add(count, "0", "0", `part * ${count}`);
    this.#stage.pass({ others, rowsAt: this.#turnsOf(step), weigh, add });
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
    this.#stage.keep([1, 2]);
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
    const others = [
      { slot: 0, after: 0 },
      { slot: 3, after: 0 },
    ];
    // Weights are multiplied with cotangents, changes with queries.
    const add = (): void => this.#stage.add(count, "part", "(1 - part)", "0");
    this.#stage.pass({ others, rowsAt: this.#rowsAt, weigh, add });
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
