/** Reading and updating by index: what the oracle cannot say, that is errors, the two faces of `at`, and what is fused. */
import type { MLXArray } from "mlx-ts";
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import { describe, expect, it } from "vitest";

const grid = (): MLXArray =>
  mx.array([
    [1, 2, 3],
    [4, 5, 6],
  ]);
const integers = (data: mx.ArrayData): MLXArray => mx.array(data, "int32");

describe("at", () => {
  it("reads where a function takes an operand, and by the methods that read", async () => {
    const row = grid().at(1);
    expect(row.shape).toEqual([3]);
    expect(row.dtype).toBe("float32");
    expect(await row.tolist()).toEqual([4, 5, 6]);
    expect([...(await row.data())]).toEqual([4, 5, 6]);
    expect(await row.data("int32")).toEqual(new Int32Array([4, 5, 6]));
    expect(await grid().at(1, 0).item()).toBe(4);
    expect(await mx.add(grid().at(1), 1).tolist()).toEqual([5, 6, 7]);
    expect(await mx.add(1, grid().at(1)).tolist()).toEqual([5, 6, 7]);
    expect(await mx.sum(grid().at("..., ::2")).item()).toBe(14);
    expect(await grid().get(0).mul(grid().at(1)).tolist()).toEqual([4, 10, 18]);
    expect(await mx.expr`${grid().at(1)} * 2`.tolist()).toEqual([8, 10, 12]);
    expect(mx.add(integers([1]).at(0), 0.5).dtype).toBe("float32");
    expect(mx.add(integers([1]).at(0), 5).dtype).toBe("int32");
  });

  it("is computed and printed like an array", async () => {
    const row = grid().mul(1).at(1);
    expect(String(row)).toBe("array(float32 [3], not yet computed)");
    await mx.evaluate({ rows: [row] });
    expect(String(row)).toBe("array([4, 5, 6], dtype=float32)");
    expect(String(grid().at([true, false]))).toBe("at(a mask of array(float32 [2, 3]))");
  });

  it("updates the whole array through the methods named after an update", async () => {
    expect(await grid().at(1).add(1).tolist()).toEqual([
      [1, 2, 3],
      [5, 6, 7],
    ]);
    expect(await grid().at(":", 0).mul(2).tolist()).toEqual(await grid().at(":", 0).multiply(2).tolist());
    expect(await grid().at(0).sub(1).tolist()).toEqual([
      [0, 1, 2],
      [4, 5, 6],
    ]);
    expect(await grid().at(0).div(2).tolist()).toEqual([
      [0.5, 1, 1.5],
      [4, 5, 6],
    ]);
    expect(await grid().at(0).update("maximum", 2).tolist()).toEqual([
      [2, 2, 3],
      [4, 5, 6],
    ]);
  });

  it("updates the same after its elements were computed", async () => {
    const row = grid().at(0);
    await mx.evaluate(row);
    expect(await row.add(1).tolist()).toEqual([
      [2, 3, 4],
      [4, 5, 6],
    ]);
    expect(await mx.add(row, 1).tolist()).toEqual([2, 3, 4]);
  });

  it("is no array, so a function that would calculate with it does not take it by mistake", async () => {
    const doubled = (x: MLXArray): MLXArray => x.mul(2);
    class Doubled extends nn.Module {
      forward(x: MLXArray): MLXArray {
        return doubled(x);
      }
    }
    const place = grid().at(1);
    expect(place).not.toBeInstanceOf(mx.MLXArray);
    // @ts-expect-error a place is no array
    expect(await doubled(place).tolist()).toEqual(await place.mul(2).tolist());
    // @ts-expect-error a place is no array
    expect(await new Doubled()(place).tolist()).toEqual(await place.mul(2).tolist());
    // @ts-expect-error a place has no arithmetic but its updates
    expect(() => place.pow(2)).toThrow(TypeError);
    expect(await new Doubled()(place.get()).tolist()).toEqual([8, 10, 12]);
    expect(
      await mx
        .grad((x: MLXArray) => x.mul(x).sum())(place.get())
        .tolist(),
    ).toEqual([8, 10, 12]);
  });

  it("leaves the ordinary methods on what get gives", async () => {
    expect(await grid().get(1).add(1).tolist()).toEqual([5, 6, 7]);
  });

  it("takes text, positions, lists, slices and new axes together", async () => {
    const cube = mx.reshape(mx.arange(24), [2, 3, 4]);
    expect(cube.at("..., 0").shape).toEqual([2, 3]);
    expect(cube.at(null, "1:, None, ::2").shape).toEqual([1, 1, 1, 2, 4]);
    expect(await cube.at(1, [0, -1], mx.slice(null, null, -3)).tolist()).toEqual([
      [15, 12],
      [23, 20],
    ]);
    expect(cube.at([[0, 1]], ":", [[2], [3]]).shape).toEqual([2, 2, 3]);
    expect(cube.at().shape).toEqual([2, 3, 4]);
    expect(cube.at("5:2").shape).toEqual([0, 3, 4]);
  });

  it("adds once for every time an element is named and sets the last of several values", async () => {
    const x = mx.zeros([3]);
    expect(
      await x
        .at([0, 0, 2])
        .add(mx.array([1, 2, 3]))
        .tolist(),
    ).toEqual([3, 0, 3]);
    expect(
      await x
        .at([0, 0, 2])
        .set(mx.array([1, 2, 3]))
        .tolist(),
    ).toEqual([2, 0, 3]);
  });

  it("keeps the dtype of the array that is updated", async () => {
    const updated = integers([1, 2]).at(0).set(2.7);
    expect(updated.dtype).toBe("int32");
    expect(await updated.tolist()).toEqual([2, 2]);
  });

  it("passes over an update without elements", async () => {
    expect(await grid().at("5:").set(9).tolist()).toEqual(await grid().tolist());
    expect(
      await grid()
        .at(mx.zeros([0], "int32"))
        .add(1)
        .tolist(),
    ).toEqual(await grid().tolist());
  });

  it("sets by a mask one value, or the next value for every true element", async () => {
    const mask = mx.greater(grid(), 3);
    expect(await grid().at(mask).set(0).tolist()).toEqual([
      [1, 2, 3],
      [0, 0, 0],
    ]);
    expect(
      await grid()
        .at(mask)
        .set(mx.array([7, 8, 9]))
        .tolist(),
    ).toEqual([
      [1, 2, 3],
      [7, 8, 9],
    ]);
    expect(await grid().at(mask).add(1).tolist()).toEqual([
      [1, 2, 3],
      [5, 6, 7],
    ]);
    expect(await grid().at([false, true]).set(0).tolist()).toEqual([
      [1, 2, 3],
      [0, 0, 0],
    ]);
  });

  it("updates inside a function that is differentiated", async () => {
    const loss = (x: MLXArray): MLXArray => mx.sum(mx.square(x.at("1:").mul(3)));
    expect(
      await mx
        .grad(loss)(mx.array([1, 2]))
        .tolist(),
    ).toEqual([2, 36]);
  });

  it("updates a region in one kernel together with what it is made of", () => {
    const [x, y] = [mx.array([1, 2, 3, 4]), mx.array([5, 6])];
    const updated = mx.multiply(x, 2).at("1:3").set(mx.negative(y));
    expect(mx.explain(mx.add(updated, 1)).kernels).toHaveLength(1);
  });
});

