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
const optional: ReadonlySet<string> = new Set([
  ...["fast.layerNorm 1", "fast.layerNorm 2", "the method clip 0", "the method clip 1"],
]);

function isLeftOut(title: string, place: readonly string[], wrong: unknown): boolean {
  const isOption = place.some((key) => !/^\d+$/.test(key));
  return isOption ? wrong === undefined : wrong == null && optional.has(`${title} ${place}`);
}

function checkCalls(name: string, calls: readonly Call[], title: string = name): void {
  const known = name.replace(/^.*\./, "");
  for (const [kind, wrong, message] of wrongs)
    for (const call of calls)
      for (const [place, args] of replaced(call.args, wrong)) {
        if (isLeftOut(title, place, wrong)) continue;
        let caught: unknown;
        try {
          run(call, Object(args));
        } catch (error) {
          caught = error;
        }
        const told = `${kind} as argument ${place} of ${title} gives ${String(caught)}`;
        expect(caught, told).toBeInstanceOf(mx.MLXError);
        expect(String(caught), told).toMatch(message);
        expect(caught, told).toHaveProperty("operation", place.includes("key") ? "random" : (aliases[known] ?? known));
      }
}

function nameOf(name: string): keyof typeof methodShapes {
  return namesOfMethods.find((known) => known === name) ?? missing();
}

const functions = Object.entries(functionCalls).map(([name, entry]) => ({ name, calls: callsOf(entry) }));
const methods = Object.entries(methodCalls).map(([name, entry]) => ({ name, calls: methodCallsOf(name, entry) }));

/** Whether a call has an array among its arguments; that of a method, beside its own. */
const takesArrays = ({ calls }: { readonly calls: readonly Call[] }): boolean =>
  calls.some(({ args }) => replaced(args, null).length > 0);

describe("what is no array is refused by", () => {
  it.each(functions.filter(takesArrays))("$name", ({ name, calls }) => checkCalls(name, calls));
  it.each(methods.filter(takesArrays))("the method $name", ({ name, calls }) =>
    checkCalls(name, calls, `the method ${name}`),
  );
  it.each(methods.filter(takesArrays).filter(({ name }) => name in methodShapes))(
    "the method $name, not loaded yet",
    ({ name, calls }) => {
      const known = nameOf(name);
      const later = calls.map(
        ({ self, args }): Call => ({
          fn: (...others: readonly unknown[]) => callDeferred(known, methodShapes[known], [self, ...others]),
          args,
        }),
      );
      checkCalls(name, later, `the method ${name}`);
    },
  );

  it("every function, but for those that make arrays of numbers, and every method with operands", () => {
    const withoutArrays = functions.filter((one) => !takesArrays(one)).map(({ name }) => name);
    expect(withoutArrays.join(" ")).toBe(
      "zeros ones empty hanning hamming bartlett blackman arange eye identity linspace tri random.bits random.gumbel " +
        "random.key random.laplace random.randint random.truncatedNormal",
    );
    const withOperands = methods.filter(takesArrays).map(({ name }) => name);
    expect(withOperands.join(" ")).toBe(
      "add allClose arrayEqual clip div divide equal floorDivide greater greaterEqual less lessEqual logicalAnd logicalOr " +
        "matmul maximum minimum mul multiply notEqual pow power putAlongAxis remainder sub subtract take takeAlongAxis",
    );
  });
});
