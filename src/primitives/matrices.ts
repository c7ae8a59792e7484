/** What rows and functions of linear algebra share: what they refuse, batches in front, several results in one array. */
import type { Dtype } from "../base/dtype.ts";
import { isHalf, requireFloating } from "../base/dtype.ts";
import { DeviceError, DtypeError, ShapeError } from "../base/errors.ts";
import type { Shape } from "../base/shape.ts";
import { formatShape, sizeOf } from "../base/shape.ts";
import type { Aval, MLXArray } from "../graph/mlx-array.ts";
import type { Derivative, Lowering, Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import { requireArray } from "../graph/require-array.ts";
import { add, multiply } from "./arithmetic.ts";
import { castTo } from "./cast.ts";
import { alignBatch, only } from "./families.ts";
import { concatenate } from "./joining.ts";
import { sliceAxis } from "./slicing.ts";
import { reshape, transpose } from "./views.ts";

/**
 * A row on matrices in the last axes of its inputs, each of its own; the axes before them are a batch. `batchOwn` may have a better
 * way to batch some inputs, and gives null for others.
 */
export function matrixRow<P>(
  name: string,
  shapeOf: (...shapes: readonly Shape[]) => Shape,
  lowering: Lowering<P>,
  derivative: Derivative<P>,
  batchOwn: (
    row: Primitive<P>,
    ...given: Parameters<Primitive<P>["batch"]>
  ) => ReturnType<Primitive<P>["batch"]> | null = () => null,
): Primitive<P> {
  const row: Primitive<P> = {
    name,
    aval(inputs) {
      const { dtype } = only(name, inputs[0]);
      if (dtype !== "float32" && dtype !== "float64")
        throw new DtypeError(name, `computes in float32 and float64, got ${dtype}; convert it with asType("float32")`);
      return { shape: shapeOf(...inputs.map(({ shape }) => shape)), dtype };
    },
    lowering,
    derivative,
    batch: (inputs, axes, params) =>
      batchOwn(row, inputs, axes, params) ?? [apply(row, alignBatch(inputs, axes), params), 0],
  };
  return row;
}

/**
 * `row`, which the CPU alone computes, as `operation` needs it.
 *
 * @throws {DeviceError} if it is placed on the GPU
 */
export function applyOnCpu<P>(operation: string, row: Primitive<P>, inputs: readonly MLXArray[], params: P): MLXArray {
  const result = apply(row, inputs, params);
  if (result.device === "cpu") return result;
  throw new DeviceError(
    operation,
    'decompositions are computed on the CPU alone: pass { device: "cpu" }, or call it in withDevice("cpu", …); elements move by themselves',
  );
}

/**
 * `x` as matrices to decompose: float16 and bfloat16 as float32.
 *
 * @throws {ShapeError} if it has fewer than two axes
 * @throws {DtypeError} if it is no floating-point array
 */
export function asMatrices(operation: string, x: MLXArray): MLXArray {
  requireArray(operation, x);
  if (x.ndim < 2) throw new ShapeError(operation, `needs matrices in the last two axes, got ${formatShape(x.shape)}`);
  requireFloating(operation, x.dtype);
  return castTo(x, computedDtype(x.dtype));
}

/** The same of matrices that are square. @throws {ShapeError} if they are not */
export function asSquareMatrices(operation: string, x: MLXArray): MLXArray {
  const matrices = asMatrices(operation, x);
  if (x.shape.at(-1) !== x.shape.at(-2))
    throw new ShapeError(operation, `needs square matrices in the last two axes, got ${formatShape(x.shape)}`);
  return matrices;
}

/** The dtype that decompositions of `dtype` are computed in. */
export function computedDtype(dtype: Dtype): Dtype {
  return isHalf(dtype) ? "float32" : dtype;
}

/** The lengths of the axes before the last two. */
export function batchOf({ shape }: Aval): Shape {
  return shape.slice(0, -2);
}

/** `x` with its last two axes exchanged. */
export function turned(x: MLXArray): MLXArray {
  const order = x.shape.map((_, axis) => axis);
  return transpose(x, [...order.slice(0, -2), x.ndim - 1, x.ndim - 2]);
}

/** One part of what `packed` holds in its last axis: `shape` from `start` on, behind the batch. */
export function partOf(packed: MLXArray, start: number, shape: Shape): MLXArray {
  const part = sliceAxis(packed, packed.ndim - 1, start, sizeOf(shape));
  return reshape(part, [...packed.shape.slice(0, -1), ...shape]);
}

/** Parts, given with their rank behind the batch, one after the other in a last axis. */
export function packed(parts: readonly (readonly [part: MLXArray, rank: number])[]): MLXArray {
  return concatenate(
    parts.map(([part, rank]) => {
      const batch = part.shape.slice(0, part.ndim - rank);
      return reshape(part, [...batch, sizeOf(part.shape.slice(part.ndim - rank))]);
    }),
    -1,
  );
}

/** The symmetric part of square matrices. */
export function symmetric(x: MLXArray): MLXArray {
  return multiply(add(x, turned(x)), 0.5);
}

/**
 * The symmetric matrices of which a triangle is given; the other is not read. Its derivative is that of `symmetric`: among symmetric
 * matrices both are the same function, and gradients of those are symmetric.
 */
export const mirrorRow: Primitive<{ readonly isUpper: boolean }> = /* @__PURE__ */ matrixRow<{
  readonly isUpper: boolean;
}>(
  "mirror",
  (shape = []) => shape,
  {
    kind: "map",
    element({ e, index, read, params: { isUpper } }) {
      const [row, column] = [only("mirror", index.at(-2)), only("mirror", index.at(-1))];
      const [least, greatest] = [e.min(row, column), e.max(row, column)];
      return read(0, [...index.slice(0, -2), ...(isUpper ? [least, greatest] : [greatest, least])]);
    },
  },
  {
    kind: "custom",
    jvp: ([tangent]) => symmetric(only("mirror", tangent)),
    vjp: (cotangent) => [symmetric(cotangent)],
  },
);

/** See `mirrorRow`. */
export function mirrored(x: MLXArray, isUpper: boolean): MLXArray {
  return apply(mirrorRow, [x], { isUpper });
}
