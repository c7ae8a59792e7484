/** Products on the GPU: the schedule decides which code serves. */
import { asLoops } from "../../compiler/products.ts";
import type { ContractionKernel } from "../../ir/kernel.ts";
import { emitMatrices } from "./contraction-matrix.ts";
import type { ContractionSchedule } from "./contraction-schedule.ts";
import { contractionSchedule } from "./contraction-schedule.ts";
import { emitTiles } from "./contraction-tile.ts";
import type { GpuKernelCode, GpuTarget } from "./kernel-code.ts";
import { emitLoops } from "./loop-kernel.ts";

/**
 * The code of a product with what is fused into it, by the schedule that suits it unless another is given.
 *
 * @throws {DtypeError} if it computes with types of 64 bits
 * @throws {DeviceError} if it needs more buffers at once than the device binds
 */
export function emitContraction(
  kernel: ContractionKernel,
  target: GpuTarget,
  schedule: ContractionSchedule = contractionSchedule(kernel, target),
): GpuKernelCode {
  switch (schedule.kind) {
    case "loop":
      return emitLoops(asLoops(kernel), target);
    case "matrix":
      return emitMatrices(kernel, target, schedule);
    case "tile":
      return emitTiles(kernel, target, schedule);
  }
}
