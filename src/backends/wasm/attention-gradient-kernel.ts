/**
 * Emits the gradient of attention as one kernel: for a block of queries the scores and how the result changes with them, and
 * what that makes of queries, keys and values. Never more than a block of the scores is in memory.
 */
import { sizeOf } from "../../base/shape.ts";
import type { CompositeKernel } from "../../ir/kernel.ts";
import { emitKeyChunks, emitSeenKeys, pushMaskRow } from "./attention-block.ts";
import { attentionOf } from "./attention-call.ts";
import { changesType, emitChanges, emitScaled, scaledType } from "./attention-changes.ts";
import { emitSoftmax, softmaxType } from "./attention-rows.ts";
import { compositeModule } from "./composite-module.ts";
import type { Push } from "./gemm-emitter.ts";
import { packingBytes, roundUp } from "./gemm-emitter.ts";
import { gemmLibrary } from "./gemm-library.ts";
import { TILE_ROWS } from "./gemm-tile.ts";
import { tileColumns } from "./gemm-width.ts";
import type { KernelCode, KernelTarget } from "./kernel-code.ts";

/** Queries of a block. */
const QUERY_BLOCK = 48;
/** Keys that are packed, and whose sums are added up, at a time. */
const KEY_CHUNK = 384;

/**
 * Compiles the gradient of an attention to a module on the library of matrix products.
 *
 *     for each head of keys and values                                    (threads take heads)
 *       keys, values ─► panels;  sums of keys and of values = 0
 *       for each head of queries that shares them, and each block of its queries:
 *         queries · scale, cotangents ─► panels
 *         scores = queries · keys,  slopes = cotangents · values         of the keys that the block sees
 *         softmax of each row of scores, its sum kept apart
 *         changes = weights · (slopes − mean slope)                      over the slopes
 *         for each chunk of keys:
 *           sums of queries += changes · keys,  those of keys += changesᵀ · queries,  of values += weightsᵀ · cotangents
 *         sums of queries · scale ─► output
 *       sums of keys · scale, sums of values ─► output
 *
 * Source: Dao et al. 2022, algorithm 4, without its statistics: a block holds all scores of its queries, so one pass is enough.
 */
