/**
 * Attention with queries in registers: for each query its features, the greatest score so far, the sum of weights relative to
 * it, and the weighted values. Source: Dao et al. 2022, algorithm 1.
 */

import type { Attention } from "../../compiler/attention-lengths.ts";
import type { CompositeKernel } from "../../ir/kernel.ts";
import { slotOfPart } from "../../ir/kernel.ts";
import type { Lanes } from "./attention-lanes.ts";
import { LaneWriter, step, threads } from "./attention-lanes.ts";
import { maskPosition, noScore } from "./attention-mask.ts";
import { storeStatistics } from "./attention-statistics.ts";
import { gridOf } from "./grid.ts";
import type { GpuKernelCode, GpuTarget } from "./kernel-code.ts";
import { ShaderMemory } from "./wgsl-memory.ts";
import { Shader } from "./wgsl-shader.ts";
import { floatLiteral } from "./wgsl-types.ts";

/** The code of an attention whose rows are spread by `lanes`. */
export function emitForward(
  kernel: CompositeKernel,
  target: GpuTarget,
  attention: Attention,
  spread: Lanes,
): GpuKernelCode {
  const shader = new Shader();
  const memory = new ShaderMemory(shader, kernel, target);
  const writer = new LaneWriter(shader, memory, attention, spread.lanes);
  const perGroup = (threads / spread.lanes) * spread.rows;
  const blocks = Math.ceil(attention.queries / perGroup);
  const grid = gridOf(shader, target, attention.heads * blocks);
  const rows = loadQueries(writer, spread, { perGroup, blocks, index: grid.place });
  declareResults(rows);
  const maskBase = maskPosition(shader, attention, rows.head);
  declareEnd(rows);
  shader.block(`for (var key0 = 0; key0 < end; key0 += ${step})`, () => {
    scoreKeys(rows);
    maskScores(rows, maskBase);
    raiseGreatest(rows);
    weighKeys(rows);
    addValues(rows);
  });
  storeRows(rows, kernel);
  const bindings = memory.bindings();
  return { dispatches: [{ wgsl: shader.build(threads), bindings, workgroups: grid.workgroups }], scratchBytes: [] };
}

/**
 * The queries of a thread, `r`, and names of what it keeps of them: `sum{r}_{v}`, vectors of weighted values; `most{r}`, the
 * greatest score; `total{r}`, the sum of weights; for the keys at hand also `score{r}`, then `weight{r}`.
 */
interface QueryRows {
  readonly writer: LaneWriter;
  readonly each: readonly number[];
  /** The vectors of a row of values. */
  readonly columns: readonly number[];
  /** The head of the queries and that of the keys. */
  readonly head: string;
  readonly keyHead: string;
  /** Number of the first query of the workgroup, and how many it has. */
  readonly firstOfGroup: string;
  readonly perGroup: number;
  /** Of each query its number, and its features times the scale. */
  readonly numbers: readonly string[];
  readonly features: readonly (readonly string[])[];
}

function loadQueries(
  writer: LaneWriter,
  { lanes, rows }: Lanes,
  { perGroup, blocks, index }: { readonly perGroup: number; readonly blocks: number; readonly index: string },
): QueryRows {
  const { shader, attention } = writer;
  const { heads, group, queries, features: length, valueFeatures, scale } = attention;
  const head = shader.let("head", `${index} % ${heads}`);
  // The last queries see most keys: they begin first.
  const block = shader.let("block", `${blocks - 1} - ${index} / ${heads}`);
  const keyHead = group === 1 ? head : shader.let("head", `${head} / ${group}`);
  const firstOfGroup = `${block} * ${perGroup}`;
  const each = Array.from({ length: rows }, (_, r) => r);
  const first = shader.let("query", `${firstOfGroup} + (own / ${lanes}) * ${rows}`);
  const numbers = each.map((r) => shader.let("query", `${first} + ${r}`));
  const factor = floatLiteral(Math.fround(scale));
  const features = numbers.map((number) => {
    const row = shader.let("row", `(${head} * ${queries} + min(${number}, ${queries - 1})) * ${length}`);
    return writer.load(0, row, length).map((x) => shader.let("q", `${x} * ${factor}`));
  });
  const columns = Array.from({ length: writer.vectors(valueFeatures) }, (_, v) => v);
  return { writer, each, columns, head, keyHead, firstOfGroup, perGroup, numbers, features };
}

function declareResults({ writer: { shader }, each, columns }: QueryRows): void {
  for (const r of each) {
    for (const v of columns) shader.line(`var sum${r}_${v} = vec4f();`);
    shader.line(`var most${r} = ${noScore};`);
    shader.line(`var total${r} = 0f;`);
  }
}

