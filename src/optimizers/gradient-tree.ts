/** Whether gradients fit the parameters that they are to change: asked before anything changes. */
import { shown } from "../base/describe.ts";
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { formatShape, sameShape } from "../base/shape.ts";
import { childrenOf, isPlainObject, isTreeNode, treeChildren, treeFlatten } from "../base/tree.ts";
import { MLXArray } from "../graph/mlx-array.ts";

/**
 * Throws unless `gradients` is a tree like `parameters`, or a part of it: null stands for a parameter that is left alone.
 *
 * @throws {ArgumentError} for a tree without gradients, for a gradient without parameter, and for what is no gradient
 * @throws {ShapeError} for a gradient of another shape
 */
export function requireGradients(gradients: unknown, parameters: unknown): void {
  if (gradients instanceof MLXArray || childrenOf(gradients) === null) {
    const got = gradients instanceof MLXArray ? "an array" : shown(gradients);
    throw new ArgumentError("applyGradients", `gradients are a tree like the parameters, got ${got}`);
  }
  if (!treeFlatten(gradients).some(([, leaf]) => leaf instanceof MLXArray || leaf === null)) {
    const remedy = "give the tree that valueAndGrad returns, or null for a parameter that is to stay as it is";
    throw new ArgumentError("applyGradients", `there is no gradient in the tree; ${remedy}`);
  }
  requireBranch(gradients, parameters, "");
}

function requireBranch(gradients: unknown, parameters: unknown, path: string): void {
  for (const [key, child] of childrenOf(gradients) ?? []) {
    requireFit(child, childOf(parameters, key), path === "" ? key : `${path}.${key}`);
  }
}

function requireFit(gradient: unknown, parameter: unknown, path: string): void {
  if (gradient instanceof MLXArray) {
    if (!(parameter instanceof MLXArray))
      throw new ArgumentError("applyGradients", `there is no parameter at "${path}" for its gradient`);
    if (sameShape(gradient.shape, parameter.shape)) return;
    const shapes = `${formatShape(parameter.shape)}, its gradient ${formatShape(gradient.shape)}`;
    throw new ShapeError("applyGradients", `the parameter at "${path}" is ${shapes}`);
  }
  if (childrenOf(gradient) !== null) requireBranch(gradient, parameter, path);
  else if (parameter instanceof MLXArray && gradient !== null)
    throw new ArgumentError("applyGradients", `the gradient of "${path}" is an array, or null, got ${shown(gradient)}`);
}

/** The child of a branch under `key`; undefined where there is none. */
export function childOf(tree: unknown, key: string): unknown {
  if (Array.isArray(tree)) return tree[Number(key)];
  if (isTreeNode(tree)) return tree[treeChildren]()[key];
  return isPlainObject(tree) ? tree[key] : undefined;
}