describe("an index of more arrays than kernels of a GPU may bind", () => {
  const x = mx.arange(2 ** 7).reshape([2, 2, 2, 2, 2, 2, 2]);
  const bits = (numbers: readonly number[]): MLXArray[] =>
    Array.from({ length: 7 }, (_, k) =>
      mx.array(
        numbers.map((number) => (number >> (6 - k)) & 1),
        "int32",
      ),
    );

  it("reads, and updates by each in order", async () => {
    const places = bits([5, 127, 5, 64]);
    expect(await x.get(...places).tolist()).toEqual([5, 127, 5, 64]);
    const changed = mx.flatten(x.at(...places).add(mx.array([1, 2, 3, 4])));
    expect(await changed.get([5, 127, 64, 6]).tolist()).toEqual([9, 129, 68, 6]);
    const rows = x.at(...places.slice(0, 6)).set(mx.array([[1], [2], [3], [4]]));
    expect(await mx.flatten(rows).get([4, 5, 126, 64, 65, 66]).tolist()).toEqual([3, 3, 2, 4, 4, 66]);
  });

  it("reads the nearest element and writes none where a computed one is out of range", async () => {
    const places = bits([5, 127, 3]).map((place, k) => place.add(k === 2 ? mx.array([0, 9, -9], "int32") : 0));
    expect(await x.get(...places).tolist()).toEqual([5, 127, 3]);
    const changed = mx.flatten(x.at(...places).set(-1));
    expect(await mx.sum(mx.equal(changed, -1)).item()).toBe(1);
    expect(await changed.get(5).item()).toBe(-1);
  });
});

