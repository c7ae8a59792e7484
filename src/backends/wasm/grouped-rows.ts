/** Keeps the rows of a picture that rows of outputs see, each place as vectors of outputs, for convolutions in groups. */
import type { FunctionBuilder } from "./assembler.ts";
import { type GemmEmitter, type Push, roundUp } from "./gemm-emitter.ts";
import { advanceBy, forUpTo } from "./gemm-loops.ts";
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
export function planRows({ groups, inner, outer, rows, columns, flip }: GroupedConvolution): RowPlan {
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
export function rowsOfPiece(
  { batch, rows }: GroupedConvolution,
  { mostPieces, segments }: RowPlan,
  parts: number,
): number {
  return Math.ceil(rows.outLength / Math.min(mostPieces, Math.ceil(parts / (batch * segments))));
}

/**
 * Runs `body` for each row of outputs from `row` up to `lastRow`, locals, with the end of a table: for each row of places
 * that is seen, its address and that of the weights that it meets.
 */
export function eachSeenRow(
  e: GemmEmitter,
  { groups, inner, rows, columns, flip }: GroupedConvolution,
  plan: RowPlan,
  locals: {
    /** Pushes the address of the picture. */
    readonly picture: Push;
    readonly row: number;
    readonly lastRow: number;
    /** The first output of the segment, for each remainder. */
    readonly first: number;
    /** Where the table is, and the rows after it. */
    readonly table: number;
    /** Pushes the address of the weights. */
    readonly weights: Push;
    /** The function that {@link emitSpread} writes. */
    readonly spread: number;
  },
  body: (tableEnd: number) => void,
): void {
  const { f } = e;
  const { picture, row, lastRow, first, table, weights, spread } = locals;
  const { lowest, placeBytes, segmentPlaces, keptRows, rowBytes } = plan;
  const channels = groups * inner;
  const clamp = (push: Push, length: number): number => {
    const local = e.let(push);
    f.get(local).i32(0).get(local).i32(0).op("i32.gt_s").op("select").set(local);
    f.get(local).i32(length).get(local).i32(length).op("i32.lt_s").op("select").set(local);
    return local;
  };
  // The place at the beginning of a kept row, which may lie before the picture, and those that lie within it.
  const begin = e.let(e.sum([e.get(first), columns.stride], lowest));
  const inside = clamp(e.sum([e.get(begin), -1]), segmentPlaces);
  const end = clamp(e.sum([e.get(begin), -1], columns.length), segmentPlaces);
  const next = e.let(e.constant(0));
  const entry = f.local("i32");
  /** How many rows of places lie before that of an output, moved by so many places apart. */
  const rowsBefore = (moved: number): number => {
    const lead = roundUp(Math.max(0, -moved), rows.step);
    return clamp(() => {
      e.sum([e.get(row), rows.stride], lead + moved)();
      f.i32(rows.step)
        .op("i32.div_u")
        .i32(lead / rows.step)
        .op("i32.sub");
    }, rows.length);
  };
  const keptRow = (place: number): Push =>
    e.sum([e.get(table), 1], [() => f.get(place).i32(keptRows).op("i32.rem_u"), rowBytes], plan.tableBytes);
  const fill = (from: number, to: number): void => {
    f.get(from).i32(0).get(to, from).op("i32.sub").memoryFill();
  };

  forUpTo(f, row, lastRow, 1, () => {
    const firstSeen = rowsBefore(rows.step - 1 - rows.low);
    const endSeen = rowsBefore((rows.size - 1) * rows.spread + rows.step - rows.low);
    f.get(firstSeen, next, firstSeen, next).op("i32.gt_u").op("select").set(next);
    forUpTo(f, next, endSeen, 1, () => {
      const to = e.let(keptRow(next));
      const [middle, after, toEnd] = [
        e.let(e.sum([e.get(to), 1], [e.get(inside), placeBytes])),
        e.let(e.sum([e.get(to), 1], [e.get(end), placeBytes])),
        e.let(e.sum([e.get(to), 1], segmentPlaces * placeBytes)),
      ];
      fill(to, middle);
      fill(after, toEnd);
      const place = e.sum([e.get(next), columns.length], [e.get(begin), 1], [e.get(inside), 1]);
      f.get(middle, after);
      e.sum([picture, 1], [place, channels * 4])();
      f.call(spread);
      for (const local of [to, middle, after, toEnd]) f.release(local);
    });
    f.get(table).set(entry);
    for (let tap = 0; tap < rows.size; tap++) {
      const place = e.let(e.sum([e.get(row), rows.stride], tap * rows.spread - rows.low));
      f.get(place)
        .i32(rows.length * rows.step)
        .op("i32.lt_u");
      if (rows.step > 1) f.get(place).i32(rows.step).op("i32.rem_s").op("i32.eqz").op("i32.and");
      f.if(() => {
        if (rows.step > 1) f.get(place).i32(rows.step).op("i32.div_u").set(place);
        f.get(entry);
        keptRow(place)();
        f.memory("i32.store").get(entry);
        e.sum([weights, 1], (flip ? rows.size - 1 - tap : tap) * columns.size * placeBytes)();
        f.memory("i32.store", 4);
        advanceBy(f, entry, 8);
      });
      f.release(place);
    }
    body(entry);
    for (const local of [firstSeen, endSeen]) f.release(local);
  });
  for (const local of [begin, inside, end, next, entry]) f.release(local);
}

/** Body of (row, its end, places): for each place, output and inner channel the channel of the output's group. */
export function emitSpread(f: FunctionBuilder, { groups, inner, outer }: GroupedConvolution): void {
  const [to, end, from] = [0, 1, 2];
  const outputs = groups * outer;
  if (inner === 1 && outer === 1) {
    forUpTo(f, to, end, 16, () => {
      f.get(to, from).memory("v128.load").memory("v128.store");
      advanceBy(f, from, 16);
    });
    return;
  }
  // So many outputs, whole groups and whole vectors, repeat the same pattern.
  const period = outer * (outer % 4 === 0 ? 1 : outer % 2 === 0 ? 2 : 4);
  const patternEnd = f.local("i32");
  forUpTo(f, to, end, (inner - 1) * outputs * 4, () => {
    f.get(to)
      .i32(outputs * 4)
      .op("i32.add")
      .set(patternEnd);
    forUpTo(f, to, patternEnd, period * 4, () => {
      for (let channel = 0; channel < inner; channel++) {
        for (let first = 0; first < period; first += 4) {
          const sources = [0, 1, 2, 3].map((lane) => (Math.floor((first + lane) / outer) * inner + channel) * 4);
          f.get(to);
          const [own = 0, ...others] = sources;
          if (others.every((source) => source === own)) f.get(from).memory("v128.load32_splat", own);
          else if (others.every((source, k) => source === own + 4 * (k + 1))) f.get(from).memory("v128.load", own);
          else {
            const value = f.local("v128");
            f.get(from).memory("v128.load32_splat", own).set(value);
            for (const [k, source] of others.entries())
              f.get(from, value)
                .memoryLane("v128.load32_lane", source, k + 1)
                .set(value);
            f.get(value);
            f.release(value);
          }
          f.memory("v128.store", (channel * outputs + first) * 4);
        }
      }
      advanceBy(f, from, (period / outer) * inner * 4);
    });
  });
}
