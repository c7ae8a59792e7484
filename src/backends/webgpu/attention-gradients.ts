/**
 * The gradient of attention with rows in registers. What is known of each query and the gradient of the queries have queries as
 * owners, which go past all keys; the gradients of keys and values have keys as owners, which go past all queries.
 */
import { MLXError } from "../../base/errors.ts";
import type { Attention } from "../../compiler/attention-lengths.ts";
import type { CompositeKernel } from "../../ir/kernel.ts";
import type { GradientPart } from "./attention-call.ts";
import { gradientOf } from "./attention-call.ts";
import type { Lanes } from "./attention-lanes.ts";
import { LaneWriter, lanesFor, step, threads } from "./attention-lanes.ts";
import { maskPosition, noScore } from "./attention-mask.ts";
import type { Grid } from "./grid.ts";
import { gridOf } from "./grid.ts";
import type { GpuKernelCode, GpuTarget } from "./kernel-code.ts";
import { ShaderMemory } from "./wgsl-memory.ts";
import { Shader } from "./wgsl-shader.ts";
import { floatLiteral } from "./wgsl-types.ts";

/** Rows of features that an owner keeps, read or summed. */
const kept: Readonly<Record<GradientPart, number>> = {
  attentionStatistics: 2,
  attentionQueryGradient: 3,
  attentionKeyGradient: 4,
};

/** Slots of the inputs. */
const [querySlot, keySlot, valueSlot, cotangentSlot, knownSlot] = [0, 1, 2, 3, 4];
/** What is known of a query: its greatest score, the sum of weights, their mean slope. */
const statistics = 3;

/** How the rows of a part of a gradient are spread; null if it is none that the GPU computes whole. */
export function gradientLanes(call: CompositeKernel["call"], target: GpuTarget): Lanes | null {
  const found = gradientOf(call);
  if (!found) return null;
  const { part, attention } = found;
  const { heads, group, queries, keys } = attention;
  const owned = part === "attentionKeyGradient" ? (heads / group) * keys : heads * queries;
  return lanesFor(attention, target, owned, kept[part]);
}

/** The code of a part of a gradient. */
export function emitGradient(kernel: CompositeKernel, target: GpuTarget): GpuKernelCode {
  const found = gradientOf(kernel.call);
  const lanes = gradientLanes(kernel.call, target);
  if (!found || !lanes) throw new MLXError(kernel.call.name, "is none that the GPU computes whole");
  const emitter = new GradientEmitter(kernel, target, found.attention, lanes);
  switch (found.part) {
    case "attentionStatistics":
      return emitter.statistics();
    case "attentionQueryGradient":
      return emitter.queryGradient();
    case "attentionKeyGradient":
      return emitter.keyGradient();
  }
}

/** What an owner of a query has at hand. */
interface OwnedQueries {
  readonly grid: Grid;
  readonly head: string;
  readonly keyHead: string;
  readonly names: readonly string[];
  readonly maskBase: string | null;
  readonly query: readonly (readonly string[])[];
  readonly cotangent: readonly (readonly string[])[];
}

class GradientEmitter {
  readonly #shader = new Shader();
  readonly #memory: ShaderMemory;
  readonly #kernel: CompositeKernel;
  readonly #target: GpuTarget;
  readonly #attention: Attention;
  readonly #lanes: Lanes;
  readonly #writer: LaneWriter;
  /** The numbers of an owner's rows. */
  readonly #each: readonly number[];

  constructor(kernel: CompositeKernel, target: GpuTarget, attention: Attention, lanes: Lanes) {
    this.#memory = new ShaderMemory(this.#shader, kernel, target);
    this.#kernel = kernel;
    this.#target = target;
    this.#attention = attention;
    this.#lanes = lanes;
    this.#writer = new LaneWriter(this.#shader, this.#memory, attention, lanes.lanes);
    this.#each = Array.from({ length: lanes.rows }, (_, r) => r);
  }

