/** The named exceptions to passing state along: the runtime in use and state that every evaluation brings up to date. */

import { WasmBackend } from "../backends/wasm/wasm-backend.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { Runtime } from "./runtime.ts";

let runtime: Runtime | null = null;

/** The runtime that evaluates now; the first call makes it. */
export function currentRuntime(): Runtime {
  runtime ??= new Runtime(new WasmBackend(), { fusion: true });
  return runtime;
}

/** Replaces the runtime in use and returns the one before; for tests that compare backends. */
export function replaceRuntime(next: Runtime | null): Runtime | null {
  const previous = runtime;
  runtime = next;
  return previous;
}

let statefulSource: () => readonly MLXArray[] = () => [];

/** Registers arrays that are evaluated along with others, so that state drawn from again and again stays shallow. */
export function keepEvaluated(source: () => readonly MLXArray[]): void {
  statefulSource = source;
}

/** State arrays that are not evaluated. */
export function pendingState(): readonly MLXArray[] {
  return statefulSource().filter((array) => !array.isEvaluated);
}
