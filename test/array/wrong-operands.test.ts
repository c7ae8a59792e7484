/** What is no array, passed where an operation takes one, is a typed error that names the operation: for every operation. */
import * as mx from "mlx-ts";
import { describe, expect, it } from "vitest";
import { callDeferred } from "../../src/array/later-methods.ts";
import { methodShapes } from "../../src/array/method-shapes.ts";
import { aliases, functionCalls, methodCalls } from "./operation-calls.ts";
import type { Call } from "./watched-calls.ts";
import { callsOf, methodCallsOf, missing, run } from "./watched-calls.ts";

const namesOfMethods = Object.keys(methodShapes).filter(
  (name): name is keyof typeof methodShapes => name in methodShapes,
);

/** `value` with `wrong` in place of one array in it, once for every array; the place is a list of keys. */
function replaced(value: unknown, wrong: unknown): readonly (readonly [place: readonly string[], value: unknown])[] {
  if (value instanceof mx.MLXArray) return [[[], wrong]];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, member]) =>
    replaced(member, wrong).map(([place, other]): [readonly string[], unknown] => [
      [key, ...place],
      Array.isArray(value) ? value.with(Number(key), other) : { ...value, [key]: other },
    ]),
  );
}

/** What has the fields of an array and is none: an array of another copy of the library. */
class OtherArray {
  readonly shape = [3];
  readonly dtype = "float32";
  readonly isEvaluated = true;
  readonly ndim = 1;
  readonly size = 3;
}

const wrongs: readonly (readonly [kind: string, value: unknown, message: RegExp])[] = [
  [
    "a list",
    [
      [1, 2],
      [3, 4],
    ],
    /a list; write array\(…\)/,
  ],
  ["a typed array", new Float32Array([1, 2]), /a Float32Array; write array\(…\)/],
  ["undefined", undefined, /undefined/],
  ["null", null, /null/],
  ["text", "1", /a string/],
  ["a Promise", Promise.resolve(mx.array([1])), /a Promise; await it first/],
  ["an object", {}, /an object/],
  ["an array of another copy", new OtherArray(), /of another copy of mlx-ts; load it once/],
];

/** Operands that may be left out, though they are arguments and no options. */
const optional: ReadonlySet<string> = new Set(["fast.layerNorm 1", "fast.layerNorm 2"]);

function isLeftOut(name: string, place: readonly string[], wrong: unknown): boolean {
  const isOption = place.some((key) => !/^\d+$/.test(key));
  return isOption ? wrong === undefined : wrong == null && optional.has(`${name} ${place}`);
}

function checkCalls(name: string, calls: readonly Call[]): void {
  const known = name.replace(/^.*\./, "");
  for (const [kind, wrong, message] of wrongs)
    for (const call of calls)
      for (const [place, args] of replaced(call.args, wrong)) {
        if (isLeftOut(name, place, wrong)) continue;
        let caught: unknown;
        try {
          run(call, Object(args));
        } catch (error) {
          caught = error;
        }
        const told = `${kind} as argument ${place} of ${name} gives ${String(caught)}`;
        expect(caught, told).toBeInstanceOf(mx.MLXError);
        expect(String(caught), told).toMatch(message);
        expect(caught, told).toHaveProperty("operation", place.includes("key") ? "random" : (aliases[known] ?? known));
      }
}

function nameOf(name: string): keyof typeof methodShapes {
  return namesOfMethods.find((known) => known === name) ?? missing();
}

describe("what is no array is refused by", () => {
  it.each(Object.entries(functionCalls))("%s", (name, entry) => checkCalls(name, callsOf(entry)));
  it.each(Object.entries(methodCalls))("the method %s", (name, entry) => checkCalls(name, methodCallsOf(name, entry)));
  it.each(Object.entries(methodShapes))("the method %s, not loaded yet", (name, answer) => {
    const entry = Object.entries(methodCalls).find(([known]) => known === name)?.[1] ?? missing();
    const later = methodCallsOf(name, entry).map(
      ({ self, args }): Call => ({
        fn: (...others: readonly unknown[]) => callDeferred(nameOf(name), answer, [self, ...others]),
        args,
      }),
    );
    checkCalls(name, later);
  });
});
