/** What the shaders of routines share: a buffer per slot, and as many threads as there is work. */
import { MLXError } from "../../base/errors.ts";
import type { RoutineKernel, Slot, TensorCall, TensorType } from "../../ir/kernel.ts";
import { gridOf } from "./grid.ts";
import type { GpuDispatch, GpuTarget } from "./kernel-code.ts";
import { ShaderMemory } from "./wgsl-memory.ts";
import { Shader } from "./wgsl-shader.ts";

/** Threads of a workgroup. */
export const routineThreads = 256;

/** One dispatch of a routine while it is written. */
export class RoutineShader {
  readonly shader: Shader = new Shader();
  readonly memory: ShaderMemory;
  readonly #target: GpuTarget;
  #workgroups: GpuDispatch["workgroups"] = [1, 1, 1];

  /** Slots are those of `kernel` unless others, of the same bytes, are to stand for them. */
  constructor({ slots, label }: RoutineKernel, target: GpuTarget, others: readonly Slot[] = slots) {
    this.#target = target;
    this.memory = new ShaderMemory(this.shader, { slots: others, arguments: [], label }, target);
  }

  /** The name of an i32 with the place of the workgroup among `count`. */
  group(count: number): string {
    const grid = gridOf(this.shader, this.#target, count);
    this.#workgroups = grid.workgroups;
    return grid.place;
  }

  /** The name of an i32 with the place of the thread among `count`; threads beyond return at once. */
  point(count: number): string {
    const { shader } = this;
    const place = this.group(Math.ceil(count / routineThreads));
    const point = shader.let("point", `${place} * ${routineThreads} + i32(thread)`);
    if (count % routineThreads !== 0) shader.block(`if (${point} >= ${count})`, () => shader.line("return;"));
    return point;
  }

  /** The finished dispatch. */
  dispatch(): GpuDispatch {
    const bindings = this.memory.bindings();
    return { wgsl: this.shader.build(routineThreads), bindings, workgroups: this.#workgroups };
  }
}

/** The `k`-th input of `call`. */
export function inputOf({ name, inputs }: TensorCall, k: number): TensorType {
  const input = inputs[k];
  if (!input) throw new MLXError(name, `lacks input ${k}`);
  return input;
}

/** The slot that a routine writes: its last. */
export function outputSlot({ slots }: RoutineKernel): number {
  return slots.length - 1;
}

/** Rows along the last axis, and their length. */
export function rowsOf({ shape }: TensorType): { readonly rows: number; readonly length: number } {
  const length = shape.at(-1) ?? 1;
  return { rows: shape.slice(0, -1).reduce((product, one) => product * one, 1), length };
}

/** `params` as an object. */
export function paramsOf({ name, params }: TensorCall): object {
  if (typeof params === "object" && params !== null) return params;
  throw new MLXError(name, "has no parameters");
}
