/** How many threads, lanes and workgroups the points and loops of a stage get. */
import { byteLengthOf } from "../../base/dtype.ts";
import { accessesIn, accessScore } from "../../compiler/loop-nest.ts";
import { countWork } from "../../compiler/weight.ts";
import type { Axis, Expr, Expressions } from "../../ir/expr.ts";
import { elementType } from "../../ir/expr.ts";
import type { Loop, Store } from "../../ir/kernel.ts";
import type { GpuTarget } from "./kernel-code.ts";
import type { Spelling } from "./loop-spelling.ts";
import { joinBytesPerThread } from "./loop-team.ts";

/** Numbers that measurements decide. */
export interface Tuning {
  /** Threads of a workgroup. */
  readonly threads: number;
  /** Threads of a workgroup where few of them have long loops. */
  readonly mostThreads: number;
  /** Threads that keep a large GPU busy. */
  readonly fill: number;
  /** Points that one workgroup computes alone sooner than two dispatches would. */
  readonly alone: number;
  /** Steps that each thread of a team takes, if there are as many. */
  readonly stepsPerThread: number;
  /** Steps per thread up to which loops are written out, so that what one of them loads stays in registers for the next. */
  readonly unrolled: number;
  /** Steps per thread that each slice of a long loop keeps. */
  readonly stepsPerSlice: number;
  /** Slices of a loop. */
  readonly mostSlices: number;
  /** Bytes that each thread loads or stores of a buffer where points are independent. */
  readonly bytesPerThread: number;
}

/** Chosen for a GPU of an H200's size. */
export const defaultTuning: Tuning = {
  threads: 256,
  mostThreads: 512,
  fill: 2 ** 18,
  alone: 2 ** 15,
  stepsPerThread: 4,
  unrolled: 8,
  stepsPerSlice: 8,
  mostSlices: 1024,
  bytesPerThread: 16,
};

/**
 * Chosen for a GPU that is a program on a few processor cores: a few points are plenty, each has one thread, and nobody waits at
 * a barrier, for which SwiftShader puts every thread aside. A step of the health monitor's autoencoder takes a fifteenth of the
 * time, and its shaders a tenth to compile.
 */
export const softwareTuning: Tuning = {
  threads: 64,
  mostThreads: 64,
  fill: 64,
  alone: 2 ** 15,
  stepsPerThread: 2 ** 10,
  unrolled: 4,
  stepsPerSlice: 2 ** 10,
  mostSlices: 16,
  bytesPerThread: 16,
};

/** What suits a device. */
export function tuningFor({ isSoftware }: GpuTarget): Tuning {
  return isSoftware ? softwareTuning : defaultTuning;
}

/** Elements below which a kernel should be one dispatch. */
const smallWork = 2 ** 22;

/** Instructions of a point of which a thread computes several at once. */
const repeatedWork = 200;

/** A loop whose steps the members of a team share. */
export interface Body {
  readonly loop: Loop;
  readonly spelling: Spelling;
}

/** What the choices depend on. */
export interface ShapeContext {
  readonly target: GpuTarget;
  readonly tuning: Tuning;
}

/** A stage without slices, as far as slicing asks. */
interface SliceCandidate extends TeamShape {
  readonly points: Spelling;
  readonly bodies: readonly Body[];
  readonly groups: number;
}

/** Whether the members of a team are neighbours, or the threads for neighbouring points are. */
export type Layout = "along" | "across";

/** Whether the loops at a point run along memory, or the points themselves lie side by side. */
export function layoutOf(e: Expressions, axes: readonly Axis[], children: readonly Loop[]): Layout {
  const outer = axes.at(-1);
  if (!outer) return "along";
  if (children.length === 0) return "across";
  let preference = 0;
  for (const child of children) {
    const inner = child.axes.at(-1);
    for (const index of accessesIn(child)) {
      preference += accessScore(e, index, outer) - (inner ? accessScore(e, index, inner) : 0);
    }
  }
  return preference > 0 ? "across" : "along";
}

/** Threads for a point, and points of a workgroup. */
export interface TeamShape {
  readonly team: number;
  readonly perGroup: number;
}

