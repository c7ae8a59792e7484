/** What optimizers share: a step count, a learning rate, and state of their own for each parameter. */
import type { FileSource } from "../array/files.ts";
import { formatElements, whyUnseen } from "../array/format.ts";
import { loadSafetensors, saveSafetensors } from "../array/safetensors.ts";
import { shown } from "../base/describe.ts";
import type { OwnBytes } from "../base/elements.ts";
import { ArgumentError, FormatError, ShapeError } from "../base/errors.ts";
import { printedAs } from "../base/printing.ts";
import type { Rule, Rules } from "../base/rules.ts";
import { anything, optionsOf } from "../base/rules.ts";
import { formatShape, sameShape } from "../base/shape.ts";
import { childrenOf, treeChildren, treeFlatten } from "../base/tree.ts";
import { MLXArray } from "../graph/mlx-array.ts";
import { placedOn } from "../graph/placement.ts";
import { add } from "../primitives/arithmetic.ts";
import { castTo } from "../primitives/cast.ts";
import { zerosLike } from "../primitives/creation.ts";
import { knownValue } from "../primitives/elementwise.ts";
import { constant } from "../primitives/leaf.ts";
import { childOf, requireGradients } from "./gradient-tree.ts";
import type { LearningRate } from "./learning-rate.ts";
import { rateArray, rateOf, seenNumber } from "./learning-rate.ts";
import type { Schedule } from "./schedules.ts";

/** The option of every optimizer. */
export interface OptimizerOptions {
  readonly learningRate: LearningRate;
}

/** The rules of `OptimizerOptions`: the base class looks at the learning rate itself. */
export const optimizerRules: Rules<OptimizerOptions> = { learningRate: anything };

/** What an optimizer remembers of one parameter, by name. */
export type ParameterState = Record<string, MLXArray>;

/** The state of an optimizer: a tree of arrays. */
export interface OptimizerState {
  /** Updates made so far: uint32 []. */
  step: MLXArray;
  /** Float32 []. */
  learningRate: MLXArray;
  /** By the dotted path of the parameter. */
  parameters: Record<string, ParameterState>;
}

const anArray: Rule = { is: "an array", admits: (value) => value instanceof MLXArray };
const stateRules: Rules<Partial<OptimizerState>> = { step: anArray, learningRate: anArray, parameters: anything };

/** What can take new parameters: a module. */
export interface Updatable {
  update(parameters: object): unknown;
}

/**
 * The base of the optimizers. A subclass says what it remembers of a parameter (`initialState`) and how the parameter
 * changes (`applySingle`). Updates are elementwise, so that they fuse into the kernels that compute the gradients.
 *
 * @throws {ArgumentError} for a learning rate that is none
 * @example
 * class SignDescent extends optim.Optimizer {
 *   protected override initialState() { return {}; }
 *   protected override applySingle(gradient: mx.MLXArray, parameter: mx.MLXArray) {
 *     return parameter.sub(sign(gradient).mul(this.rateFor(gradient)));
 *   }
 * }
 * const optimizer = new SignDescent({ learningRate: 0.5 });
 * await optimizer.applyGradients({ w: array([3]) }, { w: array([2]) }).w.tolist(); // [1.5]
 */
export abstract class Optimizer {
  /** What errors and prints call the class: minifiers rename classes, but no texts. */
  static readonly name: string = "Optimizer";

  static {
    // Functions that take trees, as evaluate and compile do, see the state. Declarations of single files cannot name a symbol.
    Object.defineProperty(Optimizer.prototype, treeChildren, {
      value(this: Optimizer): OptimizerState {
        return this.#state;
      },
    });
    printedAs(Optimizer.prototype, String);
  }

  #schedule: Schedule | null;
  readonly #state: OptimizerState;
  /** Paths of parameters whose state was taken over, and not looked at since. */
  #taken: Set<string> = new Set();

  constructor(options: OptimizerOptions) {
    const learningRate = rateOf(new.target.name, options);
    const step = constant(0, "uint32");
    this.#schedule = typeof learningRate === "function" ? learningRate : null;
    const rate = typeof learningRate === "function" ? learningRate(signed(step)) : learningRate;
    this.#state = { step, learningRate: rateArray(new.target.name, rate), parameters: {} };
  }

  /** What the optimizer remembers: a tree of arrays that `compile` can capture and checkpoints save. */
  get state(): OptimizerState {
    return this.#state;
  }

