/** Several optimizers, each for the parameters that its filter picks. */
import { requireSynchronous } from "../base/describe.ts";
import { ArgumentError, FormatError, MLXError } from "../base/errors.ts";
import type { Rule } from "../base/rules.ts";
import { callable, flag, listOf, requireValues } from "../base/rules.ts";
import { treeChildren, treeFlatten } from "../base/tree.ts";
import { treeMapWithPath } from "../base/tree-map.ts";
import { MLXArray } from "../graph/mlx-array.ts";
import { requireGradients } from "./gradient-tree.ts";
import type { OptimizerState, ParameterState } from "./optimizer.ts";
import { Optimizer } from "./optimizer.ts";

/** Whether an optimizer takes the parameter at a dotted path. */
export type ParameterFilter = (path: string, parameter: MLXArray) => boolean;

/**
 * An optimizer that leaves each parameter to the first of several whose filter takes it, and the rest to the last one, which has
 * no filter.
 *
 * @throws {ArgumentError} unless there is one filter for each optimizer but the last
 * @example
 * const optimizer = new optim.MultiOptimizer(
 *   [new optim.SGD({ learningRate: 1 }), new optim.SGD({ learningRate: 0.1 })],
 *   [(path) => path.endsWith("bias")],
 * );
 * const changed = optimizer.applyGradients({ weight: array([1]), bias: array([1]) }, { weight: array([2]), bias: array([2]) });
 * await changed.weight.tolist(); // ≈ [1.9]
 * await changed.bias.tolist(); // [1]
 */
export class MultiOptimizer extends Optimizer {
  static override readonly name: string = "MultiOptimizer";

  static {
    // Functions that take trees, as evaluate and compile do, see the states of all. Declarations of single files cannot name a symbol.
    Object.defineProperty(MultiOptimizer.prototype, treeChildren, {
      value(this: MultiOptimizer): { readonly optimizers: readonly Optimizer[] } {
        return { optimizers: this.optimizers };
      },
    });
  }

  readonly optimizers: readonly Optimizer[];
  readonly filters: readonly ParameterFilter[];

  constructor(optimizers: readonly Optimizer[], filters: readonly ParameterFilter[] = []) {
    super({ learningRate: 0 });
    const members: Rule = { is: "an optimizer", admits: (value) => value instanceof Optimizer };
    requireValues("MultiOptimizer", listOf(null, members), { optimizers });
    requireValues("MultiOptimizer", listOf(null, callable), { filters });
    if (new Set(optimizers).size < optimizers.length)
      throw new ArgumentError("MultiOptimizer", "one optimizer is given twice, which would count each step twice");
    if (filters.length !== optimizers.length - 1) {
      throw new ArgumentError(
        "MultiOptimizer",
        `${optimizers.length} optimizers need a filter for each but the last, got ${filters.length}`,
      );
    }
    this.optimizers = optimizers;
    this.filters = filters;
  }

  /** That of the first optimizer; setting it sets all. */
  override get learningRate(): MLXArray {
    return this.#first.learningRate;
  }

  override set learningRate(rate: number | MLXArray) {
    for (const optimizer of this.optimizers) optimizer.learningRate = rate;
  }

  override endSchedule(): boolean {
    return this.optimizers.map((optimizer) => optimizer.endSchedule()).includes(true);
  }

  /** Those of all optimizers that have a schedule. */
  override scheduledRates(): MLXArray[] {
    return this.optimizers.flatMap((optimizer) => optimizer.scheduledRates());
  }

  /** Updates made so far. */
  override get step(): MLXArray {
    return this.#first.step;
  }

  /** Step and rate of the first optimizer, and what all of them remember. */
  override get state(): OptimizerState {
    const parameters = Object.assign({}, ...this.optimizers.map(({ state }) => state.parameters));
    return { ...this.#first.state, parameters };
  }

  override set state(_: Partial<OptimizerState>) {
    throw new ArgumentError("MultiOptimizer", "has no state of its own; set those of its optimizers");
  }

  /** The states' arrays by name, behind `optimizers.` and the position of the optimizer. */
  override flatState(): Record<string, MLXArray> {
    return Object.fromEntries(
      this.optimizers.flatMap((optimizer, k) =>
        Object.entries(optimizer.flatState()).map(([name, array]) => [`optimizers.${k}.${name}`, array]),
      ),
    );
  }

  /** Takes over states that `flatState` gave. @throws {FormatError} for a name that is of none of the optimizers */
  override loadFlatState(flat: { readonly [name: string]: MLXArray }): this {
    const places = new Set(this.optimizers.map((_, k) => String(k)));
    const foreign = Object.keys(flat).find((name) => !places.has(/^optimizers\.(\d+)\./.exec(name)?.[1] ?? ""));
    if (foreign !== undefined)
      throw new FormatError("loadState", `"${foreign}" is no part of the state of ${places.size} optimizers`);
    this.optimizers.forEach((optimizer, k) => {
      const prefix = `optimizers.${k}.`;
      const own = Object.entries(flat).filter(([name]) => name.startsWith(prefix));
      optimizer.loadFlatState(Object.fromEntries(own.map(([name, array]) => [name.slice(prefix.length), array])));
    });
    return this;
  }

  /** Makes the state of every parameter that has none yet, in the optimizer that takes it. */
  override init(parameters: object): this {
    this.optimizers.forEach((optimizer, k) => {
      optimizer.init(this.#part(parameters, k));
    });
    return this;
  }

  override applyGradients<G extends object>(gradients: G, parameters: object): G;
  override applyGradients(gradients: object, parameters: object): unknown {
    requireGradients(gradients, parameters);
    const changed = this.optimizers.map(
      (optimizer, k) => new Map(treeFlatten(optimizer.applyGradients(this.#part(gradients, k), parameters))),
    );
    return treeMapWithPath(
      (path, leaf) => changed[leaf instanceof MLXArray ? this.#takerOf(path, leaf) : 0]?.get(path),
      gradients,
    );
  }

  get #first(): Optimizer {
    const [first] = this.optimizers;
    if (first) return first;
    throw new MLXError("MultiOptimizer", "has no optimizers");
  }

  /** The tree with the leaves that optimizer `k` takes; null in the place of the others. */
  #part(tree: object, k: number): object {
    return Object(
      treeMapWithPath(
        (path, leaf) => (leaf instanceof MLXArray && this.#takerOf(path, leaf) === k ? leaf : null),
        tree,
      ),
    );
  }

  #takerOf(path: string, leaf: MLXArray): number {
    const place = this.filters.findIndex((filter, k) => {
      const isTaken: unknown = filter(path, leaf);
      requireSynchronous("MultiOptimizer", isTaken);
      requireValues("MultiOptimizer", flag, { [`what filter ${k} says of "${path}"`]: isTaken });
      return isTaken === true;
    });
    return place === -1 ? this.filters.length : place;
  }

  protected override initialState(): ParameterState {
    return {};
  }

  protected override applySingle(): MLXArray {
    throw new MLXError("MultiOptimizer", "leaves every parameter to one of its optimizers");
  }
}
