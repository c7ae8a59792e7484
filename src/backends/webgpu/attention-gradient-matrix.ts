/**
 * The gradient of attention of half floats by the matrix operations of subgroups, without a score in memory. One dispatch has blocks
 * of queries: it goes past all keys for the gradient of queries. Another has blocks of keys, and goes past all queries for the
 * gradients of keys and values. Subgroups work in pairs on the same sixteen rows: one computes scores and the other slopes, the
 * gradients of weights, which meet in workgroup memory.
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
import { slotOfPart } from "../../ir/kernel.ts";
import type { BlockSide, RowsAt } from "./attention-gradient-stage.ts";
import { GradientStage, gradientLayout, keysOf, ownHalf, ownRow, step, weightRow } from "./attention-gradient-stage.ts";
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
    inputs.every(({ dtype }, k) => dtype === (k === 5 ? "float32" : "float16")) &&
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
  const [ofQueries = null, ofKeys = null, ofValues = null] = [0, 1, 2].map((part) => slotOfPart(kernel, part));
  const stageOf = (blocksOf: BlockSide): GradientStage => new GradientStage(kernel, target, attention, blocksOf);
  const dispatches = [emitQueryGradient(stageOf("queries"), ofQueries)];
  if (ofKeys !== null || ofValues !== null) dispatches.push(emitKeyGradient(stageOf("keys"), ofKeys, ofValues));
  return { dispatches, scratchBytes: [attention.heads * attention.queries * statisticsBytes] };
}

/** The dispatch of blocks of queries, whose gradient goes to the slot `output` if it is wanted. */
function emitQueryGradient(stage: GradientStage, output: number | null): GpuDispatch {
  const { shader, memory } = stage;
  const { group, queries, keys, isCausal, features, scale } = stage.attention;
  const offset = keys - queries;
  shader.line(`let query = row0 + pair * ${side} + ${ownRow} % ${side};`);
  emitStatistics(stage);
  shader.block(`if (place < ${2 * side} && ${ownHalf} == 0 && query < ${queries})`, () =>
    shader.line(`${memory.scratch(0, "vec2f", true)}[head * ${queries} + query] = statistics;`),
  );
  if (output === null) return stage.build();
  shader.line(`let key_head = head / ${group} * ${keys};`);
  shader.line(`let end = ${isCausal ? `min(${keys}, row0 + ${stage.blockRows + offset})` : keys};`);
  shader.line(`let turns = (end + ${step - 1}) / ${step};`);
  shader.line(`let limit = ${isCausal ? `min(query + ${offset}, ${keys - 1})` : keys - 1};`);
  // Each subgroup of a pair has half of the features.
  const count = features / side / 2;
  stage.declareSums(count);
  const rowsAt = (turn: string): RowsAt => ({ base: "key_head", first: shader.let("first", `${turn} * ${step}`) });
  const weigh = (): void =>
    emitWeights(stage, {
      scale,
      isWhole: `turn * ${step} + ${step} <= ${isCausal ? `min(row0 + ${offset + 1}, ${keys})` : keys}`,
      key: `turn * ${step} + ${ownRow} / ${side} * ${side} + ${ownHalf} * 8`,
      keepsWeights: false,
    });
  stage.pass(rowsAt, weigh, () => stage.add(count, "0", "0", `part * ${count}`));
  const factor = floatLiteral(Math.fround(scale));
  stage.eachSum(count, (value, row, matrix, column) => {
    const feature = `part * ${count * side} + ${matrix * side} + ${column}`;
    const at = shader.let("at", `(head * ${queries} + ${row}) * ${features} + ${feature}`);
    shader.line(memory.storeFour(output, at, `${value} * ${factor}`));
  });
  return stage.build();
}

/**
 * Names the `statistics` of a query: the logarithm to base two of the sum of its exponentials, and the mean of its slopes, which is
 * the product of its cotangent and its result. Two threads of a subgroup have the query, and half of the features each.
 */
function emitStatistics({ shader, memory, attention: { queries, features } }: GradientStage): void {
  const row = shader.let("row", `head * ${queries} + min(query, ${queries - 1})`);
  const at = shader.let("at", `${row} * ${features} + ${ownHalf} * ${features / 2}`);
  const products: string[] = [];
  for (let k = 0; k < features / 2; k += halves) {
    const [cotangent, result] = [3, 4].map((slot) => shader.let("row", memory.loadEight(slot, `${at} + ${k}`)));
    for (const lane of ["x", "y", "z", "w"])
      products.push(`dot(unpack2x16float(${cotangent}.${lane}), unpack2x16float(${result}.${lane}))`);
  }
  const product = shader.let("product", products.join(" + "));
  const [greatest, total] = [0, 1].map((place) => memory.load(5, `${row} * 2 + ${place}`));
  const logarithm = `fma(${greatest}, ${floatLiteral(Math.fround(Math.LOG2E))}, log2(${total}))`;
  shader.line(`let statistics = vec2f(${logarithm}, ${product} + subgroupShuffleXor(${product}, 1u));`);
}

/** The dispatch of blocks of keys; the gradients go to these slots, as far as they are wanted. */
function emitKeyGradient(stage: GradientStage, ofKeys: number | null, ofValues: number | null): GpuDispatch {
  const { shader, memory } = stage;
  const { queries, keys, group, isCausal, features, scale } = stage.attention;
  const offset = keys - queries;
  const count = features / side;
  shader.line(`let begin = ${isCausal ? `max(0, row0 - ${offset})` : 0};`);
  shader.line(`let per_head = (${queries} - begin + ${step - 1}) / ${step};`);
  shader.line(`let turns = per_head * ${group};`);
  stage.declareSums(count);
  // Queries of one head of a group after those of another.
  const rowsAt = (turn: string): RowsAt => ({
    base: shader.let("base", `(head * ${group} + ${turn} / per_head) * ${queries}`),
    first: shader.let("first", `begin + ${turn} % per_head * ${step}`),
  });
  const weigh = (): void => {
    const { base, first } = rowsAt("turn");
    shader.line(`let query = ${first} + ${ownRow};`);
    shader.line(`let statistics = ${memory.scratch(0, "vec2f", false)}[${base} + min(query, ${queries - 1})];`);
    // A row beyond the last query sees nothing.
    shader.line(`let limit = select(-1, ${isCausal ? `query + ${offset}` : keys - 1}, query < ${queries});`);
    const inTime = isCausal ? ` && ${first} + ${offset + 1} >= row0 + ${stage.blockRows}` : "";
    emitWeights(stage, {
      scale,
      isWhole: `${first} + ${step} <= ${queries}${inTime}`,
      key: `row0 + pair * ${side} + ${ownHalf} * 8`,
      keepsWeights: true,
    });
  };
  // Weights are multiplied with cotangents, changes with queries.
  stage.pass(rowsAt, weigh, () => stage.add(count, "part", "(1 - part)", "0"));
  const factor = floatLiteral(Math.fround(scale));
  stage.eachSum(count, (value, row, matrix, column) => {
    const at = shader.let("at", `(head * ${keys} + ${row}) * ${features} + ${matrix * side} + ${column}`);
    const write = (part: number, slot: number | null, sum: string): void => {
      if (slot !== null) shader.block(`if (part == ${part})`, () => shader.line(memory.storeFour(slot, at, sum)));
    };
    write(0, ofValues, value);
    write(1, ofKeys, `${value} * ${factor}`);
  });
  return stage.build();
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
