/** The lazy array: a vertex of the graph until it is evaluated, a handle on memory afterwards. */
/// <reference lib="esnext.disposable" preserve="true" />
import type { Dtype } from "../base/dtype.ts";
import { byteLengthOf } from "../base/dtype.ts";
import { DisposedError } from "../base/errors.ts";
import type { Shape } from "../base/shape.ts";
import { formatShape, sizeOf } from "../base/shape.ts";
import type { Allocation } from "../ir/backend.ts";
import type { Device } from "./placement.ts";
import { deviceFor } from "./placement.ts";
import type { Primitive } from "./primitive.ts";

/** What is known of an array before it is computed. */
export interface Aval {
  readonly shape: Shape;
  readonly dtype: Dtype;
}

let nextId = 1;
/** Receives every array that is made, while `tidy` runs. */
let creations: MLXArray[] | null = null;

/** Arrays computed together from the same inputs, which they count as one user of; `count` of them do so now. */
export interface Siblings {
  count: number;
}

/** Whether definitions are being opened for a plan. */
let opens = false;

/**
 * Runs `body`, which opens definitions for a plan: the vertices it makes are never computed themselves, so they count as
 * nobody's users, and may read what was disposed after the computation that is planned was asked for.
 */
export function opening<T>(body: () => T): T {
  const outer = opens;
  opens = true;
  try {
    return body();
  } finally {
    opens = outer;
  }
}

/** Whether definitions are being opened for a plan. */
export function isOpening(): boolean {
  return opens;
}

/** Runs `body` and returns its result with the arrays it made. */
export function recordCreations<T>(body: () => T): { readonly result: T; readonly created: readonly MLXArray[] } {
  const outer = creations;
  const created: MLXArray[] = [];
  creations = created;
  try {
    const result = body();
    if (outer) for (const array of created) outer.push(array);
    return { result, created };
  } finally {
    creations = outer;
  }
}

/** Runs `body`, whose arrays outlive what records creations around it: a recording that a function keeps for later calls. */
export function unrecorded<T>(body: () => T): T {
  const outer = creations;
  creations = null;
  try {
    return body();
  } finally {
    creations = outer;
  }
}

/**
 * An immutable n-dimensional array. Operations on it record a graph; nothing is computed until a value is read or
 * `evaluate` is called. Arrays are made by `array`, `zeros` and the other functions, not with `new`.
 *
 * @example
 * const x = array([[1, 2], [3, 4]]);
 * x.shape; // [2, 2]
 * await x.mul(2).sum(0).tolist(); // [8, 12]
 */
export class MLXArray implements Aval {
  /** @internal */
  readonly id: number = nextId++;
  /** The length of each axis, outermost first. */
  readonly shape: Shape;
  /** The element type. */
  readonly dtype: Dtype;
  /** The operation that computes this array. @internal */
  readonly primitive: Primitive;
  /** What that operation was told. @internal */
  readonly params: unknown;
  /** Where the operation that computes this array runs; its elements go wherever they are needed. */
  readonly device: Device;
  /** The arrays it is computed from; empty once evaluated. @internal */
  inputs: readonly MLXArray[];
  /** Where the elements lie, row-major, once evaluated. @internal */
  allocation: Allocation | null = null;
  /** How many arrays that are not yet evaluated are computed from this one. @internal */
  pendingUses = 0;
  /** How many evaluations computed this array on their way to others, without keeping it. @internal */
  passes = 0;
  /** Whether `dispose` was called, or a compiled function took the elements over. */
  isDisposed = false;
  /**
   * Whether something else looks at the memory of the elements, so that it must not be reused before the collector says so.
   *
   * @internal
   */
  isLent = false;
  /** Whether a compiled function took the elements' memory over. */
  #isDonated = false;
  #isIdle = false;
  /** Who is computed together with this array, as long as it is not. @internal */
  siblings: Siblings | null;

