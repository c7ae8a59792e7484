/** What elementwise operations promise where it is easy to go wrong: dtypes, NaN, signs, wrap-around, shapes, errors. */
import type { MLXArray } from "mlx-ts";
import * as mx from "mlx-ts";
import { describe, expect, it } from "vitest";

const int = (...values: readonly number[]): MLXArray => mx.array(values, "int32");
const list = (x: MLXArray): Promise<unknown> => x.tolist();

describe("integer arithmetic", () => {
  it("divides downwards and leaves the divisor's sign", async () => {
    const [a, b] = [int(7, -7, 7, -7), int(2, 2, -2, -2)];
    expect(await list(mx.floorDivide(a, b))).toEqual([3, -4, -4, 3]);
    expect(await list(mx.remainder(a, b))).toEqual([1, 1, -1, -1]);
    expect(await Promise.all(mx.divmod(a, b).map(list))).toEqual([
      [3, -4, -4, 3],
      [1, 1, -1, -1],
    ]);
  });

  it("wraps around", async () => {
    expect(await list(mx.add(int(2147483647), 1))).toEqual([-2147483648]);
    expect(await list(mx.negative(mx.array([1], "uint8")))).toEqual([255]);
    expect(await list(mx.multiply(mx.array([100], "int8"), mx.array([3], "int8")))).toEqual([44]);
    expect(await list(mx.square(mx.array([300], "int16")))).toEqual([24464]);
  });

  it("stays integer in powers, and divides into float32", async () => {
    expect(mx.power(int(2), int(3)).dtype).toBe("int32");
    expect(await list(mx.power(int(2, -3), int(10, 3)))).toEqual([1024, -27]);
    expect(mx.divide(int(1), int(2)).dtype).toBe("float32");
    expect(mx.exp(int(1)).dtype).toBe("float32");
  });

  it("shifts right with the sign", async () => {
    expect(await list(mx.rightShift(int(-8, 8), 1))).toEqual([-4, 4]);
    expect(mx.leftShift(mx.array([true]), true).dtype).toBe("uint8");
  });

  it("leaves whole numbers alone when rounding", () => {
    const x = int(1, 2);
    for (const y of [mx.floor(x), mx.ceil(x), mx.round(x), mx.trunc(x), mx.nanToNum(x)]) expect(y).toBe(x);
  });
});

describe("bool arithmetic", () => {
  const [yes, no] = [mx.array([true, true, false]), mx.array([true, false, false])];
  it("is logic", async () => {
    expect(await list(mx.add(yes, no))).toEqual([true, true, false]);
    expect(await list(mx.multiply(yes, no))).toEqual([true, false, false]);
    expect(await list(mx.subtract(yes, no))).toEqual([false, true, false]);
    expect(await list(mx.maximum(yes, no))).toEqual([true, true, false]);
    expect(await list(mx.power(no, yes))).toEqual([true, false, true]);
  });

  it("has no negative", () => {
    expect(() => mx.negative(yes)).toThrow(mx.DtypeError);
  });
});

