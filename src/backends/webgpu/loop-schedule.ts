/** Decides how a loop nest is spread over a GPU: in which dispatches, over which workgroups, teams of threads and lanes. */
import { accessesIn, expressionsIn } from "../../compiler/loop-nest.ts";
import { Dependencies } from "../../compiler/structure.ts";
import type { Axis, Expr, Expressions } from "../../ir/expr.ts";
import type { Loop, Store } from "../../ir/kernel.ts";
import type { GpuTarget } from "./kernel-code.ts";
import type { Body, Layout, Tuning } from "./loop-shape.ts";
import { layoutOf, repeatsFor, slicesFor, teamFor } from "./loop-shape.ts";
import type { Spelling } from "./loop-spelling.ts";
import { spell } from "./loop-spelling.ts";

/** One dispatch: for every point, `bodies` in order by a team of threads, then `stores`; then `reduces` over all points. */
export interface Stage {
  readonly points: Spelling;
  readonly bodies: readonly Body[];
  readonly stores: readonly Store[];
  /** Reductions over the points. */
  readonly reduces: readonly Expr[];
  /** Reductions of earlier stages that are used here. */
  readonly needs: readonly Expr[];
  /** Reductions of this stage that later ones use. */
  readonly published: ReadonlySet<Expr>;
  /** Threads that share the work at a point: a power of two. */
  readonly team: number;
  readonly layout: Layout;
  /** Points, or vectors of them, that a workgroup has at a time. */
  readonly perGroup: number;
  /** Times that many which each thread computes. */
  readonly repeats: number;
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
  const stages = stagesOf(planning, root);
  return stages.map((stage, k) => ({
    ...stage,
    published: new Set(stages.slice(k + 1).flatMap(({ needs }) => needs)),
  }));
}

function stagesOf(planning: Planning, root: Loop): Stage[] {
  if (pointsOf(root) === 0 && root.axes.length > 0) return [];
  const dependencies = new Dependencies();
  const isAlone = pointsOf(root) <= planning.tuning.alone && root.children.every(isShallow);
  if (root.axes.length > 0 || !planning.maySlice || isAlone) {
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

/** Whether each point of a loop is little work for one thread. */
function isShallow(loop: Loop): boolean {
  return loop.children.reduce((sum, child) => sum + pointsOf(child), 0) <= 32;
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
  const isIndependent = bodies.length === 0 && reduces.length === 0 && needs.length === 0;
  const repeats = isIndependent ? repeatsFor(planning, points, stores) : 1;
  const tiles = Math.ceil(points.steps / (shape.perGroup * repeats));
  const { tuning } = planning;
  const most = Math.max(1, Math.floor(tuning.fill / (shape.team * shape.perGroup)));
  return {
    points,
    bodies,
    stores,
    reduces,
    needs,
    published: new Set(),
    layout,
    ...shape,
    repeats,
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
