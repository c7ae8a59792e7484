/** What code generation for the GPU gets and gives: a device's abilities, and kernels as dispatches of WGSL. Knows no device. */

/** What a device can do, asked of it and never assumed. */
export interface GpuTarget {
  /** Whether the device is a program on the CPU: barriers are dear there, and long shaders take seconds to compile. */
  readonly isSoftware: boolean;
  /** Whether shaders may use 16-bit floats (`enable f16`). */
  readonly hasF16: boolean;
  /** Whether `pack2x16float` gives the nearest half, ties to even, with subnormal, infinite and missing numbers as they are. */
  readonly packsHalves: boolean;
  /** Whether integers of 32 bits become the nearest float32, ties to even. */
  readonly roundsIntegers: boolean;
  /**
   * Whether shaders may use subgroup operations (`enable subgroups`), and between which sizes a subgroup may be. Threads whose
   * numbers in the workgroup differ by less than `min`, counted from a multiple of it, are lanes of one subgroup in this order.
   */
  readonly subgroups: { readonly min: number; readonly max: number } | null;
  /** Tiles of f16 products summed in f32 that a subgroup computes as one matrix operation; empty without the feature. */
  readonly matrixTiles: readonly { readonly m: number; readonly n: number; readonly k: number }[];
  /** Storage buffers that one dispatch may bind; at least 8. */
  readonly storageBuffers: number;
  /** Bytes of one storage binding; at least 128 MiB. */
  readonly bindingBytes: number;
  /** Workgroups along each axis of a dispatch; at least 65,535. */
  readonly workgroupsPerAxis: number;
  /** Bytes of workgroup memory; at least 16 KiB. */
  readonly workgroupBytes: number;
  /** Threads in a workgroup; at least 256, which is also how long its first two axes may be. */
  readonly workgroupThreads: number;
  /** Bytes that a dispatch is given with its encoding (`var<immediate>`); 0 without them. */
  readonly immediateBytes: number;
}

/** What stands behind `@group(0) @binding(k)`, k being its place in the list; immediates come last and have no binding. */
export type GpuBinding =
  /** A buffer of the kernel, as a whole or from `offset` on for `byteLength` bytes. */
  | {
      readonly kind: "slot";
      readonly slot: number;
      readonly isWritten: boolean;
      readonly offset?: number;
      readonly byteLength?: number;
    }
  /** Memory that the dispatches of one kernel share, undefined before the first one writes it; as a whole or in part too. */
  | {
      readonly kind: "scratch";
      readonly scratch: number;
      readonly isWritten: boolean;
      readonly offset?: number;
      readonly byteLength?: number;
    }
  /** The kernel's lifted constants: `var<uniform> name: array<vec4u, …>`, constant k in component k % 4 of element ⌊k / 4⌋, as bits. */
  | { readonly kind: "arguments" }
  /** The same as `var<immediate> name: Constants`, whose members `four0`, … are those elements. */
  | { readonly kind: "immediates"; readonly byteLength: number };

/** One dispatch of a shader with the entry point `main`. */
export interface GpuDispatch {
  readonly wgsl: string;
  readonly bindings: readonly GpuBinding[];
  readonly workgroups: readonly [x: number, y: number, z: number];
}

/**
 * A kernel as dispatches in order; each sees what the ones before it wrote. Buffers hold elements row-major as on the CPU
 * (bool and 8-bit integers one byte, 16-bit types two), little-endian, and are padded to a multiple of 16 bytes that a
 * kernel may overwrite with anything.
 */
export interface GpuKernelCode {
  readonly dispatches: readonly GpuDispatch[];
  /** Bytes of each scratch buffer. */
  readonly scratchBytes: readonly number[];
}
