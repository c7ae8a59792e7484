/** Decides how a loop nest is spread over a GPU: in which dispatches, over which workgroups, teams of threads and lanes. */
import { accessesIn, accessScore, expressionsIn } from "../../compiler/loop-nest.ts";
import { Dependencies } from "../../compiler/structure.ts";
import type { Axis, Expr, Expressions } from "../../ir/expr.ts";
import type { Loop, Store } from "../../ir/kernel.ts";
import type { GpuTarget } from "./kernel-code.ts";
import type { Spelling } from "./loop-spelling.ts";
import { spell } from "./loop-spelling.ts";
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
}

/** Chosen for a GPU of an H200's size. */
export const defaultTuning: Tuning = {
  threads: 256,
  mostThreads: 1024,
  fill: 2 ** 17,
  alone: 2 ** 15,
  stepsPerThread: 4,
  unrolled: 8,
  stepsPerSlice: 8,
  mostSlices: 1024,
};

/** A loop whose steps the members of a team share. */
export interface Body {
  readonly loop: Loop;
  readonly spelling: Spelling;
}

/** One dispatch: for every point, `bodies` in order by a team of threads, then `stores`; then `reduces` over all points. */
export interface Stage {
  readonly points: Spelling;
  readonly bodies: readonly Body[];
  readonly stores: readonly Store[];
  /** Reductions over the points. */
  readonly reduces: readonly Expr[];
  /** Reductions of earlier stages that are used here. */
  readonly needs: readonly Expr[];
  /** Threads that share the work at a point: a power of two. */
  readonly team: number;
  /** Whether the members of a team are neighbours, or the threads for neighbouring points are. */
  readonly layout: "along" | "across";
  /** Points, or vectors of them, that a workgroup has at a time. */
  readonly perGroup: number;
  /** Workgroups that share the loops of a point; what each finds is joined by the stages that need it. */
  readonly slices: number;
  /** Workgroups over the points; fewer than it takes if each has several rounds. */
  readonly groups: number;
}

/** Context of the planning of one kernel. */
export interface Planning {
  readonly e: Expressions;
  readonly nextId: () => number;
  readonly target: GpuTarget;
  readonly tuning: Tuning;
  /** Whether loops may be cut into slices. */
  readonly maySlice: boolean;
}

/** The dispatches of a loop nest whose axes have been joined. */
export function planStages(planning: Planning, root: Loop): Stage[] {
  if (pointsOf(root) === 0 && root.axes.length > 0) return [];
  const dependencies = new Dependencies();
  const { alone } = planning.tuning;
  if (root.axes.length > 0 || !planning.maySlice || pointsOf(root) <= alone) {
    return phases(planning, dependencies, root.axes, root.children, root.stores);
  }
  const stages: Stage[] = [];
  let together: Loop[] = [];
  const flush = (stores: readonly Store[]): void => {
    if (together.length > 0 || stores.length > 0) stages.push(...phases(planning, dependencies, [], together, stores));
    together = [];
  };
  for (const child of root.children) {
    if (child.children.length === 0) together.push(child);
    else {
      flush([]);
      stages.push(stageOf(planning, dependencies, child.axes, child.children, child.stores, child.reduces, 1));
    }
  }
  flush(root.stores);
  return stages;
}

/** Points of all loops of a nest together. */
function pointsOf(loop: Loop): number {
  const own = lengthOf(loop.axes);
  return (
    own *
    Math.max(
      1,
      loop.children.reduce((sum, child) => sum + pointsOf(child), 0),
    )
  );
}

function lengthOf(axes: readonly Axis[]): number {
  return axes.reduce((product, { length }) => product * length, 1);
}

