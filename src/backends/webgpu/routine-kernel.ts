/** Which code serves which routine. */
import { MLXError } from "../../base/errors.ts";
import type { RoutineKernel } from "../../ir/kernel.ts";
import type { GpuKernelCode, GpuTarget } from "./kernel-code.ts";
import { emitCovarianceRoot } from "./routine-covariance.ts";
import { emitJoin, emitViewBytes } from "./routine-join.ts";
import { emitScan } from "./routine-scan.ts";
import { emitScatter } from "./routine-scatter.ts";
import { emitSearch, emitSort } from "./routine-sort.ts";

const emitters: ReadonlyMap<string, (kernel: RoutineKernel, target: GpuTarget) => GpuKernelCode> = new Map([
  ["sort", emitSort],
  ["argSort", emitSort],
  ["searchSorted", emitSearch],
  ["scan", emitScan],
  ["recurrence", emitScan],
  ["scatter", emitScatter],
  ["join", emitJoin],
  ["view", emitViewBytes],
  ["covarianceRoot", emitCovarianceRoot],
]);

/** The code of a routine. @throws {DtypeError} if it computes with types of 64 bits */
export function emitRoutine(kernel: RoutineKernel, target: GpuTarget): GpuKernelCode {
  const emit = emitters.get(kernel.call.name);
  if (!emit) throw new MLXError(kernel.call.name, "has no code for the GPU");
  return emit(kernel, target);
}
