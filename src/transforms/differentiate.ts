/** Derivatives as walks over the graph: backwards with cotangents, forwards with tangents. */
import { isFloating } from "../base/dtype.ts";
import { GradientError, ShapeError } from "../base/errors.ts";
import { formatShape, sameShape } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { placedOn } from "../graph/placement.ts";
import { apply, topologicalOrder } from "../graph/primitive.ts";
import { add, multiply } from "../primitives/arithmetic.ts";
import { castTo } from "../primitives/cast.ts";
import { filledLike } from "../primitives/elementwise.ts";
import { broadcastTo, identity } from "../primitives/views.ts";
import { deferredJvp, deferredVjp } from "./deferred.ts";
import { isOne } from "./seeds.ts";

/** New vertices with the values of `primals`, from which derivatives are taken. */
export function markPrimals(primals: readonly MLXArray[]): MLXArray[] {
  return primals.map(identity);
}

/**
 * The cotangent of each of `inputs`, given one for each of `outputs` (null: zero); null where nothing flows. `inputs` are
 * vertices of the graph behind `outputs`.
 *
 * @throws {GradientError} if a path goes through an operation without derivative
 */
export function pullBack(
  outputs: readonly MLXArray[],
  cotangents: readonly (MLXArray | null)[],
  inputs: readonly MLXArray[],
): (MLXArray | null)[] {
  const order = dependents(outputs, inputs);
  const known = new Map<MLXArray, MLXArray>();
  const receive = (vertex: MLXArray, cotangent: MLXArray): void => {
    const sofar = known.get(vertex);
    known.set(vertex, sofar ? add(sofar, cotangent) : cotangent);
  };
  outputs.forEach((output, k) => {
    const cotangent = cotangents[k];
    if (cotangent) receive(output, cotangent);
  });
  const isInput = new Set(inputs);
  const onPath = new Set(order);
  for (let i = order.length - 1; i >= 0; i--) {
    const vertex = order[i];
    const cotangent = vertex && known.get(vertex);
    if (!vertex || !cotangent || isInput.has(vertex)) continue;
    const needed = vertex.inputs.map((input) => onPath.has(input));
    placedOn(vertex.device, () => {
      const terms = vjpOf(vertex, cotangent, needed);
      vertex.inputs.forEach((input, k) => {
        const term = terms[k];
        if (term && needed[k]) receive(input, term);
      });
    });
  }
  return inputs.map((input) => known.get(input) ?? null);
}

/**
 * The tangent of each of `outputs`, given one for each of `inputs`; null where the output does not depend on them.
 *
 * @throws {GradientError} if a path goes through an operation without derivative
 */
export function pushForward(
  outputs: readonly MLXArray[],
  inputs: readonly MLXArray[],
  tangents: readonly MLXArray[],
): (MLXArray | null)[] {
  const known = new Map<MLXArray, MLXArray | null>(inputs.map((input, k) => [input, tangents[k] ?? null]));
  for (const vertex of dependents(outputs, inputs)) {
    if (known.has(vertex)) continue;
    const given = vertex.inputs.map((input) => known.get(input) ?? null);
    known.set(
      vertex,
      placedOn(vertex.device, () => jvpOf(vertex, given)),
    );
  }
  return outputs.map((output) => known.get(output) ?? null);
}

/** The vertices behind `outputs` that depend on `inputs` (these included), inputs before users. */
export function dependents(outputs: readonly MLXArray[], inputs: readonly MLXArray[]): MLXArray[] {
  const depends = new Set(inputs);
  return topologicalOrder(outputs, (vertex) => depends.has(vertex)).filter((vertex) => {
    if (!depends.has(vertex) && vertex.inputs.some((input) => depends.has(input))) depends.add(vertex);
    return depends.has(vertex);
  });
}

