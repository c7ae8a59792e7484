/** Systems, factors and determinants: sizes beyond a block, batches, what has no result, what is refused. */
import * as mx from "mlx-ts";
import { describe, expect, it } from "vitest";
import { thrownError } from "../setup/thrown-error.ts";

const { linalg } = mx;

/** Normal numbers, the same ones for the same shape. */
function drawn(shape: readonly number[], dtype: mx.Dtype = "float64"): mx.MLXArray {
  return mx.random
    .normal(shape, { key: mx.random.key(shape.reduce((sum, length) => 10 * sum + length, 7)) })
    .asType(dtype);
}

/** Symmetric matrices whose eigenvalues are at least `n`. */
function positive(n: number, batch: readonly number[] = []): mx.MLXArray {
  const x = drawn([...batch, n, n]);
  return x.matmul(x.swapAxes(-1, -2)).add(mx.eye(n).mul(n));
}

async function expectNear(actual: mx.MLXArray, expected: mx.MLXArray, tolerance = 1e-10): Promise<void> {
  expect(actual.shape).toEqual(expected.shape);
  const greatest = actual.size === 0 ? 0 : Number(await mx.max(mx.abs(actual.sub(expected))).item());
  expect(greatest).toBeLessThanOrEqual(tolerance);
}

const sizes = [0, 1, 2, 5, 31, 32, 33, 70];

describe("of matrices of any size", () => {
  it.each(sizes)("solve and inv undo the product with [%i, %i]", async (n) => {
    const [a, b] = [drawn([n, n]).add(mx.eye(n).mul(n)), drawn([n, 3])];
    await expectNear(a.matmul(linalg.solve(a, b)), b);
    await expectNear(a.matmul(linalg.inv(a)), mx.eye(n, { dtype: "float64" }));
  });

  it.each(sizes)("triangles of length %i are solved and inverted, and the other triangle is not read", async (n) => {
    const [a, b] = [drawn([n, n]).add(mx.eye(n).mul(n + 2)), drawn([n, 5])];
    for (const upper of [false, true]) {
      const triangle = upper ? mx.triu(a) : mx.tril(a);
      await expectNear(triangle.matmul(linalg.solveTriangular(a, b, { upper })), b);
      await expectNear(triangle.matmul(linalg.triInv(a, { upper })), mx.eye(n, { dtype: "float64" }));
    }
  });

  it.each(sizes)("cholesky factors of length %i multiply to the matrix and give its inverse", async (n) => {
    const a = positive(n);
    const [lower, upper] = [linalg.cholesky(a), linalg.cholesky(a, { upper: true })];
    await expectNear(lower.matmul(lower.T), a, 1e-9);
    await expectNear(upper.T.matmul(upper), a, 1e-9);
    await expectNear(mx.triu(lower, 1), mx.zerosLike(a), 0);
    await expectNear(a.matmul(linalg.choleskyInv(lower)), mx.eye(n, { dtype: "float64" }));
    await expectNear(linalg.choleskyInv(upper, { upper: true }), linalg.choleskyInv(lower));
  });

  it.each([...sizes.map((n) => [n, n]), [3, 0], [0, 3], [40, 3], [3, 40], [70, 33], [33, 70]])(
    "lu of [%i, %i] gives factors of the matrix, and luFactor the same packed",
    async (m, n) => {
      const a = drawn([m, n]);
      const [rows, lower, upper] = linalg.lu(a);
      await expectNear(mx.take(lower, rows, 0).matmul(upper), a);
      if (a.size > 0) expect(Number(await mx.max(mx.abs(lower)).item())).toBe(1);
      const [factors, pivots] = linalg.luFactor(a);
      const depth = Math.min(m, n);
      const [left] = mx.split(factors, [depth], 1);
      await expectNear(mx.tril(left, -1), mx.tril(lower, -1), 0);
      const order = Array.from({ length: m }, (_, i) => i);
      (await pivots.data()).forEach((pivot, i) => {
        [order[i], order[Number(pivot)]] = [order[Number(pivot)] ?? 0, order[i] ?? 0];
      });
      expect(await mx.argSort(rows).tolist()).toEqual(order);
    },
  );

  it("det and slogdet agree with the product of the pivots", async () => {
    for (const n of [1, 2, 3, 8, 40]) {
      const a = drawn([n, n]);
      const [sign, logarithm] = linalg.slogdet(a);
      const determinant = Number(await linalg.det(a).item());
      expect(Number(await sign.item())).toBe(Math.sign(determinant));
      expect(Number(await logarithm.item())).toBeCloseTo(Math.log(Math.abs(determinant)), 9);
      expect(Number(await linalg.det(a.T).item()) / determinant).toBeCloseTo(1, 9);
    }
    // 0.1^400 is less than any double, its logarithm is not.
    const small = mx.eye(400, { dtype: "float64" }).mul(0.1);
    expect(await linalg.det(small).item()).toBe(0);
    expect(await linalg.slogdet(small)[1].item()).toBeCloseTo(400 * Math.log(0.1), 6);
  });
});

