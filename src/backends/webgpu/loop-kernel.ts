/** Turns loop kernels into dispatches of WGSL. */
import { joinAxes, mapLoop } from "../../compiler/loop-nest.ts";
import type { Expr } from "../../ir/expr.ts";
import { Expressions } from "../../ir/expr.ts";
import type { Loop, LoopKernel } from "../../ir/kernel.ts";
import type { GpuKernelCode, GpuTarget } from "./kernel-code.ts";
import { ScratchLayout } from "./loop-partials.ts";
import type { Stage } from "./loop-schedule.ts";
import { planStages } from "./loop-schedule.ts";
import type { Tuning } from "./loop-shape.ts";
import { tuningFor } from "./loop-shape.ts";
import { emitStage } from "./loop-stage.ts";

/**
 * The code of a loop kernel for a device.
 *
 * @throws {DtypeError} if it computes with types of 64 bits
 * @throws {DeviceError} if it needs more buffers at once than the device binds
 */
export function emitLoops(kernel: LoopKernel, target: GpuTarget, tuning: Tuning = tuningFor(target)): GpuKernelCode {
  const e = new Expressions();
  let nextAxis = 1_000_000;
  const nextId = (): number => nextAxis++;
  const memo = new Map<Expr, Expr>();
  const imported = mapLoop(kernel.root, (expr) => e.substitute(expr, new Map(), memo));
  const root = joinAxes(e, imported, nextId);
  const plan = (maySlice: boolean): Stage[] => planStages({ e, nextId, target, tuning, maySlice }, root);
  const sliced = plan(true);
  // Scratch memory takes a binding of its own.
  const isTooWide = sliced.length > 1 && sliced.some((stage) => slotsOf(stage).size + 1 > target.storageBuffers);
  const stages = isTooWide ? plan(false) : sliced;
  const scratch = new ScratchLayout();
  const context = { e, kernel, target, tuning, scratch };
  const dispatches = stages.map((stage) => emitStage(context, stage));
  return { dispatches, scratchBytes: scratch.words === 0 ? [] : [scratch.words * 4] };
}

/** The buffers that a stage reads and writes. */
function slotsOf({ bodies, stores, reduces }: Stage): Set<number> {
  const slots = new Set<number>();
  const seen = new Set<Expr>();
  const visit = (expr: Expr): void => {
    if (seen.has(expr)) return;
    seen.add(expr);
    if (expr.op === "load") slots.add(expr.slot);
    if (expr.op !== "reduce") expr.args.forEach(visit);
  };
  const walk = (loop: Loop): void => {
    for (const reduce of loop.reduces) reduce.args.forEach(visit);
    for (const { slot, index, value } of loop.stores) {
      slots.add(slot);
      visit(index);
      visit(value);
    }
    loop.children.forEach(walk);
  };
  walk({ axes: [], children: bodies.map(({ loop }) => loop), reduces, stores });
  return slots;
}
