/** An option that an operation does not have is a typed error that names it, and those there are: for every operation. */
import * as mx from "mlx-ts";
import { describe, expect, it } from "vitest";
import { aliases, functionCalls, methodCalls } from "./operation-calls.ts";
import type { Call } from "./watched-calls.ts";
import { callsOf, methodCallsOf, missing, run } from "./watched-calls.ts";

/** What users of other libraries write. */
const wrong = ["keepdims", "axes", "learning_rate", "dim"];

function isOptions(value: unknown): value is object {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function checkCalls(name: string, calls: readonly Call[]): void {
  const known = name.replace(/^.*\./, "");
  expect(calls.length).toBeGreaterThan(0);
  for (const call of calls) {
    expect(call.args.some(isOptions), `${name} is called with options`).toBe(true);
    for (const key of wrong) {
      const args = call.args.map((arg) => (isOptions(arg) ? { ...arg, [key]: 0 } : arg));
      expect(() => run(call, args)).toThrow(mx.ArgumentError);
      expect(() => run(call, args)).toThrow(
        new RegExp(`^${aliases[known] ?? known}: "${key}" is no option of { (\\w+, )*device }$`),
      );
    }
  }
}

/** The names of the options that a call may have, as the error about a misspelt one lists them. */
function optionNames(call: Call): readonly string[] {
  try {
    run(
      call,
      call.args.map((arg) => (isOptions(arg) ? { ...arg, misspelt: 0 } : arg)),
    );
  } catch (error) {
    return /\{ (.*) \}$/.exec(String(error))?.[1]?.split(", ") ?? missing();
  }
  return missing();
}

function arraysIn(result: unknown): readonly mx.MLXArray[] {
  return mx.treeFlatten(result).flatMap(([, leaf]) => (leaf instanceof mx.MLXArray ? [leaf] : []));
}

async function checkUndefined(calls: readonly Call[]): Promise<void> {
  for (const call of calls) {
    const absent = Object.fromEntries(optionNames(call).map((option) => [option, undefined]));
    const args = call.args.map((arg) => (isOptions(arg) ? { ...absent, ...arg } : arg));
    const plain = arraysIn(run(call, call.args));
    const explicit = arraysIn(run(call, args));
    expect(explicit.map(({ shape, dtype }) => [shape, dtype])).toEqual(plain.map(({ shape, dtype }) => [shape, dtype]));
  }
}

describe("an option that is undefined is one that is not given, for", () => {
  it.each(Object.entries(functionCalls))("%s", (_, entry) => checkUndefined(callsOf(entry)));
  it.each(Object.entries(methodCalls))("the method %s", (name, entry) => checkUndefined(methodCallsOf(name, entry)));
});

describe("a misspelt option is refused by", () => {
  it.each(Object.entries(functionCalls))("%s", (name, entry) => checkCalls(name, callsOf(entry)));
  it.each(Object.entries(methodCalls))("the method %s", (name, entry) => checkCalls(name, methodCallsOf(name, entry)));
});
