/** A graph made ready for planning: composites opened, equal vertices merged, leaves and constants numbered. */

import { scalarText } from "../base/elements.ts";
import { MLXError } from "../base/errors.ts";
import { remembered } from "../base/remembered.ts";
import { formatShape } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { opening } from "../graph/mlx-array.ts";
import { placedOn } from "../graph/placement.ts";
import { topologicalOrder } from "../graph/primitive.ts";
import type { ScalarValue } from "../ir/expr.ts";
import type { TensorCall } from "../ir/kernel.ts";
import { constant, constantOf } from "../primitives/leaf.ts";
import { identity } from "../primitives/views.ts";

/** Which composites a backend computes whole. */
export type Overrides = (call: TensorCall) => boolean;

/** The composite that `vertex` applies. Holds nothing of the graph. */
export function tensorCall(vertex: MLXArray): TensorCall {
  return {
    name: vertex.primitive.name,
    inputs: vertex.inputs.map(({ shape, dtype }) => ({ shape, dtype })),
    output: { shape: vertex.shape, dtype: vertex.dtype },
    params: vertex.params,
  };
}

/** The pending part of the graph behind some roots. */
export class Program {
  /** Vertices to compute, inputs before users. */
  readonly vertices: readonly MLXArray[];
  /** Leaves that lie in memory, in order of first use. */
  readonly inputs: readonly MLXArray[];
  /** Scalars lifted out of the kernels. */
  readonly constants: readonly MLXArray[];
  readonly roots: readonly MLXArray[];
  /** For each vertex the computed vertices that read it. */
  readonly users: ReadonlyMap<MLXArray, readonly MLXArray[]>;
  readonly #resolved = new Map<MLXArray, MLXArray>();
  readonly #inputs = new Map<MLXArray, readonly MLXArray[]>();
  /** One vertex for all equal constants of a scope. */
  readonly #constants = new Map<string, MLXArray>();
  readonly #overrides: Overrides;
  readonly #moving: Moving;
  /** How many definitions of composites are being opened, one inside the other. */
  #depth = 0;