describe("batches", () => {
  it("are computed matrix by matrix, and broadcast where there are two", async () => {
    const a = positive(4, [2, 3]);
    const b = drawn([3, 4, 2]);
    const x = linalg.solve(a, b);
    expect(x.shape).toEqual([2, 3, 4, 2]);
    await expectNear(a.matmul(x), mx.broadcastTo(b, [2, 3, 4, 2]));
    const vector = drawn([4]);
    await expectNear(linalg.solve(a, vector), linalg.solve(a, vector.reshape([4, 1])).squeeze(-1));
    const [determinants, single] = [linalg.det(a), linalg.det(a.get(1, 2))];
    await expectNear(determinants.get(1, 2), single, 0);
    const mapped = mx.vmap(mx.vmap((one: mx.MLXArray) => linalg.cholesky(one)))(a);
    await expectNear(mapped, linalg.cholesky(a), 0);
  });

  it("of right sides alone are columns of one system, which has its factors once", async () => {
    const [a, b] = [positive(5), drawn([4, 3, 5, 2])];
    const [together, loop] = [linalg.solve(a, b), linalg.solve(mx.broadcastTo(a, [4, 3, 5, 5]), b)];
    await expectNear(together, loop, 1e-13);
    await expectNear(mx.vmap((one: mx.MLXArray) => linalg.solve(a, one))(b), loop, 1e-13);
    const mapped = mx.vmap((one: mx.MLXArray) => linalg.solve(a, one))(drawn([100, 5]));
    expect(mapped.shape).toEqual([100, 5]);
    const bytes = mx.explain(mapped).kernels.find(({ label }) => label === "lu")?.bytes;
    expect(bytes).toBe(mx.explain(linalg.det(a)).kernels.find(({ label }) => label === "lu")?.bytes);
  });

  it("are mapped, compiled and differentiated together", async () => {
    const a = positive(3, [4]);
    const loss = (x: mx.MLXArray): mx.MLXArray => linalg.slogdet(linalg.inv(x))[1].sum();
    const slope = mx.grad(loss)(a);
    await expectNear(mx.compile(mx.vmap(mx.grad(loss)))(a), slope, 1e-12);
    await expectNear(slope, linalg.inv(a).swapAxes(-1, -2).neg(), 1e-12);
  });
});

describe("where there is no result", () => {
  const singular = [
    [1, 2],
    [2, 4],
  ];
  const regular = [
    [2, 0],
    [0, 4],
  ];
  const both = mx.array([singular, regular]);
  const none = [
    [Number.NaN, Number.NaN],
    [Number.NaN, Number.NaN],
  ];

  it("solve and inv give NaN, for that matrix alone", async () => {
    expect(await linalg.inv(both).tolist()).toEqual([
      none,
      [
        [0.5, 0],
        [0, 0.25],
      ],
    ]);
    expect(await linalg.solve(both, mx.array([2, 4])).tolist()).toEqual([none[0], [1, 1]]);
    expect(await linalg.triInv(mx.zeros([2, 2])).tolist()).toEqual(none);
    expect(await linalg.solveTriangular(mx.zeros([2, 2]), mx.zeros([2, 2])).tolist()).toEqual(none);
  });

  it("cholesky gives NaN for what is not positive definite", async () => {
    const lower = linalg.cholesky(
      mx.array([
        singular,
        regular,
        [
          [1, 2],
          [2, 1],
        ],
        [
          [-1, 0],
          [0, -1],
        ],
      ]),
    );
    expect(await mx.isNaN(lower).all([-1, -2]).tolist()).toEqual([true, false, true, true]);
    expect(await lower.get(1).tolist()).toEqual([
      [Math.fround(Math.SQRT2), 0],
      [0, 2],
    ]);
  });

  it("det is 0 and slogdet 0 and -Infinity, and the gradient of det are the cofactors", async () => {
    expect(await linalg.det(both).add(0).tolist()).toEqual([0, 8]);
    const [sign, logarithm] = linalg.slogdet(both);
    expect(await sign.add(0).tolist()).toEqual([0, 1]);
    expect(await logarithm.tolist()).toEqual([Number.NEGATIVE_INFINITY, Math.fround(Math.log(8))]);
    const slope = mx.grad((x: mx.MLXArray) => linalg.det(x).sum());
    expect(await slope(mx.array(singular)).tolist()).toEqual([
      [4, -2],
      [-2, 1],
    ]);
    expect(await slope(mx.zeros([3, 3])).tolist()).toEqual(await mx.zeros([3, 3]).tolist());
  });

  it("a NaN in the matrix is one in what comes of it", async () => {
    const a = mx.array([
      [1, Number.NaN],
      [Number.NaN, 1],
    ]);
    for (const result of [linalg.inv(a), linalg.cholesky(a), linalg.lu(a)[2], linalg.det(a)])
      expect(await mx.isNaN(result).any().item()).toBe(true);
  });
});