  /** Takes over a state, in part or whole. @throws {ArgumentError} if it is no tree of arrays */
  set state(state: Partial<OptimizerState>) {
    optionsOf("state", state, stateRules);
    if (state.step) this.#state.step = countOf(state.step);
    if (state.learningRate) this.learningRate = state.learningRate;
    if (state.parameters) this.#take(state.parameters);
  }

  /** Updates made so far: uint32 []. */
  get step(): MLXArray {
    return this.#state.step;
  }

  /** The learning rate of the latest update (of the first, before any): float32 []. */
  get learningRate(): MLXArray {
    return this.#state.learningRate;
  }

  set learningRate(rate: number | MLXArray) {
    this.#state.learningRate = rateArray(this.constructor.name, rate);
  }

  /**
   * Keeps the learning rate from now on as it is, or is set. Returns whether there was a schedule: functions compiled before still follow it.
   *
   * @example
   * const optimizer = new optim.SGD({ learningRate: optim.linearSchedule(0.1, 0, 10) });
   * optimizer.endSchedule(); // true
   * optimizer.learningRate = 0.05;
   */
  endSchedule(): boolean {
    const hadSchedule = this.#schedule !== null;
    this.#schedule = null;
    return hadSchedule;
  }

  /**
   * The learning rate that the schedule gives for the next update, in a list that is empty without one: to look at beforehand.
   *
   * @example
   * const optimizer = new optim.SGD({ learningRate: optim.stepDecay(0.5, 0.1, 1) });
   * optimizer.scheduledRates(); // [0.5]
   */
  scheduledRates(): MLXArray[] {
    return this.#schedule ? [rateArray(this.constructor.name, this.#schedule(signed(this.#state.step)))] : [];
  }

  /**
   * The state's arrays by name: `step`, `learningRate`, and `parameters.` with path and name for each parameter.
   *
   * @example
   * const optimizer = new optim.Lion({ learningRate: 0.5 }).init({ layer: { weight: zeros([2]) } });
   * Object.keys(optimizer.flatState()); // ["step", "learningRate", "parameters.layer.weight.m"]
   */
  flatState(): Record<string, MLXArray> {
    const { step, learningRate, parameters } = this.#state;
    const flat: Record<string, MLXArray> = { step, learningRate };
    for (const [path, state] of Object.entries(parameters)) {
      for (const [name, array] of Object.entries(state)) flat[`parameters.${path}.${name}`] = array;
    }
    return flat;
  }

  /**
   * Takes over a state that `flatState` gave. Returns this optimizer.
   *
   * @throws {FormatError} for a name that is none of a state
   * @example
   * const trained = new optim.Adam({ learningRate: 0.1 });
   * trained.applyGradients({ w: array([1]) }, { w: array([2]) });
   * const optimizer = new optim.Adam({ learningRate: 0.1 }).loadFlatState(trained.flatState());
   * await optimizer.step.item(); // 1
   */
  loadFlatState(flat: { readonly [name: string]: MLXArray }): this {
    const { step = this.step, learningRate = this.learningRate, ...rest } = flat;
    const parameters: Record<string, ParameterState> = {};
    for (const [name, array] of Object.entries(rest)) {
      const [, path, slot] = /^parameters\.(.+)\.([^.]+)$/.exec(name) ?? [];
      if (path === undefined || slot === undefined) {
        throw new FormatError("loadState", `"${name}" is no part of an optimizer's state`);
      }
      const state = parameters[path] ?? {};
      state[slot] = array;
      parameters[path] = state;
    }
    this.#state.step = countOf(step);
    this.learningRate = learningRate;
    this.#take(parameters);
    return this;
  }

