"""Arrays made from numbers: constants, ranges, grids, identity and triangular matrices."""

import math

import mlx.core as mx
import numpy as np

from .samples import dyadic, sample
from .shard import DTYPES, FLOATS, INTEGERS, dtype_of


def record(shard):
    for dtype in DTYPES:
        x = shard.array(sample([[1, 0, 1], [0, 1, 1]], dtype))
        shard.case("array", [[1, 0, 1], [0, 1, 1]], dtype, call=lambda v, d: mx.array(v, dtype_of(d)))
        for name in ["zeros", "ones"]:
            shard.case(name, [2, 3], dtype=dtype)
            shard.case(f"{name}Like", x)
        shard.case("empty", [2, 3], dtype=dtype)
        shard.case("emptyLike", x)
        # MLX makes int32 of full([2, 2], 1, bool) and ignores a dtype beside an array: not recorded.
        shard.case("full", [2, 2], True if dtype == "bool" else 1, dtype=dtype)
        shard.case("fullLike", x, 1)
        shard.case("eye", 3, dtype=dtype)
        shard.case("tri", 3, dtype=dtype, call=lambda n, dtype: mx.tri(n, dtype=dtype))
        shard.case("identity", 2, dtype=dtype)
    shard.case("array", 5, "int32", call=lambda v, d: mx.array(v, dtype_of(d)))
    shard.case("array", [], "float32", call=lambda v, d: mx.array(v, dtype_of(d)))
    shard.case("array", [[], []], "float32", call=lambda v, d: mx.array(v, dtype_of(d)))
    shard.case("array", [[[1.5], [-2.5]]], "float16", call=lambda v, d: mx.array(v, dtype_of(d)))
    shard.case("array", [True, False], call=mx.array)
    shard.case("array", [0.1, math.nan, math.inf, -math.inf, -0.0], call=mx.array)
    for name in ["zeros", "ones"]:
        for shape in [[], [0], [3, 0, 2], [1, 1], [67]]:
            shard.case(name, shape)
        shard.case(name, 4)
        shard.case(f"{name}Like", shard.array(dyadic((2, 3))).T)
    for value in [2, 2.5, True, math.nan, -math.inf]:
        shard.case("full", [2, 3], value)
    shard.case("full", [], 3.5)
    shard.case("full", [0, 2], 3.5)
    shard.case("full", [2, 3], shard.array(dyadic((3,), "int32", seed=1)))
    shard.case("full", [2, 3], shard.array(dyadic((2, 1), seed=1)))
    for n, m, k in [(3, 3, 0), (3, 4, 1), (4, 2, -1), (2, 5, 7), (3, 3, -5), (1, 1, 0), (0, 0, 0)]:
        shard.case("eye", n, m=m, k=k)
        if n > 0:
            shard.case("tri", n, m=m, k=k, call=lambda n, m, k: mx.tri(n, m, k))
    arange(shard)
    linspace(shard)
    for name in ["bartlett", "blackman", "hamming", "hanning"]:
        for length in [0, 1, 2, 5, 8]:
            shard.case(name, length, ulp=2, tolerance=2e-7)
    x, y, z = (shard.array(dyadic((n,), seed=n)) for n in (3, 2, 4))
    for indexing in ["xy", "ij"]:
        for sparse in [False, True]:
            for arrays in [(x,), (x, y), (x, y, z)]:
                shard.case("meshgrid", *arrays, indexing=indexing, sparse=sparse)
    shard.case("meshgrid", x, y)
    shard.case("meshgrid", shard.array(np.arange(3, dtype=np.int32)), shard.array(np.arange(2, dtype=np.int32)))


def arange(shard):
    for arguments in [(5,), (0,), (2, 7), (7, 2), (1, 10, 3), (10, 1, -3), (5, 5), (-3, 3), (0, 10, 4), (3, 0, -1)]:
        shard.case("arange", *arguments)
    for arguments in [(0.5, 3.5), (0.25, 2.75, 0.5), (0, 1, 0.25), (1.5, -1.5, -0.75), (0, 1, 0.1), (2.5,), (0, 1, 0.3)]:
        shard.case("arange", *arguments)
    for dtype in [*FLOATS, *INTEGERS]:
        shard.case("arange", 6, dtype=dtype)
        shard.case("arange", 1, 10, 2, dtype=dtype)
        if not dtype.startswith("u"):
            shard.case("arange", 3, -4, -2, dtype=dtype)
    shard.case("arange", 0, 2, 0.5, dtype="float16")
    shard.case("arange", 0, 100, dtype="bfloat16")


def linspace(shard):
    for start, stop, num in [(0, 1, 5), (-1, 1, 3), (0, 10, 11), (5, -5, 7), (2.5, 2.5, 4), (0, 1, 1), (0, 1, 2), (0, 1, 0), (-3, 7, 64)]:
        shard.case("linspace", start, stop, num=num, exact=np.linspace(start, stop, num))
    shard.case("linspace", 0, 1)
    for dtype in FLOATS:
        shard.case("linspace", 0, 1, num=9, dtype=dtype)
    shard.case("linspace", 0, 10, num=6, dtype="int32")
