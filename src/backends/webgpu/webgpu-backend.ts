/** The GPU backend: plans run as compute shaders, on memory that the CPU does not see. */
import type { TypedArray } from "../../base/dtype.ts";
import { DeviceError, MLXError, OutOfMemoryError } from "../../base/errors.ts";
import { reasonOf } from "../../base/reason.ts";
import type { Allocation, Backend, Executable, MemoryReport, Plan } from "../../ir/backend.ts";
import type { TensorCall } from "../../ir/kernel.ts";
import type { OpenDevice } from "./adapter.ts";
import type { PooledBuffer } from "./buffer-pool.ts";
import { BufferPool } from "./buffer-pool.ts";
import { GpuAllocation } from "./gpu-allocation.ts";
import type { GpuAdapterInfo, GpuBuffer, GpuDevice, GpuErrorReport } from "./gpu-api.ts";
import { GpuExecutable } from "./gpu-executable.ts";
import type { GpuKernelCode, GpuTarget } from "./kernel-code.ts";
import { emitKernel, overridesComposite } from "./kernels.ts";
import { PipelineCache } from "./pipelines.ts";
import { Readback } from "./readback.ts";
import { Submissions } from "./submissions.ts";

/** Runs after which one waits until the GPU has caught up with the marker before. */
const submissionsPerMarker = 8;

/** Kernels with constants up to which those of a plan are immediates. */
const mostImmediates = 4;

/** Bytes written to the GPU at a time from memory that threads share, which some implementations cannot read themselves. */
const chunkBytes = 1 << 20;

/** How long a failure waits for the word that the device was lost. */
const patienceMilliseconds = 50;

/** The code of a kernel that has no element to compute. */
const noCode: GpuKernelCode = { dispatches: [], scratchBytes: [] };

/** What a device refused since it was last asked for that. */
interface Refused {
  message: string | null;
}

/** Runs plans on the GPU. */
export class WebGpuBackend implements Backend {
  readonly name = "gpu";
  readonly slotLimit: number;
  readonly device: GpuDevice;
  readonly target: GpuTarget;
  readonly info: GpuAdapterInfo;
  readonly pool: BufferPool;
  readonly pipelines: PipelineCache;
  readonly submissions: Submissions;
  readonly #readback: Readback;
  readonly #isShared: boolean;
  readonly #registry: FinalizationRegistry<PooledBuffer>;
  /** What is written passes through it where the GPU cannot be given the memory itself; writing copies at once. */
  #chunk: Uint8Array<ArrayBuffer> | null = null;
  #lost: string | null = null;
  readonly #refused: Refused = { message: null };
  #sinceMarker = 0;
  #marker: Promise<void> | null = null;

