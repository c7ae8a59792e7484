/** QR, eigenvalues, singular values, pseudo-inverses and norms: sizes beyond a block, hard matrices, gradients, what is refused. */
import * as mx from "mlx-ts";
import { describe, expect, it } from "vitest";
import { thrownError } from "../setup/thrown-error.ts";

const { linalg } = mx;
const unit = (n: number): mx.MLXArray => mx.eye(n, { dtype: "float64" });

/** Normal numbers, the same ones for the same shape. */
function drawn(...shape: readonly number[]): mx.MLXArray {
  const seed = shape.reduce((sum, length) => 10 * sum + length, 7);
  return mx.random.normal(shape, { key: mx.random.key(seed) }).asType("float64");
}

async function greatest(x: mx.MLXArray): Promise<number> {
  return x.size === 0 ? 0 : Number(await mx.max(mx.abs(x)).item());
}

async function expectNear(actual: mx.MLXArray, expected: mx.MLXArray, tolerance = 1e-12): Promise<void> {
  expect(actual.shape).toEqual(expected.shape);
  expect(await greatest(actual.sub(expected))).toBeLessThanOrEqual(tolerance);
}

/** All that must hold of the singular value decomposition of `a`, relative to its size. */
async function expectSingular(a: mx.MLXArray): Promise<void> {
  const [m = 0, n = 0] = a.shape;
  const tolerance = 1e-14 * Math.max(m, n);
  const [u, s, vt] = linalg.svd(a, { fullMatrices: false });
  const size = (await greatest(s)) || 1;
  await expectNear(u.mul(s.div(size)).matmul(vt), a.div(size), tolerance);
  await expectNear(u.T.matmul(u), unit(Math.min(m, n)), tolerance);
  await expectNear(vt.matmul(vt.T), unit(Math.min(m, n)), tolerance);
  await expectNear(linalg.svd(a, { computeUv: false }).div(size), s.div(size), tolerance);
  await expectNear(mx.sort(s.neg()).neg(), s, 0);
  const [left, , right] = linalg.svd(a);
  await expectNear(left.T.matmul(left), unit(m), tolerance);
  await expectNear(right.matmul(right.T), unit(n), tolerance);
  await expectNear(mx.split(left, [Math.min(m, n)], 1)[0], u, 0);
}

/** All that must hold of the eigensystem of symmetric `a`, relative to its size. */
async function expectEigen(a: mx.MLXArray): Promise<void> {
  const [n = 0] = a.shape;
  const tolerance = 1e-14 * n;
  const [values, vectors] = linalg.eigh(a);
  const size = (await greatest(values)) || 1;
  await expectNear(vectors.mul(values.div(size)).matmul(vectors.T), a.div(size), tolerance);
  await expectNear(vectors.T.matmul(vectors), unit(n), tolerance);
  await expectNear(linalg.eigvalsh(a).div(size), values.div(size), tolerance);
  await expectNear(mx.sort(values), values, 0);
}

/** 1 / (i + j + 1): the ratio of its extreme singular values is 1e13 for n = 10. */
function hilbert(n: number): mx.MLXArray {
  const place = mx.arange(n, { dtype: "float64" });
  return mx.divide(1, place.reshape([n, 1]).add(place).add(1));
}

const shapes: readonly (readonly [number, number])[] = [
  ...[0, 1, 2, 3, 32, 33, 70].map((n): readonly [number, number] => [n, n]),
  ...([
    [3, 0],
    [0, 3],
    [5, 3],
    [3, 5],
    [70, 33],
    [33, 70],
    [100, 1],
    [1, 100],
  ] as const),
];

describe("of matrices of any size", () => {
  it.each(shapes)("qr of [%i, %i] has orthonormal columns and a triangle", async (m, n) => {
    const a = drawn(m, n);
    const [q, r] = linalg.qr(a);
    await expectNear(q.matmul(r), a, 1e-12);
    await expectNear(q.T.matmul(q), unit(Math.min(m, n)), 1e-13);
    await expectNear(mx.tril(r, -1), mx.zerosLike(r), 0);
  });
  it.each(shapes)("svd of [%i, %i] gives the matrix from orthonormal vectors", (m, n) => expectSingular(drawn(m, n)));
  it.each([0, 1, 2, 3, 32, 33, 70])("eigh of [%i, …] gives the matrix from orthonormal vectors", async (n) => {
    const a = drawn(n, n);
    await expectEigen(a.add(a.T));
  });
  it.each(shapes)("pinv of [%i, %i] has the four properties", async (m, n) => {
    const a = drawn(m, n);
    const p = linalg.pinv(a);
    const [left, right] = [a.matmul(p), p.matmul(a)];
    await expectNear(left.matmul(a), a, 1e-11);
    await expectNear(right.matmul(p), p, 1e-11);
    await expectNear(left.T, left, 1e-11);
    await expectNear(right.T, right, 1e-11);
  });
});

