/** An option that an operation does not have is a typed error that names it, and those there are: for every operation. */
import * as mx from "mlx-ts";
import { describe, expect, it } from "vitest";
import { aliases, functionCalls, methodCalls } from "./operation-calls.ts";
import type { Call } from "./watched-calls.ts";
import { callsOf, methodCallsOf, run } from "./watched-calls.ts";

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

describe("a misspelt option is refused by", () => {
  it.each(Object.entries(functionCalls))("%s", (name, entry) => checkCalls(name, callsOf(entry)));
  it.each(Object.entries(methodCalls))("the method %s", (name, entry) => checkCalls(name, methodCallsOf(name, entry)));
});
