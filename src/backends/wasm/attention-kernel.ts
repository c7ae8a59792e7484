/** Emits attention as one kernel: scores of a block of queries, their softmax and the weighted values, never more than the block. */
import { sizeOf } from "../../base/shape.ts";
import type { CompositeKernel } from "../../ir/kernel.ts";
import { slotOfPart } from "../../ir/kernel.ts";
import { emitKeyChunks, emitSeenKeys, pushMaskRow } from "./attention-block.ts";
import type { MaskedAttention } from "./attention-call.ts";
import { attentionOf } from "./attention-call.ts";
import { emitFinish, finishType } from "./attention-rows.ts";
import { emitSoftmax, softmaxType, statisticsBytes } from "./attention-softmax.ts";
import { chunkWork, compositeModule } from "./composite-module.ts";
import { type GemmEmitter, type Push, roundUp } from "./gemm-emitter.ts";
import { gemmLibrary, thinLibrary } from "./gemm-library.ts";
import { advanceBy, countDown } from "./gemm-loops.ts";
import { packingBytes, packStrided } from "./gemm-panels.ts";
import { TAIL_ROWS, TILE_ROWS, type TileColumns } from "./gemm-tile.ts";
import { tileColumns } from "./gemm-width.ts";
import type { KernelCode, KernelTarget } from "./kernel-code.ts";

/** Queries of a block. */
const QUERY_BLOCK = 48;
/** Queries from which packing keys and values pays. */
const LEAST_PACKED = 8;
/** Keys that are packed at a time. */
const KEY_CHUNK = 256;

/**
 * Compiles an attention to a module on the library of matrix products.
 *
 *     for each head and block of queries                                  (threads take blocks)
 *       queries · scale ─► panels
 *       for each chunk of keys that the block sees:   keys ─► panels,  scores = panels · panels
 *       softmax of each row of scores, its sum kept apart;  its statistics ─► output, where they are wanted
 *       for each chunk:   scores, values ─► panels,  sums += panels · panels
 *       sums / sums of the softmax ─► output
 *
 * Fewer than LEAST_PACKED queries, such as the next token's, read keys and values where they lie.
 *
 * A row's bits depend on neither blocks nor threads.
 */
export function emitAttention(kernel: CompositeKernel, target: KernelTarget): KernelCode {
  const attention = attentionOf(kernel.call);
  if (!attention) throw new RangeError(`${kernel.call.name} on these tensors has no kernel`);
  const { leading, queries, keys, features, valueFeatures, isCausal } = attention;
  const { module, layout, addPhase } = compositeModule(kernel, target, leading);
  const plan = planAttention(attention, tileColumns(target));
  const outputs = { result: slotOfPart(kernel, 0), statistics: slotOfPart(kernel, 1) };
  const functions = {
    softmax: module.addFunction(null, softmaxType, (f) =>
      emitSoftmax(f, attention, plan.scoreStride, target, outputs.statistics === null ? "none" : "written"),
    ),
    finish: module.addFunction(null, finishType, (f) => emitFinish(f, valueFeatures, plan.sumStride)),
  };
  addPhase("attend", (e, item) => new AttentionEmitter(e, attention, plan, item).emit(functions, outputs));

  const itemCount = plan.heads * plan.blocks;
  const work =
    (plan.heads * queries * keys * (features + valueFeatures + 24) * (isCausal && queries > 1 ? 0.5 : 1)) / 3;
  const itemsPerChunk = Math.max(
    1,
    Math.floor(Math.min(chunkWork / (work / itemCount), itemCount / (4 * target.threadCount))),
  );
  return {
    bytes: module.build(),
    library: plan.isThin ? thinLibrary : gemmLibrary(plan.width),
    phases: [{ name: "attend", itemCount, itemsPerChunk, work }],
    scratchBytes: plan.bytesPerThread * target.threadCount,
    layout,
  };
}

/** The slots of the results that are wanted. */
interface Outputs {
  readonly result: number | null;
  readonly statistics: number | null;
}

/** Blocks and memory of an attention. */
interface AttentionPlan {
  readonly width: TileColumns;
  readonly heads: number;
  readonly blocks: number;
  /** Queries of a block, and keys of a chunk. */
  readonly block: number;
  readonly chunk: number;
  /** Whether keys and values are read where they lie. */
  readonly isThin: boolean;
  /** Features of values, whole panels. */
  readonly outputColumns: number;
  readonly scoreStride: number;
  readonly sumStride: number;
  /** Bytes of each piece of a thread's memory, in their order. */
  readonly bytes: Readonly<Record<"queries" | "keys" | "scores" | "weights" | "sums" | "totals" | "table", number>>;
  readonly bytesPerThread: number;
}

