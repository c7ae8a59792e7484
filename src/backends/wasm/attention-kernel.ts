/** Emits attention as one kernel: scores of a block of queries, their softmax and the weighted values, never more than the block. */
import { sizeOf } from "../../base/shape.ts";
import type { CompositeKernel } from "../../ir/kernel.ts";
import { emitKeyChunks, emitSeenKeys, pushMaskRow } from "./attention-block.ts";
import { attentionOf } from "./attention-call.ts";
import { emitFinish, emitSoftmax, finishType, softmaxType } from "./attention-rows.ts";
import { compositeModule } from "./composite-module.ts";
import { packingBytes, roundUp } from "./gemm-emitter.ts";
import { gemmLibrary, thinLibrary } from "./gemm-library.ts";
import { advanceBy, countDown } from "./gemm-loops.ts";
import { TAIL_ROWS, TILE_ROWS } from "./gemm-tile.ts";
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
 *       softmax of each row of scores, its sum kept apart
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
  const { leading, group, queries, keys, features, valueFeatures, isCausal, scale, mask } = attention;
  const { module, layout, addPhase } = compositeModule(kernel, target, leading);
  const block = Math.min(QUERY_BLOCK, roundUp(queries, TILE_ROWS));
  const isThin = queries < LEAST_PACKED;
  const width = tileColumns(target);
  const chunk = Math.min(KEY_CHUNK, roundUp(keys, width));
  const outputColumns = roundUp(valueFeatures, width);
  // One more cache line to each row, so that the rows of a tile do not fall into one set of the cache.
  const scoreStride = roundUp(keys, width) * 4 + 64;
  const sumStride = outputColumns * 4 + 64;
  const softmax = module.addFunction(null, softmaxType, (f) => emitSoftmax(f, attention, scoreStride, target));
  const finish = module.addFunction(null, finishType, (f) => emitFinish(f, valueFeatures, sumStride));
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
  const bytesPerThread = Object.values(bytes).reduce((sum, length) => sum + length, 0);
  const heads = sizeOf(leading);
  const blocks = Math.ceil(queries / block);

  addPhase("attend", (e, item) => {
    const { f } = e;
    const [head = 0, blockIndex = 0] = e.split(item, [heads, blocks]);
    const keyHead = e.let(() => f.get(head).i32(group).op("i32.div_u"));
    const row = e.let(e.sum([e.get(blockIndex), block]));
    const rows = e.let(e.least(e.constant(block), () => f.i32(queries).get(row).op("i32.sub")));
    const queryPanels = e.let(e.threadScratch(0, bytesPerThread));
    const keyPanels = e.let(e.sum([e.get(queryPanels), 1], bytes.queries));
    const scores = e.let(e.sum([e.get(keyPanels), 1], bytes.keys));
    const weights = e.let(e.sum([e.get(scores), 1], bytes.scores));
    const sums = e.let(e.sum([e.get(weights), 1], bytes.weights));
    const totals = e.let(e.sum([e.get(sums), 1], bytes.sums));
    const table = e.let(e.sum([e.get(totals), 1], bytes.totals));
    const queryRows = e.sum([e.slot(0), 1], [e.get(head), queries * features * 4], [e.get(row), features * 4]);
    const pack = (
      side: "Left" | "Right",
      source: () => void,
      strides: readonly [number, number],
      lanes: () => void,
      depth: () => void,
      to: () => void,
    ): void => e.packStrided(side, source, strides, { lanes, depth, panelDepth: depth }, to, e.get(table));

    // Whole vectors, panels with their unused lanes; the memory behind has room for the last one.
    const lanes = isThin ? e.get(rows) : e.least(e.sum([e.get(rows), 1], TAIL_ROWS - 1), e.constant(block));
    const vectors = (): void => {
      lanes();
      f.i32(features).op("i32.mul").i32(3).op("i32.add").i32(2).op("i32.shr_u");
    };
    if (!isThin) pack("Left", queryRows, [features * 4, 4], e.get(rows), e.constant(features), e.get(queryPanels));
    if (isThin || scale !== 1) {
      const from = e.let(isThin ? queryRows : e.get(queryPanels));
      const to = e.let(e.get(queryPanels));
      const rest = e.let(vectors);
      countDown(f, rest, 1, () => {
        f.get(to, from).memory("v128.load").splatF32(scale).op("f32x4.mul").memory("v128.store");
        advanceBy(advanceBy(f, from, 16), to, 16);
      });
    }

    const { bound, limit } = emitSeenKeys(e, attention, { row, rows });

    const keyRows = e.sum([e.slot(1), 1], [e.get(keyHead), keys * features * 4]);
    if (isThin) {
      f.get(scores).i32(0).i32(bytes.scores).memoryFill();
      e.call(
        "addDots",
        e.get(queryPanels),
        e.constant(features * 4),
        keyRows,
        e.constant(features * 4),
        e.get(scores),
        e.constant(scoreStride),
        e.constant(4),
        e.get(rows),
        e.get(limit),
        e.constant(features),
      );
    } else
      emitKeyChunks(e, limit, chunk, (key, count) => {
        const from = e.sum([keyRows, 1], [e.get(key), features * 4]);
        pack("Right", from, [features * 4, 4], e.get(count), e.constant(features), e.get(keyPanels));
        const columnPanels = e.panels(e.get(count), width);
        e.call(
          "multiply",
          e.get(queryPanels),
          e.get(keyPanels),
          e.sum([e.get(scores), 1], [e.get(key), 4]),
          e.constant(scoreStride),
          e.constant(features),
          e.get(rows),
          columnPanels,
        );
      });

    f.get(scores, rows, limit, bound);
    pushMaskRow(e, mask, e.slot(3), head, row);
    f.get(totals).call(softmax);

    const valueRows = e.sum([e.slot(2), 1], [e.get(keyHead), keys * valueFeatures * 4]);
    if (isThin) {
      f.get(sums).i32(0).i32(bytes.sums).memoryFill();
      e.call(
        "addScaledRows",
        e.get(scores),
        e.constant(scoreStride),
        valueRows,
        e.constant(valueFeatures * 4),
        e.get(sums),
        e.constant(sumStride),
        e.get(rows),
        e.constant(valueFeatures),
        e.get(limit),
      );
    } else
      emitKeyChunks(e, limit, chunk, (key, count) => {
        pack(
          "Left",
          e.sum([e.get(scores), 1], [e.get(key), 4]),
          [scoreStride, 4],
          e.get(rows),
          e.get(count),
          e.get(weights),
        );
        const from = e.sum([valueRows, 1], [e.get(key), valueFeatures * 4]);
        pack("Right", from, [4, valueFeatures * 4], e.constant(valueFeatures), e.get(count), e.get(keyPanels));
        const multiplyTo = (target: () => void): void =>
          e.call(
            "multiply",
            e.get(weights),
            e.get(keyPanels),
            target,
            e.constant(sumStride),
            e.get(count),
            e.get(rows),
            e.constant(outputColumns / width),
          );
        f.get(key).if(
          () => {
            const part = e.sum([e.get(sums), 1], bytes.sums / 2);
            multiplyTo(part);
            e.call("addVectors", part, e.get(sums), e.sum([e.get(rows), sumStride]));
          },
          () => multiplyTo(e.get(sums)),
        );
      });

    f.get(sums, totals);
    const output = kernel.slots.length - 1;
    e.sum([e.slot(output), 1], [e.get(head), queries * valueFeatures * 4], [e.get(row), valueFeatures * 4])();
    f.get(rows).call(finish);
  });

  const itemCount = heads * blocks;
  const work = (heads * queries * keys * (features + valueFeatures + 24) * (isCausal && queries > 1 ? 0.5 : 1)) / 3;
  const itemsPerChunk = Math.max(
    1,
    Math.floor(Math.min((1 << 17) / (work / itemCount), itemCount / (4 * target.threadCount))),
  );
  return {
    bytes: module.build(),
    library: isThin ? thinLibrary : gemmLibrary(width),
    phases: [{ name: "attend", itemCount, itemsPerChunk, work }],
    scratchBytes: bytesPerThread * target.threadCount,
    layout,
  };
}
