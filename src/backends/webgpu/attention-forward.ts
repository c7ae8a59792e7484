/**
 * Attention with queries in registers: for each query its features, the greatest score so far, the sum of weights relative to
 * it, and the weighted values. Source: Dao et al. 2022, algorithm 1.
 */

import type { Attention } from "../../compiler/attention-lengths.ts";
import type { CompositeKernel } from "../../ir/kernel.ts";
import type { Lanes } from "./attention-lanes.ts";
import { LaneWriter, step, threads } from "./attention-lanes.ts";
import { maskPosition, noScore } from "./attention-mask.ts";
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
  { lanes, rows }: Lanes,
): GpuKernelCode {
  const shader = new Shader();
  const memory = new ShaderMemory(shader, kernel, target);
  const { heads, group, queries, keys, features, valueFeatures, isCausal, scale } = attention;
  const perGroup = (threads / lanes) * rows;
  const blocks = Math.ceil(queries / perGroup);
  const writer = new LaneWriter(shader, memory, attention, lanes);
  const grid = gridOf(shader, target, heads * blocks);
  const head = shader.let("head", `${grid.place} % ${heads}`);
  // The last queries see most keys: they begin first.
  const block = shader.let("block", `${blocks - 1} - ${grid.place} / ${heads}`);
  const keyHead = group === 1 ? head : shader.let("head", `${head} / ${group}`);
  const each = Array.from({ length: rows }, (_, r) => r);
  const query0 = shader.let("query", `${block} * ${perGroup} + (own / ${lanes}) * ${rows}`);
  const owned = each.map((r) => shader.let("query", `${query0} + ${r}`));
  const factor = floatLiteral(Math.fround(scale));
  const query = owned.map((name) => {
    const row = shader.let("row", `(${head} * ${queries} + min(${name}, ${queries - 1})) * ${features}`);
    return writer.load(0, row, features).map((x) => shader.let("q", `${x} * ${factor}`));
  });
  const columns = Array.from({ length: writer.vectors(valueFeatures) }, (_, v) => v);
  for (const r of each) {
    for (const v of columns) shader.line(`var sum${r}_${v} = vec4f();`);
    shader.line(`var most${r} = ${noScore};`);
    shader.line(`var total${r} = 0f;`);
  }
  const maskBase = maskPosition(shader, attention, head);
  shader.line(`var end = ${keys};`);
  if (isCausal) {
    // Keys up to the last one that a query of the workgroup sees: all of them if some query sees none.
    const first = shader.let("first", `${block} * ${perGroup} + ${keys - queries}`);
    shader.block(`if (${first} >= 0)`, () => shader.line(`end = min(${keys}, ${first} + ${perGroup});`));
  }
  const rowOf = (k: number, width: number): string => {
    const key = keys % step === 0 ? `key0 + ${k}` : `min(key0 + ${k}, ${keys - 1})`;
    return shader.let("row", `(${keyHead} * ${keys} + ${key}) * ${width}`);
  };
  shader.block(`for (var key0 = 0; key0 < end; key0 += ${step})`, () => {
    for (const r of each) shader.line(`var score${r} = vec4f();`);
    for (let k = 0; k < step; k++) {
      shader.block("", () => {
        const key = writer.load(1, rowOf(k, features), features);
        for (const r of each) shader.line(`score${r}[${k}] = ${writer.product(query[r] ?? [], key)};`);
      });
    }
    for (const r of each) {
      writer.join(`score${r}`);
      writer.mask(`score${r}`, { query: owned[r] ?? "", key: "key0 + vec4i(0, 1, 2, 3)" }, maskBase, 3);
      const [name, greatest] = [`score${r}`, `most${r}`];
      shader.line(`let next${r} = max(${greatest}, max(max(${name}.x, ${name}.y), max(${name}.z, ${name}.w)));`);
      // Nothing but -infinity so far: differences would be NaN.
      shader.line(`let reference${r} = select(next${r}, 0f, bitcast<u32>(next${r}) == 0xff800000u);`);
    }
    // Rare after the first keys, and then skipped by all threads at once.
    shader.block(`if (${each.map((r) => `next${r} > most${r}`).join(" || ")})`, () => {
      for (const r of each) {
        const shrink = shader.let("shrink", `exp(most${r} - reference${r})`);
        shader.line(`total${r} *= ${shrink};`);
        for (const v of columns) shader.line(`sum${r}_${v} *= ${shrink};`);
        shader.line(`most${r} = next${r};`);
      }
    });
    for (const r of each) {
      shader.line(`let weight${r} = exp(score${r} - reference${r});`);
      shader.line(`total${r} += (weight${r}.x + weight${r}.y) + (weight${r}.z + weight${r}.w);`);
    }
    for (let k = 0; k < step; k++) {
      shader.block("", () => {
        const value = writer.load(2, rowOf(k, valueFeatures), valueFeatures);
        for (const r of each)
          for (const v of columns)
            shader.line(`sum${r}_${v} = fma(vec4f(weight${r}[${k}]), ${value[v]}, sum${r}_${v});`);
      });
    }
  });
  for (const r of each) {
    shader.block(`if (${owned[r]} < ${queries})`, () => {
      const row = shader.let("row", `(${head} * ${queries} + ${owned[r]}) * ${valueFeatures}`);
      const values = columns.map((v) => shader.let("value", `sum${r}_${v} / total${r}`));
      writer.store(kernel.slots.length - 1, row, valueFeatures, values);
    });
  }
  const bindings = memory.bindings();
  return { dispatches: [{ wgsl: shader.build(threads), bindings, workgroups: grid.workgroups }], scratchBytes: [] };
}