function planAttention(
  { leading, queries, keys, features, valueFeatures }: MaskedAttention,
  width: TileColumns,
): AttentionPlan {
  const block = Math.min(QUERY_BLOCK, roundUp(queries, TILE_ROWS));
  const chunk = Math.min(KEY_CHUNK, roundUp(keys, width));
  const outputColumns = roundUp(valueFeatures, width);
  // One more cache line to each row, so that the rows of a tile do not fall into one set of the cache.
  const scoreStride = roundUp(keys, width) * 4 + 64;
  const sumStride = outputColumns * 4 + 64;
  const bytes = {
    queries: roundUp(block * features * 4 + 64, 64),
    keys: roundUp(chunk * Math.max(features, outputColumns) * 4 + 64, 64),
    scores: roundUp(block * scoreStride + 64, 64),
    weights: roundUp(block * chunk * 4 + 64, 64),
    // Sums over one chunk of keys come after the sums that they are added to.
    sums: 2 * roundUp(block * sumStride + 64, 64),
    totals: roundUp(block * 4 + 64, 64),
    table: packingBytes([]),
  };
  return {
    width,
    heads: sizeOf(leading),
    blocks: Math.ceil(queries / block),
    block,
    chunk,
    isThin: queries < LEAST_PACKED,
    outputColumns,
    scoreStride,
    sumStride,
    bytes,
    bytesPerThread: Object.values(bytes).reduce((sum, length) => sum + length, 0),
  };
}

/** Writes the phase for one block of queries, an item. */
class AttentionEmitter {
  readonly #e: GemmEmitter;
  readonly #attention: MaskedAttention;
  readonly #plan: AttentionPlan;
  readonly #head: number;
  readonly #keyHead: number;
  readonly #row: number;
  readonly #rows: number;
  readonly #queryPanels: number;
  readonly #keyPanels: number;
  readonly #scores: number;
  readonly #weights: number;
  readonly #sums: number;
  readonly #totals: number;
  readonly #table: number;

  constructor(e: GemmEmitter, attention: MaskedAttention, plan: AttentionPlan, item: number) {
    const { group, queries } = attention;
    const { heads, blocks, block, bytes } = plan;
    this.#e = e;
    this.#attention = attention;
    this.#plan = plan;
    const [head = 0, blockIndex = 0] = e.split(item, [heads, blocks]);
    this.#head = head;
    this.#keyHead = e.let(() => e.f.get(head).i32(group).op("i32.div_u"));
    this.#row = e.let(e.sum([e.get(blockIndex), block]));
    this.#rows = e.let(e.least(e.constant(block), () => e.f.i32(queries).get(this.#row).op("i32.sub")));
    this.#queryPanels = e.let(e.threadScratch(0, plan.bytesPerThread));
    this.#keyPanels = e.let(e.sum([e.get(this.#queryPanels), 1], bytes.queries));
    this.#scores = e.let(e.sum([e.get(this.#keyPanels), 1], bytes.keys));
    this.#weights = e.let(e.sum([e.get(this.#scores), 1], bytes.scores));
    this.#sums = e.let(e.sum([e.get(this.#weights), 1], bytes.weights));
    this.#totals = e.let(e.sum([e.get(this.#sums), 1], bytes.sums));
    this.#table = e.let(e.sum([e.get(this.#totals), 1], bytes.totals));
  }

