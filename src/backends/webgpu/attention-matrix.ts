/**
 * Attention of half floats by the matrix operations of subgroups: each of four has sixteen queries, whose scores of a block of
 * keys pass through workgroup memory, where threads turn them into weights. Weights are relative to a score of the query that is
 * raised only when another exceeds it by far, because that takes the sums through memory too.
 */

import type { Attention } from "../../compiler/attention-lengths.ts";
import type { CompositeKernel } from "../../ir/kernel.ts";
import { lowestScore, noScore } from "./attention-mask.ts";
import type { RowBlock } from "./attention-staging.ts";
import { halves, padding, RowStaging, rowSize } from "./attention-staging.ts";
import { gridOf } from "./grid.ts";
import type { GpuKernelCode, GpuTarget } from "./kernel-code.ts";
import {
  addProduct,
  elementBytes,
  enableMatrices,
  loadMatrix,
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
/** Floats of an element of workgroup memory. */
const floats = 4;
/** Elements of a row of scores, of a row of weights in their place, and of the scores of a subgroup. */
const scoreRow = keyBlock / floats + padding;
const weightRow = keyBlock / halves + padding;
const scoreSize = side * scoreRow;
/** Vectors of scores of a thread: half a row. */
const perThread = keyBlock / 2 / floats;
/** By how much a score may exceed the one that weights are relative to: e⁸ is a half float with room above. */
const margin = 8;

/** Whether the kernel takes this attention: half floats, whole matrices of features, no mask but that of time. */
export function isForMatrices(attention: Attention, { inputs }: CompositeKernel["call"], target: GpuTarget): boolean {
  const { features, valueFeatures, mask } = attention;
  return (
    multipliesHalves(target) &&
    inputs.every(({ dtype }) => dtype === "float16") &&
    mask === null &&
    features % side === 0 &&
    features <= mostFeatures &&
    valueFeatures % (2 * side) === 0 &&
    target.workgroupBytes >= (tileSize(attention) + subgroups * scoreSize + 1) * elementBytes
  );
}

/** Elements that hold a block of keys and their values, and at first the queries. */
function tileSize({ features, valueFeatures }: Attention): number {
  return Math.max(keyBlock * (rowSize(features) + rowSize(valueFeatures)), queryBlock * rowSize(features));
}

/** The code of an attention that `isForMatrices`. */
export function emitMatrixAttention(kernel: CompositeKernel, target: GpuTarget, attention: Attention): GpuKernelCode {
  return new MatrixAttention(kernel, target, attention).emit();
}

class MatrixAttention {
  readonly #shader = new Shader();
  readonly #memory: ShaderMemory;
  readonly #kernel: CompositeKernel;
  readonly #target: GpuTarget;
  readonly #attention: Attention;

  constructor(kernel: CompositeKernel, target: GpuTarget, attention: Attention) {
    this.#memory = new ShaderMemory(this.#shader, kernel, target);
    this.#kernel = kernel;
    this.#target = target;
    this.#attention = attention;
  }

  emit(): GpuKernelCode {
    const shader = this.#shader;
    const { heads, group, queries, keys, features, valueFeatures, isCausal } = this.#attention;
    enableMatrices(shader);
    shader.declare(`var<workgroup> tile: array<vec4u, ${tileSize(this.#attention)}>;`);
    shader.declare(`var<workgroup> scores: array<vec4u, ${subgroups * scoreSize}>;`);
    shader.declare(`var<workgroup> raised: array<u32, ${subgroups}>;`);
    const blocks = Math.ceil(queries / queryBlock);
    const grid = gridOf(shader, this.#target, heads * blocks);
    const head = shader.let("head", `${grid.place} % ${heads}`);
    // The last queries see most keys: they begin first.
    const block = shader.let("block", `${blocks - 1} - ${grid.place} / ${heads}`);
    const keyHead = group === 1 ? head : shader.let("head", `${head} / ${group}`);
    const query0 = shader.let("query", `${block} * ${queryBlock}`);
    shader.line("let own = i32(thread);");
    shader.line(`let subgroup = own / ${subgroupThreads};`);
    shader.line(`let row = (own % ${subgroupThreads}) / 2;`);
    shader.line("let half = own % 2;");
    shader.line(`let base = subgroup * ${scoreSize};`);
    const query = shader.let("query", `${query0} + subgroup * ${side} + row`);

    const base = `${head} * ${queries}`;
    const staging = new RowStaging(shader, this.#memory, threads);
    const own: RowBlock = { name: "query", slot: 0, features, rows: queryBlock, length: queries, base, target: 0 };
    staging.declare(own);
    staging.load(own, query0);
    staging.store(own);
    shader.line("workgroupBarrier();");
    for (let k = 0; k < features / side; k++)
      shader.line(
        `let query_${k} = ${loadMatrix("left", "row", "tile", `subgroup * ${side * rowSize(features)} + ${2 * k}`, rowSize(features))};`,
      );
    for (let j = 0; j < valueFeatures / side; j++)
      shader.line(`var sum${j}: subgroup_matrix_result<f32, ${side}, ${side}>;`);
    shader.line(`var reference = ${noScore};`);
    shader.line("var total = 0f;");
    shader.line(`var end = ${keys};`);
    const offset = keys - queries;
    if (isCausal) {
      // Keys up to the last one that a query of the workgroup sees: all of them if some query sees none.
      const first = shader.let("first", `${query0} + ${offset}`);
      shader.block(`if (${first} >= 0)`, () => shader.line(`end = min(${keys}, ${first} + ${queryBlock});`));
    }
    const pair: readonly RowBlock[] = [
      { name: "key", slot: 1, features, rows: keyBlock, length: keys, base: `${keyHead} * ${keys}`, target: 0 },
      {
        name: "value",
        slot: 2,
        features: valueFeatures,
        rows: keyBlock,
        length: keys,
        base: `${keyHead} * ${keys}`,
        target: keyBlock * rowSize(features),
      },
    ];
    for (const each of pair) {
      staging.declare(each);
      staging.load(each, "0");
    }
    shader.block(`for (var key0 = 0; key0 < end; key0 += ${keyBlock})`, () => {
      // Nobody reads the block before any more.
      shader.line("workgroupBarrier();");
      for (const each of pair) staging.store(each);
      shader.line("workgroupBarrier();");
      shader.block(`if (key0 + ${keyBlock} < end)`, () => {
        const next = shader.let("next", `key0 + ${keyBlock}`);
        for (const each of pair) staging.load(each, next);
      });
      this.#scores();
      this.#weigh(query, query0, offset);
      this.#addValues();
    });
    this.#finish(head, query);
    const bindings = this.#memory.bindings();
    return { dispatches: [{ wgsl: shader.build(threads), bindings, workgroups: grid.workgroups }], scratchBytes: [] };
  }

  /** The products of the queries with the block's keys, into `scores`. */
  #scores(): void {
    const shader = this.#shader;
    const { features } = this.#attention;
    for (let j = 0; j < keyBlock / side; j++) {
      shader.block("", () => {
        // Said to be zero, because drivers may set a variable without a value to zero once, and not in every round.
        shader.line(`var products = ${zeroSums};`);
        for (let k = 0; k < features / side; k++) {
          const key = loadMatrix("right", "col", "tile", `${j * side * rowSize(features) + 2 * k}`, rowSize(features));
          shader.line(addProduct("products", `query_${k}`, key));
        }
        shader.line(storeSums("products", "scores", `base + ${(j * side) / floats}`, scoreRow));
      });
    }
    shader.line("workgroupBarrier();");
  }

  /** Each thread turns half a row of scores into weights, in their place. */
  #weigh(query: string, query0: string, offset: number): void {
    const shader = this.#shader;
    const { keys, scale, isCausal, valueFeatures } = this.#attention;
    for (let c = 0; c < perThread; c++) {
      const at = `base + row * ${scoreRow} + half * ${perThread} + ${c}`;
      shader.line(`var score${c} = bitcast<vec4f>(scores[${at}]) * ${floatLiteral(Math.fround(scale))};`);
    }
    const key = (c: number): string => `vec4i(key0 + half * ${keyBlock / 2} + ${4 * c}) + vec4i(0, 1, 2, 3)`;
    if (isCausal) {
      shader.block(`if (key0 + ${keyBlock - 1} > ${query0} + ${offset})`, () => {
        for (let c = 0; c < perThread; c++)
          shader.line(
            `score${c} = select(vec4f(${lowestScore}), score${c}, ${key(c)} <= vec4i(${query} + ${offset}));`,
          );
      });
    }
    if (keys % keyBlock !== 0) {
      // Beyond the last key there is nothing, not even a score that is not seen.
      shader.block(`if (key0 + ${keyBlock} > ${keys})`, () => {
        for (let c = 0; c < perThread; c++)
          shader.line(`score${c} = select(vec4f(${noScore}), score${c}, ${key(c)} < vec4i(${keys}));`);
      });
    }
    const four = Array.from({ length: perThread }, (_, c) => `score${c}`).reduce((a, b) => `max(${a}, ${b})`);
    shader.line(`let most = ${four};`);
    shader.line("var greatest = max(max(most.x, most.y), max(most.z, most.w));");
    shader.line("greatest = max(greatest, subgroupShuffleXor(greatest, 1u));");
    shader.line(`let raises = subgroupAny(greatest > reference + ${floatLiteral(margin)});`);
    shader.block("if (own % 32 == 0)", () => shader.line("raised[subgroup] = u32(raises);"));
    // Waits for everybody too, so that scores may be written over.
    shader.line("let all = workgroupUniformLoad(&raised);");
    const any = Array.from({ length: subgroups }, (_, k) => `all[${k}]`).join(" | ");
    shader.block(`if ((${any}) != 0u)`, () => {
      shader.line("let next = max(reference, greatest);");
      // Nothing but -infinity so far: differences would be NaN.
      shader.line("let shrink = select(exp(reference - next), 0f, bitcast<u32>(next) == 0xff800000u);");
      shader.line("total *= shrink;");
      shader.line("reference = next;");
      this.#throughMemory(
        valueFeatures,
        (vector) => shader.line(`scores[${vector}] = bitcast<vec4u>(bitcast<vec4f>(scores[${vector}]) * shrink);`),
        true,
      );
    });
    shader.line("let relative = select(reference, 0f, bitcast<u32>(reference) == 0xff800000u);");
    for (let c = 0; c < perThread; c++) {
      shader.line(`let weight${c} = exp(score${c} - relative);`);
      shader.line(`total += (weight${c}.x + weight${c}.y) + (weight${c}.z + weight${c}.w);`);
    }
    for (let c = 0; c < perThread; c += 2) {
      const parts = [`weight${c}.xy`, `weight${c}.zw`, `weight${c + 1}.xy`, `weight${c + 1}.zw`];
      const bits = `vec4u(${parts.map((part) => `pack2x16float(${part})`).join(", ")})`;
      shader.line(`scores[base + row * ${weightRow} + half * ${perThread / 2} + ${c / 2}] = ${bits};`);
    }
    shader.line("workgroupBarrier();");
  }

  /** Takes the sums through the memory of the scores, two matrices at a time: `body` sees each of a thread's vectors. */
  #throughMemory(features: number, body: (vector: string, column: number) => void, isReturned: boolean): void {
    const shader = this.#shader;
    for (let j = 0; j < features / side; j += 2) {
      for (const k of [0, 1]) shader.line(storeSums(`sum${j + k}`, "scores", `base + ${k * 4}`, scoreRow));
      shader.line("workgroupBarrier();");
      for (let c = 0; c < 4; c++)
        body(shader.let("at", `base + row * ${scoreRow} + half * 4 + ${c}`), j * side + 4 * c);
      shader.line("workgroupBarrier();");
      if (!isReturned) continue;
      for (const k of [0, 1])
        shader.line(
          `sum${j + k} = subgroupMatrixLoad<subgroup_matrix_result<f32, ${side}, ${side}>, row_major>(&scores, u32(base + ${k * 4}), ${scoreRow}u);`,
        );
      shader.line("workgroupBarrier();");
    }
  }

  /** Adds the values of the block's keys by their weights. */
  #addValues(): void {
    const shader = this.#shader;
    const { features, valueFeatures } = this.#attention;
    for (let k = 0; k < keyBlock / side; k++) {
      shader.block("", () => {
        shader.line(`let weights = ${loadMatrix("left", "row", "scores", `base + ${2 * k}`, weightRow)};`);
        for (let j = 0; j < valueFeatures / side; j++) {
          const at = `${keyBlock * rowSize(features) + k * side * rowSize(valueFeatures) + 2 * j}`;
          const value = loadMatrix("right", "row", "tile", at, rowSize(valueFeatures));
          shader.line(addProduct(`sum${j}`, "weights", value));
        }
      });
    }
  }

  /** Divides by the sums of weights, and stores. */
  #finish(head: string, query: string): void {
    const shader = this.#shader;
    const { queries, valueFeatures } = this.#attention;
    shader.line("workgroupBarrier();");
    shader.line("total += subgroupShuffleXor(total, 1u);");
    this.#throughMemory(
      valueFeatures,
      (vector, column) => {
        const value = shader.let("value", `bitcast<vec4f>(scores[${vector}]) / total`);
        shader.block(`if (${query} < ${queries})`, () => {
          const at = `(${head} * ${queries} + ${query}) * ${valueFeatures} + ${column} + half * ${side}`;
          shader.line(this.#memory.storeFour(this.#kernel.slots.length - 1, at, value));
        });
      },
      false,
    );
  }
}
