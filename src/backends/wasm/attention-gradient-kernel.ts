/**
 * Emits the gradient of attention as one kernel: for a block of queries the scores and how the result changes with them, and
 * what that makes of queries, keys and values. Never more than a block of the scores is in memory.
 */
import { sizeOf } from "../../base/shape.ts";
import type { CompositeKernel } from "../../ir/kernel.ts";
import { slotOfPart } from "../../ir/kernel.ts";
import { emitKeyChunks, emitSeenKeys, pushMaskRow } from "./attention-block.ts";
import type { MaskedAttention } from "./attention-call.ts";
import { attentionOf } from "./attention-call.ts";
import { changesType, emitChanges, emitScaled, scaledType } from "./attention-changes.ts";
import { type GradientArea, type GradientPlan, planGradient } from "./attention-gradient-plan.ts";
import { emitSoftmax, softmaxType, statisticsBytes } from "./attention-softmax.ts";
import { chunkWork, compositeModule } from "./composite-module.ts";
import type { GemmEmitter, Push } from "./gemm-emitter.ts";
import { gemmLibrary } from "./gemm-library.ts";
import { packStrided } from "./gemm-panels.ts";
import { tileColumns } from "./gemm-width.ts";
import type { KernelCode, KernelTarget } from "./kernel-code.ts";

/**
 * Compiles the gradient of an attention to a module on the library of matrix products.
 *
 *     for each head of keys and values                                    (threads take heads)
 *       keys, values ─► panels;  sums of keys and of values = 0
 *       for each head of queries that shares them, and each block of its queries:
 *         queries · scale, cotangents ─► panels
 *         scores = queries · keys,  slopes = cotangents · values         of the keys that the block sees
 *         softmax of each row of scores, by its statistics
 *         changes = weights · (slopes − cotangent · result)              over the slopes
 *         for each chunk of keys:
 *           sums of queries += changes · keys,  those of keys += changesᵀ · queries,  of values += weightsᵀ · cotangents
 *         sums of queries · scale ─► output
 *       sums of keys · scale, sums of values ─► output
 *
 * Source: Dao et al. 2022, algorithm 4.
 */
export function emitAttentionGradient(kernel: CompositeKernel, target: KernelTarget): KernelCode {
  const attention = attentionOf(kernel.call);
  if (!attention) throw new RangeError(`${kernel.call.name} on these tensors has no kernel`);
  const { leading, group, queries, keys, features, valueFeatures, isCausal } = attention;
  const { module, layout, addPhase } = compositeModule(kernel, target, leading);
  const plan = planGradient(attention, tileColumns(target));
  const functions = {
    softmax: module.addFunction(null, softmaxType, (f) => emitSoftmax(f, attention, plan.scoreStride, target, "known")),
    change: module.addFunction(null, changesType, (f) => emitChanges(f, attention, plan.scoreStride)),
    scaled: module.addFunction(null, scaledType, emitScaled),
  };
  const heads = sizeOf(leading);
  const outputs = [0, 1, 2].map((part) => slotOfPart(kernel, part));
  addPhase("pull", (e, keyHead) => new GradientEmitter(e, attention, plan, functions, keyHead, outputs).emit());

  const itemCount = heads / group;
  const work = (heads * queries * keys * (3 * features + 2 * valueFeatures + 40) * (isCausal ? 0.5 : 1)) / 3;
  return {
    bytes: module.build(),
    library: gemmLibrary(plan.width),
    phases: [{ name: "pull", itemCount, itemsPerChunk: Math.max(1, Math.floor(chunkWork / (work / itemCount))), work }],
    scratchBytes: plan.bytesPerThread * target.threadCount,
    layout,
  };
}

/** Rows that follow each other at a stride in bytes. */
interface Rows {
  readonly at: Push;
  readonly stride: number;
}

/** Writes the phase for one head of keys and values. */
class GradientEmitter {
  readonly #e: GemmEmitter;
  readonly #attention: MaskedAttention;
  readonly #plan: GradientPlan;
  readonly #functions: Readonly<Record<"softmax" | "change" | "scaled", number>>;
  readonly #keyHead: number;
  /** The slots of the gradients of queries, keys and values, as far as they are wanted. */
  readonly #outputs: readonly (number | null)[];
  readonly #scratch: number;

  constructor(
    e: GemmEmitter,
    attention: MaskedAttention,
    plan: GradientPlan,
    functions: Readonly<Record<"softmax" | "change" | "scaled", number>>,
    keyHead: number,
    outputs: readonly (number | null)[],
  ) {
    this.#e = e;
    this.#attention = attention;
    this.#plan = plan;
    this.#functions = functions;
    this.#keyHead = keyHead;
    this.#outputs = outputs;
    this.#scratch = e.let(e.threadScratch(0, plan.bytesPerThread));
  }