describe("hard matrices", () => {
  const rankTwo = drawn(40, 2).matmul(drawn(2, 30));
  const graded = mx.arange(12, { dtype: "float64" }).mul(-3);
  const cases: readonly (readonly [string, mx.MLXArray])[] = [
    ["zero", mx.zeros([4, 3], "float64")],
    ["all ones", mx.ones([6, 6], "float64")],
    ["of rank two", rankTwo],
    ["Hilbert's", hilbert(10)],
    ["with zeros on its diagonal", mx.eye(6, { k: 1, dtype: "float64" })],
    ["orthogonal", linalg.qr(drawn(20, 20))[0]],
    ["unit", unit(20)],
    ["graded", mx.power(10, graded).reshape([12, 1]).mul(drawn(12, 12))],
    ["of great elements", drawn(5, 5).mul(1e300)],
    ["of small elements", drawn(5, 5).mul(1e-300)],
    ["with a subnormal", mx.array([[5e-324]], "float64")],
  ];
  it.each(cases)("svd is right where the matrix is %s", (_, a) => expectSingular(a));
  it.each(cases)("eigh is right where the matrix is %s", async (_, a) => {
    const [m = 0, n = 0] = a.shape;
    const square = m === n ? a : a.matmul(a.T);
    await expectEigen(square.div(2).add(square.T.div(2)));
  });

  it("singular values of Hilbert's matrix agree to its size times ε, in float32 to the last place", async () => {
    // mpmath, 40 digits
    const expected = [1.618899858924339, 0.24236087057520955, 0.016321521319875822, 0.0006157483541826576];
    const values = await linalg.svd(hilbert(6), { computeUv: false }).data();
    for (const [k, value] of expected.entries()) expect(Math.abs(Number(values[k]) - value)).toBeLessThan(2e-15);
    const single = await linalg.svd(hilbert(6).asType("float32"), { computeUv: false }).data();
    for (const [k, value] of expected.entries()) expect(Math.abs(Number(single[k]) / value - 1)).toBeLessThan(3e-5);
  });

  it("pinv of rank two has rank two", async () => {
    const p = linalg.pinv(rankTwo);
    await expectNear(rankTwo.matmul(p).matmul(rankTwo), rankTwo, 1e-10);
    expect(Number(await linalg.svd(p, { computeUv: false }).get(2).item())).toBeLessThan(1e-12);
  });

  it("NaN and infinities give NaN, for that matrix alone", async () => {
    const bad = mx.array([
      [
        [1, Number.NaN],
        [2, 3],
      ],
      [
        [Number.POSITIVE_INFINITY, 0],
        [0, 1],
      ],
      [
        [2, 0],
        [0, 1],
      ],
    ]);
    const results = [...linalg.qr(bad), ...linalg.svd(bad), linalg.eigvalsh(bad, { uplo: "U" }), linalg.pinv(bad)];
    for (const result of results) {
      const perMatrix = mx.isNaN(result.reshape([3, result.size / 3])).all(1);
      expect(await perMatrix.tolist()).toEqual([true, true, false]);
    }
    expect(await mx.isNaN(linalg.norm(bad, 2, [1, 2])).tolist()).toEqual([true, true, false]);
  });

  it("one triangle is read alone, and the choice of signs is one", async () => {
    const a = mx.array([
      [1, Number.NaN],
      [-2, 1],
    ]);
    const [values, vectors] = linalg.eigh(a);
    await expectNear(values, mx.array([-1, 3]), 1e-6);
    await expectNear(
      vectors,
      mx
        .array([
          [1, 1],
          [1, -1],
        ])
        .mul(Math.SQRT1_2),
      1e-6,
    );
    await expectNear(linalg.eigh(a.T, { uplo: "U" })[1], vectors, 0);
    expect(await linalg.eigvalsh(a, { uplo: "U" }).tolist()).toEqual([Number.NaN, Number.NaN]);
  });
});

