/** The families of rows: what a pointwise operation or a view has in common with its kind. */
import type { Dtype } from "../base/dtype.ts";
import { MLXError, ShapeError } from "../base/errors.ts";
import type { Shape } from "../base/shape.ts";
import { formatShape, sameShape } from "../base/shape.ts";
import type { Aval, MLXArray } from "../graph/mlx-array.ts";
import type { Derivative, Lowering, Primitive, Site } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import type { Expr, Expressions } from "../ir/expr.ts";

/** What makes one pointwise operation differ from another. */
export interface PointwiseRules<P> {
  /** One output element from the elements of the inputs. */
  lower(e: Expressions, args: readonly Expr[], params: P, output: Aval): Expr;
  /** ∂output/∂input, one per input; null where the output does not depend on it. Absent: piecewise constant, or see `derivative`. */
  partials?(inputs: readonly MLXArray[], output: MLXArray, params: P): readonly (MLXArray | null)[];
  /** Instead of `partials`. */
  readonly derivative?: Derivative<P>;
  /** The dtype of the result; the inputs' own unless given. Throws for dtypes it does not admit. */
  result?(dtype: Dtype, params: P, inputs: readonly Aval[]): Dtype;
}

/** An elementwise primitive on inputs of one shape and dtype: shape, jvp, vjp, vmap and fusion all follow from the family. */
export function pointwise<P = null>(name: string, rules: PointwiseRules<P>): Primitive<P> {
  const { partials } = rules;
  const derivative: Derivative<P> = partials
    ? { kind: "pointwise", partials }
    : (rules.derivative ?? { kind: "none", because: `${name} is piecewise constant`, isZero: true });
  const row: Primitive<P> = {
    name,
    aval(inputs, params) {
      const first = only(name, inputs[0]);
      for (const input of inputs) {
        if (!sameShape(first.shape, input.shape)) {
          throw new ShapeError(name, `shapes ${formatShape(first.shape)} and ${formatShape(input.shape)} differ`);
        }
      }
      return { shape: first.shape, dtype: rules.result ? rules.result(first.dtype, params, inputs) : first.dtype };
    },
    lowering: {
      kind: "map",
      isPointwise: true,
      element: (site) =>
        rules.lower(
          site.e,
          site.inputs.map((_, k) => site.read(k, site.index)),
          site.params,
          site.output,
        ),
    },
    derivative,
    batch: (inputs, axes, params) => [apply(row, alignBatch(inputs, axes), params), 0],
  };
  return row;
}

type MapLowering<P> = Extract<Lowering<P>, { readonly kind: "map" }>;

/** What makes one view differ from another. */
export interface ViewRules<P> {
  aval(input: Aval, params: P): Aval;
  /** Where in the input the output's element at `site.index` comes from. */
  source(site: Site<P>, input: Shape): readonly Expr[];
  transpose(cotangent: MLXArray, input: MLXArray, params: P): MLXArray;
  /** The parameters of the same view on an input with a batch axis in front. */
  batchParams(params: P, input: MLXArray): P;
  /** The batched input as the view needs it, where that is not simply with the batch axis in front. */
  batchInput?(input: MLXArray, params: P): MLXArray;
  /** What else its lowering says. */
  readonly lowering?: Pick<MapLowering<P>, "sameElements" | "positions">;
}

/** A primitive that only moves elements of one input. */
export function view<P>(name: string, rules: ViewRules<P>): Primitive<P> {
  const row: Primitive<P> = {
    name,
    aval: ([input], params) => rules.aval(only(name, input), params),
    lowering: {
      kind: "map",
      element: (site) => site.read(0, rules.source(site, only(name, site.inputs[0]).shape)),
      ...rules.lowering,
    },
    derivative: {
      kind: "linear",
      transpose: (cotangent, [input], params) => [rules.transpose(cotangent, only(name, input), params)],
    },
    batch([input], [axis], params) {
      const moved = batchToFront(only(name, input), axis ?? 0);
      const front = rules.batchInput ? rules.batchInput(moved, params) : moved;
      return [apply(row, [front], rules.batchParams(params, front)), 0];
    },
  };
  return row;
}

/** `value`, which a row of `name` is sure to have. */
export function only<T>(name: string, value: T | undefined | null): T {
  if (value === undefined || value === null) throw new MLXError(name, "lacks an input");
  return value;
}

/** How a batch axis is moved and made. */
export interface BatchMoves {
  /** `x` with `axis` moved to the front. */
  toFront(x: MLXArray, axis: number): MLXArray;
  /** `x` repeated along a new first axis. */
  repeat(x: MLXArray, length: number): MLXArray;
}

let moves: BatchMoves | null = null;

/** Set by the views, which are rows of a family themselves: importing them here would close a circle. */
export function provideBatchMoves(given: BatchMoves): void {
  moves = given;
}

/** `x` with its batch axis first. */
export function batchToFront(x: MLXArray, axis: number): MLXArray {
  return axis === 0 ? x : only("vmap", moves).toFront(x, axis);
}

/** All inputs with their batch axis first; those without one are repeated along it. */
export function alignBatch(inputs: readonly MLXArray[], axes: readonly (number | null)[]): MLXArray[] {
  const length = batchLength(inputs, axes);
  return inputs.map((input, k) => {
    const axis = axes[k] ?? null;
    return axis === null ? only("vmap", moves).repeat(input, length) : batchToFront(input, axis);
  });
}

/** The length of the batch axis. */
export function batchLength(inputs: readonly MLXArray[], axes: readonly (number | null)[]): number {
  for (let k = 0; k < inputs.length; k++) {
    const axis = axes[k] ?? null;
    if (axis !== null) return inputs[k]?.shape[axis] ?? 1;
  }
  return 1;
}
