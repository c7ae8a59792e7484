/** Dtypes as values, their categories, limits and promotion. Tables recorded from MLX 0.32. */
import * as mx from "mlx-ts";
import { describe, expect, it } from "vitest";

const dtypes = [
  mx.bool,
  mx.uint8,
  mx.uint16,
  mx.uint32,
  mx.uint64,
  mx.int8,
  mx.int16,
  mx.int32,
  mx.int64,
  mx.float16,
  mx.bfloat16,
  mx.float32,
  mx.float64,
] as const;

const categories = [
  mx.generic,
  mx.number,
  mx.inexact,
  mx.floating,
  mx.complexfloating,
  mx.integer,
  mx.signedinteger,
  mx.unsignedinteger,
] as const;

const rowOf = (marks: readonly boolean[]): string => marks.map(Number).join("");

describe("dtypes", () => {
  it("constants make arrays of their type", () => {
    for (const dtype of dtypes) expect(mx.zeros([2], dtype).dtype).toBe(dtype);
  });

  it("canCast is MLX's table", () => {
    const rows = dtypes.map((from) => rowOf(dtypes.map((to) => mx.canCast(from, to))));
    expect(rows).toEqual([
      "1111111111111",
      "0111101111111",
      "0011100111111",
      "0001100011111",
      "0000100001111",
      "0000011111111",
      "0000001111111",
      "0000000111111",
      "0000000011111",
      "0000000001011",
      "0000000000111",
      "0000000000011",
      "0000000000001",
    ]);
    expect(mx.canCast(mx.array([1], "int8"), "int16")).toBe(true);
  });

  it("issubdtype is MLX's table", () => {
    const unsigned = "11000101";
    const signed = "11000110";
    const float = "11110000";
    const expected = ["10000000", ...Array(4).fill(unsigned), ...Array(4).fill(signed), ...Array(4).fill(float)];
    expect(dtypes.map((dtype) => rowOf(categories.map((category) => mx.issubdtype(dtype, category))))).toEqual(
      expected,
    );
    expect(categories.map((part) => rowOf(categories.map((whole) => mx.issubdtype(part, whole))))).toEqual([
      "10000000",
      "11000000",
      "11100000",
      "11110000",
      "11101000",
      "11000100",
      "11000110",
      "11000101",
    ]);
    expect(mx.issubdtype("int8", "int8")).toBe(true);
    expect(mx.issubdtype("int8", "int16")).toBe(false);
    expect(mx.issubdtype("integer", "int16")).toBe(false);
  });

  it("resultType promotes arrays, dtypes and weak numbers", () => {
    expect(mx.resultType("uint64", "int8")).toBe("float32");
    expect(mx.resultType("float16", "bfloat16")).toBe("float32");
    expect(mx.resultType(mx.array([1], "float16"), 0.5)).toBe("float16");
    expect(mx.resultType("int8", 0.5)).toBe("float32");
    expect(mx.resultType(1, 2)).toBe("int32");
    expect(mx.resultType(true)).toBe("bool");
    expect(() => mx.resultType()).toThrow(mx.DtypeError);
    expect(() => Reflect.apply(mx.resultType, undefined, ["complex64"])).toThrow(mx.DtypeError);
  });

  it("finfo and iinfo tell MLX's limits", () => {
    expect(mx.finfo("float16")).toMatchObject({
      bits: 16,
      min: -65504,
      eps: 0.0009765625,
      smallestNormal: 6.103515625e-5,
    });
    expect(mx.finfo("bfloat16")).toMatchObject({
      bits: 16,
      max: 3.3895313892515355e38,
      eps: 0.0078125,
      smallestNormal: 1.1754943508222875e-38,
    });
    expect(mx.finfo("float32")).toMatchObject({ bits: 32, max: 3.4028234663852886e38, eps: 1.1920928955078125e-7 });
    expect(mx.finfo("float64")).toMatchObject({ bits: 64, eps: 2.220446049250313e-16 });
    expect(mx.iinfo("int8")).toEqual({ dtype: "int8", bits: 8, min: -128, max: 127 });
    expect(mx.iinfo("uint64").max).toBe(2n ** 64n - 1n);
    expect(() => mx.finfo("int32")).toThrow(mx.DtypeError);
    expect(() => mx.iinfo("float32")).toThrow(mx.DtypeError);
    expect(() => mx.issubdtype("int8", Object("integral"))).toThrow(mx.DtypeError);
  });

  it("has MLX's constants", () => {
    expect([mx.pi, mx.e, mx.inf, mx.nan, mx.newaxis]).toEqual([Math.PI, Math.E, Infinity, Number.NaN, null]);
    expect(mx.eulerGamma).toBeCloseTo(0.5772156649, 10);
    expect(mx.array([1, 2]).get(mx.newaxis).shape).toEqual([1, 2]);
  });
});

describe("data", () => {
  it("is typed by the dtype it is read as", async () => {
    const x = mx.array([1, 0, 2.5]);
    const floats: Float32Array = await x.data("float32");
    const halves: Float32Array = await x.data("bfloat16");
    const doubles: Float64Array = await x.data("float64");
    const longs: BigInt64Array = await x.data("int64");
    const bytes: Uint8Array = await x.data("bool");
    expect([floats, halves, doubles, longs, bytes]).toEqual([
      new Float32Array([1, 0, 2.5]),
      new Float32Array([1, 0, 2.5]),
      new Float64Array([1, 0, 2.5]),
      new BigInt64Array([1n, 0n, 2n]),
      new Uint8Array([1, 0, 1]),
    ]);
    // @ts-expect-error: float32 is no bigint
    const wrong: BigInt64Array = await x.data("float32");
    expect(wrong).toBeInstanceOf(Float32Array);
    await expect(async () => Reflect.apply(x.data, x, ["f32"])).rejects.toThrow(/data: f32 is no dtype/);
  });
});
