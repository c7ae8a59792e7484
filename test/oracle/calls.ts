/** Calls our functions with recorded arguments, where the call is more than `f(...args, options)`. */
import type { MLXArray } from "mlx-ts";
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import type { Argument } from "./decode.ts";
import { programs } from "./programs.ts";

/** Recorded options, decoded. */
export type Options = { readonly [name: string]: Argument };

type Call = (args: readonly Argument[], options: Options) => unknown;

const namespaces: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  mx,
  nn,
  losses: nn.losses,
  random: mx.random,
  fast: mx.fast,
  linalg: mx.linalg,
};

/** Calls that are not `f(...args, options)`. */
const calls: Readonly<Record<string, Call>> = {
  at: ([x, ...items]) => method(method(x, "at", items), "get", []),
  "random.uniform": ([low = 0, high = 1, shape = []], options) =>
    direct("random.uniform")([shape], { low, high, ...options }),
  // A list of keys, MLX's array of them.
  "random.split": (args, options) => mx.stack(arraysIn(direct("random.split")(args, options))),
  "random.bernoulli": withShape("random.bernoulli", 1),
  "random.truncatedNormal": withShape("random.truncatedNormal", 2),
  "random.multivariateNormal": withShape("random.multivariateNormal", 2),
  ...Object.fromEntries(
    ["set", "add", "subtract", "multiply", "divide", "maximum", "minimum"].map((name): [string, Call] => [
      `at.${name}`,
      ([x, items, value]) => method(method(x, "at", listOf(items)), name, [value]),
    ]),
  ),
};

/** What our function `name` gives for recorded arguments. */
export function call(name: string, args: readonly Argument[], options: Options): unknown {
  const special = calls[name];
  if (special) return special(args, options);
  return direct(name)(args, options);
}

function direct(name: string): Call {
  return (args, options) => {
    const full = Object.keys(options).length > 0 ? [...args, options] : args;
    return Reflect.apply(functionOf(name), undefined, full);
  };
}

/** A function whose shape, after `before` arguments, may be left out. */
function withShape(name: string, before: number): Call {
  return (args, options) =>
    Reflect.apply(functionOf(name), undefined, [...args.slice(0, before), args[before], options]);
}

/** The function called `name` (`sum`, `nn.relu`, `random.uniform`, `program.article`). */
export function functionOf(name: string): CallableFunction {
  const [owner = "", member = ""] = name.includes(".") ? name.split(".") : ["mx", name];
  const found = owner === "program" ? programs[member] : namespaces[owner]?.[member];
  if (typeof found !== "function") throw new Error(`${name} is no function of ours`);
  return found;
}

function method(target: unknown, name: string, args: readonly unknown[]): unknown {
  if (typeof target !== "object" || target === null) throw new Error(`${name} of ${String(target)}`);
  const found: unknown = Reflect.get(target, name);
  if (typeof found !== "function") throw new Error(`an array has no method ${name}`);
  return Reflect.apply(found, target, args);
}

function listOf(value: Argument | undefined): readonly Argument[] {
  if (!Array.isArray(value)) throw new Error("not a list");
  return value;
}

function arraysIn(value: unknown): MLXArray[] {
  if (!Array.isArray(value)) throw new Error("not a list of arrays");
  return value.filter(isArray);
}

/** Whether a decoded argument is an array. */
export function isArray(value: unknown): value is MLXArray {
  return value instanceof mx.MLXArray;
}
