/** The lazy array: a vertex of the graph until it is evaluated, a handle on memory afterwards. */
import type { Dtype } from "../base/dtype.ts";
import { byteLengthOf } from "../base/dtype.ts";
import { DisposedError } from "../base/errors.ts";
import type { Shape } from "../base/shape.ts";
import { sizeOf } from "../base/shape.ts";
import type { Allocation } from "../ir/backend.ts";
import type { Primitive } from "./primitive.ts";

/** What is known of an array before it is computed. */
export interface Aval {
  readonly shape: Shape;
  readonly dtype: Dtype;
}

let nextId = 1;

/**
 * An immutable n-dimensional array. Operations on it record a graph; nothing is computed until a value is read or
 * `evaluate` is called. Arrays are made by `array`, `zeros` and the other functions, not with `new`.
 */
export class MLXArray implements Aval {
  readonly id: number = nextId++;
  /** The length of each axis, outermost first. */
  readonly shape: Shape;
  /** The element type. */
  readonly dtype: Dtype;
  /** The operation that computes this array. */
  readonly primitive: Primitive;
  readonly params: unknown;
  /** The arrays it is computed from; empty once evaluated. */
  inputs: readonly MLXArray[];
  /** Where the elements lie, row-major, once evaluated. */
  allocation: Allocation | null = null;
  /** How many arrays that are not yet evaluated are computed from this one. */
  pendingUses = 0;
  isDisposed = false;

  constructor(primitive: Primitive, inputs: readonly MLXArray[], params: unknown, aval: Aval) {
    this.primitive = primitive;
    this.inputs = inputs;
    this.params = params;
    this.shape = aval.shape;
    this.dtype = aval.dtype;
    for (const input of inputs) {
      if (input.isDisposed)
        throw new DisposedError(
          primitive.name,
          `its operand array(${input.dtype} [${input.shape}]) was disposed; use it before dispose(), or keep it`,
        );
      input.pendingUses++;
    }
  }

  /** The number of elements. */
  get size(): number {
    return sizeOf(this.shape);
  }

  /** The number of axes. */
  get ndim(): number {
    return this.shape.length;
  }

  /** Bytes per element. */
  get itemSize(): number {
    return byteLengthOf(this.dtype);
  }

  /** Bytes of all elements. */
  get nbytes(): number {
    return this.size * this.itemSize;
  }

  /** Whether the elements have been computed. */
  get isEvaluated(): boolean {
    return this.allocation !== null || this.primitive.lowering.kind === "constant";
  }

  /** Takes the computed elements and lets go of the graph behind this array. */
  settle(allocation: Allocation): void {
    this.allocation = allocation;
    for (const input of this.inputs) {
      input.pendingUses--;
      if (input.isDisposed) input.releaseIfUnused();
    }
    this.inputs = [];
  }

  /** Frees the memory of a disposed array that no pending computation needs. */
  releaseIfUnused(): void {
    if (this.pendingUses > 0) return;
    this.allocation?.release();
    this.allocation = null;
  }
}
