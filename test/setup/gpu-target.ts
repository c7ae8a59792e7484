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

/** The same with half floats and matrix operations of 16 × 16, and so many KiB of workgroup memory. */
export function matrixTarget(kibibytes: number): GpuTarget {
  return {
    ...floorTarget,
    hasF16: true,
    subgroups: { min: 32, max: 32 },
    matrixTiles: [{ m: 16, n: 16, k: 16 }],
    workgroupBytes: kibibytes * 1024,
  };
}
