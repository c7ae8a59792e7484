/** Expression templates: Python's precedence and numbers, and errors that point at a character. */
import * as mx from "mlx-ts";
import { describe, expect, it } from "vitest";

const x: mx.MLXArray = mx.array([1, 2, 3, 4]);
const k: mx.MLXArray = mx.array([1, 2, 3, 4], "int32");
const matrix: mx.MLXArray = mx.array([
  [1, 2],
  [3, 4],
]);

/** How an interpolated value shows in an error. */
const slot = "$".concat("{…}");

const messageOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof mx.FormatError) return error.message;
    throw error;
  }
  return "no error";
};

/** The call of a template whose strings are made at run time. */
const evaluateText = (text: string, ...values: readonly mx.ArrayLike[]): mx.MLXArray => {
  const strings = text.split("$");
  return mx.expr(Object.assign(strings, { raw: strings }), ...values);
};

describe("expr", () => {
  it("has Python's precedence", async () => {
    expect(await mx.expr`-${x} ** 2`.tolist()).toEqual([-1, -4, -9, -16]);
    expect(await mx.expr`2 ** -${x}`.tolist()).toEqual([0.5, 0.25, 0.125, 0.0625]);
    expect(await mx.expr`2 ** 3 ** 2 * ${x}`.tolist()).toEqual([512, 1024, 1536, 2048]);
    expect(await mx.expr`10 - ${x} - 1`.tolist()).toEqual([8, 7, 6, 5]);
    expect(await mx.expr`1 + ${x} * 2`.tolist()).toEqual([3, 5, 7, 9]);
    expect(await mx.expr`(1 + ${x}) * 2`.tolist()).toEqual([4, 6, 8, 10]);
    expect(await mx.expr`${k} | ${k} + 1 & 1`.tolist()).toEqual([1, 3, 3, 5]);
    expect(await mx.expr`${k} ^ 1 << 2`.tolist()).toEqual([5, 6, 7, 0]);
    expect(await mx.expr`${k} & 1 == 1`.tolist()).toEqual([true, false, true, false]);
    expect(await mx.expr`~${k} + 1`.tolist()).toEqual([-1, -2, -3, -4]);
    expect(await mx.expr`- - +${x}`.tolist()).toEqual([1, 2, 3, 4]);
  });

  it("has every operator", async () => {
    expect(await mx.expr`${x} / 2`.tolist()).toEqual([0.5, 1, 1.5, 2]);
    expect(await mx.expr`-${k} // 3`.tolist()).toEqual([-1, -1, -1, -2]);
    expect(await mx.expr`-${k} % 3`.tolist()).toEqual([2, 1, 0, 2]);
    expect(await mx.expr`${k} >> 1`.tolist()).toEqual([0, 1, 1, 2]);
    expect(await mx.expr`${x} < 2`.tolist()).toEqual([true, false, false, false]);
    expect(await mx.expr`${x} <= 2`.tolist()).toEqual([true, true, false, false]);
    expect(await mx.expr`${x} > 2`.tolist()).toEqual([false, false, true, true]);
    expect(await mx.expr`${x} >= 2`.tolist()).toEqual([false, true, true, true]);
    expect(await mx.expr`${x} != 2`.tolist()).toEqual([true, false, true, true]);
    expect(await mx.expr`~(${x} == 2) & (${x} < 4)`.tolist()).toEqual([true, false, true, false]);
    expect(await mx.expr`(${x} == 2) | (${x} > 3)`.tolist()).toEqual([false, true, false, true]);
    expect(await mx.expr`${matrix} @ ${matrix}.T`.tolist()).toEqual([
      [5, 11],
      [11, 25],
    ]);
    expect(await mx.expr`(${matrix} - 1).T.T`.tolist()).toEqual([
      [0, 1],
      [2, 3],
    ]);
  });

  it("has weak numbers, also after arithmetic between them", async () => {
    const half = mx.array([1, 2], "float16");
    expect(mx.expr`${half} * (1 / 3)`.dtype).toBe("float16");
    expect(mx.expr`${k} * (2 * 3)`.dtype).toBe("int32");
    expect(mx.expr`${k} * 0.5`.dtype).toBe("float32");
    expect(mx.expr`${k} + ${2}`.dtype).toBe("int32");
    expect(await mx.expr`${mx.array([1n])} + 2 ** 40 + ${2n ** 60n}`.tolist()).toEqual([1n + 2n ** 40n + 2n ** 60n]);
    expect(await mx.expr`7 // -2 + -7 % 3 + (6 & 3) + ~1`.item()).toBe(-4 + 2 + 2 - 2);
    expect(await mx.expr`1_000 + 0x1F + .5 + 1e-1`.item()).toBeCloseTo(1031.6, 3);
    expect(await mx.expr`1 < 2`.item()).toBe(true);
    expect(await mx.expr`${2n} ** 62 + 1`.item()).toBe(2n ** 62n + 1n);
  });

  it("has the elementwise functions and constants by name", async () => {
    expect(await mx.expr`maximum(${x} - 2, 0)`.tolist()).toEqual([0, 0, 1, 2]);
    expect(await mx.expr`where(${x} > 2, -${x}, sqrt(square(${x})))`.tolist()).toEqual([1, 2, -3, -4]);
    expect(await mx.expr`cos(pi * ${mx.array([0])}) + 0 * e`.tolist()).toEqual([1]);
    expect(await mx.expr`${x} < inf`.all().item()).toBe(true);
  });

  it("is parsed once per place", async () => {
    const results: unknown[] = [];
    for (const factor of [1, 2, 3]) results.push(await mx.expr`${factor} * ${x} + 1`.tolist());
    expect(results).toEqual([
      [2, 3, 4, 5],
      [3, 5, 7, 9],
      [4, 7, 10, 13],
    ]);
  });

  it("can be differentiated", async () => {
    const slope = mx.grad((t: mx.MLXArray) => mx.expr`${t} ** 3 + 2 * ${t}`)(mx.array(2));
    expect(await slope.item()).toBe(14);
  });

  it("points at the character of a syntax error", () => {
    expect(messageOf(() => mx.expr`${x} + * 2`)).toBe(
      ["expr: an array, a number or a parenthesis is missing here", `  ${slot} + * 2`, "         ^"].join("\n"),
    );
    expect(messageOf(() => mx.expr`(${x} + 2`)).toContain(`this "(" is never closed\n  (${slot} + 2\n  ^`);
    expect(messageOf(() => mx.expr`${x} ? 2`)).toContain(`"?" is no operator\n  ${slot} ? 2\n       ^`);
    expect(messageOf(() => mx.expr`${x}${x}`)).toContain(
      `an operator is missing before this\n  ${slot}${slot}\n      ^`,
    );
    expect(messageOf(() => mx.expr`${x})`)).toContain(`this ")" closes nothing\n  ${slot})\n      ^`);
    expect(messageOf(() => mx.expr`${x} +`)).toContain(`missing here\n  ${slot} +\n        ^`);
    expect(messageOf(() => mx.expr`1 < ${x} < 3`)).toContain("comparisons do not chain");
    expect(messageOf(() => mx.expr`${x}.shape`)).toContain("only .T");
    expect(messageOf(() => mx.expr`sum(${x})`)).toContain('nothing is called "sum"');
    expect(messageOf(() => mx.expr`exp(${x}, 2)`)).toContain("exp takes 1 argument, not 2");
    expect(messageOf(() => mx.expr`exp ${x}`)).toContain("arguments in parentheses");
    expect(messageOf(() => mx.expr`2x`)).toContain("followed by a letter");
    expect(messageOf(() => mx.expr``)).toContain("missing here\n  \n  ^");
  });

  it("refuses other values, and operators that numbers do not have", () => {
    expect(() => mx.expr`${Object([1, 2])} + 1`).toThrow(mx.DtypeError);
    expect(() => mx.expr`2 @ 3 + ${x}`).toThrow(mx.DtypeError);
    expect(() => mx.expr`${x} + 1 // 0`).toThrow(mx.ArgumentError);
    expect(() => mx.expr`${x} + (1.5 & 1)`).toThrow(mx.DtypeError);
  });

  it("gives a typed error or an array for any text", () => {
    const pieces = [
      "$",
      "1",
      "2.5",
      "+",
      "-",
      "*",
      "**",
      "@",
      "~",
      "(",
      ")",
      ".T",
      "<",
      "==",
      "&",
      "exp",
      ",",
      " ",
      "?",
    ];
    let seed = 864;
    const next = (length: number): number => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return Math.floor((seed / 2 ** 32) * length);
    };
    for (let run = 0; run < 500; run++) {
      const text = Array.from({ length: 1 + next(12) }, () => pieces[next(pieces.length)]).join("");
      const values = Array.from({ length: text.split("$").length - 1 }, () => k);
      try {
        expect(evaluateText(text, ...values)).toBeInstanceOf(mx.MLXArray);
      } catch (error) {
        expect(error, text).toBeInstanceOf(mx.MLXError);
      }
    }
    expect(() => evaluateText("(".repeat(100_000))).toThrow(mx.FormatError);
  });
});
