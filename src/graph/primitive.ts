/** What the system knows about one operation: its row. Adding an operation is writing one of these. */
import type { TypedArray } from "../base/dtype.ts";
import type { Part } from "../base/part.ts";
import type { Expr, Expressions, ScalarValue } from "../ir/expr.ts";
import type { ReduceOp } from "../ir/instruction.ts";
import type { Aval } from "./mlx-array.ts";
import { MLXArray } from "./mlx-array.ts";

/** Where one element of a `map` is computed. */
export interface Site<P> {
  /** Builds expressions. */
  readonly e: Expressions;
  /** The position of the output element along each axis. */
  readonly index: readonly Expr[];
  /** The element of input `input` at `index` (one expression per axis of that input). */
  read(input: number, index: readonly Expr[]): Expr;
  readonly params: P;
  readonly inputs: readonly Aval[];
  readonly output: Aval;
  /** The `k`-th of the row's positions, if a run may bring another one; undefined: it is as the parameters say. */
  readonly position?: (k: number) => Expr | undefined;
}

/** How an operation is computed. */
export type Lowering<P> =
  /** An array that has, or will be given, its elements. */
  | { readonly kind: "data" }
  /** A scalar known when the graph is built; lifted to a kernel argument. */
  | { readonly kind: "constant"; value(params: P): ScalarValue }
  /** Each output element on its own: pointwise arithmetic, views, gathers, generated values. Fuses freely. */
  | {
      readonly kind: "map";
      element(site: Site<P>): Expr;
      /** Those of the parameters that may change without a kernel for each: `element` asks the site for them. */
      positions?(params: P): readonly number[];
      /** Each output element depends on the inputs' elements at the same position only; all have one shape. */
      readonly isPointwise?: boolean | undefined;
      /** The output has the input's elements in the same row-major order (reshape). */
      readonly sameElements?: boolean | undefined;
      /** The output begins a kernel of its own: nothing that reads it computes it anew. */
      readonly isStored?: boolean | undefined;
    }
  /** Input 0 combined over `axes`, which disappear. */
  | { readonly kind: "reduce"; readonly op: ReduceOp; axes(params: P): readonly number[] }
  /** [..., M, K] · [..., K, N] → [..., M, N], all leading axes equal. */
  | { readonly kind: "contraction" }
  /** A named loop that fuses with nothing; `run` is its definition, a backend may have a faster one. */
  | {
      readonly kind: "routine";
      run(call: RoutineCall<P>): void;
      /** What `run` needs to be loaded. */
      readonly part?: Part<unknown> | undefined;
    }
  /** Defined by other operations; a backend may have a kernel for the whole. */
  | {
      readonly kind: "composite";
      define(inputs: readonly MLXArray[], params: P): MLXArray;
      /** The leaves that the definition has besides its inputs. */
      captures?(params: P): readonly MLXArray[];
      /** For lists of positions in the definition the constants of those that other definitions have elsewhere. */
      moving?(params: P): ReadonlyMap<readonly number[] | undefined, MLXArray[]>;
      /**
       * For a row with several results: which of them `params` are for. Those of one `whole`, and of the same inputs, are computed
       * by one kernel.
       */
      result?(params: P): { readonly whole: string; readonly part: number };
      /** Arithmetic operations of the whole, for a row that backends have kernels for. */
      flops?(inputs: readonly Aval[], params: P): number;
    };

/** What a routine works on: row-major elements in carrier arrays (float16 and bfloat16 as bits). */
export interface RoutineCall<P> {
  readonly inputs: readonly TypedArray[];
  readonly output: TypedArray;
  readonly inputAvals: readonly Aval[];
  readonly outputAval: Aval;
  readonly params: P;
}