describe("gradients", () => {
  it("of systems use the factors that the value was found by", async () => {
    const [a, b] = [positive(5), drawn([5, 2])];
    const loss = (x: mx.MLXArray): mx.MLXArray => linalg.solve(x, b).square().sum().add(linalg.slogdet(x)[1]);
    const { kernels } = mx.explain(...mx.valueAndGrad(loss)(a));
    expect(kernels.filter(({ label }) => label === "lu")).toHaveLength(1);
  });

  it("of cholesky are symmetric, and so are those of its upper factor", async () => {
    const a = mx.array([
      [4, 2, 0.5],
      [2, 5, 1],
      [0.5, 1, 3],
    ]);
    const weights = mx.array([
      [1, 2, 3],
      [4, 5, 6],
      [7, 8, 9],
    ]);
    const slope = mx.grad((x: mx.MLXArray) => linalg.cholesky(x).mul(weights).sum())(a);
    // torch.linalg.cholesky, torch 2.8
    const expected = mx.array([
      [0.0026277, 0.3282662, 0.6659136],
      [0.3282662, 0.9695973, 1.4954813],
      [0.6659136, 1.4954813, 2.6907663],
    ]);
    await expectNear(slope, expected, 1e-5);
    const upper = mx.grad((x: mx.MLXArray) => linalg.cholesky(x, { upper: true }).mul(weights.T).sum())(a);
    await expectNear(upper, expected, 1e-5);
  });
});

describe("dtypes", () => {
  it("halves are computed in float32 and rounded once", async () => {
    const a = mx.array([
      [3, 1],
      [1, 2],
    ]);
    for (const dtype of ["float16", "bfloat16"] as const) {
      const half = a.asType(dtype);
      const results = [linalg.inv(half), linalg.cholesky(half), linalg.det(half), ...linalg.slogdet(half)];
      const wide = [linalg.inv(a), linalg.cholesky(a), linalg.det(a), ...linalg.slogdet(a)];
      for (const [k, result] of results.entries()) {
        expect(result.dtype).toBe(dtype);
        expect(await result.tolist()).toEqual(await wide[k]?.asType(dtype).tolist());
      }
      expect(linalg.solve(half, a).dtype).toBe("float32");
    }
    expect(linalg.inv(a.asType("float64")).dtype).toBe("float64");
  });
});

describe("what is refused", () => {
  const square = mx.eye(2);
  const whole = mx.eye(2, { dtype: "int32" });
  it.each([
    ["integers", () => linalg.inv(whole), "DtypeError", /inv: needs a floating-point array, got int32.*asType/],
    ["an integer right side", () => linalg.solve(square, whole), "DtypeError", /solve: .*int32/],
    ["a vector as a matrix", () => linalg.det(mx.ones([3])), "ShapeError", /det: needs matrices .*\[3\]/],
    [
      "a matrix that is not square",
      () => linalg.cholesky(mx.ones([2, 3])),
      "ShapeError",
      /cholesky: .*square.*\[2, 3\]/,
    ],
    ["sides that do not fit", () => linalg.solve(square, mx.ones([3])), "ShapeError", /solve: \[2, 2\] has 2 .*\[3\]/],
    ["batches that do not fit", () => linalg.solve(mx.ones([2, 3, 3]), mx.ones([4, 3, 1])), "ShapeError", /solve/],
    [
      "a number as a triangle",
      () => Reflect.apply(linalg.triInv, null, [square, { upper: 1 }]),
      "ArgumentError",
      /upper/,
    ],
    ["a triangle without a name", () => Reflect.apply(linalg.triInv, null, [square, true]), "ArgumentError", /triInv/],
    ["vectors of 4", () => linalg.cross(mx.ones([4]), mx.ones([4])), "ShapeError", /cross: needs 2 or 3 .*\[4\]/],
    ["a decomposition on the GPU", () => linalg.inv(square, { device: "gpu" }), "DeviceError", /inv: .*device: "cpu"/],
  ])("%s", (_, body, name, message) => {
    const error = thrownError(body);
    expect(error.name).toBe(name);
    expect(error.message).toMatch(message);
  });
});

describe("cross", () => {
  it("takes integers, vectors of two, other axes and ranks", async () => {
    const [plane, space] = [mx.array([1, 2], "int32"), mx.array([4, 5, 6], "int32")];
    expect(await linalg.cross(plane, space).tolist()).toEqual([12, -6, -3]);
    expect(await linalg.cross(space, plane).tolist()).toEqual([-12, 6, 3]);
    expect(await linalg.cross(plane, plane.add(3)).tolist()).toEqual([0, 0, -3]);
    const [a, b] = [drawn([3, 5]), drawn([3, 1])];
    const columns = linalg.cross(a, b, 0);
    await expectNear(columns, linalg.cross(a.T, b.T).T, 0);
    await expectNear(columns.mul(a).sum(0), mx.zeros([5], "float64"), 1e-12);
  });
});
