"""Linear algebra: norms, cross products, systems, factors, determinants, singular values."""

import mlx.core as mx
import numpy as np

from .samples import dyadic, normals
from .shard import FLOATS

INF = float("inf")
NEAR = 2e-5


def record(shard):
    norms(shard)
    crosses(shard)
    systems(shard)
    factors(shard)
    spectra(shard)


def norms(shard):
    vector, matrix, cube = (shard.array(normals(s, seed=201)) for s in ((7,), (4, 5), (2, 3, 4)))
    for x in (vector, matrix, cube):
        shard.case("linalg.norm", x, tolerance=NEAR)
        shard.case("linalg.norm", x, keepAxes=True, tolerance=NEAR, call=lambda x, keepdims: mx.linalg.norm(x, keepdims=keepdims))
    for order in (None, 0, 1, 2, 3, 2.5, -1, -2, INF, -INF):
        shard.case("linalg.norm", vector, order, tolerance=NEAR)
        for axis in (0, 1, -1):
            shard.case("linalg.norm", cube, order, axis, tolerance=NEAR)
    for order in (None, "fro", "nuc", 1, -1, 2, -2, INF, -INF):
        shard.case("linalg.norm", matrix, order, tolerance=NEAR)
        shard.case("linalg.norm", matrix.T, order, tolerance=NEAR)
        for axes in ([0, 1], [1, 2], [2, 0], [-1, 0]):
            shard.case("linalg.norm", cube, order, axes, tolerance=NEAR)
            shard.case("linalg.norm", cube, order, axes, keepAxes=True, tolerance=NEAR)
    whole = shard.array(np.array([[3, -4, 0], [1, 2, 2]], np.int32))
    for order, axis in ((None, None), (1, 0), (INF, 1), (0, 1), (2, 0), ("fro", [0, 1]), (1, [0, 1])):
        shard.case("linalg.norm", whole, order, *([] if axis is None else [axis]), tolerance=NEAR)
    for dtype in FLOATS:
        x = shard.array(dyadic((2, 2), dtype, seed=202))
        shard.case("linalg.norm", x, 1, 0)
        shard.case("linalg.norm", x, INF, 1)


def crosses(shard):
    a, b = (shard.array(dyadic((4, 3), seed=s)) for s in (203, 204))
    shard.case("linalg.cross", a, b)
    shard.case("linalg.cross", a.T, b.T, 0)
    shard.case("linalg.cross", a, b.at("1"))
    shard.case("linalg.cross", a.at(":, :2"), b.at(":, :2"))
    shard.case("linalg.cross", a.at(":, :2"), b)
    x, y = shard.array(np.array([1, -2, 3], np.int32)), shard.array(np.array([4, 5, -6], np.int32))
    shard.case("linalg.cross", x, y)


def regular(shape, seed):
    """Matrices far from singular."""
    n = shape[-1]
    return normals(shape, seed=seed) + 2 * n * np.eye(n, dtype=np.float32)


def symmetric(shape, seed):
    """Symmetric positive definite matrices."""
    x = normals(shape, seed=seed)
    return x @ np.swapaxes(x, -1, -2) + shape[-1] * np.eye(shape[-1], dtype=np.float32)


def systems(shard):
    for shape in ((1, 1), (2, 2), (5, 5), (2, 3, 3, 3), (40, 40)):
        a = shard.array(regular(shape, 205))
        b = shard.array(normals((*shape[:-1], 2), seed=206))
        shard.case("linalg.solve", a, b, tolerance=NEAR)
        shard.case("linalg.inv", a, tolerance=NEAR)
        for upper in (False, True):
            shard.case("linalg.triInv", a, upper=upper, tolerance=NEAR)
            shard.case("linalg.solveTriangular", a, b, upper=upper, tolerance=NEAR)
    shard.case("linalg.solve", shard.array(regular((4, 4), 207)), shard.array(normals((4,), seed=208)), tolerance=NEAR)
    for shape in ((0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (2, 3, 3), (6, 6)):
        a = shard.array(normals(shape, seed=209))
        shard.case("linalg.det", a, tolerance=10 * NEAR)
        shard.case("linalg.slogdet", a, tolerance=10 * NEAR)
    shard.case("linalg.det", shard.array(np.ones((3, 3), np.float32)), tolerance=1e-6)


def factors(shard):
    for shape in ((1, 1), (3, 3), (3, 5), (5, 3), (2, 4, 4), (40, 40)):
        a = shard.array(normals(shape, seed=210))
        shard.case("linalg.lu", a, tolerance=10 * NEAR)
        shard.case("linalg.luFactor", a, tolerance=10 * NEAR)
        shard.case("linalg.qr", a, tolerance=10 * NEAR)
    for shape in ((1, 1), (3, 3), (2, 4, 4), (40, 40)):
        a = symmetric(shape, 211)
        for upper in (False, True):
            factor = shard.case("linalg.cholesky", shard.array(a), upper=upper, tolerance=10 * NEAR)
            shard.case("linalg.choleskyInv", shard.array(np.array(factor)), upper=upper, tolerance=NEAR)


def spectra(shard):
    """Values alone: the signs of vectors are free."""
    for shape in ((1, 1), (2, 2), (3, 3), (2, 4, 4), (40, 40)):
        a = shard.array(normals(shape, seed=212))
        for uplo in ("L", "U"):
            shard.case("linalg.eigvalsh", a, uplo=uplo, tolerance=10 * NEAR, call=lambda a, uplo: mx.linalg.eigvalsh(a, uplo))
    for shape in ((1, 1), (3, 3), (3, 5), (5, 3), (2, 4, 4), (40, 30)):
        a = shard.array(normals(shape, seed=213))
        shard.case("linalg.svd", a, computeUv=False, tolerance=10 * NEAR)
        shard.case("linalg.pinv", a, tolerance=10 * NEAR)
    shard.case("linalg.pinv", shard.array(np.ones((2, 3), np.float32)), tolerance=1e-6)
    shard.case("linalg.pinv", shard.array(np.zeros((2, 3), np.float32)))
