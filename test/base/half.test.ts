/** The 16-bit floating types against their definition. */
import { describe, expect, it } from "vitest";
import { bfloat16ToNumber, float16ToNumber, numberToBfloat16, numberToFloat16 } from "../../src/base/half.ts";
import { roundToBfloat16, roundToFloat16 } from "../../src/base/half-rounding.ts";

/** The value of `half`, whose exponent and fraction have the given numbers of bits, by the definition of IEEE 754. */
function definition(half: number, exponentBits: number, fractionBits: number): number {
  const sign = half >>> 15 ? -1 : 1;
  const exponent = (half >>> fractionBits) & (2 ** exponentBits - 1);
  const fraction = half & (2 ** fractionBits - 1);
  const bias = 2 ** (exponentBits - 1) - 1;
  if (exponent === 2 ** exponentBits - 1) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  if (exponent === 0) return sign * fraction * 2 ** (1 - bias - fractionBits);
  return sign * (2 ** fractionBits + fraction) * 2 ** (exponent - bias - fractionBits);
}

describe.each([
  ["float16", float16ToNumber, numberToFloat16, roundToFloat16, 5, 10],
  ["bfloat16", bfloat16ToNumber, numberToBfloat16, roundToBfloat16, 8, 7],
] as const)("%s", (_, toNumber, fromNumber, round, exponentBits, fractionBits) => {
  it("reads every one of the 65,536 patterns as defined", () => {
    const wrong: number[] = [];
    for (let half = 0; half < 65536; half++) {
      if (!Object.is(toNumber(half), definition(half, exponentBits, fractionBits))) wrong.push(half);
    }
    expect(wrong).toEqual([]);
  });

  it("writes back every pattern it reads", () => {
    const wrong: number[] = [];
    for (let half = 0; half < 65536; half++) {
      const value = toNumber(half);
      if (!Number.isNaN(value) && fromNumber(value) !== half) wrong.push(half);
    }
    expect(wrong).toEqual([]);
    expect(toNumber(fromNumber(Number.NaN))).toBeNaN();
  });

  it("rounds to nearest even between neighbours, with one rounding", () => {
    const infinity = (2 ** exponentBits - 1) << fractionBits;
    const wrong: number[] = [];
    for (let half = 0; half < infinity - 1; half++) {
      const low = toNumber(half);
      const high = toNumber(half + 1);
      const middle = (low + high) / 2;
      const even = half & 1 ? high : low;
      const beyond = middle * (1 + 2 ** -52);
      const before = middle * (1 - 2 ** -53);
      if (round(middle) !== even || round(-middle) !== -even || round(beyond) !== high || round(before) !== low) {
        wrong.push(half);
      }
    }
    expect(wrong).toEqual([]);
  });

  it("overflows to infinity from half a step beyond the greatest value", () => {
    const infinity = (2 ** exponentBits - 1) << fractionBits;
    const greatest = toNumber(infinity - 1);
    const step = greatest - toNumber(infinity - 2);
    expect(round(greatest + step * 0.499)).toBe(greatest);
    expect(round(greatest + step * 0.5)).toBe(Number.POSITIVE_INFINITY);
    expect(round(-1e300)).toBe(Number.NEGATIVE_INFINITY);
    expect(Object.is(round(-1e-300), -0)).toBe(true);
  });
});
