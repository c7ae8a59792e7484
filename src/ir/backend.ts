/** What a backend must offer to the layers above; nothing about how it does it. */
import type { Dtype, TypedArray } from "../base/dtype.ts";
import type { Kernel, TensorCall } from "./kernel.ts";

/** A block of memory with elements in it; they never change. */
export interface Allocation {
  readonly byteLength: number;
  /** Whose memory it is. */
  readonly backend: Backend;
  /** Whether it turned out that there was no memory for it: it holds nothing, and what uses it fails. */
  readonly isBroken?: boolean;
  /** The same elements in other backends' memory, there or on their way; they go when this block goes. */
  copies: Map<Backend, Allocation | Promise<Allocation>> | null;
  /** The bytes as they are now, if the CPU sees them; a view that memory growth may invalidate, so do not keep it. */
  bytes(): Uint8Array | null;
  /** What `use` makes of the bytes, which it must not keep. @throws {DeviceError} if they were lost with their device */
  read<T>(use: (bytes: Uint8Array) => T): T | Promise<T>;
  /** One more holder, so that `release` must be called once more. */
  retain(): void;
  /** Lets go; the memory returns when the last holder did. */
  release(): void;
}

/** Bytes in use, their greatest value so far, and bytes kept for reuse. */
export interface MemoryReport {
  readonly active: number;
  readonly peak: number;
  readonly cache: number;
}

/** One kernel of a plan, made ready to run. */
export interface Step {
  readonly kernel: Kernel;
  /** For each slot of the kernel the buffer of the plan it is bound to. */
  readonly buffers: readonly number[];
  /** For each argument of the kernel the constant of the plan it is bound to. */
  readonly constants: readonly number[];
}

/** Kernels in order, with the buffers they share. */
export interface Plan {
  readonly steps: readonly Step[];
  /** Element types of the constants. */
  readonly constants: readonly Dtype[];
  /** Bytes of each buffer; inputs come first, then outputs, then scratch. */
  readonly bufferBytes: readonly number[];
  readonly inputCount: number;
  readonly outputCount: number;
}

/** A plan in a backend's own form. */
export interface Executable {
  /** Runs with the given inputs; resolves (or returns at once) with the outputs, which the caller owns. */
  run(
    inputs: readonly Allocation[],
    constants: readonly (number | bigint)[],
  ): Promise<readonly Allocation[]> | readonly Allocation[];
  /** Lets go of what the plan holds. */
  dispose(): void;
}

/** A place to compute. */
export interface Backend {
  readonly name: string;
  /** The most buffers that a kernel of loops or a contraction may be bound to. */
  readonly slotLimit: number;
  /** Whether its memory and kernels are gone for good; another backend must take its place. */
  readonly isLost: boolean;
  /** Whether this composite, on tensors of these types, is computed by a kernel of the backend's own. */
  overrides(call: TensorCall): boolean;
  /** An allocation holding a copy of `data`. @throws {OutOfMemoryError} */
  upload(data: TypedArray): Allocation;
  /** Room for `byteLength` bytes, contents undefined. @throws {OutOfMemoryError} */
  allocate(byteLength: number): Allocation;
  /** @throws {MissingPart} if something it needs is not loaded: load it and call again */
  prepare(plan: Plan): Executable;
  /** Waits until everything that was run so far is done. */
  synchronize(): Promise<void>;
  memory(): MemoryReport;
  resetPeak(): void;
  clearCache(): void;
  /** Sets the limits in bytes; undefined leaves one as it is. */
  setLimits(limits: { readonly memory?: number; readonly cache?: number }): void;
}