describe("gradients agree with those of torch 2.8", () => {
  const wide = mx.array([
    [1, 2, 0.5],
    [-1, 0.5, 3],
  ]);
  const symmetric = mx.array([
    [4, 2, 0.5],
    [2, 5, 1],
    [0.5, 1, 3],
  ]);
  /** Σ (1 + position) · x */
  const weighed = (x: mx.MLXArray): mx.MLXArray =>
    mx
      .arange(1, x.size + 1)
      .reshape(x.shape)
      .mul(x)
      .sum();
  it.each([
    [
      "norm nuc",
      (x: mx.MLXArray) => linalg.norm(x, "nuc"),
      wide,
      [
        [0.4824415, 0.8693157, 0.1074266],
        [-0.3550185, 0.081942, 0.9312612],
      ],
    ],
    [
      "norm 2",
      (x: mx.MLXArray) => linalg.norm(x, 2),
      wide,
      [
        [-0.0569521, 0.0830212, 0.2472195],
        [-0.2056151, 0.2997329, 0.8925408],
      ],
    ],
    [
      "norm -2",
      (x: mx.MLXArray) => linalg.norm(x, -2),
      wide,
      [
        [0.5393936, 0.7862945, -0.1397929],
        [-0.1494034, -0.217791, 0.0387204],
      ],
    ],
    [
      "norm 3",
      (x: mx.MLXArray) => linalg.norm(x.flatten(), 3),
      wide,
      [
        [0.0896566, 0.3586266, 0.0224142],
        [-0.0896566, 0.0224142, 0.8069098],
      ],
    ],
    [
      "pinv",
      (x: mx.MLXArray) => weighed(linalg.pinv(x)),
      wide,
      [
        [0.073409, -0.6155401, -0.559809],
        [0.0105433, -0.5591449, -0.3881433],
      ],
    ],
    [
      "qr",
      (x: mx.MLXArray) =>
        linalg
          .qr(x)
          .map(weighed)
          .reduce((a, b) => a.add(b)),
      wide,
      [
        [-4.2426407, 2.1213203, 2.1213203],
        [-2.8284271, 4.9497475, 6.363961],
      ],
    ],
    [
      "svd",
      (x: mx.MLXArray) =>
        linalg
          .svd(x, { fullMatrices: false })
          .map((part) => weighed(mx.abs(part)))
          .reduce((a, b) => a.add(b)),
      wide,
      [
        [0.3384573, 4.1290312, 3.1650055],
        [2.0483149, 3.0087402, -0.6572545],
      ],
    ],
    [
      "eigh",
      (x: mx.MLXArray) =>
        linalg
          .eigh(x)
          .map((part) => weighed(mx.abs(part)))
          .reduce((a, b) => a.add(b)),
      symmetric,
      [
        [5.6413702, -1.4433975, -1.2713528],
        [-1.4433975, 2.6886375, 3.2913075],
        [-1.2713528, 3.2913075, -2.3300076],
      ],
    ],
  ] as const)("%s", async (_, f, x, expected) => {
    const slope = mx.grad((given: mx.MLXArray) => f(given))(x.asType("float64"));
    await expectNear(slope, mx.array(expected, "float64"), 2e-6);
  });

  it("of values that are equal: what depends on no choice of vectors is right, what does is NaN", async () => {
    const a = unit(2).mul(2);
    await expectNear(mx.grad((x: mx.MLXArray) => linalg.eigh(x)[0].sum())(a), unit(2), 0);
    await expectNear(mx.grad((x: mx.MLXArray) => linalg.eigvalsh(x).square().sum())(a), unit(2).mul(4), 1e-15);
    await expectNear(mx.grad((x: mx.MLXArray) => linalg.svd(x)[1].sum())(a), unit(2), 1e-15);
    await expectNear(mx.grad((x: mx.MLXArray) => linalg.pinv(x).sum())(a), mx.full([2, 2], -0.25, "float64"), 1e-15);
    const open = mx.grad((x: mx.MLXArray) =>
      linalg
        .eigh(x)[1]
        .mul(
          mx.array([
            [1, 2],
            [3, 4],
          ]),
        )
        .sum(),
    )(a);
    expect(await mx.isNaN(open).any().item()).toBe(true);
  });

  it("of lengths that are 0 are 0", async () => {
    for (const order of [undefined, 2, 3, 1.5])
      expect(
        await mx
          .grad((x: mx.MLXArray) => linalg.norm(x, order))(mx.zeros([3]))
          .tolist(),
      ).toEqual([0, 0, 0]);
    expect(
      await mx
        .grad((x: mx.MLXArray) => linalg.norm(x))(mx.zeros([1, 2]))
        .tolist(),
    ).toEqual([[0, 0]]);
  });

  it("vectors that belong to no singular value have none, and the error says so", () => {
    const loss = (x: mx.MLXArray): mx.MLXArray => linalg.svd(x)[2].sum();
    expect(() => mx.grad(loss)(wide)).toThrow(mx.GradientError);
    expect(() => mx.grad(loss)(wide)).toThrow(
      "svd: no gradient flows through it: vectors that belong to no singular value",
    );
  });
});

