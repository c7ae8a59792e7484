/** The interpreter: exact arithmetic of every dtype, and loops as kernels define them. */
import { describe, expect, it } from "vitest";
import type { Dtype, TypedArray } from "../../src/base/dtype.ts";
import { carrierOf } from "../../src/base/dtype.ts";
import { elementsOf, readElement } from "../../src/base/elements.ts";
import type { Expr } from "../../src/ir/expr.ts";
import { Expressions } from "../../src/ir/expr.ts";
import type { BinaryOp, ReduceOp, UnaryOp } from "../../src/ir/instruction.ts";
import { interpret } from "../../src/ir/interpret.ts";
import type { LoopKernel } from "../../src/ir/kernel.ts";
import { erf, erfc, erfinv } from "../../src/ir/special-functions.ts";

type Value = number | bigint | boolean;

/** What `build` makes of each element of the inputs, all of one length. */
function map(
  build: (e: Expressions, ...args: Expr[]) => Expr,
  inputs: readonly (readonly Value[])[],
  dtype: Dtype,
): Value[] {
  const e = new Expressions();
  const length = inputs[0]?.length ?? 0;
  const axis = { id: 0, length };
  const position = e.axis(axis);
  const value = build(e, ...inputs.map((_, slot) => e.load(slot, dtype, position)));
  if (value.dtype === "index") throw new Error("an index is no element");
  const kernel: LoopKernel = {
    kind: "loop",
    label: "",
    slots: [
      ...inputs.map(() => ({ dtype, size: length, isOutput: false })),
      { dtype: value.dtype, size: length, isOutput: true },
    ],
    arguments: [],
    root: { axes: [axis], children: [], reduces: [], stores: [{ slot: inputs.length, index: position, value }] },
  };
  const output = new (carrierOf(value.dtype))(length);
  interpret(kernel, [...inputs.map((values) => elementsOf(dtype, values)), output], []);
  return Array.from({ length }, (_, k) => readElement(output, k, value.dtype === "index" ? "int32" : value.dtype));
}

const binary = (op: BinaryOp, dtype: Dtype, a: readonly Value[], b: readonly Value[]): Value[] =>
  map((e, x, y) => (x && y ? e.binary(op, x, y) : e.index(0)), [a, b], dtype);
const unary = (op: UnaryOp, dtype: Dtype, a: readonly Value[]): Value[] =>
  map((e, x) => (x ? e.unary(op, x) : e.index(0)), [a], dtype);
const cast = (from: Dtype, to: Dtype, a: readonly Value[]): Value[] =>
  map((e, x) => (x ? e.cast(x, to) : e.index(0)), [a], from);

function reduce(op: ReduceOp, dtype: Dtype, values: readonly Value[], result: Dtype = dtype): Value {
  const e = new Expressions();
  const axis = { id: 0, length: values.length };
  const value = e.reduce(op, result, [axis], e.load(0, dtype, e.axis(axis)));
  const kernel: LoopKernel = {
    kind: "loop",
    label: "",
    slots: [
      { dtype, size: values.length, isOutput: false },
      { dtype: result, size: 1, isOutput: true },
    ],
    arguments: [],
    root: {
      axes: [],
      children: [{ axes: [axis], children: [], reduces: [value], stores: [] }],
      reduces: [],
      stores: [{ slot: 1, index: e.index(0), value }],
    },
  };
  const output: TypedArray = new (carrierOf(result))(1);
  interpret(kernel, [elementsOf(dtype, values), output], []);
  return readElement(output, 0, result);
}

