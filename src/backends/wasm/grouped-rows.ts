/** Keeps the rows of a picture that rows of outputs see, each place as vectors of outputs, for convolutions in groups. */
import type { FunctionBuilder } from "./assembler.ts";
import { type GemmEmitter, type Push, roundUp } from "./gemm-emitter.ts";
import { advanceBy, forUpTo } from "./gemm-loops.ts";
import type { GroupedAxis, GroupedConvolution } from "./grouped-call.ts";
import type { RowPlan } from "./grouped-plan.ts";

/** A segment of some rows of outputs, and where it keeps what they see: locals. */
export interface RowSegment {
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
}

/**
 * Runs `body` for each row of outputs from `row` up to `lastRow`, with the end of a table: for each row of places that is
 * seen, its address and that of the weights that it meets.
 */
export function eachSeenRow(
  e: GemmEmitter,
  plan: RowPlan,
  segment: RowSegment,
  body: (tableEnd: number) => void,
): void {
  const { f } = e;
  const { rows } = plan.shape;
  const { row, lastRow } = segment;
  const places = keptPlaces(e, plan, segment);
  const next = e.let(e.constant(0));
  const tableEnd = f.local("i32");
  forUpTo(f, row, lastRow, 1, () => {
    const firstSeen = rowsBefore(e, rows, row, rows.step - 1 - rows.low);
    const endSeen = rowsBefore(e, rows, row, (rows.size - 1) * rows.spread + rows.step - rows.low);
    f.get(firstSeen, next, firstSeen, next).op("i32.gt_u").op("select").set(next);
    forUpTo(f, next, endSeen, 1, () => keepRow(e, plan, segment, places, next));
    tabulateRows(e, plan, segment, tableEnd);
    body(tableEnd);
    for (const local of [firstSeen, endSeen]) f.release(local);
  });
  for (const local of [places.begin, places.inside, places.end, next, tableEnd]) f.release(local);
}

/** The places of a kept row: locals. */
interface KeptPlaces {
  /** The place at the beginning of the row, which may lie before the picture. */
  readonly begin: number;
  /** Which places of the row lie within the picture: from here on, and up to here. */
  readonly inside: number;
  readonly end: number;
}

function keptPlaces(e: GemmEmitter, plan: RowPlan, { first }: RowSegment): KeptPlaces {
  const { columns } = plan.shape;
  const begin = e.let(e.sum([e.get(first), columns.stride], plan.lowest));
  const inside = clamp(e, e.sum([e.get(begin), -1]), plan.segmentPlaces);
  const end = clamp(e, e.sum([e.get(begin), -1], columns.length), plan.segmentPlaces);
  return { begin, inside, end };
}

/** How many rows of places lie before that of an output, moved by so many places apart. */
function rowsBefore(e: GemmEmitter, { length, stride, step }: GroupedAxis, row: number, moved: number): number {
  const lead = roundUp(Math.max(0, -moved), step);
  const number = (): void => {
    e.sum([e.get(row), stride], lead + moved)();
    e.f
      .i32(step)
      .op("i32.div_u")
      .i32(lead / step)
      .op("i32.sub");
  };
  return clamp(e, number, length);
}

/** A new local: the value, but at least 0 and at most `length`. */
function clamp(e: GemmEmitter, value: Push, length: number): number {
  const local = e.let(value);
  e.f.get(local).i32(0).get(local).i32(0).op("i32.gt_s").op("select").set(local);
  e.f.get(local).i32(length).get(local).i32(length).op("i32.lt_s").op("select").set(local);
  return local;
}

/** Pushes where a row of places is kept. */
function keptRow(e: GemmEmitter, plan: RowPlan, { table }: RowSegment, row: number): Push {
  const index = (): void => {
    e.f.get(row).i32(plan.keptRows).op("i32.rem_u");
  };
  return e.sum([e.get(table), 1], [index, plan.rowBytes], plan.tableBytes);
}

/** Spreads a row of places to where it is kept, with zeros around. */
function keepRow(e: GemmEmitter, plan: RowPlan, segment: RowSegment, places: KeptPlaces, row: number): void {
  const { f } = e;
  const { placeBytes, segmentPlaces } = plan;
  const { groups, inner, columns } = plan.shape;
  const { begin, inside, end } = places;
  const to = e.let(keptRow(e, plan, segment, row));
  const middle = e.let(e.sum([e.get(to), 1], [e.get(inside), placeBytes]));
  const after = e.let(e.sum([e.get(to), 1], [e.get(end), placeBytes]));
  const toEnd = e.let(e.sum([e.get(to), 1], segmentPlaces * placeBytes));
  const clear = (from: number, until: number): void => {
    f.get(from).i32(0).get(until, from).op("i32.sub").memoryFill();
  };
  clear(to, middle);
  clear(after, toEnd);
  const place = e.sum([e.get(row), columns.length], [e.get(begin), 1], [e.get(inside), 1]);
  f.get(middle, after);
  e.sum([segment.picture, 1], [place, groups * inner * 4])();
  f.call(segment.spread);
  for (const local of [to, middle, after, toEnd]) f.release(local);
}

/** Writes the rows of places that the row of outputs sees, and their weights, to the table, and sets the local with its end. */
function tabulateRows(e: GemmEmitter, plan: RowPlan, segment: RowSegment, tableEnd: number): void {
  const { f } = e;
  const { rows, columns, flip } = plan.shape;
  f.get(segment.table).set(tableEnd);
  for (let tap = 0; tap < rows.size; tap++) {
    const place = e.let(e.sum([e.get(segment.row), rows.stride], tap * rows.spread - rows.low));
    f.get(place)
      .i32(rows.length * rows.step)
      .op("i32.lt_u");
    if (rows.step > 1) f.get(place).i32(rows.step).op("i32.rem_s").op("i32.eqz").op("i32.and");
    f.if(() => {
      if (rows.step > 1) f.get(place).i32(rows.step).op("i32.div_u").set(place);
      f.get(tableEnd);
      keptRow(e, plan, segment, place)();
      f.memory("i32.store").get(tableEnd);
      e.sum([segment.weights, 1], (flip ? rows.size - 1 - tap : tap) * columns.size * plan.placeBytes)();
      f.memory("i32.store", 4);
      advanceBy(f, tableEnd, 8);
    });
    f.release(place);
  }
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
