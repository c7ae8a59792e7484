/**
 * Attention as one kernel: with rows in registers where that is possible. Otherwise a workgroup takes a block of queries past all
 * blocks of keys, keeping for each query the greatest score so far, the sum of weights relative to it, and the weighted values.
 * Source: Dao et al. 2022, algorithm 1.
 */
import { MLXError } from "../../base/errors.ts";
import type { Attention } from "../../compiler/attention-lengths.ts";
import type { CompositeKernel } from "../../ir/kernel.ts";
import { slotOfPart } from "../../ir/kernel.ts";
import { attentionOf } from "./attention-call.ts";
import { emitForward } from "./attention-forward.ts";
import { lanesFor } from "./attention-lanes.ts";
import { lowestScore, maskPosition, noScore } from "./attention-mask.ts";
import { emitMatrixAttention, isForMatrices } from "./attention-matrix.ts";
import { storeStatistics } from "./attention-statistics.ts";
import { gridOf } from "./grid.ts";
import type { GpuKernelCode, GpuTarget } from "./kernel-code.ts";
import { ShaderMemory } from "./wgsl-memory.ts";
import { Shader } from "./wgsl-shader.ts";
import { floatLiteral } from "./wgsl-types.ts";

/** Queries and keys of a block. */
const queryBlock = 64;
const keyBlock = 32;
/** Threads: each has eight queries, eight apart, and four neighbouring keys or columns of values. */
const threads = 64;
const perThread = 8;
/** Columns of values that are staged at a time. */
const valueColumns = 32;
/** Vectors of a row of weights in workgroup memory; an odd number keeps rows on different banks. */
const weightStride = keyBlock / 4 + 1;
/** Bytes of workgroup memory with which more features are staged at a time. */
const wideBytes = 24 * 1024;

/** The code of an attention. */
export function emitAttention(kernel: CompositeKernel, target: GpuTarget): GpuKernelCode {
  const attention = attentionOf(kernel.call);
  if (!attention) throw new MLXError(kernel.call.name, "is none that the GPU computes whole");
  if (isForMatrices(attention, kernel.call, target)) return emitMatrixAttention(kernel, target, attention);
  const lanes = lanesFor(attention, target);
  if (lanes) return emitForward(kernel, target, attention, lanes);
  return new AttentionEmitter(kernel, target, attention).emit();
}

class AttentionEmitter {
  readonly #shader = new Shader();
  readonly #memory: ShaderMemory;
  readonly #target: GpuTarget;
  readonly #attention: Attention;
  readonly #kernel: CompositeKernel;
  /** Features that are staged at a time. */
  readonly #depth: number;

  constructor(kernel: CompositeKernel, target: GpuTarget, attention: Attention) {
    this.#memory = new ShaderMemory(this.#shader, kernel, target);
    this.#target = target;
    this.#attention = attention;
    this.#kernel = kernel;
    this.#depth = target.workgroupBytes >= wideBytes ? 16 : 8;
  }

