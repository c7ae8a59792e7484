/**
 * The part of the WebGPU standard that this backend uses, as structural types: browsers, Deno, Dawn's package for Node and
 * devices that a program brings along all fit, and nobody has to install type declarations.
 */

/** What an adapter or device has beyond the core. */
export interface GpuFeatures {
  has(feature: string): boolean;
}

/** Numbers that a device promises, by their standard names. */
export type GpuLimits = Readonly<Record<string, number | undefined>>;

/** Who makes the adapter, and how wide its subgroups are. */
export interface GpuAdapterInfo {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  readonly isFallbackAdapter?: boolean;
  readonly subgroupMinSize?: number;
  readonly subgroupMaxSize?: number;
  readonly subgroupMatrixConfigs?: Iterable<{
    readonly componentType: string;
    readonly resultComponentType: string;
    readonly M: number;
    readonly N: number;
    readonly K: number;
  }>;
}

/** The entry point: `navigator.gpu`, or what Dawn's `create` returns. */
export interface Gpu {
  requestAdapter(options?: { readonly powerPreference?: "low-power" | "high-performance" }): Promise<GpuAdapter | null>;
}

/** A physical or software GPU; it gives out one device. */
export interface GpuAdapter {
  readonly features: GpuFeatures;
  readonly limits: GpuLimits;
  readonly info: GpuAdapterInfo;
  requestDevice(descriptor: {
    readonly requiredFeatures?: readonly string[];
    readonly requiredLimits?: Readonly<Record<string, number>>;
  }): Promise<GpuDevice>;
}

/** What the device reports about a failed call. */
export interface GpuErrorReport {
  readonly message: string;
}

/** The kind of error that an error scope catches. */
export type GpuErrorFilter = "validation" | "out-of-memory" | "internal";

/** A connection to a GPU. */
export interface GpuDevice {
  readonly features: GpuFeatures;
  readonly limits: GpuLimits;
  readonly adapterInfo?: GpuAdapterInfo;
  readonly queue: GpuQueue;
  readonly lost: Promise<{ readonly reason: string; readonly message: string }>;
  createBuffer(descriptor: {
    readonly size: number;
    readonly usage: number;
    readonly mappedAtCreation?: boolean | undefined;
    readonly label?: string | undefined;
  }): GpuBuffer;
  createShaderModule(descriptor: { readonly code: string; readonly label?: string | undefined }): GpuShaderModule;
  createBindGroupLayout(descriptor: {
    readonly entries: readonly {
      readonly binding: number;
      readonly visibility: number;
      readonly buffer: { readonly type: "uniform" | "storage" | "read-only-storage" };
    }[];
  }): object;
  createPipelineLayout(descriptor: {
    readonly bindGroupLayouts: readonly object[];
    readonly immediateSize?: number | undefined;
  }): object;
  createComputePipelineAsync(descriptor: {
    readonly layout: object | "auto";
    readonly compute: {
      readonly module: GpuShaderModule;
      readonly entryPoint: string;
      readonly constants?: Readonly<Record<string, number>> | undefined;
    };
    readonly label?: string | undefined;
  }): Promise<object>;
  createBindGroup(descriptor: {
    readonly layout: object;
    readonly entries: readonly {
      readonly binding: number;
      readonly resource: {
        readonly buffer: GpuBuffer;
        readonly offset?: number | undefined;
        readonly size?: number | undefined;
      };
    }[];
  }): object;
  createCommandEncoder(): GpuCommandEncoder;
  pushErrorScope(filter: GpuErrorFilter): void;
  popErrorScope(): Promise<GpuErrorReport | null>;
  addEventListener(type: "uncapturederror", listener: (event: { readonly error: GpuErrorReport }) => void): void;
  destroy(): void;
}

/** Compiled shader text. */
export interface GpuShaderModule {
  getCompilationInfo(): Promise<{
    readonly messages: Iterable<{
      readonly type: string;
      readonly message: string;
      readonly lineNum: number;
      readonly linePos: number;
    }>;
  }>;
}

/** Memory of the GPU. */
export interface GpuBuffer {
  readonly size: number;
  mapAsync(mode: number, offset?: number, size?: number): Promise<void>;
  getMappedRange(offset?: number, size?: number): ArrayBuffer;
  unmap(): void;
  destroy(): void;
}

/** Work in order. */
export interface GpuQueue {
  submit(commandBuffers: readonly object[]): void;
  writeBuffer(buffer: GpuBuffer, offset: number, data: ArrayBufferView, dataOffset?: number, size?: number): void;
  onSubmittedWorkDone(): Promise<void>;
}

/** Records work. */
export interface GpuCommandEncoder {
  beginComputePass(): GpuComputePass;
  copyBufferToBuffer(
    source: GpuBuffer,
    sourceOffset: number,
    target: GpuBuffer,
    targetOffset: number,
    size: number,
  ): void;
  finish(): object;
}

/** Records dispatches. */
export interface GpuComputePass {
  setPipeline(pipeline: object): void;
  setBindGroup(index: number, group: object): void;
  /** Missing where shaders have no immediates; the place and number of elements of `data` follow. */
  setImmediates?(offset: number, data: ArrayBufferView, dataOffset?: number, dataSize?: number): void;
  dispatchWorkgroups(x: number, y?: number, z?: number): void;
  end(): void;
}

/** The standard's flags for what a buffer is used for. */
export const bufferUsage: {
  readonly mapRead: 1;
  readonly copySource: 4;
  readonly copyTarget: 8;
  readonly uniform: 64;
  readonly storage: 128;
} = { mapRead: 1, copySource: 4, copyTarget: 8, uniform: 64, storage: 128 };

/** The standard's flag for mapping a buffer to read it. */
export const mapForReading = 1;

/** The standard's flag for resources that compute shaders see. */
export const computeStage = 4;
