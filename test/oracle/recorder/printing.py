"""MLX's text of an array."""

import math

import mlx.core as mx
import numpy as np

from .samples import dyadic, edges, floats, normals, sample
from .shard import DTYPES, FLOATS


def record(shard):
    def printed(x):
        shard.case("toString", x, call=repr)

    for dtype in DTYPES:
        printed(shard.array(edges(dtype)))
        printed(shard.array(sample([1, 0, 1], dtype)))
        printed(shard.array(sample(1, dtype)))
        printed(shard.array(sample([[1, 0], [0, 1]], dtype)))
        printed(shard.array(sample(np.zeros((0,)), dtype)))
    for dtype in FLOATS:
        printed(shard.array(normals((4,), dtype, seed=171)))
        for value in [0.0, -0.0, 0.1, 1 / 3, 2 / 3, 1.5, 100.0, 12345.678, 123456.0, 1234567.0, 1e5, 1e6, 1e-3, 1e-4, 1e-5, 123e-7, math.pi, math.inf, -math.inf, math.nan, -2.5e20, 3e-39]:  # fmt: skip
            printed(shard.array(floats(value, dtype)))
    printed(shard.array(floats([1.0, 1e6, 1e-6, 0.1, 123456.7, 1e10], "float32")))
    for value in [1, 9, 10, 99999, 100000, 999999, 1000000, 9999999, 16777216, 0.5, 0.25, 0.125, 0.0625, 0.001, 0.0001, 0.00001, 1.00001, 1.000001, 1.0000001, 99999.5, 999999.5, 9.9999995]:  # fmt: skip
        printed(shard.array(floats(value, "float32")))
    for shape in [(1,), (5,), (6,), (7,), (10,), (100,), (1000,), (2, 3), (1, 1), (3, 7), (7, 3), (7, 7), (8, 9), (2, 3, 4), (2, 2, 2, 2), (7, 1, 8), (2, 7, 7), (1, 1, 1), (3, 0), (0, 3), (2, 0, 2)]:  # fmt: skip
        count = int(np.prod(shape))
        if count <= 200:
            printed(shard.array(np.arange(count, dtype=np.int32).reshape(shape)))
            printed(shard.array(dyadic(shape, seed=172)))
    shard.case("toString", 1000, call=lambda n: repr(mx.arange(n)), extra={"of": "arange"})
    shard.case("toString", 7, call=lambda n: repr(mx.arange(n)), extra={"of": "arange"})
    shard.case("toString", 6, call=lambda n: repr(mx.arange(n)), extra={"of": "arange"})
    matrix = shard.array(dyadic((3, 4), seed=173))
    printed(matrix.T)
    printed(matrix.at("::-1, ::2"))
    printed(matrix.at("0").broadcast(2, 4))
    printed(shard.array(dyadic((9, 9), seed=174)).at("::-1"))
