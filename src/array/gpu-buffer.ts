/** The buffers behind arrays, for programs that go on with WebGPU where arrays end. */
import type { GpuBuffer } from "../backends/webgpu/gpu-api.ts";
import { DeviceError } from "../base/errors.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { withDevice } from "../graph/placement.ts";
import { identity } from "../primitives/views.ts";
import { evaluate } from "./evaluate.ts";
import { gpuRuntime } from "./gpu.ts";
import { residentIn } from "./several-devices.ts";

/** Where the elements of an array lie on the GPU: row-major, from the start of the buffer. */
export interface GpuElements {
  /** Usable as storage and as the source of copies; what it holds belongs to the array and is not to be written. */
  readonly buffer: GpuBuffer;
  readonly byteLength: number;
}

/**
 * The buffer with the elements of `x`, which are computed and moved to the GPU where needed. It is valid until `x` is
 * disposed or collected, so keep `x`. To use it on a device of your own, hand that device over first: `gpu.use(device)`.
 *
 * @throws {DeviceError} where there is no GPU
 * @throws {DisposedError} for an array that was disposed
 * @example
 * import { bufferOf } from "mlx-ts/webgpu";
 * // What a shader of your own reads the elements of x by:
 * const entryOf = async (x: mx.MLXArray) => ({ binding: 0, resource: { buffer: (await bufferOf(x)).buffer } });
 */
export async function bufferOf(x: MLXArray): Promise<GpuElements> {
  await evaluate(x);
  const { backend } = await gpuRuntime();
  const allocation = x.allocation ?? (await allocationOf(x));
  const resident = await residentIn(backend, allocation);
  const { GpuAllocation } = await import("../backends/webgpu/gpu-allocation.ts");
  if (resident instanceof GpuAllocation) {
    await resident.pooled.check;
    x.requireKept("bufferOf");
    x.isLent = true;
    return { buffer: resident.pooled.buffer, byteLength: x.nbytes };
  }
  throw new DeviceError("bufferOf", "the GPU was replaced by another backend");
}

/** Memory for a constant, which had none so far. */
async function allocationOf(x: MLXArray) {
  const stored = withDevice("gpu", () => identity(x));
  await evaluate(stored);
  if (!stored.allocation) throw new DeviceError("bufferOf", "a constant was not stored");
  x.allocation = stored.allocation;
  return stored.allocation;
}
