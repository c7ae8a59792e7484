/** Whether gradients fit the parameters that they are to change: asked before anything changes. */
import { shown } from "../base/describe.ts";
import { isFloating } from "../base/dtype.ts";
import { ArgumentError, DtypeError, ShapeError } from "../base/errors.ts";
import { formatShape, sameShape } from "../base/shape.ts";
import { childrenOf, isPlainObject, isTreeNode, treeChildren, treeFlatten } from "../base/tree.ts";
import { MLXArray } from "../graph/mlx-array.ts";

/**
 * The parameters, by path, that `gradients`, a tree like `parameters` or a part of it, are to change. Null stands for one that is
 * left alone.
 *
 * @throws {ArgumentError} for a tree without gradients, for a gradient without parameter, and for what is no gradient
 * @throws {ShapeError} for a gradient of another shape; {DtypeError} for whole numbers
 */
export function requireGradients(gradients: unknown, parameters: unknown): Map<string, MLXArray> {
  requireTree("applyGradients", gradients);
  const changed = new Map<string, MLXArray>();
  requireBranch(gradients, parameters, "", changed);
  return changed;
}

/** Throws unless `gradients` is a tree with gradients, or nulls in their places, in it. @throws {ArgumentError} */
export function requireTree(operation: string, gradients: unknown): void {
  if (gradients instanceof MLXArray || childrenOf(gradients) === null) {
    const got = gradients instanceof MLXArray ? "an array" : shown(gradients);
    throw new ArgumentError(operation, `gradients are a tree like the parameters, got ${got}`);
  }
  if (treeFlatten(gradients).some(([, leaf]) => leaf instanceof MLXArray || leaf === null)) return;
  const remedy = "give the tree that valueAndGrad returns, or null for a parameter that is to stay as it is";
  throw new ArgumentError(operation, `there is no gradient in the tree; ${remedy}`);
}

function requireBranch(gradients: unknown, parameters: unknown, path: string, changed: Map<string, MLXArray>): void {
  for (const [key, child] of childrenOf(gradients) ?? []) {
    requireFit(child, childOf(parameters, key), path === "" ? key : `${path}.${key}`, changed);
  }
}

function requireFit(gradient: unknown, parameter: unknown, path: string, changed: Map<string, MLXArray>): void {
  if (gradient instanceof MLXArray) {
    if (!(parameter instanceof MLXArray))
      throw new ArgumentError("applyGradients", `there is no parameter at "${path}" for its gradient`);
    if (!isFloating(gradient.dtype) || !isFloating(parameter.dtype)) {
      const dtypes = `${parameter.dtype}, its gradient ${gradient.dtype}`;
      throw new DtypeError(
        "applyGradients",
        `the parameter at "${path}" is ${dtypes}: steps between whole numbers are 0`,
      );
    }
    changed.set(path, parameter);
    if (sameShape(gradient.shape, parameter.shape)) return;
    const shapes = `${formatShape(parameter.shape)}, its gradient ${formatShape(gradient.shape)}`;
    throw new ShapeError("applyGradients", `the parameter at "${path}" is ${shapes}`);
  }
  if (childrenOf(gradient) !== null) requireBranch(gradient, parameter, path, changed);
  else if (parameter instanceof MLXArray && gradient !== null)
    throw new ArgumentError("applyGradients", `the gradient of "${path}" is an array, or null, got ${shown(gradient)}`);
}

/** The child of a branch under `key`; undefined where there is none. */
export function childOf(tree: unknown, key: string): unknown {
  if (Array.isArray(tree)) return tree[Number(key)];
  if (isTreeNode(tree)) return tree[treeChildren]()[key];
  return isPlainObject(tree) ? tree[key] : undefined;
}