  #take(parameters: Record<string, ParameterState>): void {
    this.#state.parameters = parameters;
    this.#taken = new Set(Object.keys(parameters));
  }

  /**
   * The bytes of a safetensors file with the state, written to `path` too if that is given.
   *
   * @example
   * const optimizer = new optim.Adam({ learningRate: 0.1 }).init({ w: array([1]) });
   * const bytes = await optimizer.saveState();
   * await new optim.Adam({ learningRate: 0 }).loadState(bytes).then(({ learningRate }) => learningRate.item()); // ≈ 0.1
   */
  saveState(path?: string | URL): Promise<OwnBytes> {
    return saveSafetensors(this.flatState(), path === undefined ? {} : { path });
  }

  /**
   * Takes over a state that `saveState` wrote (bytes, a path or an address). Returns this optimizer.
   *
   * @throws {FormatError} if the file is damaged or holds something else
   */
  async loadState(source: FileSource): Promise<this> {
    return this.loadFlatState((await loadSafetensors(source)).arrays);
  }

  /** How it is set, with the learning rate of the latest update and the updates made so far: for `JSON.stringify`. */
  toJSON(): Record<string, unknown> {
    const { learningRate, step } = this;
    const progress = { learningRate: seenNumber(learningRate) ?? whyUnseen(learningRate), step: seenNumber(step) };
    return { ...progress, ...Object.fromEntries(Object.entries(this)) };
  }

  /**
   * What it is and how it is set, with the updates made so far: `SGD(learningRate=0.1, step=3, momentum=0.9, …)`.
   *
   * @example
   * String(new optim.RMSprop({ learningRate: 0.5 })); // "RMSprop(learningRate=0.5, step=0, alpha=0.99, eps=1e-8)"
   */
  toString(): string {
    const { learningRate, step } = this;
    const settings = [...Object.entries({ learningRate, step }), ...Object.entries(this)];
    return `${this.constructor.name}(${settings.map(([name, value]) => `${name}=${settingText(value)}`).join(", ")})`;
  }

  /**
   * Makes the state of every parameter in the tree that has none yet. The first update does so too.
   *
   * @throws {ArgumentError} for what is no tree
   * @example
   * const optimizer = new optim.Adam({ learningRate: 0.1 }).init(new nn.Linear(2, 1).parameters());
   * Object.keys(optimizer.state.parameters); // ["weight", "bias"]
   */
  init(parameters: object): this {
    if (childrenOf(parameters) === null)
      throw new ArgumentError("init", `takes a tree of parameters, got ${shown(parameters)}`);
    for (const [path, leaf] of treeFlatten(parameters)) if (leaf instanceof MLXArray) this.#stateOf(path, leaf);
    return this;
  }

  /**
   * Changes the parameters of `model` by `gradients`, a tree as `nn.valueAndGrad` returns it. Parameters that have none in it, or
   * null in its place, stay as they are.
   *
   * @throws {ArgumentError} for a gradient of what is no parameter, and for none at all; {ShapeError} for one of another shape
   * @example
   * const model = new nn.Linear(2, 1).update({ weight: array([[1, 1]]) });
   * const lossOf = (m: nn.Linear, x: mx.MLXArray) => m(x).sum();
   * const [, gradients] = nn.valueAndGrad(model, lossOf)(model, array([[3, 4]]));
   * new optim.SGD({ learningRate: 0.1 }).update(model, gradients);
   * await model.weight.tolist(); // ≈ [[0.7, 0.6]]
   */
  update(model: Updatable, gradients: object): void {
    if (typeof Object(model).update !== "function") {
      throw new ArgumentError("update", `takes a module, then its gradients; got ${shown(model)}`);
    }
    model.update(this.applyGradients(gradients, model));
  }

  /**
   * The parameters changed by `gradients`, as a tree of the form of `gradients`; the optimizer's own state changes in place.
   *
   * @param parameters a tree (or a module) that has a parameter for every gradient
   * @throws {ArgumentError} for a gradient without parameter, and for none at all; {ShapeError} for one of another shape
   * @example
   * const optimizer = new optim.SGD({ learningRate: 0.1 });
   * const changed = optimizer.applyGradients({ layers: [{ w: array([1]) }] }, { layers: [{ w: array([2]) }] });
   * await changed.layers[0]?.w.tolist(); // ≈ [1.9]
   */
  applyGradients<G extends object>(gradients: G, parameters: object): G;
  applyGradients(gradients: object, parameters: object): unknown {
    for (const [path, parameter] of requireGradients(gradients, parameters)) this.#stateOf(path, parameter);
    const state = this.#state;
    const [scheduled] = this.scheduledRates();
    if (scheduled) state.learningRate = scheduled;
    state.step = successor(state.step);
    return this.#apply(gradients, parameters, "");
  }

  #apply(gradient: unknown, parameter: unknown, path: string): unknown {
    if (gradient instanceof MLXArray && parameter instanceof MLXArray) return this.#changed(gradient, parameter, path);
    const children = childrenOf(gradient);
    if (children === null) return parameter;
    const changed = children.map(([key, child]): [string, unknown] => [
      key,
      this.#apply(child, childOf(parameter, key), path === "" ? key : `${path}.${key}`),
    ]);
    return Array.isArray(gradient) ? changed.map(([, child]) => child) : Object.fromEntries(changed);
  }

  /** The changed parameter, in its dtype. */
  #changed(gradient: MLXArray, parameter: MLXArray, path: string): MLXArray {
    const state = this.#stateOf(path, parameter);
    const wide = widened(parameter);
    // A state of float16 comes from elsewhere.
    for (const [name, array] of Object.entries(state)) state[name] = widened(array);
    return castTo(this.applySingle(castTo(gradient, wide.dtype), wide, state), parameter.dtype);
  }

  #stateOf(path: string, parameter: MLXArray): ParameterState {
    const states = this.#state.parameters;
    const known = states[path];
    if (known && !this.#taken.has(path)) return known;
    const made = this.initialState(widened(parameter));
    if (known) this.#requireFit(path, known, made);
    this.#taken.delete(path);
    states[path] = known ?? made;
    return states[path];
  }

  /** Throws unless a state that was taken over has what one made here has, and no more. */
  #requireFit(path: string, known: ParameterState, made: ParameterState): void {
    for (const [name, { shape }] of Object.entries(made)) {
      const found = remembered(this.constructor.name, known, name).shape;
      if (sameShape(found, shape)) continue;
      const shapes = `${formatShape(found)}, and would be ${formatShape(shape)} for the parameter`;
      throw new ShapeError(
        this.constructor.name,
        `"${name}" of "${path}" is ${shapes}; was it saved of another model?`,
      );
    }
    const unknown = Object.keys(known).filter((name) => !(name in made));
    if (unknown.length > 0) {
      throw new ArgumentError(
        this.constructor.name,
        `it does not use ${unknown.join(", ")} of the state of "${path}"; was it saved by another optimizer? Weights alone go on with loadWeights`,
      );
    }
  }

  /** The learning rate in the dtype of a gradient. */
  protected rateFor(gradient: MLXArray): MLXArray {
    return castTo(this.#state.learningRate, gradient.dtype);
  }

  /** What is remembered of a parameter before its first update. For one of float16 it is asked with float32, as `applySingle` is. */
  protected abstract initialState(parameter: MLXArray): ParameterState;

  /** The changed parameter; `state` is changed in place. */
  protected abstract applySingle(gradient: MLXArray, parameter: MLXArray, state: ParameterState): MLXArray;
}

