/** checkpoint: trades memory for time by computing a function anew where its gradient needs what is inside it. */
import { treeMap } from "../base/tree.ts";
import { MLXArray } from "../graph/mlx-array.ts";
import type { Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import { batchLength, only, view } from "../primitives/families.ts";
import { broadcastTo } from "../primitives/views.ts";
import { dependents, pullBack } from "./differentiate.ts";
import { arraysIn } from "./grad.ts";

interface CheckpointParams {
  /** How many of the inputs the function is differentiated by; the last input is its result. */
  readonly primals: number;
}

/** The input itself, kept apart from it: what is computed from a barrier is not shared with what is computed from its input. */
export const barrierRow: Primitive<null> = /* @__PURE__ */ view<null>("barrier", {
  aval: ({ shape, dtype }) => ({ shape, dtype }),
  source: ({ index }) => index,
  transpose: (cotangent) => cotangent,
  batchParams: () => null,
  sameElements: true,
});

/** Inputs: arrays, and a result computed from them. The result; its cotangents go through a second computation of it. */
export const checkpointRow: Primitive<CheckpointParams> = /* @__PURE__ */ {
  name: "checkpoint",
  aval: (inputs) => {
    const { shape, dtype } = only("checkpoint", inputs.at(-1));
    return { shape, dtype };
  },
  lowering: { kind: "map", element: ({ index, inputs, read }) => read(inputs.length - 1, index), sameElements: true },
  derivative: {
    kind: "custom",
    jvp: (tangents) => tangents.at(-1) ?? null,
    vjp(cotangent, inputs, _, { primals: count }) {
      const primals = inputs.slice(0, count);
      const anew = primals.map((primal) => apply(barrierRow, [primal], null));
      const result = rebuilt(only("checkpoint", inputs.at(-1)), primals, anew);
      return [...pullBack([result], [cotangent], anew), null];
    },
  },
  batch(inputs, axes, params) {
    const axis = axes.at(-1) ?? null;
    if (axis !== null) return [apply(checkpointRow, inputs, params), axis];
    const result = only("checkpoint", inputs.at(-1));
    return [broadcastTo(result, [batchLength(inputs, axes), ...result.shape]), 0];
  },
};

/**
 * A function with the values and derivatives of `fn` that keeps none of its intermediate results for the gradient: they are
 * computed a second time when it is. Arguments and results are arrays, or trees of arrays; gradients also flow to arrays
 * that `fn` captures.
 *
 * @example
 * const block = checkpoint((x: mx.MLXArray) => x.mul(x).mul(x));
 * await grad(block)(array(2)).item(); // 12
 */
export function checkpoint<A extends readonly unknown[], R>(fn: (...args: A) => R): (...args: A) => R {
  return (...args: A): R => {
    const result = fn(...args);
    const given = [...new Set(arraysIn(args))];
    return asWrapped<R>(
      treeMap((leaf) => {
        if (!(leaf instanceof MLXArray) || given.includes(leaf)) return leaf;
        const primals = [...given, ...captured(leaf, given)];
        return apply(checkpointRow, [...primals, leaf], { primals: primals.length });
      }, result),
    );
  };
}

/** The one place where the tree of wrapped results is given the type of the tree it was mapped from. */
function asWrapped<R>(result: unknown): R {
  return result as R;
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
    copies.set(vertex, apply(vertex.primitive, inputs, vertex.params));
  }
  return copies.get(result) ?? result;
}
