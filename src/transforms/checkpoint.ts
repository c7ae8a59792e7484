/** checkpoint: trades memory for time by computing a function anew where its gradient needs what is inside it. */
import { describeValue, requireFunction, requireSynchronous } from "../base/describe.ts";
import { ArgumentError } from "../base/errors.ts";
import { typedTree } from "../base/tree.ts";
import { treeMap } from "../base/tree-map.ts";
import { MLXArray } from "../graph/mlx-array.ts";
import { placedOn } from "../graph/placement.ts";
import type { Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import { batchLength, only, view } from "../primitives/families.ts";
import { broadcastTo } from "../primitives/views.ts";
import { dependents, pullBack } from "./differentiate.ts";
import { arraysIn } from "./grad.ts";

/** The input itself, kept apart from it: what is computed from a barrier is not shared with what is computed from its input. */
export const barrierRow: Primitive<null> = /* @__PURE__ */ view<null>("barrier", {
  aval: ({ shape, dtype }) => ({ shape, dtype }),
  source: ({ index }) => index,
  transpose: (cotangent) => cotangent,
  batchParams: () => null,
  lowering: { sameElements: true },
});

/** Inputs: a result and the arrays it is computed from. The result; its cotangents go through a second computation of it. */
export const checkpointRow: Primitive<null> = {
  name: "checkpoint",
  aval: ([result]) => {
    const { shape, dtype } = only("checkpoint", result);
    return { shape, dtype };
  },
  lowering: { kind: "map", element: ({ index, read }) => read(0, index), sameElements: true },
  derivative: {
    kind: "custom",
    jvp: ([tangent = null]) => tangent,
    vjp(cotangent, [result, ...primals]) {
      const anew = primals.map((primal) => apply(barrierRow, [primal], null));
      return [null, ...pullBack([rebuilt(only("checkpoint", result), primals, anew)], [cotangent], anew)];
    },
  },
  batch(inputs, axes) {
    const [axis = null] = axes;
    if (axis !== null) return [apply(checkpointRow, inputs, null), axis];
    const result = only("checkpoint", inputs[0]);
    return [broadcastTo(result, [batchLength(inputs, axes), ...result.shape]), 0];
  },
};

/**
 * A function with the values and derivatives of `fn` that keeps none of its intermediate results for the gradient: they are
 * computed a second time when it is. Arguments and results are arrays, or trees of arrays; gradients also flow to arrays
 * that `fn` captures.
 *
 * @throws {ArgumentError} for arguments besides the function: what it returns takes them
 * @example
 * const block = checkpoint((x: mx.MLXArray) => x.mul(x).mul(x));
 * await grad(block)(array(2)).item(); // 12
 */
export function checkpoint<A extends readonly unknown[], R>(fn: (...args: A) => R): (...args: A) => R;
export function checkpoint<A extends readonly unknown[], R>(
  fn: (...args: A) => R,
  ...more: readonly unknown[]
): (...args: A) => R {
  requireFunction("checkpoint", fn);
  // A number is the place in a list whose `map` calls this.
  if (more.length > 0 && typeof more[0] !== "number") {
    const detail = `takes a function alone, got ${describeValue(more[0])} besides; call what it returns: checkpoint(fn)(x)`;
    throw new ArgumentError("checkpoint", detail);
  }
  return (...args: A): R => {
    const result = fn(...args);
    requireSynchronous("checkpoint", result);
    const given = [...new Set(arraysIn(args))];
    return typedTree<R>(
      treeMap((leaf) => {
        if (!(leaf instanceof MLXArray) || given.includes(leaf)) return leaf;
        return apply(checkpointRow, [leaf, ...given, ...captured(leaf, given)], null);
      }, result),
    );
  };
}

/** The arrays that the computation of `result` from `given` takes from elsewhere. */
function captured(result: MLXArray, given: readonly MLXArray[]): MLXArray[] {
  const inside = new Set(dependents([result], given));
  const outside = new Set<MLXArray>();
  const start = new Set(given);
  for (const vertex of inside) {
    if (start.has(vertex)) continue;
    for (const input of vertex.inputs)
      if (!inside.has(input) && input.primitive.lowering.kind !== "constant") outside.add(input);
  }
  return [...outside];
}

/** `result` computed from `to` as it was from `from`. */
function rebuilt(result: MLXArray, from: readonly MLXArray[], to: readonly MLXArray[]): MLXArray {
  const copies = new Map<MLXArray, MLXArray>();
  from.forEach((vertex, k) => {
    copies.set(vertex, to[k] ?? vertex);
  });
  for (const vertex of dependents([result], from)) {
    if (copies.has(vertex)) continue;
    const inputs = vertex.inputs.map((input) => copies.get(input) ?? input);
    copies.set(
      vertex,
      placedOn(vertex.device, () => apply(vertex.primitive, inputs, vertex.params)),
    );
  }
  return copies.get(result) ?? result;
}