  /** Vectors of a staged row of features; an odd number again. */
  get #stride(): number {
    return this.#depth / 4 + 1;
  }

  get #valueChunks(): number {
    return Math.ceil(this.#attention.valueFeatures / valueColumns);
  }

  emit(): GpuKernelCode {
    const shader = this.#shader;
    const { heads, group, queries, keys, isCausal } = this.#attention;
    const blocks = Math.ceil(queries / queryBlock);
    const staged = Math.max((queryBlock + keyBlock) * this.#stride, (keyBlock * valueColumns) / 4);
    shader.declare(`var<workgroup> staged: array<vec4f, ${staged}>;`);
    shader.declare(`var<workgroup> weights: array<vec4f, ${queryBlock * weightStride}>;`);
    shader.declare(`var<workgroup> factors: array<f32, ${queryBlock}>;`);
    const grid = gridOf(shader, this.#target, heads * blocks);
    const head = shader.let("head", `${grid.place} / ${blocks}`);
    // The last queries see most keys: they begin first.
    const block = shader.let("block", `${blocks - 1} - ${grid.place} % ${blocks}`);
    const keyHead = group === 1 ? head : shader.let("head", `${head} / ${group}`);
    const query0 = shader.let("query", `${block} * ${queryBlock}`);
    shader.line("let own = i32(thread);");
    shader.line("let y = own / 8;");
    shader.line("let x = own % 8;");
    for (let i = 0; i < perThread; i++)
      for (let c = 0; c < this.#valueChunks; c++) shader.line(`var sum${i}_${c} = vec4f();`);
    // What thread t knows of query t: the greatest score, and the sum of weights.
    shader.line(`var greatest = ${noScore};`);
    shader.line("var total = 0f;");
    const base = maskPosition(shader, this.#attention, head);
    shader.line(`var end = ${keys};`);
    if (isCausal) {
      // Keys up to the last one that a query of the block sees: all of them if some query sees none.
      const first = shader.let("first", `${query0} + ${keys - queries}`);
      shader.block(`if (${first} >= 0)`, () => shader.line(`end = min(${keys}, ${first} + ${queryBlock});`));
    }
    shader.block(`for (var key0 = 0; key0 < end; key0 += ${keyBlock})`, () => {
      this.#scores(head, keyHead, query0);
      this.#weigh(query0, base);
      this.#addValues(keyHead);
    });
    this.#finish(head, query0);
    const bindings = this.#memory.bindings();
    return { dispatches: [{ wgsl: shader.build(threads), bindings, workgroups: grid.workgroups }], scratchBytes: [] };
  }

  /** The products of the block's queries with the block's keys, into `weights`. */
  #scores(head: string, keyHead: string, query0: string): void {
    const shader = this.#shader;
    const { queries, keys, features } = this.#attention;
    for (let i = 0; i < perThread; i++) shader.line(`var score${i} = vec4f();`);
    shader.block(`for (var feature0 = 0; feature0 < ${features}; feature0 += ${this.#depth})`, () => {
      this.#stage(0, head, queries, features, queryBlock, query0, "query", 0);
      this.#stage(1, keyHead, keys, features, keyBlock, "key0", "key", queryBlock * this.#stride);
      shader.line("workgroupBarrier();");
      for (let four = 0; four < this.#depth / 4; four++) {
        shader.block("", () => {
          const at = (row: string): string => `staged[(${row}) * ${this.#stride} + ${four}]`;
          for (let i = 0; i < perThread; i++) shader.line(`let q${i} = ${at(`${i * 8} + y`)};`);
          for (let j = 0; j < 4; j++) shader.line(`let k${j} = ${at(`${queryBlock + j * 8} + x`)};`);
          for (const lane of "xyzw") {
            shader.block("", () => {
              shader.line(`let k = vec4f(k0.${lane}, k1.${lane}, k2.${lane}, k3.${lane});`);
              for (let i = 0; i < perThread; i++) shader.line(`score${i} = fma(vec4f(q${i}.${lane}), k, score${i});`);
            });
          }
        });
      }
      shader.line("workgroupBarrier();");
    });
    for (let i = 0; i < perThread; i++) shader.line(`weights[(${i * 8} + y) * ${weightStride} + x] = score${i};`);
    shader.line("workgroupBarrier();");
  }

  /**
   * Brings `depth` features of a block of rows to `staged`, in vectors; what is beyond the features is 0. Four neighbouring keys
   * belong to one thread, and go to places eight apart, so that threads read neighbouring rows.
   */
  #stage(
    slot: number,
    head: string,
    rows: number,
    features: number,
    count: number,
    first: string,
    kind: "query" | "key",
    base: number,
  ): void {
    const shader = this.#shader;
    const perRow = this.#depth / 4;
    shader.block(`for (var piece = own; piece < ${count * perRow}; piece += ${threads})`, () => {
      const row = shader.let("row", `piece / ${perRow}`);
      const feature = shader.let("feature", `feature0 + (piece % ${perRow}) * 4`);
      const line = shader.let("line", `min(${first} + ${row}, ${rows - 1})`);
      const value = this.#four(slot, `(${head} * ${rows} + ${line}) * ${features}`, feature, features);
      const place = kind === "query" ? row : `((${row} & 3) * 8 + (${row} >> 2u))`;
      shader.line(`staged[${base} + ${place} * ${this.#stride} + piece % ${perRow}] = ${value};`);
    });
  }

  /** The name of four elements of a row of `length` from `column` on, a multiple of four; 0 beyond the row. */
  #four(slot: number, row: string, column: string, length: number): string {
    const shader = this.#shader;
    const at = shader.let("at", `${row} + ${column}`);
    if (length % 4 === 0) {
      const value = shader.let("value", this.#memory.loadFour(slot, at));
      return shader.let("value", `select(vec4f(), ${value}, ${column} < ${length})`);
    }
    const lanes = [0, 1, 2, 3].map((lane) => this.#memory.load(slot, `${at} + ${lane}`));
    const value = shader.let("value", `vec4f(${lanes.join(", ")})`);
    return shader.let("value", `select(vec4f(), ${value}, vec4i(0, 1, 2, 3) < vec4i(${length} - ${column}))`);
  }

  /** Thread t turns the scores of query t into weights, and says by which factor what was summed before shrinks. */
  #weigh(query0: string, base: string | null): void {
    const shader = this.#shader;
    const { queries, keys, scale, isCausal } = this.#attention;
    const query = shader.let("query", `min(${query0} + own, ${queries - 1})`);
    shader.line("var most = greatest;");
    const each = (body: (name: string, key: string) => void): void =>
      shader.block(`for (var four = 0; four < ${keyBlock / 4}; four++)`, () => {
        const name = `weights[own * ${weightStride} + four]`;
        body(name, shader.let("key", "key0 + four * 4"));
      });
    each((name, key) => {
      shader.line(`var four_scores = ${name} * ${floatLiteral(Math.fround(scale))};`);
      const lanes = shader.let("keys", `${key} + vec4i(0, 1, 2, 3)`);
      if (isCausal)
        shader.line(
          `four_scores = select(vec4f(${lowestScore}), four_scores, ${lanes} <= vec4i(${query} + ${keys - queries}));`,
        );
      else if (base !== null) this.#mask(`${base} + ${query} * ${this.#attention.mask?.query ?? 0}`, lanes);
      // Beyond the last key there is nothing, not even a score that is not seen.
      if (keys % keyBlock !== 0) {
        const none = `vec4f(${noScore})`;
        shader.line(`four_scores = select(${none}, four_scores, ${lanes} < vec4i(${keys}));`);
      }
      shader.line(`${name} = four_scores;`);
      shader.line("most = max(most, max(max(four_scores.x, four_scores.y), max(four_scores.z, four_scores.w)));");
    });
    // Nothing but -infinity so far: differences would be NaN.
    const reference = shader.let("reference", "select(most, 0f, bitcast<u32>(most) == 0xff800000u)");
    shader.line("var gained = 0f;");
    each((name) => {
      const weight = shader.let("weight", `exp(${name} - ${reference})`);
      shader.line(`${name} = ${weight};`);
      shader.line(`gained += (${weight}.x + ${weight}.y) + (${weight}.z + ${weight}.w);`);
    });
    const factor = shader.let("factor", `exp(greatest - ${reference})`);
    shader.line(`total = total * ${factor} + gained;`);
    shader.line("greatest = most;");
    shader.line(`factors[own] = ${factor};`);
    shader.line("workgroupBarrier();");
  }

  /** Adds what a mask says of four keys to `four_scores`. */
  #mask(row: string, lanes: string): void {
    const shader = this.#shader;
    const mask = this.#attention.mask;
    if (!mask) return;
    const { keys } = this.#attention;
    const at = shader.let("at", `vec4i(${row}) + min(${lanes}, vec4i(${keys - 1})) * ${mask.key}`);
    const loads = ["x", "y", "z", "w"].map((lane) => this.#memory.load(3, `${at}.${lane}`)).join(", ");
    shader.line(
      mask.dtype === "bool"
        ? `four_scores = select(vec4f(${lowestScore}), four_scores, vec4<bool>(${loads}));`
        : `four_scores += vec4f(${loads});`,
    );
  }

  /** Adds the values of the block's keys by their weights, some columns at a time. */
  #addValues(keyHead: string): void {
    const shader = this.#shader;
    const { keys, valueFeatures } = this.#attention;
    const perRow = valueColumns / 4;
    for (let i = 0; i < perThread; i++) {
      shader.line(`let factor${i} = factors[${i * 8} + y];`);
      for (let c = 0; c < this.#valueChunks; c++) shader.line(`sum${i}_${c} *= factor${i};`);
    }
    for (let chunk = 0; chunk < this.#valueChunks; chunk++) {
      shader.block(`for (var piece = own; piece < ${keyBlock * perRow}; piece += ${threads})`, () => {
        const row = shader.let("row", `min(key0 + piece / ${perRow}, ${keys - 1})`);
        const column = shader.let("column", `${chunk * valueColumns} + (piece % ${perRow}) * 4`);
        const value = this.#four(2, `(${keyHead} * ${keys} + ${row}) * ${valueFeatures}`, column, valueFeatures);
        shader.line(`staged[piece] = ${value};`);
      });
      shader.line("workgroupBarrier();");
      shader.block(`for (var four = 0; four < ${keyBlock / 4}; four++)`, () => {
        for (let i = 0; i < perThread; i++)
          shader.line(`let w${i} = weights[(${i * 8} + y) * ${weightStride} + four];`);
        for (const [k, lane] of [..."xyzw"].entries()) {
          shader.block("", () => {
            shader.line(`let v = staged[(four * 4 + ${k}) * ${perRow} + x];`);
            for (let i = 0; i < perThread; i++)
              shader.line(`sum${i}_${chunk} = fma(vec4f(w${i}.${lane}), v, sum${i}_${chunk});`);
          });
        }
      });
      shader.line("workgroupBarrier();");
    }
  }

  /** Divides by the sums of weights, and stores. */
  #finish(head: string, query0: string): void {
    const shader = this.#shader;
    const { queries, valueFeatures } = this.#attention;
    const [result, statistics] = [slotOfPart(this.#kernel, 0), slotOfPart(this.#kernel, 1)];
    if (statistics !== null)
      shader.block(`if (${query0} + own < ${queries})`, () => {
        const row = `${head} * ${queries} + ${query0} + own`;
        storeStatistics(shader, this.#memory, statistics, row, ["greatest", "total"]);
      });
    if (result === null) return;
    shader.line("factors[own] = total;");
    shader.line("workgroupBarrier();");
    for (let i = 0; i < perThread; i++) {
      shader.block("", () => {
        const query = shader.let("query", `${query0} + ${i * 8} + y`);
        const total = shader.let("total", `factors[${i * 8} + y]`);
        shader.block(`if (${query} < ${queries})`, () => {
          for (let chunk = 0; chunk < this.#valueChunks; chunk++) {
            const column = shader.let("column", `${chunk * valueColumns} + x * 4`);
            const at = shader.let("at", `(${head} * ${queries} + ${query}) * ${valueFeatures} + ${column}`);
            const value = shader.let("value", `sum${i}_${chunk} / ${total}`);
            if (valueFeatures % 4 === 0) {
              shader.block(`if (${column} < ${valueFeatures})`, () =>
                shader.line(this.#memory.storeFour(result, at, value)),
              );
            } else {
              shader.block("for (var lane = 0; lane < 4; lane++)", () =>
                shader.block(`if (${column} + lane < ${valueFeatures})`, () =>
                  shader.line(this.#memory.store(result, `${at} + lane`, `${value}[lane]`)),
                ),
              );
            }
          }
        });
      });
    }
  }
}