export function emitAttentionGradient(kernel: CompositeKernel, target: KernelTarget): KernelCode {
  const attention = attentionOf(kernel.call);
  if (!attention) throw new RangeError(`${kernel.call.name} on these tensors has no kernel`);
  const { leading, group, queries, keys, features, valueFeatures, isCausal, scale, mask } = attention;
  const { module, layout, addPhase } = compositeModule(kernel, target, leading);
  const width = tileColumns(target);
  const block = Math.min(QUERY_BLOCK, roundUp(queries, TILE_ROWS));
  const chunk = Math.min(KEY_CHUNK, roundUp(keys, width));
  const [columns, valueColumns] = [roundUp(features, width), roundUp(valueFeatures, width)];
  // One more cache line to each row, so that the rows of a tile do not fall into one set of the cache.
  const scoreStride = roundUp(keys, width) * 4 + 64;
  const [sumStride, valueStride] = [columns * 4, valueColumns * 4];
  const softmax = module.addFunction(null, softmaxType, (f) => emitSoftmax(f, attention, scoreStride, target));
  const change = module.addFunction(null, changesType, (f) => emitChanges(f, attention, scoreStride));
  const scaled = module.addFunction(null, scaledType, emitScaled);

  const sizes = {
    queryPanels: block * features * 4,
    cotangentPanels: block * valueFeatures * 4,
    keyPanels: roundUp(keys, width) * features * 4,
    valuePanels: roundUp(keys, width) * valueFeatures * 4,
    scores: block * scoreStride,
    slopes: block * scoreStride,
    totals: block * 4,
    /** The scale, and one. */
    factors: 8,
    /** Cotangents divided by the sums of their queries' softmax, before they are packed. */
    cotangents: block * valueFeatures * 4,
    ownQueries: block * columns * 4,
    ownCotangents: block * valueColumns * 4,
    /** The left operand of the products that give sums, and the right one of those of queries. */
    left: roundUp(block, TILE_ROWS) * roundUp(chunk, TILE_ROWS) * 4,
    chunkKeys: chunk * columns * 4,
    /** Sums over a chunk of keys, or a block of queries, before they are added. */
    part: Math.max(block, roundUp(chunk, TILE_ROWS)) * Math.max(sumStride, valueStride),
    querySums: block * sumStride,
    keySums: roundUp(keys, TILE_ROWS) * sumStride,
    valueSums: roundUp(keys, TILE_ROWS) * valueStride,
    table: packingBytes([]),
  };
  let bytesPerThread = 0;
  const offsets = Object.entries(sizes).map(([name, length]): [string, number] => {
    const offset = bytesPerThread;
    // Vectors may reach past the end of what they read and write.
    bytesPerThread += roundUp(length + 64, 64);
    return [name, offset];
  });
  const offsetOf = new Map(offsets);

  const heads = sizeOf(leading);
  const [queryHeads, keyHeads] = [leading.at(-1) ?? 1, (leading.at(-1) ?? 1) / group];
  const batchBytes = (queryHeads * queries * features + keyHeads * keys * (features + valueFeatures)) * 4;

  addPhase("pull", (e, keyHead) => {
    const { f } = e;
    const scratch = e.let(e.threadScratch(0, bytesPerThread));
    const at = (name: keyof typeof sizes): Push => e.sum([e.get(scratch), 1], offsetOf.get(name) ?? 0);
    const [batch = 0, headOfBatch = 0] = e.split(keyHead, [heads / queryHeads, keyHeads]);
    const output = (before: number, head: Push, rows: number, rowBytes: number): Push =>
      e.sum([e.slot(kernel.slots.length - 1), 1], [e.get(batch), batchBytes], before * 4, [head, rows * rowBytes]);
    const pack = (
      side: "Left" | "Right",
      source: Push,
      strides: readonly [number, number],
      [lanes, depth]: readonly [Push, Push],
      to: Push,
    ): void => e.packStrided(side, source, strides, { lanes, depth, panelDepth: depth }, to, at("table"));
    const scaleRows = (
      from: readonly [Push, number],
      to: readonly [Push, number],
      rows: Push,
      length: number,
      factors: readonly [Push, number],
    ): void => {
      for (const [push, stride] of [from, to]) {
        push();
        f.i32(stride);
      }
      rows();
      f.i32(length);
      factors[0]();
      f.i32(factors[1]).call(scaled);
    };

    at("factors")();
    f.f32(scale).memory("f32.store");
    at("factors")();
    f.f32(1).memory("f32.store", 4);
    const one = e.sum([at("factors"), 1], 4);

    const keyRows = e.let(e.sum([e.slot(1), 1], [e.get(keyHead), keys * features * 4]));
    const valueRows = e.let(e.sum([e.slot(2), 1], [e.get(keyHead), keys * valueFeatures * 4]));
    e.loop(keys, chunk, (key) => {
      const count = e.let(e.least(e.constant(chunk), () => f.i32(keys).get(key).op("i32.sub")));
      for (const [rows, length, panels] of [
        [keyRows, features, "keyPanels"],
        [valueRows, valueFeatures, "valuePanels"],
      ] as const) {
        const from = e.sum([e.get(rows), 1], [e.get(key), length * 4]);
        const to = e.sum([at(panels), 1], [e.get(key), length * 4]);
        pack("Right", from, [length * 4, 4], [e.get(count), e.constant(length)], to);
      }
      f.release(count);
    });
    for (const name of ["keySums", "valueSums"] as const) {
      at(name)();
      f.i32(0).i32(sizes[name]).memoryFill();
    }

    e.loop(group, 1, (member) => {
      const head = e.let(e.sum([e.get(keyHead), group], [e.get(member), 1]));
      e.loop(queries, block, (row) => {
        const rows = e.let(e.least(e.constant(block), () => f.i32(queries).get(row).op("i32.sub")));
        const rowsOf = (index: number, length: number): Push =>
          e.sum([e.slot(index), 1], [e.get(head), queries * length * 4], [e.get(row), length * 4]);
        const [queryRows, cotangentRows] = [rowsOf(0, features), rowsOf(3, valueFeatures)];
        pack("Left", queryRows, [features * 4, 4], [e.get(rows), e.constant(features)], at("queryPanels"));
        pack(
          "Left",
          cotangentRows,
          [valueFeatures * 4, 4],
          [e.get(rows), e.constant(valueFeatures)],
          at("cotangentPanels"),
        );
        if (scale !== 1) {
          const panels = [at("queryPanels"), 0] as const;
          scaleRows(panels, panels, e.constant(1), sizes.queryPanels / 4, [at("factors"), 0]);
        }
        const { bound, limit } = emitSeenKeys(e, attention, { row, rows });
        const seen = e.panels(e.get(limit), width);
        const product = (
          left: Push,
          right: Push,
          to: Push,
          stride: number,
          depth: Push,
          lanes: Push,
          panels: Push,
        ): void => e.call("multiply", left, right, to, e.constant(stride), depth, lanes, panels);
        product(at("queryPanels"), at("keyPanels"), at("scores"), scoreStride, e.constant(features), e.get(rows), seen);
        product(
          at("cotangentPanels"),
          at("valuePanels"),
          at("slopes"),
          scoreStride,
          e.constant(valueFeatures),
          e.get(rows),
          seen,
        );
        at("scores")();
        f.get(rows, limit, bound);
        pushMaskRow(e, mask, e.slot(4), head, row);
        at("totals")();
        f.call(softmax);
        at("scores")();
        at("slopes")();
        f.get(rows, limit, bound);
        pushMaskRow(e, mask, e.slot(4), head, row);
        at("totals")();
        f.call(change);

        // Exponentials meet cotangents that are divided by the sum instead.
        const valueRowBytes = valueFeatures * 4;
        scaleRows([cotangentRows, valueRowBytes], [at("cotangents"), valueRowBytes], e.get(rows), valueFeatures, [
          at("totals"),
          4,
        ]);
        pack("Right", queryRows, [4, features * 4], [e.constant(features), e.get(rows)], at("ownQueries"));
        pack(
          "Right",
          at("cotangents"),
          [4, valueRowBytes],
          [e.constant(valueFeatures), e.get(rows)],
          at("ownCotangents"),
        );
        at("querySums")();
        f.i32(0).i32(sizes.querySums).memoryFill();

        const addTo = (sums: Push, stride: number, lanes: Push): void => {
          e.call("addVectors", at("part"), sums, e.sum([lanes, stride]));
        };
        emitKeyChunks(e, limit, chunk, (key, count) => {
          const [changes, weights] = [
            e.sum([at("slopes"), 1], [e.get(key), 4]),
            e.sum([at("scores"), 1], [e.get(key), 4]),
          ];
          pack("Left", changes, [scoreStride, 4], [e.get(rows), e.get(count)], at("left"));
          const chunkRows = e.sum([e.get(keyRows), 1], [e.get(key), features * 4]);
          pack("Right", chunkRows, [4, features * 4], [e.constant(features), e.get(count)], at("chunkKeys"));
          const panels = e.constant(columns / width);
          product(at("left"), at("chunkKeys"), at("part"), sumStride, e.get(count), e.get(rows), panels);
          addTo(at("querySums"), sumStride, e.get(rows));
          pack("Left", changes, [4, scoreStride], [e.get(count), e.get(rows)], at("left"));
          product(at("left"), at("ownQueries"), at("part"), sumStride, e.get(rows), e.get(count), panels);
          addTo(e.sum([at("keySums"), 1], [e.get(key), sumStride]), sumStride, e.get(count));
          pack("Left", weights, [4, scoreStride], [e.get(count), e.get(rows)], at("left"));
          const valuePanels = e.constant(valueColumns / width);
          product(at("left"), at("ownCotangents"), at("part"), valueStride, e.get(rows), e.get(count), valuePanels);
          addTo(e.sum([at("valueSums"), 1], [e.get(key), valueStride]), valueStride, e.get(count));
        });
        const headInBatch = e.sum([e.get(headOfBatch), group], [e.get(member), 1]);
        const queryOutput = output(0, headInBatch, queries, features * 4);
        scaleRows(
          [at("querySums"), sumStride],
          [e.sum([queryOutput, 1], [e.get(row), features * 4]), features * 4],
          e.get(rows),
          features,
          [at("factors"), 0],
        );
      });
    });
    const afterQueries = queryHeads * queries * features;
    scaleRows(
      [at("keySums"), sumStride],
      [output(afterQueries, e.get(headOfBatch), keys, features * 4), features * 4],
      e.constant(keys),
      features,
      [at("factors"), 0],
    );
    scaleRows(
      [at("valueSums"), valueStride],
      [
        output(afterQueries + keyHeads * keys * features, e.get(headOfBatch), keys, valueFeatures * 4),
        valueFeatures * 4,
      ],
      e.constant(keys),
      valueFeatures,
      [one, 0],
    );
  });

  const itemCount = heads / group;
  const work = (heads * queries * keys * (3 * features + 2 * valueFeatures + 40) * (isCausal ? 0.5 : 1)) / 3;
  return {
    bytes: module.build(),
    library: gemmLibrary(width),
    phases: [{ name: "pull", itemCount, itemsPerChunk: Math.max(1, Math.floor((1 << 17) / (work / itemCount))), work }],
    scratchBytes: bytesPerThread * target.threadCount,
    layout,
  };
}