/** The team of each point. */
export function teamFor(
  { target, tuning }: ShapeContext,
  points: Spelling,
  bodies: readonly Body[],
  layout: Layout,
  joins: boolean,
): TeamShape {
  const steps = Math.max(1, ...bodies.map(({ spelling }) => spelling.steps));
  const usual = Math.min(tuning.threads, target.workgroupThreads);
  const most = Math.max(
    usual,
    powerBelow(
      Math.min(
        tuning.mostThreads,
        target.workgroupThreads,
        Math.floor(
          target.workgroupBytes / (joinBytesPerThread(points.lanes) + (points.lanes === 4 ? joinBytesPerThread(1) : 0)),
        ),
      ),
    ),
  );
  if (bodies.length === 0) {
    // Few points whose partial results are many: a team joins them.
    const team = joins && points.steps < tuning.fill / usual ? Math.min(usual, 64) : 1;
    return { team, perGroup: Math.min(usual / team, points.steps) };
  }
  if (layout === "along") {
    const wanted = powerAbove(steps / tuning.stepsPerThread);
    const isLong = bodies.length > 1 && steps > usual * tuning.unrolled;
    const team = Math.min(wanted, isLong || points.steps * usual < tuning.fill ? most : usual);
    return { team, perGroup: Math.max(1, Math.min(Math.floor(usual / team), points.steps)) };
  }
  // Neighbouring points make transactions: 512 bytes of float32, or 128 where many threads are wanted for little work.
  const isSmall = points.steps * steps * points.lanes < smallWork;
  const perGroup = Math.min(points.steps, (points.lanes === 4 ? 32 : 64) / (isSmall ? 4 : 1));
  const wanted = Math.min(tuning.fill / points.steps, steps / tuning.stepsPerThread);
  const team = Math.min(powerAbove(wanted), powerBelow(Math.floor((isSmall ? usual : most) / perGroup)));
  return team === 1 ? { team, perGroup: Math.min(usual, points.steps) } : { team, perGroup };
}

/** How many points, or vectors of them, each thread computes where there are more than enough: as its loads fill a transaction. */
export function repeatsFor({ tuning }: ShapeContext, points: Spelling, stores: readonly Store[]): number {
  const roots = stores.flatMap(({ index, value }) => [index, value]);
  const bytes = Math.max(...elementBytes(roots)) * points.lanes;
  const wanted = powerBelow(tuning.bytesPerThread / bytes);
  const work = roots.reduce((sum, expr) => sum + countWork(expr), 0);
  return points.steps >= tuning.fill * wanted && work * wanted <= repeatedWork ? wanted : 1;
}

/** Bytes of the elements that are stored and loaded. */
function elementBytes(roots: readonly Expr[]): number[] {
  const bytes: number[] = [];
  const seen = new Set<Expr>();
  const visit = (expr: Expr): void => {
    if (seen.has(expr)) return;
    seen.add(expr);
    if (expr.op === "load") bytes.push(byteLengthOf(elementType(expr)));
    expr.args.forEach(visit);
  };
  for (const root of roots) {
    if (root.dtype !== "index") bytes.push(byteLengthOf(root.dtype));
    visit(root);
  }
  return bytes;
}

/** How many workgroups share the loops of each point. */
export function slicesFor(
  { tuning }: ShapeContext,
  { points, bodies, team, perGroup, groups }: SliceCandidate,
): number {
  const steps = Math.max(0, ...bodies.map(({ spelling }) => spelling.steps));
  const threads = groups * perGroup * team;
  const perThread = steps / team;
  if (points.points === 0 || perThread < 8 * tuning.stepsPerSlice || threads * 2 > tuning.fill) return 1;
  return Math.max(
    1,
    Math.min(Math.floor(tuning.fill / threads), Math.floor(perThread / tuning.stepsPerSlice), tuning.mostSlices),
  );
}

function powerAbove(x: number): number {
  return 2 ** Math.max(0, Math.ceil(Math.log2(Math.max(1, x))));
}

function powerBelow(x: number): number {
  return 2 ** Math.max(0, Math.floor(Math.log2(Math.max(1, x))));
}