/** Where keys end: after the last one that a query of the workgroup sees, or after all of them if some query sees none. */
function declareEnd({ writer: { shader, attention }, firstOfGroup, perGroup }: QueryRows): void {
  const { keys, queries, isCausal } = attention;
  shader.line(`var end = ${keys};`);
  if (!isCausal) return;
  const first = shader.let("first", `${firstOfGroup} + ${keys - queries}`);
  shader.block(`if (${first} >= 0)`, () => shader.line(`end = min(${keys}, ${first} + ${perGroup});`));
}

/** Runs `body` for each of the keys at hand with the place of its row in a buffer of rows of `width`. */
function eachKey(
  { writer: { shader, attention }, keyHead }: QueryRows,
  width: number,
  body: (k: number, row: string) => void,
): void {
  const { keys } = attention;
  for (let k = 0; k < step; k++) {
    shader.block("", () => {
      const key = keys % step === 0 ? `key0 + ${k}` : `min(key0 + ${k}, ${keys - 1})`;
      body(k, shader.let("row", `(${keyHead} * ${keys} + ${key}) * ${width}`));
    });
  }
}

function scoreKeys(rows: QueryRows): void {
  const { writer, each, features } = rows;
  const { shader, attention } = writer;
  for (const r of each) shader.line(`var score${r} = vec4f();`);
  eachKey(rows, attention.features, (k, row) => {
    const key = writer.load(1, row, attention.features);
    for (const r of each) shader.line(`score${r}[${k}] = ${writer.product(features[r] ?? [], key)};`);
  });
}

/** Masks the scores, and declares the greatest with them, and what weights are relative to. */
function maskScores({ writer, each, numbers }: QueryRows, maskBase: string | null): void {
  const { shader } = writer;
  for (const r of each) {
    const [score, greatest] = [`score${r}`, `most${r}`];
    writer.join(score);
    writer.mask(score, { query: numbers[r] ?? "", key: "key0 + vec4i(0, 1, 2, 3)" }, maskBase, 3);
    shader.line(`let next${r} = max(${greatest}, max(max(${score}.x, ${score}.y), max(${score}.z, ${score}.w)));`);
    // Nothing but -infinity so far: differences would be NaN.
    shader.line(`let reference${r} = select(next${r}, 0f, bitcast<u32>(next${r}) == 0xff800000u);`);
  }
}

/** Makes what has been summed relative to new greatest scores. */
function raiseGreatest({ writer: { shader }, each, columns }: QueryRows): void {
  // Rare after the first keys, and then skipped by all threads at once.
  shader.block(`if (${each.map((r) => `next${r} > most${r}`).join(" || ")})`, () => {
    for (const r of each) {
      const shrink = shader.let("shrink", `exp(most${r} - reference${r})`);
      shader.line(`total${r} *= ${shrink};`);
      for (const v of columns) shader.line(`sum${r}_${v} *= ${shrink};`);
      shader.line(`most${r} = next${r};`);
    }
  });
}

function weighKeys({ writer: { shader }, each }: QueryRows): void {
  for (const r of each) {
    shader.line(`let weight${r} = exp(score${r} - reference${r});`);
    shader.line(`total${r} += (weight${r}.x + weight${r}.y) + (weight${r}.z + weight${r}.w);`);
  }
}

function addValues(rows: QueryRows): void {
  const { writer, each, columns } = rows;
  const { shader, attention } = writer;
  eachKey(rows, attention.valueFeatures, (k, row) => {
    const value = writer.load(2, row, attention.valueFeatures);
    for (const r of each)
      for (const v of columns) shader.line(`sum${r}_${v} = fma(vec4f(weight${r}[${k}]), ${value[v]}, sum${r}_${v});`);
  });
}

function storeRows({ writer, each, columns, head, numbers }: QueryRows, kernel: CompositeKernel): void {
  const { shader, memory, attention } = writer;
  const { queries, valueFeatures } = attention;
  const [result, statistics] = [slotOfPart(kernel, 0), slotOfPart(kernel, 1)];
  for (const r of each) {
    shader.block(`if (${numbers[r]} < ${queries})`, () => {
      const row = shader.let("row", `${head} * ${queries} + ${numbers[r]}`);
      if (result !== null) {
        const values = columns.map((v) => shader.let("value", `sum${r}_${v} / total${r}`));
        writer.store(result, `${row} * ${valueFeatures}`, valueFeatures, values);
      }
      if (statistics !== null)
        shader.block("if (lane == 0)", () =>
          storeStatistics(shader, memory, statistics, row, [`most${r}`, `total${r}`]),
        );
    });
  }
}
