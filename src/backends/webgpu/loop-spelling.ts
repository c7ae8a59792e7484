/** How the points of a loop are walked: as a sequence of steps, each of one point or of four neighbours in a vector. */
import type { Axis, Expr, Expressions } from "../../ir/expr.ts";
import { affineOf } from "../../ir/index-range.ts";
import type { Lanes } from "./wgsl-types.ts";

/** The axes of a loop in terms of a step and a lane. */
export interface Spelling {
  /** Points of the loop. */
  readonly points: number;
  readonly steps: number;
  readonly lanes: Lanes;
  /** Runs over the steps. */
  readonly step: Axis;
  /** Runs over the lanes of a step; null where a step is one point. */
  readonly lane: Axis | null;
  /** Whether the last step has lanes beyond the last point. */
  readonly isPadded: boolean;
  /** For each axis what stands for it. */
  readonly axes: ReadonlyMap<number, Expr>;
}

/** The axis along which values are vectors: one for all loops, so that loops with equal steps have equal expressions. */
const laneAxis: Axis = { id: -1, length: 4 };

/** What decides whether four points are walked at a time. */
export interface LaneWish {
  readonly isWanted: boolean;
  /** Flat positions of the loads and stores. */
  readonly accesses: readonly Expr[];
  /** Those of the stores alone: beyond the last point they must fall into the padding of their buffers. */
  readonly stores: readonly Expr[];
}

/** Walks `axes`, row-major; `nextId` numbers new axes. Vectors are chosen if all neighbours then lie side by side in memory. */
export function spell(
  e: Expressions,
  axes: readonly Axis[],
  nextId: () => number,
  { isWanted, accesses, stores }: LaneWish,
): Spelling {
  const lengths = axes.map(({ length }) => length);
  const points = lengths.reduce((product, length) => product * length, 1);
  const last = lengths.at(-1) ?? 1;
  if (isWanted && points >= 4) {
    const candidates = last % 4 === 0 ? [alongLast, acrossAll] : [acrossAll];
    for (const build of candidates) {
      const spelling = build(e, axes, nextId, points);
      if (suits(e, spelling, accesses, stores)) return spelling;
    }
  }
  const step: Axis = { id: nextId(), length: points };
  return { points, steps: points, lanes: 1, step, lane: null, isPadded: false, axes: unraveled(e, axes, e.axis(step)) };
}

/** The index along each axis of a flat position. */
function unraveled(e: Expressions, axes: readonly Axis[], flat: Expr): Map<number, Expr> {
  const index = e.unravel(
    flat,
    axes.map(({ length }) => length),
  );
  return new Map(axes.map(({ id }, k) => [id, index[k] ?? e.index(0)]));
}

/** Four neighbours along the last axis, whose length is a multiple of four. */
function alongLast(e: Expressions, axes: readonly Axis[], nextId: () => number, points: number): Spelling {
  const step: Axis = { id: nextId(), length: points / 4 };
  const lane = laneAxis;
  const last = axes.at(-1);
  const shorter = axes.map((axis) => (axis === last ? { id: axis.id, length: axis.length / 4 } : axis));
  const spelled = unraveled(e, shorter, e.axis(step));
  if (last) spelled.set(last.id, e.add(e.scale(spelled.get(last.id) ?? e.index(0), 4), e.axis(lane)));
  return { points, steps: points / 4, lanes: 4, step, lane, isPadded: false, axes: spelled };
}

/** Four neighbours of the flat sequence of all points. */
function acrossAll(e: Expressions, axes: readonly Axis[], nextId: () => number, points: number): Spelling {
  const steps = Math.ceil(points / 4);
  const step: Axis = { id: nextId(), length: steps };
  const lane = laneAxis;
  const spelled = unraveled(e, axes, e.add(e.scale(e.axis(step), 4), e.axis(lane)));
  return { points, steps, lanes: 4, step, lane, isPadded: points % 4 !== 0, axes: spelled };
}

function suits(e: Expressions, spelling: Spelling, accesses: readonly Expr[], stores: readonly Expr[]): boolean {
  const { lane, step, isPadded } = spelling;
  if (!lane) return false;
  const memo = new Map<Expr, Expr>();
  const flat = e.add(e.scale(e.axis(step), 4), e.axis(lane));
  if (isPadded && stores.some((index) => e.substitute(index, spelling.axes, memo) !== flat)) return false;
  let aligned = 0;
  let unaligned = 0;
  for (const index of accesses) {
    const kind = alignmentOf(e.substitute(index, spelling.axes, memo), lane);
    if (kind === "aligned") aligned++;
    if (kind === "unaligned") unaligned++;
  }
  return aligned > 0 && unaligned === 0;
}

/** How four lanes of a position lie in memory. */
function alignmentOf(index: Expr, lane: Axis): "equal" | "aligned" | "unaligned" | "scattered" {
  const { terms, offset } = affineOf(index);
  let isMultiple = offset % 4 === 0;
  let step = 0;
  for (const [atom, coefficient] of terms) {
    if (atom.op === "axis" && atom.axis.id === lane.id) step = coefficient;
    else if (depends(atom, lane)) return "scattered";
    else isMultiple &&= coefficient % 4 === 0;
  }
  if (step === 0) return "equal";
  if (step !== 1) return "scattered";
  return isMultiple ? "aligned" : "unaligned";
}

function depends(expr: Expr, axis: Axis): boolean {
  return expr.op === "axis" ? expr.axis.id === axis.id : expr.args.some((arg) => depends(arg, axis));
}
