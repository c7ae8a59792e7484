/** Shifts by one distance for all elements, which vectors have, equal shifts by a distance for each, which go lane by lane. */
import * as mx from "mlx-ts";
import { expect, it } from "vitest";

const dtypes = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"] as const;

it.each(dtypes)("of %s: a number, a scalar array and a column give what an array gives", async (dtype) => {
  const values = Array.from({ length: 21 }, (_, k) => (dtype.startsWith("u") ? 11 * k : 11 * k - 110));
  const x = mx.array(values).asType(dtype);
  for (const distance of [0, 1, 3, 7]) {
    const each = mx.full([21], distance).asType(dtype);
    const column = mx.full([2, 1], distance).asType(dtype);
    await mx.evaluate(x, each, column);
    for (const shift of [mx.leftShift, mx.rightShift]) {
      const expected = await shift(x, each).tolist();
      expect(await shift(x, distance).tolist()).toEqual(expected);
      expect(await shift(x, each.get(0)).tolist()).toEqual(expected);
      expect(await shift(x, column).tolist()).toEqual([expected, expected]);
    }
  }
});