describe("places that are computed", () => {
  it.each([
    ["uint32", [2 ** 32 - 1, 2 ** 31, 1], [3, 3, 2], [1, 7, 3]],
    ["uint64", [2n ** 63n, 2n ** 32n, 1n], [3, 3, 2], [1, 7, 3]],
    ["int64", [2n ** 40n, -(2n ** 40n), 1n], [3, 1, 2], [1, 7, 3]],
  ] as const)("read the nearest element and write none beyond int32: %s", async (dtype, given, read, written) => {
    const x = mx.array([1, 2, 3]);
    const places = mx.array(given, dtype).add(mx.zeros([3], dtype));
    expect(await mx.take(x, places).tolist()).toEqual(read);
    expect(await x.at(places).add(5).tolist()).toEqual(written);
  });

  const table = mx.array([
    [0, 1, 0, 0, 1],
    [1, 1, 0, 0, 0],
    [0, 1, 0, 1, 2],
  ]);
  const values = (): MLXArray => mx.array([10, 20, 30, 40]);

  it("may be positions of extremes in columns, several of which one vector holds", async () => {
    expect(await mx.takeAlongAxis(table, mx.argMax(table, 0, { keepAxes: true }), 0).tolist()).toEqual([
      [1, 1, 0, 1, 2],
    ]);
    expect(await mx.take(mx.flatten(table), mx.argMax(table, 0)).tolist()).toEqual([1, 0, 0, 0, 0]);
  });

  it("may be results that are summed up, too, beside what is read there", async () => {
    const x = mx.remainder(mx.arange(34, { dtype: "int32" }), 5).reshape([2, 17]);
    await mx.evaluate(x);
    const highest = mx.max(x, 0);
    const sum = Number(await mx.sum(mx.max(x, 0)).item());
    const rows = mx.take(mx.ones([17, 3]), highest, 0);
    expect(await mx.where(mx.equal(mx.sum(highest), sum), rows, 5).tolist()).toEqual(
      new Array(17).fill(new Array(3).fill(1)),
    );
  });

  it.each<[mx.Dtype, number[]]>([
    ["int64", [20, 40, 10, 20, 40]],
    ["int32", [20, 40, 10, 20, 40]],
    ["bool", [20, 20, 10, 20, 20]],
  ])("may be results of reductions over %s", async (dtype, expected) => {
    const counts = dtype === "bool" ? mx.any(table, 0) : mx.sum(mx.asType(table, dtype), 0);
    expect(await mx.take(values(), mx.asType(counts, "int32")).tolist()).toEqual(expected);
  });
});

describe("what lies in one piece of a computed array", () => {
  const rows = mx.arange(4000).reshape([50, 4, 20]);
  const expected = Array.from({ length: 4000 }, (_, k) => k);
  const cases: readonly (readonly [string, readonly mx.IndexItem[], number, number, readonly number[]])[] = [
    ["one position", [7], 560, 80, [4, 20]],
    ["a position from the end", [-1], 3920, 80, [4, 20]],
    ["a range", ["10:40"], 800, 2400, [30, 4, 20]],
    ["a range of one", ["10:11"], 800, 80, [1, 4, 20]],
    ["a position and a range", [3, "1:3"], 260, 40, [2, 20]],
    ["positions and a range", [3, 2, "5:9"], 285, 4, [4]],
    ["one element", [3, 2, 19], 299, 1, []],
    ["new axes", [null, "20:", null], 1600, 2400, [1, 30, 1, 4, 20]],
    ["nothing", ["5:5"], 0, 0, [0, 4, 20]],
  ];

  it.each(cases)("is there without a kernel: %s", async (_, items, start, size, shape) => {
    await mx.evaluate(rows);
    const [part, again] = [rows.get(...items), rows.get(...items)];
    await mx.evaluate(part);
    expect(mx.explain(rows.get(...items)).kernels).toHaveLength(0);
    expect(part.shape).toEqual(shape);
    expect([...(await part.data())]).toEqual(expected.slice(start, start + size));
    expect([...(await again.add(1).data())]).toEqual(expected.slice(start, start + size).map((value) => value + 1));
  });

  it.each(["::2", "::-1", ":, 1", ":, :, :5", "1:3, :2", "3, :, 4", ":1, ::-1"])("is not %s", async (index) => {
    const again = mx.add(rows, 0);
    await mx.evaluate(rows);
    expect(mx.explain(rows.get(index)).kernels).toHaveLength(1);
    expect(await rows.get(index).tolist()).toEqual(await again.get(index).tolist());
  });

  it("keeps its memory when the whole is disposed, and takes none of its own", async () => {
    const whole = mx.ones([100, 1000]).mul(3);
    await mx.evaluate(whole);
    const before = mx.memory.active;
    const part = whole.get("50:");
    expect(mx.memory.active).toBe(before);
    whole.dispose();
    expect(mx.memory.active).toBe(before);
    expect(await part.sum().item()).toBe(150_000);
    part.dispose();
    expect(mx.memory.active).toBeLessThanOrEqual(before - 400_000);
  });

  it("has a gradient where the whole has one", async () => {
    await mx.evaluate(rows);
    const slope = mx.grad((x: MLXArray) => x.get(1).square().sum())(rows.asType("float32"));
    expect(await slope.get(":3, 0, :2").tolist()).toEqual([
      [0, 0],
      [160, 162],
      [0, 0],
    ]);
    expect(
      await mx
        .vmap((x: MLXArray) => x.get(1).sum())(rows)
        .get(":2")
        .tolist(),
    ).toEqual([590, 2190]);
  });

  it("is an argument or a capture of a compiled function like any other", async () => {
    await mx.evaluate(rows);
    let recordings = 0;
    const total = mx.compile((x: MLXArray) => {
      recordings++;
      return x.add(rows.get(0)).sum();
    });
    const sums: unknown[] = [];
    for (const k of [0, 1, 2]) sums.push(await total(rows.get(k)).item());
    expect(sums).toEqual([6320, 12720, 19120]);
    expect(recordings).toBe(1);
  });
});

