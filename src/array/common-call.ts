/** Calls of recorded functions whose results are pending. Apart from `trace.ts`, for evaluations ask of it where nothing is recorded. */
import type { MLXArray } from "../graph/mlx-array.ts";
import type { Device } from "../graph/placement.ts";
import type { Allocation } from "../ir/backend.ts";
import type { Runtime } from "./runtime.ts";

/** A call of a recorded function. */
export interface TraceCall {
  readonly outputs: readonly MLXArray[];
  /** Where all of it runs. */
  readonly device: Device;
  /** The allocations of the outputs, each retained for the caller. */
  run(runtime: Runtime): Promise<Allocation[]> | Allocation[];
}

/** By the list of inputs, which the results of one call share and nothing else has. */
const calls = new WeakMap<readonly MLXArray[], TraceCall>();

/** Notes that `inputs` is the list of inputs of all that a call computes. */
export function noteCall(inputs: readonly MLXArray[], call: TraceCall): void {
  calls.set(inputs, call);
}

/** The call that computes all of `roots` from evaluated inputs, if there is one. */
export function commonCall(roots: readonly MLXArray[]): TraceCall | null {
  const inputs = roots[0]?.inputs ?? [];
  const call = calls.get(inputs);
  const isWhole = call && roots.every((root) => root.inputs === inputs) && inputs.every((input) => input.isEvaluated);
  return isWhole ? call : null;
}
