/** What every WebGPU device has at least. */
import type { GpuTarget } from "../../src/backends/webgpu/kernel-code.ts";

/** The least abilities that the specification allows. */
export const floorTarget: GpuTarget = {
  isSoftware: false,
  hasF16: false,
  packsHalves: false,
  roundsIntegers: false,
  subgroups: null,
  matrixTiles: [],
  storageBuffers: 8,
  bindingBytes: 2 ** 27,
  workgroupsPerAxis: 65_535,
  workgroupBytes: 16_384,
  workgroupThreads: 256,
  immediateBytes: 0,
};
