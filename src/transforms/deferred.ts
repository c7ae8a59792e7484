/** Operations whose definition may not be loaded yet: the graph, and what transforms make of it, goes on without it. */
import { isFloating } from "../base/dtype.ts";
import type { Aval, MLXArray } from "../graph/mlx-array.ts";
import type { Derivative, Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import { filledLike } from "../primitives/elementwise.ts";
import { batchLength, batchToFront } from "../primitives/families.ts";
import { placeholder } from "../primitives/leaf.ts";
import { broadcastTo } from "../primitives/views.ts";
import { markPrimals, pullBack, pushForward } from "./differentiate.ts";
import { batchGraph } from "./vectorize.ts";

/** The operation in other operations, on inputs that are not evaluated. */
export type Definition = (inputs: readonly MLXArray[]) => MLXArray;

/**
 * An array of `aval` that `define` computes from `inputs`. Nothing asks for the definition before the array is evaluated: its
 * derivatives and its batched form are deferred in turn.
 *
 * @param define may throw `MissingPart`: the evaluation then loads the part
 * @param derivative where it is known that there is none
 */
export function deferred(
  name: string,
  aval: Aval,
  inputs: readonly MLXArray[],
  define: Definition,
  derivative: Derivative<null> = { kind: "deferred", define },
): MLXArray {
  const row: Primitive<null> = {
    name,
    aval: () => aval,
    lowering: { kind: "composite", define: (given) => define(markPrimals(given)) },
    derivative,
    batch(given, axes) {
      const shape = [batchLength(given, axes), ...aval.shape];
      const whole = (marked: readonly MLXArray[]): MLXArray => {
        const batched = new Map<MLXArray, readonly [MLXArray, number]>();
        const singles = marked.map((input, k) => {
          const axis = axes[k] ?? null;
          if (axis === null) return input;
          const single = placeholder({ shape: input.shape.toSpliced(axis, 1), dtype: input.dtype });
          batched.set(single, [input, axis]);
          return single;
        });
        const result = define(singles);
        batchGraph([result], batched);
        // A result that depends on no example is the same for all.
        return batchToFront(...(batched.get(result) ?? [broadcastTo(result, shape), 0]));
      };
      return [deferred(name, { shape, dtype: aval.dtype }, given, whole), 0];
    },
  };
  return apply(row, inputs, null);
}

/** The cotangents of the inputs of a deferred operation; null where there can be none. */
export function deferredVjp(vertex: MLXArray, cotangent: MLXArray, define: Definition): (MLXArray | null)[] {
  const { inputs, primitive } = vertex;
  return inputs.map((input, k) => {
    if (!isFloating(input.dtype) || !isFloating(vertex.dtype)) return null;
    return deferred(primitive.name, input, [...inputs, cotangent], (marked) => {
      const [wanted = input] = marked.slice(k, k + 1);
      const [pulled] = pullBack([define(marked.slice(0, -1))], marked.slice(-1), [wanted]);
      return pulled ?? filledLike(wanted, 0);
    });
  });
}

/** The tangent of a deferred operation; null where there can be none. */
export function deferredJvp(
  vertex: MLXArray,
  tangents: readonly (MLXArray | null)[],
  define: Definition,
): MLXArray | null {
  if (!isFloating(vertex.dtype)) return null;
  const { inputs, primitive } = vertex;
  const given = [...inputs, ...tangents.flatMap((tangent) => tangent ?? [])];
  return deferred(primitive.name, vertex, given, (marked) => {
    const primals = marked.slice(0, inputs.length);
    const moving = primals.filter((_, k) => tangents[k]);
    const [pushed] = pushForward([define(primals)], moving, marked.slice(inputs.length));
    return pushed ?? filledLike(vertex, 0);
  });
}
