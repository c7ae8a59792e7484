/** Modules: objects with parameters that can be called, walked, frozen, updated, printed, saved and loaded. */
import type { FileSource } from "../array/files.ts";
import type { NamedArrays } from "../array/safetensors.ts";
import { requireSynchronous } from "../base/describe.ts";
import type { Dtype } from "../base/dtype.ts";
import { isFloating, requireDtype } from "../base/dtype.ts";
import type { OwnBytes } from "../base/elements.ts";
import { ArgumentError, DtypeError } from "../base/errors.ts";
import { printedAs } from "../base/printing.ts";
import type { Rule, Rules } from "../base/rules.ts";
import { callable, flag, names, optionsOf, requireValues } from "../base/rules.ts";
import { childrenOf, treeChildren, treeMode } from "../base/tree.ts";
import { MLXArray } from "../graph/mlx-array.ts";
import { castTo } from "../primitives/cast.ts";
import { Callable } from "./callable.ts";
import { describeModule } from "./module-text.ts";
import type { ModuleFilter, ModuleLeafTest, ModuleMap, NestedTree } from "./module-tree.ts";
import { filterAndMapModule, isBranch, localArrayPaths, modulesIn, updateBranch } from "./module-tree.ts";
import type { ParametersOf } from "./parameter-tree.ts";
import type { LoadWeightsOptions, SaveWeightsOptions, WeightList } from "./weights.ts";
import { loadWeights, saveWeights } from "./weights.ts";

/** Which parameters `freeze` and `unfreeze` mean. */
export interface FreezeOptions {
  /** Also those of the modules inside; true unless given. */
  readonly recurse?: boolean | undefined;
  /** Fields by name; all of them unless given. */
  readonly keys?: string | readonly string[] | undefined;
  /** Throw for a key that no module has; true unless given. */
  readonly strict?: boolean | undefined;
}

const freezeRules: Rules<FreezeOptions> = { recurse: flag, keys: names, strict: flag };

/** How `update` treats names that the module does not have. */
export interface UpdateOptions {
  /** Throw for them; true unless given. */
  readonly strict?: boolean | undefined;
}

/**
 * The base of everything with parameters. A subclass keeps arrays, modules, and lists and plain objects of them in its
 * fields, where they are found without registration, and computes in `forward`; its instances are called like functions,
 * with the types of their `forward`. Fields whose names begin with `_`, and `#private` ones, are no parameters. A `Map` or
 * `Set` of modules is refused when parameters are asked for: nobody would find them.
 *
 * @example
 * class Scaler extends nn.Module {
 *   scale: mx.MLXArray;
 *   constructor(initial: number) {
 *     super();
 *     this.scale = array(initial);
 *   }
 *   forward(x: mx.MLXArray): mx.MLXArray {
 *     return multiply(x, this.scale);
 *   }
 * }
 * const scaler = new Scaler(1.5);
 * await scaler(array([70, 72])).tolist(); // [105, 108]
 */
export abstract class Module extends Callable {
  /** What errors and prints call the class: minifiers rename classes, but no texts. */
  static override readonly name: string = "Module";

