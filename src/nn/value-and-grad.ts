/** Gradients with respect to a module's parameters. */
import { describeValue, requireFunction } from "../base/describe.ts";
import { ArgumentError, GradientError } from "../base/errors.ts";
import { treeFlatten } from "../base/tree.ts";
import { MLXArray } from "../graph/mlx-array.ts";
import { type Differentiable, valueAndGrad as valueAndGradOf } from "../transforms/grad.ts";
import { Module } from "./module.ts";
import type { ParametersOf } from "./parameter-tree.ts";

/**
 * A function that returns the value of `fn` and its gradient with respect to the trainable parameters of `model`, as a tree
 * like `model.trainableParameters()`. Arguments are passed on to `fn`; by custom the first is the model itself.
 *
 * `fn` returns a scalar array, or a list that begins with one. The model's parameters are the same afterwards, even if `fn`
 * throws; other arrays that `fn` puts into its fields, such as running statistics, stay there.
 *
 * @throws {GradientError} if the model has no trainable parameters
 * @example
 * const model = new nn.Linear(2, 1);
 * const lossOf = (m: nn.Linear, x: mx.MLXArray) => m(x).mul(m(x)).sum();
 * const [loss, gradients] = nn.valueAndGrad(model, lossOf)(model, array([[1, 2]]));
 * gradients.weight.shape; // [1, 2]
 */
export function valueAndGrad<M extends Module, A extends readonly unknown[], const R extends Differentiable>(
  model: M,
  fn: (model: M, ...args: A) => R,
): (model: M, ...args: A) => [R, ParametersOf<M>];
export function valueAndGrad(
  model: Module,
  fn: (...args: never[]) => Differentiable,
): (...args: unknown[]) => [unknown, object] {
  if (!(model instanceof Module)) {
    throw new ArgumentError(
      "nn.valueAndGrad",
      `takes a module, got ${describeValue(model)}; mx.valueAndGrad takes any tree`,
    );
  }
  requireFunction("nn.valueAndGrad", fn);
  return (...args) => {
    if (args[0] !== model && !(args[0] instanceof Module)) {
      throw new ArgumentError("nn.valueAndGrad", `the first argument is the model, got ${describeValue(args[0])}`);
    }
    const own: object = model.trainableParameters();
    if (!treeFlatten(own).some(([, leaf]) => leaf instanceof MLXArray)) {
      throw new GradientError("nn.valueAndGrad", `${model.constructor.name} has no trainable parameters`);
    }
    const withParameters = (parameters: object): Differentiable => {
      model.update(parameters);
      return Reflect.apply(fn, undefined, args);
    };
    try {
      return valueAndGradOf(withParameters)(own);
    } finally {
      model.update(own);
    }
  };
}