/** One stage, or where points are few and loops long one for each set of loops that do not wait for each other. */
function phases(
  planning: Planning,
  dependencies: Dependencies,
  axes: readonly Axis[],
  children: readonly Loop[],
  stores: readonly Store[],
): Stage[] {
  const whole = stageOf(planning, dependencies, axes, children, stores, [], 1);
  const slices = planning.maySlice ? slicesFor(planning, whole) : 1;
  if (slices === 1) return [whole];
  const stages: Stage[] = [];
  let together: Loop[] = [];
  const flush = (last: readonly Store[]): void => {
    stages.push(stageOf(planning, dependencies, axes, together, last, [], slices));
    together = [];
  };
  for (const child of children) {
    const uses = new Set(expressionsIn(child).flatMap((expr) => dependencies.reducesIn(expr)));
    if (together.some(({ reduces }) => reduces.some((reduce) => uses.has(reduce)))) flush([]);
    together.push(child);
  }
  const isDone = together.every(({ reduces }) => reduces.length === 0);
  if (together.length > 0) flush(isDone ? stores : []);
  if (!isDone && stores.length > 0) stages.push(stageOf(planning, dependencies, axes, [], stores, [], 1));
  return stages;
}

function stageOf(
  planning: Planning,
  dependencies: Dependencies,
  axes: readonly Axis[],
  children: readonly Loop[],
  stores: readonly Store[],
  reduces: readonly Expr[],
  slices: number,
): Stage {
  const { e, nextId } = planning;
  const layout = layoutOf(e, axes, children);
  const inside = children.flatMap(accessesIn);
  const points = spell(e, axes, nextId, {
    isWanted: layout === "across" && lengthOf(axes) >= 4,
    accesses: [...new Set([...inside, ...accessesIn({ axes, children: [], reduces: [], stores })])],
    stores: reduces.length > 0 ? [] : [...stores, ...children.flatMap(storesIn)].map(({ index }) => index),
  });
  const bodies = children.map((loop) => ({
    loop,
    spelling: spell(e, loop.axes, nextId, {
      isWanted: points.lanes === 1 && loop.children.length === 0,
      accesses: accessesIn(loop).map((index) => e.substitute(index, points.axes)),
      stores: loop.stores.map(({ index }) => e.substitute(index, points.axes)),
    }),
  }));
  const produced = new Set(children.flatMap(reducesOf));
  const used = [
    ...children.flatMap(expressionsIn),
    ...stores.flatMap(({ index, value }) => [index, value]),
    ...reduces.flatMap(({ args }) => args),
  ].flatMap((expr) => dependencies.reducesIn(expr));
  const needs = [...new Set(used)].filter((reduce) => !produced.has(reduce));
  const shape = teamFor(planning, points, bodies, layout, needs.length > 0);
  const tiles = Math.ceil(points.steps / shape.perGroup);
  const { tuning } = planning;
  const most = Math.max(1, Math.floor(tuning.fill / (shape.team * shape.perGroup)));
  return {
    points,
    bodies,
    stores,
    reduces,
    needs,
    layout,
    ...shape,
    slices,
    groups: reduces.length > 0 ? Math.min(tiles, most, tuning.mostSlices) : tiles,
  };
}

function storesIn(loop: Loop): readonly Store[] {
  return [...loop.stores, ...loop.children.flatMap(storesIn)];
}

function reducesOf(loop: Loop): readonly Expr[] {
  return [...loop.reduces, ...loop.children.flatMap(reducesOf)];
}

/** Whether the loops at a point run along memory, or the points themselves lie side by side. */
function layoutOf(e: Expressions, axes: readonly Axis[], children: readonly Loop[]): Stage["layout"] {
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

interface TeamShape {
  readonly team: number;
  readonly perGroup: number;
}

function teamFor(
  { target, tuning }: Planning,
  points: Spelling,
  bodies: readonly Body[],
  layout: Stage["layout"],
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
  const perGroup = Math.min(points.steps, points.lanes === 4 ? 32 : 64);
  const wanted = Math.min(tuning.fill / points.steps, steps / tuning.stepsPerThread);
  const team = Math.min(powerAbove(wanted), powerBelow(Math.floor(most / perGroup)));
  return team === 1 ? { team, perGroup: Math.min(usual, points.steps) } : { team, perGroup };
}

/** How many workgroups share the loops of each point. */
function slicesFor({ tuning }: Planning, { points, bodies, team, perGroup, groups }: Stage): number {
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
