/** The GPU as users see it: whether there is one, what it is, and how a program shares its own device. */
import type { GpuDevice } from "../backends/webgpu/gpu-api.ts";
import type { WebGpuBackend } from "../backends/webgpu/webgpu-backend.ts";
import { webgpu } from "../backends/webgpu/webgpu-loader.ts";
import { ArgumentError, DeviceError } from "../base/errors.ts";
import { openedGpu, setGpu } from "./device.ts";
import { memoryLimits } from "./memory-limits.ts";
import type { Runtime } from "./runtime.ts";

/** What the GPU at hand is and has. */
export interface GpuInfo {
  readonly vendor: string;
  readonly architecture: string;
  readonly description: string;
  /** Whether kernels store and load 16-bit floats directly. */
  readonly hasFloat16: boolean;
  /** Threads that a subgroup has at least and at most; null where kernels cannot use subgroups. */
  readonly subgroupSizes: { readonly min: number; readonly max: number } | null;
  /** Whether products of 16-bit floats run on matrix units. */
  readonly hasMatrixUnits: boolean;
  /** The largest buffer in bytes, and the most of it that one kernel sees at once. */
  readonly maxBufferBytes: number;
  readonly maxBindingBytes: number;
}

let opening: Promise<Runtime> | null = null;

/** The runtime of the GPU; opens a device if none is open, or the one before was lost. @throws {DeviceError} if there is none */
export async function gpuRuntime(): Promise<Runtime> {
  const open = openedGpu();
  if (open) return open;
  opening ??= openRuntime().finally(() => {
    opening = null;
  });
  return opening;
}

async function openRuntime(): Promise<Runtime> {
  const { openDevice, WebGpuBackend } = await webgpu.load();
  return runtimeOf(new WebGpuBackend(await openDevice()));
}

function runtimeOf(backend: WebGpuBackend): Runtime {
  const runtime = setGpu(backend);
  if (!runtime) throw new DeviceError("gpu", "the device was closed while it was opened");
  // Arrays that lie there go on needing theirs.
  current?.clearCache();
  current = backend;
  backend.setLimits(memoryLimits);
  return runtime;
}

let current: WebGpuBackend | null = null;

/** The GPU: `withDevice("gpu", …)` and `setDefaultDevice("gpu")` compute on it. */
export const gpu: {
  /** Whether there is a GPU that can be used; opens it if so. */
  isAvailable(): Promise<boolean>;
  /** What the GPU is and has. @throws {DeviceError} where there is none, saying what to install or to switch on */
  info(): Promise<GpuInfo>;
  /**
   * Computes on `device`, a WebGPU device that the program opened and goes on using: it is never destroyed here. Open it
   * with the features `shader-f16` and `subgroups` and with the adapter's own limits where it has them.
   *
   * @throws {ArgumentError} if it is no device
   * @throws {DeviceError} if it is lost already
   */
  use(device: GpuDevice): Promise<void>;
  /** Lets go of the device; arrays that lie only on it are lost. The next operation on the GPU opens another one. */
  close(): void;
} = {
  async isAvailable() {
    try {
      await gpuRuntime();
      return true;
    } catch (error) {
      if (error instanceof DeviceError) return false;
      throw error;
    }
  },
  async info() {
    await gpuRuntime();
    if (!current) throw new DeviceError("gpu", "the device was closed while it was asked");
    const { info, target, device } = current;
    return {
      vendor: info.vendor,
      architecture: info.architecture,
      description: info.description,
      hasFloat16: target.hasF16,
      subgroupSizes: target.subgroups,
      hasMatrixUnits: target.matrixTiles.length > 0,
      maxBufferBytes: device.limits.maxBufferSize ?? 0,
      maxBindingBytes: target.bindingBytes,
    };
  },
  async use(device) {
    if (!isDevice(device))
      throw new ArgumentError("gpu.use", "takes a GPUDevice, which an adapter's requestDevice() gives");
    const { adoptDevice, WebGpuBackend } = await webgpu.load();
    runtimeOf(new WebGpuBackend(await adoptDevice(device)));
  },
  close() {
    current?.close();
    current = null;
    setGpu(null);
  },
};

function isDevice(value: unknown): boolean {
  return typeof value === "object" && value !== null && "queue" in value && "createComputePipelineAsync" in value;
}