  constructor(
    primitive: Primitive,
    inputs: readonly MLXArray[],
    params: unknown,
    aval: Aval,
    siblings: Siblings | null = null,
  ) {
    const isCounted = siblings !== null && siblings.count++ > 0;
    this.primitive = primitive;
    this.inputs = inputs;
    this.params = params;
    this.shape = aval.shape;
    this.dtype = aval.dtype;
    this.device = deviceFor(primitive, isCounted ? [] : inputs, aval);
    this.siblings = siblings;
    creations?.push(this);
    if (opens || isCounted) return;
    for (const input of inputs) {
      input.requireKept(primitive.name);
      input.pendingUses++;
      if (input.#isIdle) input.#wake();
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

  /** Takes the computed elements and lets go of the graph behind this array. @internal */
  settle(allocation: Allocation): void {
    this.allocation = allocation;
    rest(this.#end());
    this.#isIdle = false;
  }

  /** What loses a user when this array is one no more. */
  #left(): readonly MLXArray[] {
    return this.siblings && --this.siblings.count > 0 ? [] : this.inputs;
  }

  /** Lets go of the graph behind this array; returns what loses a user by that. */
  #end(): readonly MLXArray[] {
    const left = this.#isIdle ? [] : this.#left();
    this.inputs = [];
    this.siblings = null;
    return left;
  }

  /**
   * Lets go of this array: using it afterwards throws `DisposedError`. Its memory returns at once, or when the pending
   * computations that read it are done. Nobody needs to call this: arrays that are no longer referenced are collected.
   *
   * @example
   * const x = array([1, 2]);
   * const doubled = x.mul(2);
   * x.dispose();
   * await doubled.tolist(); // [2, 4]
   * x.add(1); // throws DisposedError
   */
  dispose(): void {
    if (this.isDisposed) return;
    this.isDisposed = true;
    rest(this.releaseIfUnused());
  }

  /** Lets a compiled function have the memory, unless something else looks at it. @internal */
  donate(): void {
    if (this.isLent || this.isDisposed) return;
    this.#isDonated = true;
    this.dispose();
  }

  /** @internal @throws {DisposedError} if the array was disposed, naming what was asked of it */
  requireKept(operation: string): void {
    if (!this.isDisposed) return;
    const how = this.#isDonated ? "donated to a compiled function (donate: true)" : "disposed";
    const what = `array(${this.dtype} ${formatShape(this.shape)})`;
    throw new DisposedError(operation, `${what} was ${how}; use it before that, or keep array(x) of it`);
  }

  /** Disposes the array at the end of a `using` block. */
  declare [Symbol.dispose]: () => void;

  /**
   * Frees the memory of a disposed array that no pending computation needs; returns the arrays that lose a user by that.
   *
   * @internal
   */
  releaseIfUnused(): readonly MLXArray[] {
    if (this.pendingUses > 0 || !this.isDisposed) return [];
    this.allocation?.release();
    this.allocation = null;
    return this.#end();
  }

  /**
   * An array that was never computed itself, and whose users are all done, no longer counts as a user of its inputs.
   *
   * @internal
   */
  idle(): readonly MLXArray[] {
    if (this.isEvaluated || this.#isIdle) return [];
    this.#isIdle = true;
    return this.#left();
  }

  /** An idle array is used again. */
  #wake(): void {
    const stack: MLXArray[] = [this];
    for (let array = stack.pop(); array; array = stack.pop()) {
      array.#isIdle = false;
      if (array.siblings && array.siblings.count++ > 0) continue;
      for (const input of array.inputs) {
        if (input.pendingUses === 0) input.requireKept(array.primitive.name);
        input.pendingUses++;
        if (input.#isIdle) stack.push(input);
      }
    }
  }
}

/** Counts one use less of each array, and lets those without any rest, or go if they were disposed. */
function rest(arrays: readonly MLXArray[]): void {
  if (arrays.length === 0) return;
  const stack = [...arrays];
  for (let array = stack.pop(); array; array = stack.pop()) {
    array.pendingUses--;
    if (array.pendingUses > 0) continue;
    stack.push(...(array.isDisposed ? array.releaseIfUnused() : array.idle()));
  }
}