  emit(functions: Readonly<Record<"softmax" | "finish", number>>, { result, statistics }: Outputs): void {
    const { queries, keys, features, valueFeatures, mask } = this.#attention;
    const e = this.#e;
    const { f } = e;
    const place = { row: this.#row, rows: this.#rows };
    this.#takeQueries();
    const { bound, limit } = emitSeenKeys(e, this.#attention, place);
    this.#multiplyKeys(e.sum([e.slot(1), 1], [e.get(this.#keyHead), keys * features * 4]), limit);
    f.get(this.#scores, this.#rows, limit, bound);
    pushMaskRow(e, mask, e.slot(3), this.#head, this.#row);
    f.get(this.#totals);
    const inHead: readonly [Push, number] = [e.get(this.#head), queries * statisticsBytes];
    if (statistics === null) f.i32(0);
    else e.sum([e.slot(statistics), 1], inHead, [e.get(this.#row), statisticsBytes])();
    f.call(functions.softmax);
    if (result === null) return;
    this.#addValues(e.sum([e.slot(2), 1], [e.get(this.#keyHead), keys * valueFeatures * 4]), limit);
    f.get(this.#sums, this.#totals);
    const ofHead: readonly [Push, number] = [e.get(this.#head), queries * valueFeatures * 4];
    e.sum([e.slot(result), 1], ofHead, [e.get(this.#row), valueFeatures * 4])();
    f.get(this.#rows).call(functions.finish);
  }

  /** Queries times the scale, in panels unless keys are read where they lie. */
  #takeQueries(): void {
    const { queries, features, scale } = this.#attention;
    const { isThin, block } = this.#plan;
    const e = this.#e;
    const { f } = e;
    const rows = e.get(this.#rows);
    const panels = e.get(this.#queryPanels);
    const source = e.sum([e.slot(0), 1], [e.get(this.#head), queries * features * 4], [e.get(this.#row), features * 4]);
    if (!isThin) this.#pack("Left", source, [features * 4, 4], [rows, e.constant(features)], panels);
    if (!isThin && scale === 1) return;
    // Whole vectors, panels with their unused lanes; the memory behind has room for the last one.
    const lanes = isThin ? rows : e.least(e.sum([rows, 1], TAIL_ROWS - 1), e.constant(block));
    const from = e.let(isThin ? source : panels);
    const to = e.let(panels);
    const rest = e.let(() => {
      lanes();
      f.i32(features).op("i32.mul").i32(3).op("i32.add").i32(2).op("i32.shr_u");
    });
    countDown(f, rest, 1, () => {
      f.get(to, from).memory("v128.load").splatF32(scale).op("f32x4.mul").memory("v128.store");
      advanceBy(advanceBy(f, from, 16), to, 16);
    });
  }

  /** Scores: the products of queries and the keys before `limit`. */
  #multiplyKeys(keyRows: Push, limit: number): void {
    const { features } = this.#attention;
    const { isThin, chunk, width, scoreStride, bytes } = this.#plan;
    const e = this.#e;
    const [rows, queries] = [e.get(this.#rows), e.get(this.#queryPanels)];
    const [scores, stride] = [e.get(this.#scores), e.constant(scoreStride)];
    if (isThin) {
      e.f.get(this.#scores).i32(0).i32(bytes.scores).memoryFill();
      const [line, depth] = [e.constant(features * 4), e.constant(features)];
      e.call("addDots", queries, line, keyRows, line, scores, stride, e.constant(4), rows, e.get(limit), depth);
      return;
    }
    emitKeyChunks(e, limit, chunk, (key, count) => {
      const from = e.sum([keyRows, 1], [e.get(key), features * 4]);
      const panels = e.get(this.#keyPanels);
      this.#pack("Right", from, [features * 4, 4], [e.get(count), e.constant(features)], panels);
      const to = e.sum([scores, 1], [e.get(key), 4]);
      e.call("multiply", queries, panels, to, stride, e.constant(features), rows, e.panels(e.get(count), width));
    });
  }

  /** Sums of the values before `limit`, by what the softmax made of the scores. */
  #addValues(valueRows: Push, limit: number): void {
    const { valueFeatures } = this.#attention;
    const { isThin, chunk, width, outputColumns, scoreStride, sumStride, bytes } = this.#plan;
    const e = this.#e;
    const { f } = e;
    const rows = e.get(this.#rows);
    const [scores, sums, stride] = [e.get(this.#scores), e.get(this.#sums), e.constant(sumStride)];
    if (isThin) {
      f.get(this.#sums).i32(0).i32(bytes.sums).memoryFill();
      const [line, columns] = [e.constant(valueFeatures * 4), e.constant(valueFeatures)];
      const strides = e.constant(scoreStride);
      e.call("addScaledRows", scores, strides, valueRows, line, sums, stride, rows, columns, e.get(limit));
      return;
    }
    emitKeyChunks(e, limit, chunk, (key, count) => {
      const [weights, panels, depth] = [e.get(this.#weights), e.get(this.#keyPanels), e.get(count)];
      this.#pack("Left", e.sum([scores, 1], [e.get(key), 4]), [scoreStride, 4], [rows, depth], weights);
      const from = e.sum([valueRows, 1], [e.get(key), valueFeatures * 4]);
      this.#pack("Right", from, [4, valueFeatures * 4], [e.constant(valueFeatures), depth], panels);
      const multiplyTo = (to: Push): void =>
        e.call("multiply", weights, panels, to, stride, depth, rows, e.constant(outputColumns / width));
      f.get(key).if(
        () => {
          const part = e.sum([sums, 1], bytes.sums / 2);
          multiplyTo(part);
          e.call("addVectors", part, sums, e.sum([rows, sumStride]));
        },
        () => multiplyTo(sums),
      );
    });
  }

  #pack(
    side: "Left" | "Right",
    source: Push,
    strides: readonly [number, number],
    [lanes, depth]: readonly [Push, Push],
    to: Push,
  ): void {
    const place = { destination: to, work: this.#e.get(this.#table) };
    packStrided(this.#e, side, source, strides, { lanes, depth, panelDepth: depth }, place);
  }
}
