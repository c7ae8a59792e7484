/** What every emitter of a composite begins with: a module whose functions read buffers and scratch memory, but no constants. */
import type { CompositeKernel } from "../../ir/kernel.ts";
import type { FunctionBuilder } from "./assembler.ts";
import { GemmEmitter } from "./gemm-emitter.ts";
import type { ArgumentLayout, KernelTarget } from "./kernel-code.ts";
import { argumentLayout } from "./kernel-code.ts";
import { ModuleBuilder } from "./module-builder.ts";

/** Instructions of a chunk of attention or its gradient, at least: as many as of a range of loops (`rangeWork`). */
export const chunkWork: number = 1 << 17;

/** A module that is being written, and the argument block of its phases. */
export interface CompositeModule {
  readonly module: ModuleBuilder;
  readonly layout: ArgumentLayout;
  /** Adds a phase that runs `body` for each item, given as a local. */
  addPhase(name: string, body: (emitter: GemmEmitter, item: number) => void): void;
  /** Writes a phase that takes all of its items together. */
  emitter(f: FunctionBuilder): GemmEmitter;
}

/** A module for `kernel`, which takes its parameters as part of the code; `batchLengths` as in {@link GemmSpec}. */
export function compositeModule(
  kernel: CompositeKernel,
  target: KernelTarget,
  batchLengths: readonly number[] = [],
): CompositeModule {
  const module = new ModuleBuilder(target);
  const layout = argumentLayout(kernel.slots.length, []);
  const spec = { batchLengths, scratchOffset: layout.scratch };
  return {
    module,
    layout,
    addPhase: (name, body) => GemmEmitter.addPhase(module, spec, name, body),
    emitter: (f) => new GemmEmitter(f, module, spec),
  };
}