describe("integers", () => {
  it("wrap around", () => {
    expect(binary("add", "int8", [127, -128], [1, -1])).toEqual([-128, 127]);
    expect(binary("add", "uint8", [255], [1])).toEqual([0]);
    expect(binary("mul", "int32", [65537, 2147483647], [65537, 2])).toEqual([131073, -2]);
    expect(binary("mul", "uint32", [4294967295], [4294967295])).toEqual([1]);
    expect(binary("sub", "uint16", [0], [1])).toEqual([65535]);
    expect(binary("add", "int64", [9223372036854775807n], [1n])).toEqual([-9223372036854775808n]);
    expect(unary("neg", "int32", [-2147483648])).toEqual([-2147483648]);
    expect(unary("not", "uint8", [1])).toEqual([254]);
  });

  it("divide towards zero, with remainders of the divisor's sign and 0 by zero", () => {
    expect(binary("quotient", "int32", [7, -7, 7, -7, 5, -2147483648], [2, 2, -2, -2, 0, -1])).toEqual([
      3, -3, -3, 3, 0, -2147483648,
    ]);
    expect(binary("remainder", "int32", [7, -7, 7, -7, 5], [3, 3, -3, -3, 0])).toEqual([1, 2, -2, -1, 0]);
    expect(binary("remainder", "int64", [-7n, 7n, 7n], [3n, -3n, 0n])).toEqual([2n, -2n, 0n]);
    expect(binary("quotient", "uint64", [18446744073709551615n], [2n])).toEqual([9223372036854775807n]);
  });

  it("shift arithmetically if signed", () => {
    expect(binary("shr", "int32", [-8], [1])).toEqual([-4]);
    expect(binary("shr", "uint32", [4294967288], [1])).toEqual([2147483644]);
    expect(binary("shl", "uint32", [1], [31])).toEqual([2147483648]);
    expect(binary("shr", "int64", [-8n], [1n])).toEqual([-4n]);
  });

  it("have powers modulo their width, and 0 for negative exponents", () => {
    expect(binary("pow", "int32", [3, -2, 10, 2, 1, -1], [4, 3, 10, -1, -5, -3])).toEqual([
      81, -8, 1410065408, 0, 0, 0,
    ]);
    expect(binary("pow", "int64", [3n], [39n])).toEqual([4052555153018976267n]);
  });
});

describe("floats", () => {
  it("are rounded to their dtype after every operation", () => {
    expect(binary("add", "float32", [16777216], [1])).toEqual([16777216]);
    expect(binary("add", "float16", [2048], [1])).toEqual([2048]);
    expect(binary("mul", "bfloat16", [1.0078125], [1.0078125])).toEqual([1.015625]);
    expect(binary("mul", "float16", [300], [300])).toEqual([Number.POSITIVE_INFINITY]);
    expect(unary("exp", "float32", [1])).toEqual([Math.fround(Math.E)]);
  });

  it("round half to even, and keep the sign of zero", () => {
    const rounded = unary("round", "float32", [0.5, 1.5, 2.5, -0.5, -1.5, 2.4, -0.2]);
    expect(rounded).toEqual([0, 2, 2, -0, -2, 2, -0]);
  });

  it("pass NaN through minimum and maximum, and never compare equal to it", () => {
    expect(binary("min", "float32", [Number.NaN, 1], [1, Number.NaN])).toEqual([Number.NaN, Number.NaN]);
    expect(map((e, x, y) => (x && y ? e.eq(x, y) : e.index(0)), [[Number.NaN], [Number.NaN]], "float32")).toEqual([
      false,
    ]);
    expect(map((e, x, y) => (x && y ? e.ne(x, y) : e.index(0)), [[Number.NaN], [Number.NaN]], "float32")).toEqual([
      true,
    ]);
  });

  it("have remainders of the divisor's sign and C's powers of one", () => {
    expect(binary("remainder", "float32", [5.5, -5.5, 5.5], [2, 2, -2])).toEqual([1.5, 0.5, -0.5]);
    expect(binary("pow", "float64", [1, -1], [Number.NaN, Number.POSITIVE_INFINITY])).toEqual([1, 1]);
  });
});

