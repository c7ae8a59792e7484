/** Outputs next to each other along an axis of a convolution that is spread, and the places that they see. */
import { type GemmEmitter, type Push, roundUp } from "./gemm-emitter.ts";
import type { SpreadAxis } from "./spread-call.ts";

/** A part of an axis: locals. */
export interface Stretch {
  readonly first: number;
  readonly count: number;
  readonly firstPlace: number;
  readonly places: number;
}

/** The stretch of `length` outputs that is number `index`, a local; the last one may be shorter. */
export function stretchOf(e: GemmEmitter, axis: SpreadAxis, index: number, length: number): Stretch {
  const { f } = e;
  const first = e.let(e.sum([e.get(index), length]));
  const count = e.let(e.least(e.constant(length), () => f.i32(axis.outLength).get(first).op("i32.sub")));
  const reach = (axis.size - 1) * axis.spread;
  const firstPlace = placesBefore(e, axis, e.sum([e.get(first), 1], -reach));
  const endPlace = placesBefore(e, axis, e.sum([e.get(first), 1], [e.get(count), 1]));
  return { first, count, firstPlace, places: e.let(() => f.get(endPlace, firstPlace).op("i32.sub")) };
}

/** All outputs along an axis. */
export function wholeStretch(e: GemmEmitter, { length, outLength }: SpreadAxis): Stretch {
  const zero = e.let(e.constant(0));
  return { first: zero, count: e.let(e.constant(outLength)), firstPlace: zero, places: e.let(e.constant(length)) };
}

/** How many places lie before the first that adds at or beyond an output: 0 to all. */
function placesBefore(e: GemmEmitter, { length, size, spread, step, first }: SpreadAxis, output: Push): number {
  const { f } = e;
  const lead = roundUp((size - 1) * spread + Math.max(0, first), step);
  const number = e.let(() => {
    e.sum([output, 1], lead - first + step - 1)();
    f.i32(step)
      .op("i32.div_u")
      .i32(lead / step)
      .op("i32.sub");
  });
  f.get(number).i32(0).get(number).i32(0).op("i32.gt_s").op("select").set(number);
  f.get(number).i32(length).get(number).i32(length).op("i32.lt_s").op("select").set(number);
  return number;
}
