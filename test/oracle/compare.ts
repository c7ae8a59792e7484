/** Compares elements bit for bit, by units in the last place, or by absolute error, and says what differs. */
import type { Dtype, TypedArray } from "../../src/base/dtype.ts";

/** Elements and how they lie. */
export interface Elements {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** float16 and bfloat16 as bits. */
  readonly data: TypedArray;
}

/** How near is near enough. */
export interface Allowance {
  readonly ulp: number;
  readonly tolerance: number;
  /** Zeros of either sign are alike (gradients). */
  readonly anyZero: boolean;
}

/** What differs between `got` and `expected` (or `exact`, where it is nearer), or null. */
export function difference(
  got: Elements,
  expected: Elements,
  exact: Elements | null,
  allowance: Allowance,
): string | null {
  const type = `${got.dtype}[${got.shape}]`;
  const wanted = `${expected.dtype}[${expected.shape}]`;
  if (type !== wanted) return `is ${type}, expected ${wanted}`;
  if (got.data.length !== expected.data.length)
    return `has ${got.data.length} elements, expected ${expected.data.length}`;
  const wrong: string[] = [];
  let count = 0;
  for (let i = 0; i < expected.data.length; i++) {
    if (isNear(got, expected, i, allowance)) continue;
    if (exact !== null && isNear(got, exact, i, allowance)) continue;
    count++;
    if (wrong.length < 4) {
      const truth = exact === null ? "" : ` (true value ${valueAt(exact, i)})`;
      wrong.push(`[${unravel(i, expected.shape)}] expected ${valueAt(expected, i)}${truth} got ${valueAt(got, i)}`);
    }
  }
  return count === 0 ? null : `${count} of ${expected.data.length} differ: ${wrong.join("; ")}`;
}

/** The value of element `i` as a number, or as a bigint of a 64-bit integer. */
function valueAt(elements: Elements, i: number): number | bigint | string {
  const raw = elements.data[i] ?? 0;
  const value = typeof raw === "bigint" ? raw : decode(raw, elements.dtype);
  return Object.is(value, -0) ? "-0" : value;
}

function isNear(got: Elements, expected: Elements, i: number, { ulp, tolerance, anyZero }: Allowance): boolean {
  const a = got.data[i] ?? 0;
  const b = expected.data[i] ?? 0;
  if (typeof a === "bigint" || typeof b === "bigint") return a === b || Math.abs(Number(a) - Number(b)) <= tolerance;
  const x = decode(a, got.dtype);
  const y = decode(b, expected.dtype);
  if (Object.is(x, y)) return true;
  if (x === 0 && y === 0) return anyZero || tolerance > 0;
  if (Number.isNaN(x) || Number.isNaN(y)) return false;
  if (Math.abs(x - y) <= tolerance) return true;
  return ulp > 0 && distance(x, y, expected.dtype) <= ulp;
}

/** The number that the bits of a half, or any other element, stand for. */
function decode(raw: number, dtype: Dtype): number {
  if (dtype === "bfloat16") {
    words[0] = raw << 16;
    return singles[0] ?? 0;
  }
  if (dtype !== "float16") return raw;
  const exponent = (raw >> 10) & 31;
  const fraction = raw & 1023;
  const sign = raw & 0x8000 ? -1 : 1;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}

const words = new Uint32Array(1);
const singles = new Float32Array(words.buffer);
const doubles = new Float64Array(1);
const long = new BigInt64Array(doubles.buffer);

const fractionBits = { float16: 10, bfloat16: 7, float32: 23 };
const leastExponent = { float16: -14, bfloat16: -126, float32: -126 };

/** How many floats of `dtype` lie between two values; the next number after the greatest is infinity. */
function distance(x: number, y: number, dtype: Dtype): number {
  if (dtype === "float64") return Number(absolute(ordered(x) - ordered(y)));
  if (dtype !== "float32" && dtype !== "float16" && dtype !== "bfloat16") return Number.POSITIVE_INFINITY;
  return Math.abs(ordinal(x, dtype) - ordinal(y, dtype));
}

function ordinal(x: number, dtype: "float16" | "bfloat16" | "float32"): number {
  const bits = fractionBits[dtype];
  const least = leastExponent[dtype];
  const size = Math.abs(x);
  if (size === Number.POSITIVE_INFINITY) {
    const greatest = dtype === "float16" ? 15 : 127;
    return Math.sign(x) * (greatest - least + 2) * 2 ** bits;
  }
  if (size < 2 ** least) return Math.sign(x) * Math.round(size / 2 ** (least - bits));
  const exponent = Math.floor(Math.log2(size));
  const exact = size >= 2 ** (exponent + 1) ? exponent + 1 : size < 2 ** exponent ? exponent - 1 : exponent;
  return Math.sign(x) * ((exact - least + 1) * 2 ** bits + (size / 2 ** exact - 1) * 2 ** bits);
}

function ordered(x: number): bigint {
  doubles[0] = x;
  const bits = long[0] ?? 0n;
  return bits < 0n ? -(bits & 0x7fffffffffffffffn) : bits;
}

function absolute(x: bigint): bigint {
  return x < 0n ? -x : x;
}

function unravel(position: number, shape: readonly number[]): string {
  const index: number[] = [];
  let rest = position;
  for (const length of [...shape].reverse()) {
    index.unshift(rest % length);
    rest = Math.floor(rest / length);
  }
  return index.join(", ");
}