describe("conversions", () => {
  it("from floats drop the fraction and stop at the limits", () => {
    expect(cast("float32", "int32", [1.9, -1.9, 1e10, -1e10, Number.NaN])).toEqual([1, -1, 2147483647, -2147483648, 0]);
    expect(cast("float64", "int64", [1e30, -2.5])).toEqual([9223372036854775807n, -2n]);
    expect(cast("float32", "bool", [0, 0.5, Number.NaN])).toEqual([false, true, true]);
  });

  it("between integers keep the low bits", () => {
    expect(cast("int32", "uint8", [-1, 257])).toEqual([255, 1]);
    expect(cast("int64", "int32", [4294967297n])).toEqual([1]);
    expect(cast("int32", "uint64", [-1])).toEqual([18446744073709551615n]);
  });

  it("read bits anew", () => {
    const bits = (from: Dtype, to: Dtype, a: Value[]): Value[] =>
      map((e, x) => (x ? e.bitcast(x, to) : e.index(0)), [a], from);
    expect(bits("float32", "int32", [1, -0])).toEqual([0x3f800000, -2147483648]);
    expect(bits("uint16", "float16", [0x3c00])).toEqual([1]);
    expect(bits("float64", "int64", [1])).toEqual([0x3ff0000000000000n]);
    expect(bits("int64", "float64", [0x3ff0000000000000n])).toEqual([1]);
  });
});

describe("reductions", () => {
  it("of float32 are rounded once", () => {
    expect(reduce("sum", "float32", new Array<number>(10).fill(0.1))).toBe(Math.fround(10 * Math.fround(0.1)));
    expect(reduce("sum", "float16", new Array<number>(4000).fill(1))).toBe(4000);
    expect(reduce("prod", "float32", [1e30, 1e30, 1e-30, 1e-30])).toBeCloseTo(1, 6);
  });

  it("of integers wrap around", () => {
    expect(reduce("sum", "int32", [2147483647, 1])).toBe(-2147483648);
    expect(reduce("prod", "int64", [4294967296n, 4294967296n])).toBe(0n);
  });

  it("of nothing give the neutral element", () => {
    expect(reduce("sum", "float32", [])).toBe(0);
    expect(reduce("prod", "int32", [])).toBe(1);
    expect(reduce("max", "bool", [])).toBe(false);
    expect(reduce("min", "bool", [])).toBe(true);
  });

  it("find the first of equal extrema, and NaN before all", () => {
    expect(reduce("argmax", "float32", [1, 3, 3], "uint32")).toBe(1);
    expect(reduce("argmin", "int64", [2n, 1n, 1n], "uint32")).toBe(1);
    expect(reduce("argmin", "float32", [1, Number.NaN, -5, Number.NaN], "uint32")).toBe(1);
    expect(reduce("max", "float32", [1, Number.NaN, 2])).toBeNaN();
  });
});

describe("special functions", () => {
  it("are accurate to a few parts in 10¹⁵", () => {
    const known: [number, number][] = [
      [1e-10, 1.1283791670955126e-10],
      [0.1, 0.1124629160182849],
      [0.5, 0.5204998778130465],
      [1, 0.8427007929497149],
      [2, 0.9953222650189527],
      [2.5, 0.999593047982555],
      [3, 0.9999779095030014],
    ];
    for (const [x, value] of known) {
      expect(Math.abs(erf(x) / value - 1)).toBeLessThan(4e-16);
      expect(erf(-x)).toBe(-erf(x));
    }
    expect(Math.abs(erfc(5) / 1.5374597944280347e-12 - 1)).toBeLessThan(1e-14);
    expect([erf(Number.POSITIVE_INFINITY), erf(Number.NEGATIVE_INFINITY), erf(Number.NaN)]).toEqual([
      1,
      -1,
      Number.NaN,
    ]);
  });

  it("invert one another", () => {
    for (const y of [1e-300, 1e-5, 0.1, 0.5, 0.9, 0.999, 0.9999999, 1 - 2 ** -40]) {
      expect(Math.abs(erf(erfinv(y)) / y - 1)).toBeLessThan(1e-15);
      expect(erfinv(-y)).toBe(-erfinv(y));
    }
    expect([erfinv(1), erfinv(-1), erfinv(0), erfinv(1.5)]).toEqual([
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      0,
      Number.NaN,
    ]);
    const near = 1 - 2 ** -40;
    expect(Math.abs(erfc(erfinv(near)) / 2 ** -40 - 1)).toBeLessThan(1e-13);
  });
});