function vjpOf(vertex: MLXArray, cotangent: MLXArray, needed: readonly boolean[]): readonly (MLXArray | null)[] {
  const { derivative, lowering, name } = vertex.primitive;
  const { inputs, params } = vertex;
  switch (derivative.kind) {
    case "pointwise":
      return derivative.partials(inputs, vertex, params).map((partial, k) => {
        if (!partial || !needed[k]) return null;
        return isOne(partial) ? cotangent : multiply(cotangent, partial);
      });
    case "linear":
      return derivative.transpose(cotangent, inputs, params, vertex);
    case "bilinear":
      return [0, 1].map((which) =>
        needed[which] ? derivative.transpose(cotangent, inputs, which === 0 ? 0 : 1, params) : null,
      );
    case "custom":
      return derivative.vjp(cotangent, inputs, vertex, params);
    case "definition": {
      if (lowering.kind !== "composite") throw withoutDerivative(name, "it has no definition to differentiate");
      const own = derivative.vjp?.(cotangent, inputs, params, needed, vertex);
      if (own) return own;
      const marked = markPrimals(inputs);
      return pullBack([lowering.define(marked, params)], [cotangent], marked);
    }
    case "deferred":
      return deferredVjp(vertex, cotangent, derivative.define);
    case "none":
      if (derivative.isZero) return [];
      throw withoutDerivative(name, derivative.because);
    default:
      derivative satisfies never;
      return [];
  }
}

function jvpOf(vertex: MLXArray, tangents: readonly (MLXArray | null)[]): MLXArray | null {
  if (tangents.every((tangent) => tangent === null)) return null;
  const { derivative, lowering, name } = vertex.primitive;
  const { inputs, params } = vertex;
  switch (derivative.kind) {
    case "pointwise": {
      const terms = derivative.partials(inputs, vertex, params).flatMap((partial, k) => {
        const tangent = tangents[k];
        return partial && tangent ? [isOne(partial) ? tangent : multiply(tangent, partial)] : [];
      });
      const [first, ...others] = terms;
      return first ? others.reduce((sum, term) => add(sum, term), first) : null;
    }
    case "linear": {
      const linear = derivative.linearInputs ?? inputs.map((_, k) => k);
      if (linear.every((k) => !tangents[k]) || !isFloating(vertex.dtype)) return null;
      const moved = inputs.map((input, k) => (linear.includes(k) ? (tangents[k] ?? filledLike(input, 0)) : input));
      return apply(vertex.primitive, moved, params);
    }
    case "bilinear": {
      const [a, b] = inputs;
      const [da, db] = tangents;
      const first = da && b ? apply(vertex.primitive, [da, b], params) : null;
      const second = db && a ? apply(vertex.primitive, [a, db], params) : null;
      return first && second ? add(first, second) : (first ?? second);
    }
    case "custom":
      return derivative.jvp(tangents, inputs, vertex, params);
    case "definition": {
      if (lowering.kind !== "composite") throw withoutDerivative(name, "it has no definition to differentiate");
      const marked = markPrimals(inputs);
      const given = marked.flatMap((input, k): [MLXArray, MLXArray][] => {
        const tangent = tangents[k];
        return tangent ? [[input, tangent]] : [];
      });
      const [result = null] = pushForward(
        [lowering.define(marked, params)],
        given.map(([input]) => input),
        given.map(([, tangent]) => tangent),
      );
      return result;
    }
    case "deferred":
      return deferredJvp(vertex, tangents, derivative.define);
    case "none":
      if (derivative.isZero) return null;
      throw withoutDerivative(name, derivative.because);
    default:
      derivative satisfies never;
      return null;
  }
}

function withoutDerivative(name: string, because: string): GradientError {
  return new GradientError(name, `no gradient flows through it: ${because}; use stopGradient on what leads there`);
}

/** Throws unless a derivative with respect to `primal` makes sense. @throws {GradientError} */
export function requireDifferentiable(operation: string, primal: MLXArray, what: string): void {
  if (isFloating(primal.dtype)) return;
  throw new GradientError(
    operation,
    `${what} is ${primal.dtype}: there is no gradient with respect to integers and booleans; convert it with asType("float32")`,
  );
}

/** `seed` (a "cotangent" or "tangent") in the shape and dtype of what it belongs to. @throws {ShapeError} if it has another shape */
export function fitSeed(operation: string, kind: string, seed: MLXArray, { shape, dtype }: MLXArray): MLXArray {
  const cast = castTo(seed, dtype);
  if (sameShape(seed.shape, shape)) return cast;
  if (seed.shape.length === 0) return broadcastTo(cast, shape);
  const [found, wanted] = [formatShape(seed.shape), formatShape(shape)];
  throw new ShapeError(operation, `a ${kind} of shape ${found} does not fit the shape ${wanted} of what it belongs to`);
}