  emit(): void {
    const { queries, keys, features, valueFeatures, group } = this.#attention;
    const { block, sumStride, valueStride } = this.#plan;
    const e = this.#e;
    this.#writeFactors();
    const keyRows = e.let(e.sum([e.slot(1), 1], [e.get(this.#keyHead), keys * features * 4]));
    const valueRows = e.let(e.sum([e.slot(2), 1], [e.get(this.#keyHead), keys * valueFeatures * 4]));
    this.#packKeys(keyRows, valueRows);
    this.#clear("keySums");
    this.#clear("valueSums");
    e.loop(group, 1, (member) => {
      const head = e.let(e.sum([e.get(this.#keyHead), group], [e.get(member), 1]));
      e.loop(queries, block, (row) => this.#queryBlock(head, row, keyRows));
    });
    const all = e.constant(keys);
    const keyOutput = this.#gradients(1, this.#keyHead, keys, features * 4);
    if (keyOutput) this.#scale(this.#rows("keySums", sumStride), keyOutput, all, features, this.#scaleFactor);
    const valueOutput = this.#gradients(2, this.#keyHead, keys, valueFeatures * 4);
    if (valueOutput) this.#scale(this.#rows("valueSums", valueStride), valueOutput, all, valueFeatures, this.#one);
  }

  /** All that a block of queries gives: their gradients, and what they add to the sums of keys and values. */
  #queryBlock(head: number, row: number, keyRows: number): void {
    const { queries, features, valueFeatures, scale } = this.#attention;
    const { block, areas, sumStride } = this.#plan;
    const e = this.#e;
    const rows = e.let(e.least(e.constant(block), () => e.f.i32(queries).get(row).op("i32.sub")));
    const rowsOf = (index: number, length: number): Rows => ({
      at: e.sum([e.slot(index), 1], [e.get(head), queries * length * 4], [e.get(row), length * 4]),
      stride: length * 4,
    });
    const [own, cotangents, results] = [rowsOf(0, features), rowsOf(3, valueFeatures), rowsOf(4, valueFeatures)];
    const statistics = rowsOf(5, statisticsBytes / 4);
    this.#packLines("Left", own, [e.get(rows), e.constant(features)], this.#at("queryPanels"));
    this.#packLines("Left", cotangents, [e.get(rows), e.constant(valueFeatures)], this.#at("cotangentPanels"));
    if (scale !== 1) {
      const panels = this.#rows("queryPanels", 0);
      this.#scale(panels, panels, e.constant(1), areas.queryPanels / 4, this.#scaleFactor);
    }
    const limit = this.#weigh(head, row, rows, { statistics, cotangents, results });

    // Exponentials meet cotangents that are divided by the sum instead.
    const divided = this.#rows("cotangents", valueFeatures * 4);
    this.#scale(cotangents, divided, e.get(rows), valueFeatures, this.#rows("totals", 4));
    this.#packColumns("Right", own, [e.constant(features), e.get(rows)], this.#at("ownQueries"));
    this.#packColumns("Right", divided, [e.constant(valueFeatures), e.get(rows)], this.#at("ownCotangents"));
    this.#clear("querySums");
    this.#addProducts(keyRows, rows, limit);
    const output = this.#gradients(0, head, queries, features * 4);
    if (!output) return;
    const target = { at: e.sum([output.at, 1], [e.get(row), features * 4]), stride: features * 4 };
    this.#scale(this.#rows("querySums", sumStride), target, e.get(rows), features, this.#scaleFactor);
  }

  /** Exponentials of the scores, and how the result changes with the scores; gives a local with the number of keys seen. */
  #weigh(
    head: number,
    row: number,
    rows: number,
    given: Readonly<Record<"statistics" | "cotangents" | "results", Rows>>,
  ): number {
    const { features, valueFeatures, mask } = this.#attention;
    const { width, scoreStride } = this.#plan;
    const e = this.#e;
    const { bound, limit } = emitSeenKeys(e, this.#attention, { row, rows });
    const panels = e.panels(e.get(limit), width);
    const scores = { to: this.#rows("scores", scoreStride), depth: e.constant(features), lanes: e.get(rows), panels };
    this.#multiply("queryPanels", "keyPanels", scores);
    const slopes = {
      to: this.#rows("slopes", scoreStride),
      depth: e.constant(valueFeatures),
      lanes: e.get(rows),
      panels,
    };
    this.#multiply("cotangentPanels", "valuePanels", slopes);
    for (const [areas, called, more] of [
      [["scores"], this.#functions.softmax, [given.statistics]],
      [["scores", "slopes"], this.#functions.change, [given.cotangents, given.results]],
    ] as const) {
      for (const area of areas) this.#at(area)();
      e.f.get(rows, limit, bound);
      pushMaskRow(e, mask, e.slot(6), head, row);
      this.#at("totals")();
      for (const { at } of more) at();
      e.f.call(called);
    }
    return limit;
  }

  /** Adds to the sums of queries, keys and values, a chunk of keys at a time. */
  #addProducts(keyRows: number, rows: number, limit: number): void {
    const { features } = this.#attention;
    const { width, chunk, columns, valueColumns, scoreStride, sumStride, valueStride } = this.#plan;
    const e = this.#e;
    const add = (right: GradientArea, sums: Push, stride: number, depth: Push, lanes: Push, panels: Push): void => {
      this.#multiply("left", right, { to: this.#rows("part", stride), depth, lanes, panels });
      e.call("addVectors", this.#at("part"), sums, e.sum([lanes, stride]));
    };
    emitKeyChunks(e, limit, chunk, (key, keyCount) => {
      const [some, count] = [e.get(rows), e.get(keyCount)];
      const from = (area: GradientArea, stride: number): Rows => ({
        at: e.sum([this.#at(area), 1], [e.get(key), 4]),
        stride,
      });
      const sumsOf = (area: GradientArea, stride: number): Push => e.sum([this.#at(area), 1], [e.get(key), stride]);
      const [changes, weights] = [from("slopes", scoreStride), from("scores", scoreStride)];
      this.#packLines("Left", changes, [some, count], this.#at("left"));
      const chunkRows = { at: e.sum([e.get(keyRows), 1], [e.get(key), features * 4]), stride: features * 4 };
      this.#packColumns("Right", chunkRows, [e.constant(features), count], this.#at("chunkKeys"));
      const panels = e.constant(columns / width);
      add("chunkKeys", this.#at("querySums"), sumStride, count, some, panels);
      this.#packColumns("Left", changes, [count, some], this.#at("left"));
      add("ownQueries", sumsOf("keySums", sumStride), sumStride, some, count, panels);
      this.#packColumns("Left", weights, [count, some], this.#at("left"));
      add(
        "ownCotangents",
        sumsOf("valueSums", valueStride),
        valueStride,
        some,
        count,
        e.constant(valueColumns / width),
      );
    });
  }

  #writeFactors(): void {
    this.#at("factors")();
    this.#e.f.f32(this.#attention.scale).memory("f32.store");
    this.#at("factors")();
    this.#e.f.f32(1).memory("f32.store", 4);
  }

  #packKeys(keyRows: number, valueRows: number): void {
    const { keys, features, valueFeatures } = this.#attention;
    const { chunk } = this.#plan;
    const e = this.#e;
    e.loop(keys, chunk, (key) => {
      const count = e.let(e.least(e.constant(chunk), () => e.f.i32(keys).get(key).op("i32.sub")));
      for (const [rows, length, panels] of [
        [keyRows, features, "keyPanels"],
        [valueRows, valueFeatures, "valuePanels"],
      ] as const) {
        const from = { at: e.sum([e.get(rows), 1], [e.get(key), length * 4]), stride: length * 4 };
        const to = e.sum([this.#at(panels), 1], [e.get(key), length * 4]);
        this.#packLines("Right", from, [e.get(count), e.constant(length)], to);
      }
      e.f.release(count);
    });
  }

  /** Pushes the address of an area. */
  #at(area: GradientArea): Push {
    return this.#e.sum([this.#e.get(this.#scratch), 1], this.#plan.offsets[area]);
  }

  #rows(area: GradientArea, stride: number): Rows {
    return { at: this.#at(area), stride };
  }

  /** One factor for all rows: the scale. */
  get #scaleFactor(): Rows {
    return this.#rows("factors", 0);
  }

  get #one(): Rows {
    return { at: this.#e.sum([this.#at("factors"), 1], 4), stride: 0 };
  }

  #clear(area: GradientArea): void {
    this.#at(area)();
    this.#e.f.i32(0).i32(this.#plan.areas[area]).memoryFill();
  }

  /** The rows of a head in one of the gradients, if it is wanted. */
  #gradients(part: number, head: number, rows: number, stride: number): Rows | null {
    const e = this.#e;
    const output = this.#outputs[part] ?? null;
    return output === null ? null : { at: e.sum([e.slot(output), 1], [e.get(head), rows * stride]), stride };
  }

  /** Packs rows as lanes. */
  #packLines(side: "Left" | "Right", { at, stride }: Rows, [lanes, depth]: readonly [Push, Push], to: Push): void {
    const place = { destination: to, work: this.#at("table") };
    packStrided(this.#e, side, at, [stride, 4], { lanes, depth, panelDepth: depth }, place);
  }

  /** Packs columns as lanes. */
  #packColumns(side: "Left" | "Right", { at, stride }: Rows, [lanes, depth]: readonly [Push, Push], to: Push): void {
    const place = { destination: to, work: this.#at("table") };
    packStrided(this.#e, side, at, [4, stride], { lanes, depth, panelDepth: depth }, place);
  }

  #multiply(
    left: GradientArea,
    right: GradientArea,
    {
      to,
      depth,
      lanes,
      panels,
    }: { readonly to: Rows; readonly depth: Push; readonly lanes: Push; readonly panels: Push },
  ): void {
    const e = this.#e;
    e.call("multiply", this.#at(left), this.#at(right), to.at, e.constant(to.stride), depth, lanes, panels);
  }

  /** Multiplies rows by a factor each. */
  #scale(from: Rows, to: Rows, count: Push, length: number, factors: Rows): void {
    const { f } = this.#e;
    for (const { at, stride } of [from, to]) {
      at();
      f.i32(stride);
    }
    count();
    f.i32(length);
    factors.at();
    f.i32(factors.stride).call(this.#functions.scaled);
  }
}