  constructor({ device, target, info, isShared }: OpenDevice) {
    this.device = device;
    this.target = target;
    this.info = info;
    this.slotLimit = target.storageBuffers;
    this.#isShared = isShared;
    this.submissions = new Submissions(device, !isShared);
    this.pool = new BufferPool(device, () => this.submissions.flush());
    this.pipelines = new PipelineCache(device);
    this.#readback = new Readback(device, this.submissions);
    const { pool } = this;
    this.#registry = new FinalizationRegistry((buffer) => pool.give(buffer));
    device.lost.then(({ reason, message }) => {
      this.#lost = message || reason || "no reason given";
    });
    // On a shared device they may be others'.
    if (!isShared) hearErrors(device, this.#refused);
  }

  get isLost(): boolean {
    return this.#lost !== null;
  }

  /** @throws {DeviceError} if the device is lost, or refused work since this was asked last */
  requireWorking(): void {
    if (this.#lost !== null) throw this.#loss(this.#lost);
    const { message } = this.#refused;
    if (message === null) return;
    this.#refused.message = null;
    throw new DeviceError("gpu", `the GPU refused earlier work: ${message}`);
  }

  #loss(reason: string): DeviceError {
    return new DeviceError("gpu", `the device was lost (${reason}); the next evaluation opens a new one`);
  }

  /** What is wrong if work failed by `cause`: the loss of the device, of which some tell later than of the work that fails by it. */
  async failureOf(cause: unknown): Promise<unknown> {
    if (cause instanceof OutOfMemoryError) return cause;
    if (this.#lost === null) {
      await Promise.race([this.device.lost, new Promise((resolve) => setTimeout(resolve, patienceMilliseconds))]);
    }
    if (this.#lost !== null) return this.#loss(this.#lost);
    if (cause instanceof MLXError) return cause;
    const reason = reasonOf(cause);
    return new DeviceError("gpu", `the GPU refuses to work: ${reason}`, { cause });
  }

  /** Does `work`, and tells what the device says against it. The scope is closed at once: others may use the device meanwhile. */
  scoped(work: () => void): Promise<GpuErrorReport | null> {
    this.device.pushErrorScope("validation");
    let error: Promise<GpuErrorReport | null> = Promise.resolve(null);
    try {
      work();
    } finally {
      error = this.device.popErrorScope();
    }
    return error;
  }

  /** Does `work`; what the device says against it is thrown by the next evaluation or read. */
  watched(work: () => void): void {
    if (!this.#isShared) {
      work();
      return;
    }
    this.scoped(work).then(
      (error) => {
        this.#refused.message ??= error?.message ?? null;
      },
      () => undefined,
    );
  }

  overrides(call: TensorCall): boolean {
    return overridesComposite(call, this.target);
  }

  upload(data: TypedArray): Allocation {
    const allocation = this.allocate(data.byteLength);
    const { pooled } = allocation;
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    this.submissions.flush();
    if (!pooled.check) this.#write(bytes, pooled.buffer);
    else {
      // That nothing can be written to a buffer that turns out not to exist is no news.
      this.scoped(() => this.#write(bytes, pooled.buffer)).then(
        (error) => {
          if (error && !pooled.isBroken) this.#refused.message ??= error.message;
        },
        () => undefined,
      );
    }
    return allocation;
  }

  #write(bytes: Uint8Array, buffer: GpuBuffer): void {
    // Writes are whole words; the last one is filled up.
    const whole = areShared(bytes) ? 0 : bytes.byteLength - (bytes.byteLength % 4);
    if (whole > 0) this.submissions.write(buffer, 0, bytes, whole);
    for (let start = whole; start < bytes.byteLength; start += chunkBytes) {
      this.#chunk ??= new Uint8Array(chunkBytes);
      const chunk = this.#chunk;
      const part = bytes.subarray(start, start + chunkBytes);
      chunk.set(part);
      this.submissions.write(buffer, start, chunk, Math.ceil(part.byteLength / 4) * 4);
    }
  }

  allocate(byteLength: number): GpuAllocation {
    return new GpuAllocation(this, this.#registry, this.pool.take(byteLength), byteLength);
  }

  /** What `use` makes of the bytes of `allocation`. @throws {DeviceError} if they were lost with the device */
  async read<T>(allocation: GpuAllocation, use: (bytes: Uint8Array) => T): Promise<T> {
    try {
      if (this.#lost === null) {
        return await this.#readback.read(allocation.pooled.buffer, allocation.byteLength, (bytes) => {
          // By now the device has said whether it did the work that these bytes come of.
          this.requireWorking();
          return use(bytes);
        });
      }
    } catch (cause) {
      const failure = await this.failureOf(cause);
      if (this.#lost === null) throw failure;
    }
    throw new DeviceError(
      "read",
      `the only copy of these ${allocation.byteLength} bytes was on a GPU device that was lost (${this.#lost}); compute them again`,
    );
  }

  prepare(plan: Plan): Executable {
    // Each takes time in every run. Of long plans few constants ever change: there a buffer is cheaper, which is written once.
    const isShort = plan.steps.filter(({ constants }) => constants.length > 0).length <= mostImmediates;
    const target = isShort ? this.target : { ...this.target, immediateBytes: 0 };
    return new GpuExecutable(
      this,
      plan,
      plan.steps.map(({ kernel }) =>
        kernel.slots.some(({ size, isOutput }) => isOutput && size > 0) ? emitKernel(kernel, target) : noCode,
      ),
    );
  }

  /** Something to wait for before work is submitted, or null. */
  beforeSubmit(): Promise<void> | null {
    if (this.#sinceMarker < submissionsPerMarker) return null;
    this.#sinceMarker = 0;
    const previous = this.#marker;
    this.#marker = this.submissions.done();
    return previous;
  }

  afterSubmit(): void {
    this.#sinceMarker++;
  }

  async synchronize(): Promise<void> {
    await this.submissions.done();
    this.requireWorking();
  }

  memory(): MemoryReport {
    return { active: this.pool.active, peak: this.pool.peak, cache: this.pool.cached };
  }

  resetPeak(): void {
    this.pool.resetPeak();
  }

  clearCache(): void {
    this.pool.clearCache();
  }

  setLimits(limits: { readonly memory?: number; readonly cache?: number }): void {
    this.pool.setLimits(limits);
  }

  /** Gives the device up, unless the program that brought it goes on using it. */
  close(): void {
    this.#lost ??= "it was closed";
    this.pool.close();
    this.#readback.close();
    if (!this.#isShared) this.device.destroy();
  }
}

/** Notes what nobody else hears of. A function of its own: Dawn keeps a listener, and all that its surroundings know, for ever. */
function hearErrors(device: GpuDevice, refused: Refused): void {
  device.addEventListener("uncapturederror", ({ error }) => {
    refused.message ??= error.message;
  });
}

/** Whether the bytes lie in memory that threads share. */
function areShared({ buffer }: Uint8Array): boolean {
  return typeof SharedArrayBuffer !== "undefined" && buffer instanceof SharedArrayBuffer;
}
