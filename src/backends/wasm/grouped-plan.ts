/** How the rows of a picture are cut into segments and kept, for convolutions in groups. */
import { roundUp } from "./gemm-emitter.ts";
import type { GroupedConvolution } from "./grouped-call.ts";

/** Bytes of the rows of places that an output sees, about: part of a second-level cache. */
const ROWS_BYTES = 1 << 17;
/** Fewest places of a segment of a row, for each remainder: those at its ends are spread for both neighbours. */
const LEAST_PLACES = 16;

/** What outputs of one remainder by the step meet: the number of a weight, and its place from that of the output on. */
export interface Taps {
  readonly remainder: number;
  readonly met: readonly { readonly tap: number; readonly offset: number }[];
}

/** How rows are cut and kept. */
export interface RowPlan {
  readonly shape: GroupedConvolution;
  readonly taps: readonly Taps[];
  /** The place before all that the first output of a segment meets, from its own on. */
  readonly lowest: number;
  /** Bytes of a place: [inner, outputs], for each output the channels of its group. */
  readonly placeBytes: number;
  /** Outputs of a segment of a row, for each remainder. */
  readonly segmentLength: number;
  readonly segments: number;
  /** Most pieces into which rows of outputs are cut: each keeps the rows before it anew. */
  readonly mostPieces: number;
  readonly keptRows: number;
  readonly segmentPlaces: number;
  readonly rowBytes: number;
  /** Of the table of rows, and of it with the rows. */
  readonly tableBytes: number;
  readonly bytes: number;
  /** Of all weights, [sizes…, inner, outputs]. */
  readonly weightBytes: number;
}

/** The plan for a convolution. */
export function planRows(shape: GroupedConvolution): RowPlan {
  const { groups, inner, outer, rows, columns, flip } = shape;
  const { size, spread, step, stride, low, outLength } = columns;
  const taps = Array.from({ length: Math.min(step, outLength) }, (_, remainder): Taps => {
    const all = Array.from({ length: size }, (_, tap) => ({ tap, place: remainder + tap * spread - low }));
    const met = all.filter(({ place }) => place % step === 0);
    const numbered = met.map(({ tap, place }) => ({ tap: flip ? size - 1 - tap : tap, offset: place / step }));
    return { remainder, met: numbered };
  });
  const offsets = taps.flatMap(({ met }) => met.map(({ offset }) => offset));
  const [lowest, highest] = [Math.min(0, ...offsets), Math.max(0, ...offsets)];
  const placeBytes = inner * groups * outer * 4;
  const keptRows = Math.floor(((rows.size - 1) * rows.spread) / rows.step) + 1;
  const all = Math.ceil(outLength / step);
  const fitting = Math.max(LEAST_PLACES, Math.floor(ROWS_BYTES / (keptRows * placeBytes * stride)));
  const segmentLength = Math.ceil(all / Math.ceil(all / fitting));
  const segmentPlaces = (segmentLength - 1) * stride + highest - lowest + 1;
  // One more cache line to each row, so that rows do not fall into one set of the cache.
  const rowBytes = roundUp(segmentPlaces * placeBytes, 64) + 64;
  const tableBytes = roundUp(rows.size * 8, 64);
  return {
    shape,
    taps,
    lowest,
    placeBytes,
    segmentLength,
    segments: Math.ceil(all / segmentLength),
    mostPieces: Math.max(1, Math.floor(rows.outLength / (4 * rows.size))),
    keptRows,
    segmentPlaces,
    rowBytes,
    tableBytes,
    bytes: tableBytes + keptRows * rowBytes,
    weightBytes: roundUp(rows.size * size * placeBytes, 64),
  };
}

/** Rows of outputs of a piece where all outputs are to be cut into so many parts. */
export function rowsOfPiece({ shape: { batch, rows }, mostPieces, segments }: RowPlan, parts: number): number {
  return Math.ceil(rows.outLength / Math.min(mostPieces, Math.ceil(parts / (batch * segments))));
}