  constructor(roots: readonly MLXArray[], overrides: Overrides, moving: Moving = new Map()) {
    this.#overrides = overrides;
    this.#moving = moving;
    const known = new Map<string, MLXArray>();
    const vertices: MLXArray[] = [];
    const inputs: MLXArray[] = [];
    this.roots = opening(() => {
      for (const root of roots) this.#collect(root, known, vertices, inputs);
      return roots.map((root) => {
        const resolved = this.resolve(root);
        if (resolved.primitive.lowering.kind !== "constant") return resolved;
        const stored = identity(resolved);
        this.#collect(stored, known, vertices, inputs);
        return this.resolve(stored);
      });
    });
    const live = this.#live(vertices);
    this.vertices = vertices.filter((vertex) => live.has(vertex));
    this.inputs = inputs;
    const lifted = [...this.#constants.values()].filter((constant) => !isStructural(constantOf(constant)));
    this.constants = [...lifted, ...[...moving.values()].flat()];
    const users = new Map<MLXArray, MLXArray[]>();
    for (const vertex of this.vertices) {
      for (const input of new Set(this.inputsOf(vertex))) {
        remembered(users, input, () => []).push(vertex);
      }
    }
    this.users = users;
  }

  /** The vertex that stands for `vertex`: itself, an equal one, or what a composite is made of. */
  resolve(vertex: MLXArray): MLXArray {
    return this.#resolved.get(vertex) ?? vertex;
  }

  /** The resolved inputs of a resolved vertex. */
  inputsOf(vertex: MLXArray): readonly MLXArray[] {
    return this.#inputs.get(vertex) ?? [];
  }

  /** The constant that stands for the `k`-th position of a vertex, if that may be another one at the next run. */
  position(vertex: MLXArray, k: number): MLXArray | undefined {
    return this.#moving.get(positionsOf(vertex))?.[k];
  }

  /** The vertex whose memory holds the elements of `vertex`: what it reshapes, as far as that can be stored. */
  storageOf(vertex: MLXArray): MLXArray {
    let source = this.resolve(vertex);
    while (!source.allocation && source.primitive.lowering.kind === "map" && source.primitive.lowering.sameElements) {
      const [input] = this.inputsOf(source);
      if (!input || input.primitive.lowering.kind === "constant") break;
      source = input;
    }
    return source;
  }

  #collect(root: MLXArray, known: Map<string, MLXArray>, vertices: MLXArray[], inputs: MLXArray[]): void {
    for (const vertex of topologicalOrder([root], (array) => array.isEvaluated || this.#resolved.has(array))) {
      if (this.#resolved.has(vertex)) continue;
      this.#resolved.set(vertex, this.#stand(vertex, known, vertices, inputs));
    }
  }

  #stand(vertex: MLXArray, known: Map<string, MLXArray>, vertices: MLXArray[], inputs: MLXArray[]): MLXArray {
    const { lowering } = vertex.primitive;
    if (lowering.kind === "constant") {
      // A later run brings other constants of the graph, and those of definitions again: they are never one.
      const key = `${this.#depth > 0 ? "defined " : ""}${constantKey(vertex)}`;
      return remembered(this.#constants, key, () => vertex);
    }
    if (vertex.allocation) {
      inputs.push(vertex);
      return vertex;
    }
    // A disposed array whose users were all done let go of its elements, or of what they are computed from.
    if (vertex.pendingUses === 0) vertex.requireKept("evaluate");
    if (lowering.kind === "data") {
      throw new MLXError(
        "evaluate",
        `array(${vertex.dtype} ${formatShape(vertex.shape)}) has no value: it is an argument inside a transform. Read results outside; name models that compile changes in its inputs and outputs`,
      );
    }
    const isOverridden = lowering.kind === "composite" && this.#overrides(tensorCall(vertex));
    const isDefined = lowering.kind === "composite" && !isOverridden;
    const mustLieInMemory = lowering.kind === "routine" || isOverridden;
    const resolvedInputs = vertex.inputs.map((input) => {
      const resolved = this.resolve(input);
      if (resolved.primitive.lowering.kind !== "constant") return resolved;
      // A definition must not calculate with a number that is another one at the next run.
      if (!mustLieInMemory && !(isDefined && !isStructural(constantOf(resolved)))) return resolved;
      const stored = placedOn(vertex.device, () => identity(resolved));
      this.#collect(stored, known, vertices, inputs);
      return this.resolve(stored);
    });
    if (isDefined) {
      const definition = placedOn(vertex.device, () => lowering.define(resolvedInputs, vertex.params));
      for (const [list, moving] of lowering.moving?.(vertex.params) ?? []) this.#moving.set(list, moving);
      this.#depth++;
      this.#collect(definition, known, vertices, inputs);
      this.#depth--;
      return this.resolve(definition);
    }
    // Positions that are equal now may differ at the next run.
    const key = this.#moving.has(positionsOf(vertex)) ? `${vertex.id}` : vertexKey(vertex, resolvedInputs);
    const equal = known.get(key);
    if (equal) return equal;
    known.set(key, vertex);
    this.#inputs.set(vertex, resolvedInputs);
    vertices.push(vertex);
    return vertex;
  }

  /** The vertices that the roots need once equal ones are merged. */
  #live(vertices: readonly MLXArray[]): Set<MLXArray> {
    const live = new Set(this.roots);
    for (let i = vertices.length - 1; i >= 0; i--) {
      const vertex = vertices[i];
      if (vertex && live.has(vertex)) for (const input of this.inputsOf(vertex)) live.add(input);
    }
    return live;
  }
}

/** What is to be computed for `roots` and what lies under it, inputs before users. */
export function pendingOrder(roots: readonly MLXArray[]): readonly MLXArray[] {
  return topologicalOrder(roots, (array) => array.isEvaluated);
}

/** For lists of positions the constants that stand for those that may be others at each run, with holes for all that may not. */
export type Moving = Map<readonly number[] | undefined, MLXArray[]>;

/**
 * What moves in `lists` of positions: those that differ from what is `fixed`, of all lists one after the other, become null there,
 * for what was another one before may be any one from now on. Their constants are appended to `constants`, too.
 */
export function movingIn(
  lists: readonly (readonly number[])[],
  fixed: (number | null)[],
  constants: MLXArray[],
): Moving {
  const moving: Moving = new Map();
  let next = 0;
  for (const list of lists)
    list.forEach((position, k) => {
      if (fixed[next++] === position) return;
      fixed[next - 1] = null;
      const moved = constant(position, "int32");
      remembered(moving, list, () => [])[k] = moved;
      constants.push(moved);
    });
  return moving;
}

/** The positions among the parameters of `vertex`. */
function positionsOf({ primitive: { lowering }, params }: MLXArray): readonly number[] | undefined {
  return lowering.kind === "map" ? lowering.positions?.(params) : undefined;
}

/**
 * Text that two pending graphs share exactly if one plan serves both. Leaves appear by position and type, constants by type
 * and by which of them are equal, lists of positions by their length and by which of them are one; what a composite captures,
 * and that stands in the graph too, also by its place. The collections receive the leaves, the distinct constants and the lists
 * of positions in that order.
 */
export function structureKey(
  roots: readonly MLXArray[],
  inputs: MLXArray[],
  constants: MLXArray[],
  order: readonly MLXArray[] = pendingOrder(roots),
  lists: (readonly number[])[] = [],
): string {
  const position = new Map<MLXArray, number>();
  let distinct: Map<string, number> | undefined;
  let places: Map<readonly number[] | undefined, number> | undefined;
  const captured: MLXArray[] = [];
  let key = "";
  for (let i = 0; i < order.length; i++) {
    const vertex = order[i];
    if (!vertex) continue;
    position.set(vertex, i);
    const { lowering } = vertex.primitive;
    if (lowering.kind === "constant") {
      if (isStructural(constantOf(vertex))) key += `=${constantKey(vertex)};`;
      else {
        const own = constantKey(vertex);
        distinct ??= new Map();
        const number = remembered(distinct, own, () => constants.push(vertex) - 1);
        key += `?${vertex.dtype}${number};`;
      }
    } else if (vertex.allocation) {
      inputs.push(vertex);
      key += `@${vertex.dtype}`;
      for (const length of vertex.shape) key += `${length},`;
    } else {
      if (lowering.kind === "composite") captured.push(...(lowering.captures?.(vertex.params) ?? []));
      const own = positionsOf(vertex);
      key += `${primitiveId(vertex)}${paramsKey(vertex.params, own)}(`;
      if (own) {
        places ??= new Map();
        key += `^${remembered(places, own, () => lists.push(own) - 1)}`;
      }
      for (const input of vertex.inputs) key += `${position.get(input)},`;
      key += ");";
    }
  }
  for (const vertex of new Set(captured)) {
    const own = positionsOf(vertex);
    if (position.has(vertex)) key += `^${position.get(vertex)}`;
    if (places?.has(own)) key += `_${places.get(own)}`;
  }
  for (const root of roots) key += `>${position.get(root)}`;
  return key;
}

/** Whether `value` is written into kernels instead of being passed to them. */
export function isStructural(value: ScalarValue | null): boolean {
  return value === 0 || value === 1 || value === -1 || value === 0n || value === 1n;
}

function constantKey(vertex: MLXArray): string {
  return `${vertex.dtype}:${scalarText(constantOf(vertex))}`;
}

function vertexKey(vertex: MLXArray, inputs: readonly MLXArray[]): string {
  let key = `${primitiveId(vertex)}${paramsKey(vertex.params)}`;
  for (const { id } of inputs) key += `|${id}`;
  return key;
}

const identities = new WeakMap<object, number>();
let nextIdentity = 1;

/** A number that stands for an object as long as it lives. */
export function identityOf(value: object): number {
  return remembered(identities, value, () => nextIdentity++);
}

function primitiveId(vertex: MLXArray): string {
  return `p${identityOf(vertex.primitive)}`;
}

/** Text for parameters but for `positions`: plain data by value, functions and class instances by identity. */
function paramsKey(params: unknown, positions?: readonly number[]): string {
  switch (typeof params) {
    case "object": {
      if (params === null || params === positions) return "";
      if (Array.isArray(params)) {
        let key = "[";
        for (const item of params) key += `${typeof item === "number" ? item : paramsKey(item)},`;
        return `${key}]`;
      }
      if (Object.getPrototypeOf(params) !== Object.prototype) return `#${identityOf(params)}`;
      let key = "{";
      for (const [name, value] of Object.entries(params)) key += `${name}:${paramsKey(value, positions)},`;
      return `${key}}`;
    }
    case "function":
      return `#${identityOf(params)}`;
    case "string":
      return JSON.stringify(params);
    default:
      return scalarText(params);
  }
}