  statistics(): GpuKernelCode {
    const shader = this.#shader;
    const owned = this.#ownQueries();
    for (const r of this.#each) {
      shader.line(`var most${r} = ${noScore};`);
      shader.line(`var total${r} = 0f;`);
      shader.line(`var mean${r} = 0f;`);
    }
    this.#pastKeys(owned, cotangentSlot + 1, () => {
      for (const r of this.#each) {
        const name = `score${r}`;
        const next = shader.let("next", `max(most${r}, max(max(${name}.x, ${name}.y), max(${name}.z, ${name}.w)))`);
        // Nothing but -infinity so far: differences would be NaN.
        const reference = shader.let("reference", `select(${next}, 0f, bitcast<u32>(${next}) == 0xff800000u)`);
        const shrink = shader.let("shrink", `exp(most${r} - ${reference})`);
        const weight = shader.let("weight", `exp(${name} - ${reference})`);
        shader.line(
          `total${r} = fma(total${r}, ${shrink}, (${weight}.x + ${weight}.y) + (${weight}.z + ${weight}.w));`,
        );
        shader.line(`mean${r} = fma(mean${r}, ${shrink}, dot(${weight}, slope${r}));`);
        shader.line(`most${r} = ${next};`);
      }
    });
    const slot = this.#kernel.slots.length - 1;
    for (const r of this.#each) {
      shader.block(`if (lane == 0 && ${owned.names[r]} < ${this.#attention.queries})`, () => {
        const at = shader.let("at", `(${owned.head} * ${this.#attention.queries} + ${owned.names[r]}) * ${statistics}`);
        const values = [`most${r}`, `total${r}`, `mean${r} / total${r}`];
        for (const [k, value] of values.entries()) shader.line(this.#memory.store(slot, `${at} + ${k}`, value));
      });
    }
    return this.#finish(owned.grid);
  }

  queryGradient(): GpuKernelCode {
    const [shader, writer] = [this.#shader, this.#writer];
    const { features, queries, keys, scale } = this.#attention;
    const owned = this.#ownQueries();
    const columns = Array.from({ length: writer.vectors(features) }, (_, v) => v);
    for (const r of this.#each) {
      const at = this.#knownOf(owned.head, `min(${owned.names[r]}, ${queries - 1})`);
      shader.line(`let most${r} = ${this.#memory.load(knownSlot, `${at}`)};`);
      shader.line(`let share${r} = 1f / ${this.#memory.load(knownSlot, `${at} + 1`)};`);
      shader.line(`let mean${r} = ${this.#memory.load(knownSlot, `${at} + 2`)};`);
      for (const v of columns) shader.line(`var sum${r}_${v} = vec4f();`);
    }
    this.#pastKeys(owned, knownSlot + 1, () => {
      for (const r of this.#each) {
        shader.line(`slope${r} = exp(score${r} - most${r}) * share${r} * (slope${r} - mean${r});`);
        writer.onlySeen(
          `slope${r}`,
          { query: owned.names[r] ?? "", key: "key0 + vec4i(0, 1, 2, 3)" },
          owned.maskBase,
          knownSlot + 1,
        );
      }
      for (let k = 0; k < step; k++) {
        shader.block("", () => {
          const row = shader.let("row", `(${owned.keyHead} * ${keys} + min(key0 + ${k}, ${keys - 1})) * ${features}`);
          const key = writer.load(keySlot, row, features);
          for (const r of this.#each)
            for (const v of columns)
              shader.line(`sum${r}_${v} = fma(vec4f(slope${r}[${k}]), ${key[v]}, sum${r}_${v});`);
        });
      }
    });
    for (const r of this.#each) {
      shader.block(`if (${owned.names[r]} < ${queries})`, () => {
        const row = shader.let("row", `(${owned.head} * ${queries} + ${owned.names[r]}) * ${features}`);
        const factor = floatLiteral(Math.fround(scale));
        const values = columns.map((v) => shader.let("value", `sum${r}_${v} * ${factor}`));
        writer.store(this.#kernel.slots.length - 1, row, features, values);
      });
    }
    return this.#finish(owned.grid);
  }

  keyGradient(): GpuKernelCode {
    const [shader, writer] = [this.#shader, this.#writer];
    const { heads, group, queries, keys, features, valueFeatures, isCausal, scale } = this.#attention;
    const perGroup = (threads / this.#lanes.lanes) * this.#lanes.rows;
    const keyHeads = heads / group;
    const grid = gridOf(shader, this.#target, keyHeads * Math.ceil(keys / perGroup));
    const keyHead = shader.let("head", `${grid.place} % ${keyHeads}`);
    // The first keys are seen by most queries: they begin first.
    const block = shader.let("block", `${grid.place} / ${keyHeads}`);
    const first = shader.let("key", `${block} * ${perGroup} + (own / ${this.#lanes.lanes}) * ${this.#lanes.rows}`);
    const names = this.#each.map((r) => shader.let("key", `${first} + ${r}`));
    const factor = floatLiteral(Math.fround(scale));
    const rowOf = (name: string, width: number): string =>
      shader.let("row", `(${keyHead} * ${keys} + min(${name}, ${keys - 1})) * ${width}`);
    const key = names.map((name) =>
      writer.load(keySlot, rowOf(name, features), features).map((x) => shader.let("k", `${x} * ${factor}`)),
    );
    const value = names.map((name) => writer.load(valueSlot, rowOf(name, valueFeatures), valueFeatures));
    const columns = Array.from({ length: writer.vectors(features) }, (_, v) => v);
    const valueColumns = Array.from({ length: writer.vectors(valueFeatures) }, (_, v) => v);
    for (const r of this.#each) {
      for (const v of columns) shader.line(`var sum${r}_${v} = vec4f();`);
      for (const v of valueColumns) shader.line(`var mixed${r}_${v} = vec4f();`);
    }
    // Queries from the first one that sees a key of the workgroup: all of them if some query sees none.
    const begin =
      isCausal && keys >= queries
        ? shader.let("begin", `max(0, ${block} * ${perGroup} - ${keys - queries}) & ~3`)
        : "0";
    shader.block(`for (var member = 0; member < ${group}; member++)`, () => {
      const head = shader.let("head", `${keyHead} * ${group} + member`);
      const maskBase = maskPosition(writer.shader, writer.attention, head);
      shader.block(`for (var query0 = ${begin}; query0 < ${queries}; query0 += ${step})`, () => {
        const queryRow = (k: number, width: number): string =>
          shader.let("row", `(${head} * ${queries} + min(query0 + ${k}, ${queries - 1})) * ${width}`);
        for (const r of this.#each) shader.line(`var score${r} = vec4f(); var slope${r} = vec4f();`);
        for (let k = 0; k < step; k++) {
          shader.block("", () => {
            const query = writer.load(querySlot, queryRow(k, features), features);
            const cotangent = writer.load(cotangentSlot, queryRow(k, valueFeatures), valueFeatures);
            for (const r of this.#each) {
              shader.line(`score${r}[${k}] = ${writer.product(key[r] ?? [], query)};`);
              shader.line(`slope${r}[${k}] = ${writer.product(value[r] ?? [], cotangent)};`);
            }
          });
        }
        const own = shader.let("queries", "query0 + vec4i(0, 1, 2, 3)");
        const at = shader.let(
          "at",
          `(vec4i(${head} * ${queries}) + min(${own}, vec4i(${queries - 1}))) * ${statistics}`,
        );
        const known = (column: number): string => {
          const loads = ["x", "y", "z", "w"].map((part) => this.#memory.load(knownSlot, `${at}.${part} + ${column}`));
          return shader.let("known", `vec4f(${loads.join(", ")})`);
        };
        const [most, total, mean] = [known(0), known(1), known(2)];
        const share = shader.let("share", `select(vec4f(), 1f / ${total}, ${own} < vec4i(${queries}))`);
        for (const r of this.#each) {
          writer.join(`score${r}`);
          writer.join(`slope${r}`);
          const place = { query: own, key: names[r] ?? "" };
          writer.mask(`score${r}`, place, maskBase, knownSlot + 1);
          shader.line(`score${r} = exp(score${r} - ${most}) * ${share};`);
          shader.line(`slope${r} = score${r} * (slope${r} - ${mean});`);
          writer.onlySeen(`slope${r}`, place, maskBase, knownSlot + 1);
        }
        for (let k = 0; k < step; k++) {
          shader.block("", () => {
            const query = writer.load(querySlot, queryRow(k, features), features);
            const cotangent = writer.load(cotangentSlot, queryRow(k, valueFeatures), valueFeatures);
            for (const r of this.#each) {
              for (const v of columns)
                shader.line(`sum${r}_${v} = fma(vec4f(slope${r}[${k}]), ${query[v]}, sum${r}_${v});`);
              for (const v of valueColumns)
                shader.line(`mixed${r}_${v} = fma(vec4f(score${r}[${k}]), ${cotangent[v]}, mixed${r}_${v});`);
            }
          });
        }
      });
    });
    const slot = this.#kernel.slots.length - 1;
    for (const r of this.#each) {
      shader.block(`if (${names[r]} < ${keys})`, () => {
        const row = shader.let("row", `(${keyHead} * ${keys} + ${names[r]}) * ${features + valueFeatures}`);
        const scaled = columns.map((v) => shader.let("value", `sum${r}_${v} * ${factor}`));
        writer.store(slot, row, features, scaled);
        const mixed = valueColumns.map((v) => `mixed${r}_${v}`);
        writer.store(slot, shader.let("row", `${row} + ${features}`), valueFeatures, mixed);
      });
    }
    return this.#finish(grid);
  }

  /** Queries as owners, with their features, scaled, and their cotangents. */
  #ownQueries(): OwnedQueries {
    const [shader, writer] = [this.#shader, this.#writer];
    const { heads, group, queries, features, valueFeatures, scale } = this.#attention;
    const perGroup = (threads / this.#lanes.lanes) * this.#lanes.rows;
    const blocks = Math.ceil(queries / perGroup);
    const grid = gridOf(shader, this.#target, heads * blocks);
    const head = shader.let("head", `${grid.place} % ${heads}`);
    // The last queries see most keys: they begin first.
    const block = shader.let("block", `${blocks - 1} - ${grid.place} / ${heads}`);
    const keyHead = group === 1 ? head : shader.let("head", `${head} / ${group}`);
    shader.line(`let past = ${block} * ${perGroup};`);
    const first = shader.let("query", `past + (own / ${this.#lanes.lanes}) * ${this.#lanes.rows}`);
    const names = this.#each.map((r) => shader.let("query", `${first} + ${r}`));
    const rowOf = (name: string, width: number): string =>
      shader.let("row", `(${head} * ${queries} + min(${name}, ${queries - 1})) * ${width}`);
    const factor = floatLiteral(Math.fround(scale));
    return {
      grid,
      head,
      keyHead,
      names,
      maskBase: maskPosition(writer.shader, writer.attention, head),
      query: names.map((name) =>
        writer.load(querySlot, rowOf(name, features), features).map((x) => shader.let("q", `${x} * ${factor}`)),
      ),
      cotangent: names.map((name) => writer.load(cotangentSlot, rowOf(name, valueFeatures), valueFeatures)),
    };
  }

  /** Goes past all keys: of four at a time `body` finds the scores in `score…` and the products with values in `slope…`. */
  #pastKeys({ keyHead, names, maskBase, query, cotangent }: OwnedQueries, maskSlot: number, body: () => void): void {
    const [shader, writer] = [this.#shader, this.#writer];
    const { queries, keys, features, valueFeatures, isCausal } = this.#attention;
    const perGroup = (threads / this.#lanes.lanes) * this.#lanes.rows;
    shader.line(`var end = ${keys};`);
    if (isCausal) {
      // Keys up to the last one that a query of the workgroup sees: all of them if some query sees none.
      const first = shader.let("first", `past + ${keys - queries}`);
      shader.block(`if (${first} >= 0)`, () => shader.line(`end = min(${keys}, ${first} + ${perGroup});`));
    }
    shader.block(`for (var key0 = 0; key0 < end; key0 += ${step})`, () => {
      for (const r of this.#each) shader.line(`var score${r} = vec4f(); var slope${r} = vec4f();`);
      for (let k = 0; k < step; k++) {
        shader.block("", () => {
          const line = shader.let("line", `${keyHead} * ${keys} + min(key0 + ${k}, ${keys - 1})`);
          const key = writer.load(keySlot, shader.let("row", `${line} * ${features}`), features);
          const value = writer.load(valueSlot, shader.let("row", `${line} * ${valueFeatures}`), valueFeatures);
          for (const r of this.#each) {
            shader.line(`score${r}[${k}] = ${writer.product(query[r] ?? [], key)};`);
            shader.line(`slope${r}[${k}] = ${writer.product(cotangent[r] ?? [], value)};`);
          }
        });
      }
      for (const r of this.#each) {
        writer.join(`score${r}`);
        writer.join(`slope${r}`);
        writer.mask(`score${r}`, { query: names[r] ?? "", key: "key0 + vec4i(0, 1, 2, 3)" }, maskBase, maskSlot);
      }
      body();
    });
  }

  #knownOf(head: string, query: string): string {
    return this.#shader.let("at", `(${head} * ${this.#attention.queries} + ${query}) * ${statistics}`);
  }

  #finish({ workgroups }: Grid): GpuKernelCode {
    const bindings = this.#memory.bindings();
    return { dispatches: [{ wgsl: this.#shader.build(threads), bindings, workgroups }], scratchBytes: [] };
  }
}
