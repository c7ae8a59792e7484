/** Errors of floating-point results in units in the last place, and bits to find them with. */
import type { Dtype } from "../../src/base/dtype.ts";
import { roundToBfloat16, roundToFloat16 } from "../../src/base/half-rounding.ts";

/** The distance of neighbours near `x` in `dtype`; NaN where `x` is beyond what it holds. */
export function unitOf(x: number, dtype: Dtype): number {
  if (dtype === "float64") return Math.max(Math.abs(x), 1e-300) * 1e-14;
  const digits = dtype === "float32" ? 23 : dtype === "float16" ? 10 : 7;
  const least = dtype === "float16" ? -14 : -126;
  const exponent = Math.max(Math.floor(Math.log2(Math.abs(x))), least);
  const round = dtype === "float16" ? roundToFloat16 : dtype === "bfloat16" ? roundToBfloat16 : Math.fround;
  return Number.isFinite(round(x)) ? 2 ** (exponent - digits) : Number.NaN;
}

/** What infinity counts as. */
const beyond = 2 ** 128;

/** How far the float32 `actual` is from the exact value, in units of that; infinite where only one of them is NaN. */
export function errorOf(actual: number, exact: number): number {
  if (Number.isNaN(exact) || Number.isNaN(actual)) return Number.isNaN(exact) && Number.isNaN(actual) ? 0 : Infinity;
  const [is = 0, wanted = 0] = [actual, exact].map((value) => Math.max(-beyond, Math.min(beyond, value)));
  return Math.abs(is - wanted) / unitInLastPlace(wanted);
}

/** The distance of two neighbouring float32 around `value`, which may exceed the largest one. */
function unitInLastPlace(value: number): number {
  const size = Math.max(Math.abs(value), 2 ** -126);
  let exponent = Math.floor(Math.log2(size));
  if (2 ** exponent > size) exponent--;
  return 2 ** (Math.min(exponent, 127) - 23);
}

/** Words of 32 bits, the same ones for the same seed. */
export function wordsFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state ^ (state >>> 15)) >>> 0;
  };
}