describe("a mistake in an index is named when the graph is built", () => {
  const cases: readonly (readonly [string, () => unknown, string, RegExp])[] = [
    ["a position too far", () => grid().at(2), "ShapeError", /index 2 is out of range for axis 0 of \[2, 3\].*-2 to 1/],
    ["a position too far back", () => grid().at(0, -4), "ShapeError", /index -4 .* axis 1/],
    ["a position in text", () => grid().at("0, 3"), "ShapeError", /index 3 .* axis 1/],
    ["a position in a list", () => grid().at([0, 5]), "ShapeError", /index 5 .* axis 0/],
    ["an evaluated index array", () => mx.take(grid(), integers([3]), 1), "ShapeError", /index 3 .* axis 1/],
    ["a constant index array", () => mx.take(grid(), mx.full([2], 7, "int32"), 0), "ShapeError", /index 7/],
    ["too many parts", () => grid().at(0, 0, 0), "ShapeError", /3 parts of an index for the 2 axes/],
    ["two ellipses", () => grid().at("..., ..."), "ShapeError", /one ellipsis/],
    ["a fraction", () => grid().at(0.5), "ArgumentError", /whole numbers, got 0.5/],
    ["text that is no index", () => grid().at("a:b"), "ArgumentError", /"a:b" in "a:b" is no index/],
    ["a step of zero", () => grid().at("::0"), "ArgumentError", /step of a slice cannot be 0/],
    ["floats as indices", () => grid().at(mx.array([0, 1])), "DtypeError", /integer dtype or bool, got float32/],
    ["a mask of another shape", () => grid().at([true, false, true]).set(0), "ShapeError", /mask \[3\] does not cover/],
    ["a mask beside a slice", () => grid().at([true, false], ":"), "ShapeError", /mask is the whole index/],
    ["reading by a mask", () => mx.add(grid().at([true, false]), 1), "ShapeError", /where\(mask, x, other\)/],
    ["get by a mask", () => grid().get([true, false]), "ShapeError", /where\(mask, x, other\)/],
    [
      "a value that does not fit",
      () =>
        grid()
          .at(0)
          .set(mx.array([1, 2])),
      "ShapeError",
      /\[2\] cannot be broadcast to \[3\]/,
    ],
    ["dividing integers", () => integers([1]).at(0).divide(2), "DtypeError", /needs a floating-point array, got int32/],
    ["an axis without elements", () => mx.take(mx.zeros([0]), integers([0])), "ShapeError", /no elements to index/],
    ["putAlongAxis of another rank", () => mx.putAlongAxis(grid(), integers([0]), 1, 0), "ShapeError", /as many axes/],
  ];
  it.each(cases)("%s", (_, run, name, message) => {
    expect(run).toThrow(expect.objectContaining({ name, message: expect.stringMatching(message) }));
  });
});