  static {
    // Functions that take trees, as evaluate and compile do, see the fields.
    define(Module.prototype, treeChildren, (module) => recordOf(module));
    // Recordings of a compiled function are of one mode.
    define(Module.prototype, treeMode, (module) => module instanceof Module && module.#modeText());
    printedAs(Module.prototype, String);
    // A module is a function to JSON, which would leave it out.
    define(Module.prototype, "toJSON", () => {
      throw new ArgumentError(
        "Module",
        "a module has no JSON; saveWeights() gives its parameters, String(model) its text",
      );
    });
  }

  readonly #frozen = new Set<string>();
  #isTraining = true;
  /** What is told of training and freezing, until that changes. */
  #mode: string | null = null;

  /** What a call of the module computes. */
  abstract override forward(...args: never[]): unknown;

  /** Whether the module is being trained: dropout drops and batch normalization collects statistics. */
  get training(): boolean {
    return this.#isTraining;
  }

  /**
   * All parameters as a tree of the modules' fields.
   *
   * @example
   * const { layers } = new nn.Sequential(new nn.Linear(2, 3), nn.relu).parameters();
   * layers[0].weight.shape; // [3, 2]
   */
  parameters(): ParametersOf<this>;
  parameters(): object {
    return this.filterAndMap(isParameter);
  }

  /**
   * The parameters that are not frozen, as a tree of the modules' fields.
   *
   * @example
   * const model = new nn.Linear(2, 3).freeze({ keys: "bias" });
   * Object.keys(model.trainableParameters()); // ["weight"]
   */
  trainableParameters(): ParametersOf<this>;
  trainableParameters(): object {
    return this.filterAndMap((module, key, value) => isParameter(module, key, value) && !module.isFrozen(key));
  }

  /**
   * The modules directly in the fields, as a tree.
   *
   * @example
   * const model = new nn.TransformerEncoderLayer(4, 2);
   * Object.keys(model.children()).includes("attention"); // true
   */
  children(): NestedTree {
    return this.filterAndMap(isChild, undefined, (_, __, value) => value instanceof Module);
  }

  /**
   * The innermost modules, those that have no children themselves, as a tree.
   *
   * @example
   * const model = new nn.Sequential(new nn.Sequential(new nn.Linear(2, 3)), new nn.ReLU());
   * const { layers } = Object(model.leafModules());
   * layers[0].layers[0] instanceof nn.Linear; // true
   */
  leafModules(): NestedTree {
    return this.filterAndMap(
      isChild,
      undefined,
      (_, __, value) => value instanceof Module && modulesIn(value.children()).length === 0,
    );
  }

  /**
   * This module and all modules inside, outer before inner.
   *
   * @example
   * new nn.Sequential(new nn.Linear(2, 3), new nn.ReLU()).modules().length; // 3
   */
  modules(): Module[] {
    return this.namedModules().map(([, module]) => module);
  }

  /**
   * This module (named "") and all modules inside with their dotted paths, outer before inner.
   *
   * @example
   * const model = new nn.Sequential(new nn.Linear(2, 3), new nn.ReLU());
   * model.namedModules().map(([path]) => path); // ["", "layers.0", "layers.1"]
   */
  namedModules(): [string, Module][] {
    const found: [string, Module][] = [];
    const seen = new Set<Module>();
    const visit = (path: string, module: Module): void => {
      if (seen.has(module)) return;
      seen.add(module);
      found.push([path, module]);
      for (const [key, child] of modulesIn(module.children(), path)) visit(key, child);
    };
    visit("", this);
    return found;
  }

  /**
   * Calls `visit` with this module (named "") and every module inside, outer before inner. Returns this module.
   *
   * @example
   * const model = new nn.Sequential(new nn.Linear(2, 3), new nn.Dropout(0.5));
   * model.applyToModules((_, module) => { if (module instanceof nn.Linear) module.freeze(); });
   * mx.treeFlatten(model.trainableParameters()); // []
   */
  applyToModules(visit: (path: string, module: Module) => void): this {
    for (const [path, module] of this.namedModules()) visit(path, module);
    return this;
  }

  /**
   * A tree of the fields that `filter` admits; leaves become `map` of them. What is no leaf (unless `isLeaf` is given:
   * modules, lists and plain objects) is descended into; an item of a list that `filter` refuses leaves `{}` in its place.
   *
   * @param filter is asked with the module, the path of the value within it and the value
   * @example
   * const isMatrix: nn.ModuleFilter = (_, __, value) => value instanceof mx.MLXArray && value.ndim === 2;
   * const found = new nn.Linear(2, 3).filterAndMap(isMatrix, (value) => String(Object(value).shape));
   * found; // { weight: "3,2" }
   */
  filterAndMap(filter: ModuleFilter, map?: ModuleMap, isLeaf?: ModuleLeafTest): NestedTree {
    requireValues("filterAndMap", callable, { filter });
    return filterAndMapModule(this, filter, map ?? ((value) => value), isLeaf ?? ((_, __, value) => !isBranch(value)));
  }

  /**
   * Replaces the arrays that `parameters` (a tree like that of `parameters()`, or a part of it) names. Returns this module.
   *
   * @throws {ArgumentError} for a name that the module does not have, unless `strict` is false
   * @example
   * const model = new nn.Linear(1, 1);
   * model.update({ weight: array([[2]]), bias: array([1]) });
   * await model(array([[3]])).tolist(); // [[7]]
   * model.update({ wieght: array([[2]]) }); // throws ArgumentError
   */
  update(parameters: object, options: UpdateOptions = {}): this {
    const { strict = true } = optionsOf("update", options, { strict: flag });
    requireValues("update", tree, { parameters });
    updateBranch(this, parameters, strict, "");
    return this;
  }

  /**
   * Replaces every parameter (or those that `filter` admits) by `map` of it. Returns this module.
   *
   * @example
   * const model = new nn.Linear(2, 1).apply((parameter) => zeros(parameter.shape));
   * await model(array([[5, 7]])).tolist(); // [[0]]
   */
  override apply(map: (parameter: MLXArray) => MLXArray, filter: ModuleFilter = isParameter): this {
    requireValues("apply", callable, { map, filter });
    const mapped = (value: unknown): unknown => {
      if (!(value instanceof MLXArray)) return value;
      const result = map(value);
      requireSynchronous("apply", result);
      return result;
    };
    return this.update(this.filterAndMap(filter, mapped));
  }

  /**
   * Replaces the modules that `modules` (a tree like that of `children()`, or a part of it) names. Returns this module.
   *
   * @throws {ArgumentError} for a name that the module does not have, unless `strict` is false
   * @example
   * const model = new nn.Sequential<readonly nn.Layer[]>(new nn.Linear(2, 3), new nn.ReLU());
   * model.updateModules({ layers: [{}, new nn.Tanh()] });
   * model.layers[1] instanceof nn.Tanh; // true
   */
  updateModules(modules: object, options: UpdateOptions = {}): this {
    const { strict = true } = optionsOf("updateModules", options, { strict: flag });
    requireValues("updateModules", tree, { modules });
    updateBranch(this, modules, strict, "");
    return this;
  }

  /**
   * Keeps parameters from being trained: they are absent from `trainableParameters` and from gradients. Returns this module.
   *
   * @throws {ArgumentError} for a key that no module has
   * @example
   * const model = new nn.Sequential(new nn.Linear(2, 2), new nn.Linear(2, 1));
   * model.layers[0].freeze();
   * Object.keys(mx.treeFlatten(model.trainableParameters())).length; // 2
   */
  freeze(options: FreezeOptions = {}): this {
    return this.#select(
      "freeze",
      options,
      (module, local) => module.freeze(local),
      (keys) => {
        for (const key of keys ?? localArrayPaths(this)) this.#frozen.add(key);
        this.#mode = null;
      },
    );
  }