describe("NaN, infinities and zeros", () => {
  const odd = mx.array([NaN, Infinity, -Infinity, -0, 2]);
  it("are told apart", async () => {
    expect(await list(mx.isNaN(odd))).toEqual([true, false, false, false, false]);
    expect(await list(mx.isInf(odd))).toEqual([false, true, true, false, false]);
    expect(await list(mx.isFinite(odd))).toEqual([false, false, false, true, true]);
    expect(await list(mx.isNegInf(odd))).toEqual([false, false, true, false, false]);
    expect(await list(mx.isFinite(int(1)))).toEqual([true]);
  });

  it("pass through maximum and minimum from either side", async () => {
    const [a, b] = [mx.array([NaN, 1, NaN]), mx.array([1, NaN, NaN])];
    expect(await list(mx.maximum(a, b))).toEqual([NaN, NaN, NaN]);
    expect(await list(mx.minimum(a, b))).toEqual([NaN, NaN, NaN]);
  });

  it("have a sign of 0", async () => {
    expect(await list(mx.sign(odd))).toEqual([0, 1, -1, 0, 1]);
  });

  it("are replaced by nanToNum", async () => {
    expect(await list(mx.nanToNum(odd, { nan: 1, posinf: 2, neginf: 3 }))).toEqual([1, 2, 3, -0, 2]);
  });

  it("do not upset logAddExp", async () => {
    const x = mx.array([-Infinity, Infinity, -Infinity, 1000]);
    const y = mx.array([-Infinity, Infinity, 1, 1000]);
    expect(await list(mx.logAddExp(x, y))).toEqual([-Infinity, Infinity, 1, expect.closeTo(1000.693147, 3)]);
  });

  it("are close where equal, and NaN on request", async () => {
    const [a, b] = [mx.array([NaN, Infinity, Infinity, 1]), mx.array([NaN, Infinity, -Infinity, Infinity])];
    expect(await list(mx.isClose(a, b))).toEqual([false, true, false, false]);
    expect(await list(mx.isClose(a, b, { equalNaN: true }))).toEqual([true, true, false, false]);
    expect(await mx.arrayEqual(a, a, { equalNaN: true }).item()).toBe(true);
    expect(await mx.arrayEqual(a, a).item()).toBe(false);
  });
});

describe("dtypes and shapes", () => {
  it("promote operands, and take literals as weak", () => {
    expect(mx.add(mx.array([1], "int8"), mx.array([1], "uint8")).dtype).toBe("int16");
    expect(mx.add(mx.array([1], "float16"), 2.5).dtype).toBe("float16");
    expect(mx.add(int(1), 2.5).dtype).toBe("float32");
    expect(mx.where(mx.array([true]), 1, 2.5).dtype).toBe("float32");
    expect(mx.clip(int(1, 2, 3), 1.5, 2.5).dtype).toBe("float32");
  });

  it.each(["float16", "bfloat16", "float32", "float64"] as const)(
    "round a literal as an element of %s",
    async (dtype) => {
      const x = mx.array([0.1, 0.2], dtype);
      expect(await x.equal(0.1).tolist()).toEqual([true, false]);
      expect(
        await mx
          .maximum(x, 0.2)
          .equal(mx.full([2], 0.2, dtype))
          .tolist(),
      ).toEqual([true, true]);
      expect(await mx.array(0.1, dtype).asType("float64").item()).toBe((await x.asType("float64").data())[0]);
    },
  );

  it("round a literal once, to the dtype it is given", async () => {
    expect(await mx.full([1], 0.1, "float64").item()).toBe(0.1);
    expect(await mx.asType(0.1, "float64").item()).toBe(0.1);
  });

  it("take whole numbers that no integer type holds for floats, and every number that the dtype asked for holds", async () => {
    expect(mx.full([1], -1e30).dtype).toBe("float32");
    expect(mx.add(int(1), 1e30).dtype).toBe("float32");
    expect(await mx.full([1], -1e30, "float32").item()).toBe(Math.fround(-1e30));
    const most = 2n ** 64n - 1n;
    expect(await mx.full([1], most, "uint64").tolist()).toEqual([most]);
    expect(await mx.zeros([2], "uint64").at(0).set(most).tolist()).toEqual([most, 0n]);
    const place = mx.array([0], "int32");
    expect(await mx.putAlongAxis(mx.zeros([2], "uint64"), place, most, 0).tolist()).toEqual([most, 0n]);
  });

  it("refuse literals that do not fit", () => {
    expect(() => mx.where(mx.array([true]), mx.array([1], "int8"), 300)).toThrow(mx.DtypeError);
  });

  it("broadcast, also over nothing", async () => {
    expect(await list(mx.add(mx.array([[1], [2]]), mx.array([10, 20])))).toEqual([
      [11, 21],
      [12, 22],
    ]);
    expect(mx.add(mx.zeros([0, 3]), mx.zeros([3])).shape).toEqual([0, 3]);
    expect(await list(mx.exp(mx.zeros([0])))).toEqual([]);
    expect(() => mx.add(mx.zeros([2]), mx.zeros([3]))).toThrow(mx.ShapeError);
  });

  it("refuse bits of floating-point numbers", () => {
    expect(() => mx.bitwiseAnd(mx.array([1.5]), 1)).toThrow(mx.DtypeError);
    expect(() => mx.bitwiseInvert(mx.array([1.5]))).toThrow(mx.DtypeError);
  });

  it("refuse clip without bounds", () => {
    expect(() => mx.clip(mx.array([1]))).toThrow(mx.ArgumentError);
  });
});