/** What optimizers compute with: in float16 an `eps` such as 1e-8 is 0, and so are the squares of most gradients. */
function widened(x: MLXArray): MLXArray {
  return x.dtype === "float16" ? castTo(x, "float32") : x;
}

/** Zeros in the shape and dtype of `parameter` under each of `names`. */
export function zeroState(parameter: MLXArray, ...names: readonly string[]): ParameterState {
  return Object.fromEntries(names.map((name) => [name, zerosLike(parameter)]));
}

/** The array that `state` holds under `name`. @throws {ArgumentError} if the state is of another optimizer */
export function remembered(optimizer: string, state: ParameterState, name: string): MLXArray {
  const found = state[name];
  if (!found) throw new ArgumentError(optimizer, `its state lacks "${name}"; was it saved by another optimizer?`);
  return found;
}

/** A number of updates in the dtype that every device has; MLX saves it in 64 bits. */
function countOf(step: MLXArray): MLXArray {
  if (step.ndim > 0) throw new ShapeError("loadState", `step is a scalar, got shape ${formatShape(step.shape)}`);
  return step.dtype === "uint32" ? step : placedOn("cpu", () => castTo(step, "uint32"));
}

/** A step for a schedule, which may count down from it: in uint32 that would go on from the greatest number. */
function signed(step: MLXArray): MLXArray {
  return castTo(step, "int32");
}

/** `step + 1`: a number as long as it is one, so that it costs nothing and no graph grows; an array while traced. */
function successor(step: MLXArray): MLXArray {
  const known = knownValue(step);
  return known === null ? add(step, 1) : constant(BigInt(known) + 1n, step.dtype);
}

function settingText(setting: unknown): string {
  if (Array.isArray(setting)) return `[${setting.map(settingText).join(", ")}]`;
  if (setting instanceof MLXArray) return whyUnseen(setting) ?? formatElements(setting);
  return typeof setting === "function" ? "function" : String(setting);
}
