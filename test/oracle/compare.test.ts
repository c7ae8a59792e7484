/** The comparison of elements itself: units in the last place across zero, subnormals and infinity. */
import { describe, expect, it } from "vitest";
import type { TypedArray } from "../../src/base/dtype.ts";
import type { Elements } from "./compare.ts";
import { difference } from "./compare.ts";

const singles = (...values: number[]): Elements => of("float32", Float32Array.from(values));
const doubles = (...values: number[]): Elements => of("float64", Float64Array.from(values));
const halves = (...bits: number[]): Elements => of("float16", Uint16Array.from(bits));

function of(dtype: Elements["dtype"], data: TypedArray): Elements {
  return { dtype, shape: [data.length], data };
}

function within(ulp: number, got: Elements, expected: Elements): boolean {
  return difference(got, expected, null, { ulp, tolerance: 0, anyZero: false }) === null;
}

describe("the comparison of elements", () => {
  it("counts the floats between two values", () => {
    expect(within(0, singles(1), singles(1 + 2 ** -23))).toBe(false);
    expect(within(1, singles(1), singles(1 + 2 ** -23))).toBe(true);
    expect(within(1, singles(1 - 2 ** -24), singles(1))).toBe(true);
    expect(within(1, singles(1 - 2 ** -23), singles(1))).toBe(false);
    expect(within(2, singles(1 - 2 ** -23), singles(1))).toBe(true);
    expect(within(1, singles(2 ** -149), singles(2 ** -148))).toBe(true);
    expect(within(1, singles(2 ** -126 - 2 ** -149), singles(2 ** -126))).toBe(true);
    expect(within(2, singles(2 ** -149), singles(-(2 ** -149)))).toBe(true);
    expect(within(1, singles(3.4028234663852886e38), singles(Number.POSITIVE_INFINITY))).toBe(true);
    expect(within(1, singles(3e38), singles(Number.POSITIVE_INFINITY))).toBe(false);
    expect(within(1, doubles(1), doubles(1 + Number.EPSILON))).toBe(true);
    expect(within(1, doubles(1), doubles(1 + 2 * Number.EPSILON))).toBe(false);
    expect(within(1, halves(0x3c00), halves(0x3c01))).toBe(true);
    expect(within(1, halves(0x3c00), halves(0x3c02))).toBe(false);
    expect(within(1, halves(0x7bff), halves(0x7c00))).toBe(true);
    expect(within(1, halves(0x0001), halves(0x0002))).toBe(true);
  });

  it("tells zeros by their sign and takes any NaN for any other", () => {
    expect(within(4, singles(0), singles(-0))).toBe(false);
    expect(within(0, singles(Number.NaN), singles(Number.NaN))).toBe(true);
    expect(within(9, singles(Number.NaN), singles(1))).toBe(false);
    expect(within(0, halves(0x7e00), halves(0xfe01))).toBe(true);
  });

  it("says shape, dtype, position, expected and got", () => {
    expect(within(0, singles(1), doubles(1))).toBe(false);
    const found = difference(singles(1, 2.5), singles(1, 2), singles(1, 2.25), {
      ulp: 0,
      tolerance: 0,
      anyZero: false,
    });
    expect(found).toBe("1 of 2 differ: [1] expected 2 (true value 2.25) got 2.5");
    expect(difference(singles(1), doubles(1), null, { ulp: 0, tolerance: 0, anyZero: false })).toBe(
      "is float32[1], expected float64[1]",
    );
  });
});