describe("rounding", () => {
  it("takes halves to the even neighbour", async () => {
    expect(await list(mx.round(mx.array([0.5, 1.5, 2.5, -0.5])))).toEqual([0, 2, 2, -0]);
    expect(await list(mx.round(int(1250, 1350), { decimals: -2 }))).toEqual([1200, 1400]);
  });
});

describe("view", () => {
  it("reads bits as another dtype, growing or shrinking the last axis", async () => {
    expect(await list(mx.view(mx.array([1, -0]), "uint32"))).toEqual([0x3f800000, 0x80000000]);
    expect(await list(mx.view(mx.array([[1], [0]], "uint32"), "uint8"))).toEqual([
      [1, 0, 0, 0],
      [0, 0, 0, 0],
    ]);
    expect(await list(mx.view(mx.array([0x0201, 0x0403], "uint16"), "uint32"))).toEqual([0x04030201]);
  });

  it("reads 8 and 16 bits so too within a kernel", async () => {
    const bytes = mx.array([-1, 5], "int8");
    expect(await list(mx.asType(mx.view(bytes, "uint8"), "int32"))).toEqual([255, 5]);
    expect(await list(mx.asType(mx.view(mx.bitwiseInvert(mx.view(bytes, "uint8")), "int8"), "int32"))).toEqual([0, -6]);
    const words = mx.array([0x3c00, 0xc000], "uint16");
    expect(await list(mx.add(mx.view(words, "float16"), 1))).toEqual([2, -1]);
    expect(await list(mx.add(mx.view(mx.array([1, -2], "bfloat16"), "uint16"), 1))).toEqual([0x3f81, 0xc001]);
  });

  it("refuses what does not divide", () => {
    expect(() => mx.view(mx.zeros([3]), "float64")).toThrow(mx.ShapeError);
    expect(() => mx.view(mx.array(1), "uint8")).toThrow(mx.ShapeError);
  });
});

describe("an operation on one array", () => {
  it("is what map wants, with numbers, methods and transforms beside it", async () => {
    const arrays: readonly MLXArray[] = [mx.array([1, 2]), mx.array([4])];
    const reciprocals: MLXArray[] = arrays.map(mx.reciprocal);
    expect(await Promise.all(reciprocals.map(list))).toEqual([[1, 0.5], [0.25]]);
    expect(await Promise.all([1, 4].map(mx.sqrt).map(list))).toEqual([1, 2]);
    expect(arrays.map(mx.atLeast2d).map(({ shape }) => shape)).toEqual([
      [1, 2],
      [1, 1],
    ]);
    const methods: MLXArray[] = [mx.array(4).sqrt({ device: "cpu" }), mx.sqrt(4, { device: "cpu" })];
    expect(await Promise.all(methods.map(list))).toEqual([2, 2]);
    const slope = mx.grad(mx.square)(mx.array(3));
    expect(await slope.item()).toBe(6);
  });

  it("takes nothing else for options, and no texts", () => {
    const x = mx.array([1]);
    // @ts-expect-error: a number is no options
    mx.exp(x, 3);
    // @ts-expect-error: misspelt
    expect(() => mx.exp(x, { devise: "cpu" })).toThrow(mx.ArgumentError);
    // @ts-expect-error: the device goes in options
    expect(() => mx.exp(x, "gpu")).toThrow(mx.ArgumentError);
    // @ts-expect-error: a text is no array
    expect(() => ["1"].map(mx.exp)).toThrow(mx.DtypeError);
    // @ts-expect-error: nor is a list
    expect(() => mx.exp([1, 2])).toThrow(mx.DtypeError);
  });
});
