/** Kernels as plain data: what is computed, apart from how. Printable and interpretable. */
import type { Dtype, TypedArray } from "../base/dtype.ts";
import type { Part } from "../base/part.ts";
import type { Axis, Expr } from "./expr.ts";

/** Writes `value` to flat position `index` of buffer `slot`. */
export interface Store {
  readonly slot: number;
  readonly index: Expr;
  readonly value: Expr;
}

/**
 * A loop nest. For every point of `axes` (row-major): first the children in order, then each of `reduces` (expressions of
 * op "reduce" whose axes are these) takes in its operand, then the stores happen. A reduce is complete, and may be used,
 * once its loop has ended.
 */
export interface Loop {
  readonly axes: readonly Axis[];
  readonly children: readonly Loop[];
  readonly reduces: readonly Expr[];
  readonly stores: readonly Store[];
}

/** A buffer that a kernel reads or writes. */
export interface Slot {
  readonly dtype: Dtype;
  /** Number of elements. */
  readonly size: number;
  readonly isOutput: boolean;
}

interface KernelBase {
  readonly slots: readonly Slot[];
  /** Types of the lifted constants. */
  readonly arguments: readonly Dtype[];
  /** Names of the operations in it, for people. */
  readonly label: string;
}

/** A loop nest; a root without axes is a sequence of phases. */
export interface LoopKernel extends KernelBase {
  readonly kind: "loop";
  readonly root: Loop;
}

/**
 * C[b, m, n] = Σₖ left[b, m, k] · right[b, k, n], then `stores`, in which the expression `result` stands for C[b, m, n].
 * Axes of length 1 do not occur in expressions.
 */
export interface ContractionKernel extends KernelBase {
  readonly kind: "contraction";
  readonly batch: readonly Axis[];
  readonly m: Axis;
  readonly n: Axis;
  readonly k: Axis;
  /** In terms of batch, m and k. */
  readonly left: Expr;
  /** In terms of batch, k and n. */
  readonly right: Expr;
  /** The element type in which products are summed. */
  readonly dtype: Dtype;
  /** The reduce expression over `k` that stands for the finished sum in `stores`. */
  readonly result: Expr;
  /** In terms of batch, m and n. */
  readonly stores: readonly Store[];
}

/** Shape and element type of a tensor that lies in memory, row-major. */
export interface TensorType {
  readonly shape: readonly number[];
  readonly dtype: Dtype;
}

/** A routine or composite applied to tensors of these types. */
export interface TensorCall {
  readonly name: string;
  readonly inputs: readonly TensorType[];
  readonly output: TensorType;
  readonly params: unknown;
}

/** A named loop over whole buffers: the last slot is the output. `run` defines it; a backend may have its own code for the call. */
export interface RoutineKernel extends KernelBase {
  readonly kind: "routine";
  readonly call: TensorCall;
  run(buffers: readonly TypedArray[]): void;
  /** What `run` needs to be loaded: the runtime sees to it before it has the plan prepared. */
  readonly part: Part<unknown> | null;
}

/** A composite that the backend computes whole: inputs in order, then the output. Only a backend that said it would gets one. */
export interface CompositeKernel extends KernelBase {
  readonly kind: "composite";
  /** The composite; of several results the first. */
  readonly call: TensorCall;
  /** Which of the composite's results the output slots are for, in their order. */
  readonly parts: readonly number[];
  /** Arithmetic operations, for people. */
  readonly flops: number;
}

/** The slot of a result of a composite, if it is wanted. */
export function slotOfPart({ slots, parts }: CompositeKernel, part: number): number | null {
  const place = parts.indexOf(part);
  return place === -1 ? null : slots.length - parts.length + place;
}

/** Any kernel. */
export type Kernel = LoopKernel | ContractionKernel | RoutineKernel | CompositeKernel;