describe("batches, transforms and dtypes", () => {
  it("are computed matrix by matrix", async () => {
    const a = drawn(2, 3, 4, 5);
    const one = a.get(1, 2);
    for (const [all, single] of [
      [linalg.svd(a), linalg.svd(one)],
      [linalg.qr(a), linalg.qr(one)],
      [[linalg.pinv(a)], [linalg.pinv(one)]],
      [[linalg.norm(a, "nuc", [2, 3])], [linalg.norm(one, "nuc")]],
    ] as const) {
      for (const [k, part] of all.entries()) await expectNear(part.get(1, 2), single[k] ?? one, 1e-14);
    }
    const mapped = mx.vmap((x: mx.MLXArray) => linalg.norm(x, 2, [1, 2]))(a);
    await expectNear(mapped, linalg.norm(a, 2, [2, 3]), 0);
    const loss = (x: mx.MLXArray): mx.MLXArray => linalg.norm(x, "nuc", [-2, -1]).sum();
    await expectNear(mx.compile(mx.grad(loss))(a), mx.grad(loss)(a), 1e-14);
  });

  it("halves are computed in float32 and rounded once", async () => {
    const a = mx.array([
      [3, 1],
      [1, 2],
    ]);
    for (const dtype of ["float16", "bfloat16"] as const) {
      const half = a.asType(dtype);
      const of = (x: mx.MLXArray): mx.MLXArray[] => [
        ...linalg.qr(x),
        ...linalg.svd(x),
        ...linalg.eigh(x),
        linalg.eigvalsh(x),
        linalg.pinv(x),
        linalg.norm(x, 2),
        linalg.norm(x.mul(100)),
      ];
      const wide = of(a);
      for (const [k, result] of of(half).entries()) {
        expect(result.dtype).toBe(dtype);
        expect(await result.tolist()).toEqual(await wide[k]?.asType(dtype).tolist());
      }
    }
    expect(await linalg.norm(mx.array([300, 400], "float16")).item()).toBe(500);
  });
});

describe("what is refused", () => {
  const a = mx.eye(2);
  it.each([
    ["integers", () => linalg.svd(mx.eye(2, { dtype: "int32" })), "DtypeError", /svd: needs a floating.*int32.*asType/],
    ["a vector as a matrix", () => linalg.qr(mx.ones([3])), "ShapeError", /qr: needs matrices .*\[3\]/],
    ["a matrix that is not square", () => linalg.eigh(mx.ones([2, 3])), "ShapeError", /eigh: .*square.*\[2, 3\]/],
    [
      "another triangle",
      () => Reflect.apply(linalg.eigh, null, [a, { uplo: "lower" }]),
      "ArgumentError",
      /uplo is one of L, U/,
    ],
    [
      "a word for a flag",
      () => Reflect.apply(linalg.svd, null, [a, { computeUv: "no" }]),
      "ArgumentError",
      /computeUv/,
    ],
    [
      "an order of no matrix norm",
      () => linalg.norm(a, 3),
      "ArgumentError",
      /norm: the order .* matrices is 1, -1.*got 3/,
    ],
    [
      "an order of no vector norm",
      () => linalg.norm(a, "fro", 0),
      "ArgumentError",
      /norm: .* vectors is a number, got "fro"/,
    ],
    [
      "three axes with an order",
      () => linalg.norm(mx.ones([2, 2, 2]), 1),
      "ShapeError",
      /norm: .* got 3 of \[2, 2, 2\]/,
    ],
    [
      "the greatest of none",
      () => linalg.norm(mx.zeros([0]), Infinity),
      "ShapeError",
      /norm: axis 0 of \[0\] has length 0/,
    ],
    ["the greatest singular value of none", () => linalg.norm(mx.zeros([0, 3]), 2), "ShapeError", /norm: .*length 0/],
    ["one axis twice", () => linalg.norm(a, 1, [0, 0]), "ShapeError", /norm/],
    ["an axis out of range", () => linalg.norm(a, 1, 2), "ShapeError", /norm: .*2/],
    ["singular values on the GPU", () => linalg.norm(a, 2, { device: "gpu" }), "DeviceError", /norm: .*device: "cpu"/],
    ["a decomposition on the GPU", () => linalg.svd(a, { device: "gpu" }), "DeviceError", /svd: .*device: "cpu"/],
  ])("%s", (_, body, name, message) => {
    const error = thrownError(body);
    expect(error.name).toBe(name);
    expect(error.message).toMatch(message);
  });
});
