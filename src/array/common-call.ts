/** Calls of recorded functions whose results are pending. Apart from `trace.ts`, for evaluations ask of it where nothing is recorded. */
import type { MLXArray, Siblings } from "../graph/mlx-array.ts";
import type { Device } from "../graph/placement.ts";
import type { Allocation } from "../ir/backend.ts";
import type { Runtime } from "./runtime.ts";

/** A call of a recorded function, whose results are siblings. */
export abstract class TraceCall implements Siblings {
  count = 0;
  /** Where all of it runs. */
  abstract readonly device: Device;
  abstract readonly outputs: readonly MLXArray[];

  /** The allocations of the outputs, each retained for the caller. */
  abstract run(runtime: Runtime): Promise<Allocation[]> | Allocation[];
}

/** The call that computes all of `roots` from evaluated inputs, if there is one. */
export function commonCall(roots: readonly MLXArray[]): TraceCall | null {
  const [first] = roots;
  const call = first?.siblings;
  if (!(call instanceof TraceCall) || roots.some(({ siblings }) => siblings !== call)) return null;
  return first?.inputs.every((input) => input.isEvaluated) ? call : null;
}