/** How an operation is differentiated; jvp and vjp both follow from it. */
export type Derivative<P> =
  /** ∂output/∂input elementwise, one per input, null where there is none. Inputs and output have one shape. */
  | {
      readonly kind: "pointwise";
      partials(inputs: readonly MLXArray[], output: MLXArray, params: P): readonly (MLXArray | null)[];
    }
  /** Linear in the inputs listed (all by default); `transpose` gives one cotangent per input, null for the others. */
  | {
      readonly kind: "linear";
      readonly linearInputs?: readonly number[] | undefined;
      transpose(
        cotangent: MLXArray,
        inputs: readonly MLXArray[],
        params: P,
        output: MLXArray,
      ): readonly (MLXArray | null)[];
    }
  /** Linear in each of two inputs; `transpose(…, which)` gives the cotangent of input `which`. */
  | {
      readonly kind: "bilinear";
      transpose(cotangent: MLXArray, inputs: readonly MLXArray[], which: 0 | 1, params: P): MLXArray;
    }
  | {
      readonly kind: "custom";
      /** `tangents[i]` is null where input i is constant. Null: the output is constant. */
      jvp(
        tangents: readonly (MLXArray | null)[],
        inputs: readonly MLXArray[],
        output: MLXArray,
        params: P,
      ): MLXArray | null;
      vjp(cotangent: MLXArray, inputs: readonly MLXArray[], output: MLXArray, params: P): readonly (MLXArray | null)[];
    }
  /** A composite differentiated through its definition; backwards by a rule of its own where `vjp` is given and not null. */
  | {
      readonly kind: "definition";
      /** `needed` says which inputs' cotangents are asked for. */
      vjp?(
        cotangent: MLXArray,
        inputs: readonly MLXArray[],
        params: P,
        needed: readonly boolean[],
        output: MLXArray,
      ): readonly (MLXArray | null)[] | null;
    }
  /** The same through a definition that may not be loaded yet. */
  | { readonly kind: "deferred"; define(inputs: readonly MLXArray[]): MLXArray }
  /** No tangent flows: zero where the value is piecewise constant (`isZero`), an error naming `because` otherwise. */
  | { readonly kind: "none"; readonly because: string; readonly isZero?: boolean | undefined };

/** Everything the system knows about one operation. */
export interface Primitive<P = unknown> {
  readonly name: string;
  /** Shape and dtype of the result; throws the typed errors of the operation. */
  aval(inputs: readonly Aval[], params: P): Aval;
  readonly lowering: Lowering<P>;
  readonly derivative: Derivative<P>;
  /** The operation on inputs that carry one more axis each, at `axes[i]` (null: not batched). Returns the result and the place of its batch axis. */
  batch(inputs: readonly MLXArray[], axes: readonly (number | null)[], params: P): readonly [MLXArray, number];
}

/** Applies a primitive: checks now, computes nothing. */
export function apply<P>(primitive: Primitive<P>, inputs: readonly MLXArray[], params: P): MLXArray {
  return new MLXArray(primitive, inputs, params, primitive.aval(inputs, params));
}

/** Inputs before users, each once. Iterative, so that a long chain cannot overflow the stack. */
export function topologicalOrder(roots: readonly MLXArray[], isLeaf?: (array: MLXArray) => boolean): MLXArray[] {
  const done = new Set<MLXArray>();
  const order: MLXArray[] = [];
  const stack: MLXArray[] = [];
  const next: number[] = [];
  for (const root of roots) {
    if (done.has(root)) continue;
    stack.push(root);
    next.push(0);
    while (stack.length > 0) {
      const top = stack.length - 1;
      const array = stack[top];
      const position = next[top];
      if (array === undefined || position === undefined) break;
      const input = isLeaf?.(array) ? undefined : array.inputs[position];
      if (input === undefined || done.has(array)) {
        if (!done.has(array)) {
          done.add(array);
          order.push(array);
        }
        stack.pop();
        next.pop();
      } else {
        next[top] = position + 1;
        if (!done.has(input)) {
          stack.push(input);
          next.push(0);
        }
      }
    }
  }
  return order;
}