  /**
   * Lets parameters be trained again. Returns this module.
   *
   * @throws {ArgumentError} for a key that no module has
   * @example
   * const model = new nn.Linear(2, 3).freeze();
   * Object.keys(model.unfreeze({ keys: "bias" }).trainableParameters()); // ["bias"]
   */
  unfreeze(options: FreezeOptions = {}): this {
    return this.#select(
      "unfreeze",
      options,
      (module, local) => module.unfreeze(local),
      (keys) => {
        if (keys === null) this.#frozen.clear();
        else for (const key of keys) this.#frozen.delete(key);
        this.#mode = null;
      },
    );
  }

  /**
   * Whether the parameter in field `key` is frozen.
   *
   * @example
   * new nn.Linear(2, 3).freeze({ keys: "bias" }).isFrozen("bias"); // true
   */
  isFrozen(key: string): boolean {
    return this.#frozen.has(key);
  }

  /**
   * Switches this module and those inside to training (or, with false, to evaluation). Returns this module.
   *
   * @example
   * const model = new nn.Dropout(0.5).eval();
   * await model(ones([3])).tolist(); // [1, 1, 1]
   * model.train().training; // true
   */
  train(mode = true): this {
    requireValues("train", flag, { mode });
    for (const module of this.modules()) {
      module.#isTraining = mode;
      module.#mode = null;
    }
    return this;
  }

  #modeText(): string {
    this.#mode ??= `${this.#isTraining ? "" : "eval "}${[...this.#frozen].sort()}`;
    return this.#mode;
  }

  /** Switches this module and those inside to evaluation. Returns this module. */
  eval(): this {
    return this.train(false);
  }

  /**
   * Converts the floating-point parameters, or those whose dtype `predicate` admits. Returns this module.
   *
   * @throws {DtypeError} for a dtype that is not floating, unless `predicate` says which parameters are to be cut off to it
   * @example
   * const model = new nn.Linear(2, 3).setDtype("float16");
   * model.weight.dtype; // "float16"
   */
  setDtype(dtype: Dtype, predicate?: (dtype: Dtype) => boolean): this {
    requireDtype("setDtype", dtype);
    if (predicate !== undefined) requireValues("setDtype", callable, { predicate });
    else if (!isFloating(dtype)) {
      const remedy = "for quantized weights see quantize, or say by a predicate which parameters are meant";
      throw new DtypeError("setDtype", `weights would lose their fractions in ${dtype}; ${remedy}`);
    }
    return this.apply((parameter) =>
      (predicate ?? isFloating)(parameter.dtype) ? castTo(parameter, dtype) : parameter,
    );
  }

  /**
   * The bytes of a safetensors (or npz) file with all parameters under their dotted paths, written to `path` too if that is
   * given: where there are files, in Node, Deno and Bun.
   *
   * @throws {ArgumentError} for a path that ends in neither .safetensors nor .npz
   * @example
   * const bytes = await new nn.Linear(2, 3).saveWeights();
   * const model = await new nn.Linear(2, 3).loadWeights(bytes);
   * model.weight.shape; // [3, 2]
   */
  saveWeights(path?: string | URL, options: SaveWeightsOptions = {}): Promise<OwnBytes> {
    return saveWeights(this, path, options);
  }

  /**
   * Puts the weights of a safetensors or npz file (bytes, a path or an address), or arrays by dotted path (an object, or a list of
   * pairs), into the parameters. Returns this module. Names may be those of MLX in Python: `running_mean` for `runningMean`.
   *
   * @throws {ArgumentError} if, being strict, a parameter is missing or unknown; {ShapeError} if one has another shape
   * @throws {FormatError} if the file is damaged
   */
  async loadWeights(source: FileSource | NamedArrays | WeightList, options: LoadWeightsOptions = {}): Promise<this> {
    await loadWeights(this, source, options);
    return this;
  }

  /** What stands in the parentheses behind the module's name when it is printed. */
  describeExtra(): string {
    return "";
  }

  /** The module as text: a line per module with its parameters' shapes and their number. */
  override toString(): string {
    return describeModule(this);
  }

  /** Applies `change` here, or `pass`es the request on to every module inside. */
  #select(
    operation: string,
    options: FreezeOptions,
    pass: (module: Module, options: FreezeOptions) => void,
    change: (keys: readonly string[] | null) => void,
  ): this {
    if (typeof options === "string") {
      throw new ArgumentError(operation, `takes options: write ${operation}({ keys: "${String(options)}" })`);
    }
    const { recurse = true, keys, strict = true } = optionsOf(operation, options, freezeRules);
    const list = keys === undefined ? null : typeof keys === "string" ? [keys] : keys;
    const modules = recurse ? this.modules() : [this];
    const missing = list?.find((key) => !modules.some((module) => Object.hasOwn(module, key)));
    if (strict && missing !== undefined) {
      throw new ArgumentError(
        operation,
        `${this.constructor.name} has no field "${missing}"${recurse ? ", nor has a module in it" : ""}; pass { strict: false } to skip it`,
      );
    }
    if (!recurse) change(list);
    else for (const module of modules) pass(module, { recurse: false, strict: false, ...(list ? { keys: list } : {}) });
    return this;
  }
}

const tree: Rule = { is: "a tree of a module's fields", admits: (value) => childrenOf(value) !== null };

function isParameter(_: Module, key: string, value: unknown): boolean {
  return !key.startsWith("_") && (value instanceof MLXArray || isBranch(value));
}

/** Gives a prototype a method named by a symbol, which declarations of single files cannot name. */
function define(prototype: object, name: string | symbol, method: (instance: unknown) => unknown): void {
  Object.defineProperty(prototype, name, {
    value(this: unknown): unknown {
      return method(this);
    },
  });
}

function recordOf(value: unknown): Record<string, unknown> {
  if (!isRecord(value)) throw new ArgumentError("treeChildren", "is asked of what has no fields");
  return value;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return (typeof value === "object" || typeof value === "function") && value !== null;
}

function isChild(_: Module, __: string, value: unknown): boolean {
  return isBranch(value);
}
