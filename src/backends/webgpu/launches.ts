/** What the dispatches of a plan are bound to: inputs, outputs, shared scratch memory and constants. */
import type { Dtype } from "../../base/dtype.ts";
import type { Plan } from "../../ir/backend.ts";
import type { GpuDispatch, GpuKernelCode } from "./kernel-code.ts";
import { kernelName } from "./kernel-name.ts";
import type { Lifetime } from "./scratch-plan.ts";
import { planScratch } from "./scratch-plan.ts";

/** Where the constants of a kernel may begin in the uniform buffer. */
const uniformAlignment = 256;

interface Window {
  readonly offset: number;
  readonly byteLength: number;
}

/** Where a binding finds its memory at a run. */
export type Source =
  | (Window & { readonly kind: "input" | "output" | "scratch"; readonly index: number })
  | (Window & { readonly kind: "uniform" });

/** A dispatch with its memory. */
export interface Launch {
  readonly dispatch: GpuDispatch;
  /** What errors call its kernel. */
  readonly label: string;
  readonly sources: readonly Source[];
  /** The words of the constants that it is given as immediates. */
  readonly immediates: { readonly word: number; readonly count: number } | null;
}

/** Everything that does not change from run to run. */
export interface BoundPlan {
  readonly launches: readonly Launch[];
  /** Bytes of each scratch buffer; intermediates that are never needed at once share one. */
  readonly scratchBytes: readonly number[];
  /** Bytes of the constants of all kernels, each kernel's aligned as uniforms must be. */
  readonly constantBytes: number;
  /** For each constant of each kernel its place among those. */
  readonly constantPlaces: readonly { readonly word: number; readonly constant: number; readonly dtype: Dtype }[];
}

/** Binds the kernels of `plan`, whose code is `codes`. */
export function bindPlan(plan: Plan, codes: readonly GpuKernelCode[]): BoundPlan {
  const firstScratch = plan.inputCount + plan.outputCount;
  const intermediates = lifetimesOf(plan);
  const own: Lifetime[] = [];
  const ownStart = codes.map(({ scratchBytes }, step) => {
    const start = intermediates.length + own.length;
    for (const byteLength of scratchBytes) own.push({ byteLength, first: step, last: step });
    return start;
  });
  const scratch = planScratch([...intermediates, ...own]);
  const launches: Launch[] = [];
  const constantPlaces: { word: number; constant: number; dtype: Dtype }[] = [];
  let constantBytes = 0;
  codes.forEach(({ dispatches, scratchBytes }, step) => {
    const { kernel, buffers, constants } = plan.steps[step] ?? { kernel: null, buffers: [], constants: [] };
    const uniform: Source = {
      kind: "uniform",
      offset: constantBytes,
      byteLength: Math.ceil(constants.length / 4) * 16,
    };
    constants.forEach((constant, k) => {
      constantPlaces.push({ word: constantBytes / 4 + k, constant, dtype: kernel?.arguments[k] ?? "float32" });
    });
    if (constants.length > 0)
      constantBytes = Math.ceil((constantBytes + uniform.byteLength) / uniformAlignment) * uniformAlignment;
    for (const dispatch of dispatches) {
      const areGiven = dispatch.bindings.some(({ kind }) => kind === "immediates");
      const immediates = areGiven ? { word: uniform.offset / 4, count: uniform.byteLength / 4 } : null;
      const sources = dispatch.bindings.flatMap((binding): Source | readonly [] => {
        if (binding.kind === "immediates") return [];
        if (binding.kind === "arguments") return uniform;
        if (binding.kind === "scratch") {
          const index = scratch.bufferOf[(ownStart[step] ?? 0) + binding.scratch] ?? 0;
          const { offset = 0, byteLength = scratchBytes[binding.scratch] ?? 0 } = binding;
          return { kind: "scratch", index, offset, byteLength: padded(byteLength) };
        }
        const buffer = buffers[binding.slot] ?? 0;
        const offset = binding.offset ?? 0;
        const byteLength = padded(binding.byteLength ?? (plan.bufferBytes[buffer] ?? 0) - offset);
        if (buffer < plan.inputCount) return { kind: "input", index: buffer, offset, byteLength };
        if (buffer < firstScratch) return { kind: "output", index: buffer - plan.inputCount, offset, byteLength };
        return { kind: "scratch", index: scratch.bufferOf[buffer - firstScratch] ?? 0, offset, byteLength };
      });
      launches.push({ dispatch, label: kernel ? kernelName(kernel) : "", sources, immediates });
    }
  });
  return { launches, scratchBytes: scratch.bufferBytes.map(padded), constantBytes, constantPlaces };
}

/** Bytes of a binding: kernels work on whole vectors of 16 bytes. */
function padded(byteLength: number): number {
  return Math.max(Math.ceil(byteLength / 16) * 16, 16);
}

/** From which step to which each intermediate buffer of the plan is needed. */
function lifetimesOf({ steps, bufferBytes, inputCount, outputCount }: Plan): Lifetime[] {
  const start = inputCount + outputCount;
  const lifetimes = bufferBytes.slice(start).map((byteLength) => ({ byteLength, first: steps.length, last: 0 }));
  steps.forEach(({ buffers }, step) => {
    for (const buffer of buffers) {
      const lifetime = lifetimes[buffer - start];
      if (!lifetime) continue;
      lifetime.first = Math.min(lifetime.first, step);
      lifetime.last = step;
    }
  });
  return lifetimes;
}
