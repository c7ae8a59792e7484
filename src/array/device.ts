/** The named exceptions to passing state along: the runtimes in use and state that every evaluation brings up to date. */

import { WasmBackend } from "../backends/wasm/wasm-backend.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { Backend } from "../ir/backend.ts";
import { Runtime } from "./runtime.ts";

let cpu: Runtime | null = null;
let gpu: Runtime | null = null;

/** The runtime of the CPU, whose memory JavaScript sees; the first call makes it. */
export function currentRuntime(): Runtime {
  cpu ??= new Runtime(new WasmBackend(), { fusion: true });
  return cpu;
}

/** Replaces the runtime of the CPU and returns the one before; for tests that compare backends. */
export function replaceRuntime(next: Runtime | null): Runtime | null {
  const previous = cpu;
  cpu = next;
  return previous;
}

/** The runtime of the GPU, if a device is open and still there. */
export function openedGpu(): Runtime | null {
  if (gpu?.backend.isLost) gpu = null;
  return gpu;
}

/** Lets the GPU be computed on by `backend` from now on. */
export function setGpu(backend: Backend | null): Runtime | null {
  gpu = backend && new Runtime(backend, { fusion: true });
  return gpu;
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
