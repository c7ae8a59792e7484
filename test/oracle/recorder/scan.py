"""Cumulative functions: every axis, forwards and backwards, inclusive and not; differences."""

import math

import mlx.core as mx
import numpy as np

from .samples import dyadic, floats, normals
from .shard import DTYPES, exactly

SCANS = ["cumsum", "cumprod", "cummax", "cummin", "logCumsumExp"]


class Scans:
    """Records scans; logCumsumExp, which MLX rounds to float32 and to halves at every step, gets its true value too."""

    def __init__(self, shard):
        self.shard, self.array = shard, shard.array

    def case(self, name, x, *axes, **options):
        exact = logs(x.value, *axes, **{k: v for k, v in options.items() if k in ("reverse", "inclusive")}) if name == "logCumsumExp" else None
        return self.shard.case(name, x, *axes, exact=exact, **options)


def logs(x, axis=None, reverse=False, inclusive=True):
    """The true logCumsumExp."""
    values = exactly(x)
    if axis is None:
        values, axis = values.ravel(), 0
    if values.shape[axis] == 0:
        return values
    values = np.flip(values, axis) if reverse else values
    with np.errstate(all="ignore"):
        sums = np.logaddexp.accumulate(values, axis)
    if not inclusive:
        sums = np.roll(sums, 1, axis)
        sums[tuple(0 if k == axis % sums.ndim else slice(None) for k in range(sums.ndim))] = -np.inf
    return np.flip(sums, axis) if reverse else sums


def record(recorded):
    shard = Scans(recorded)
    for name in SCANS:
        for dtype in DTYPES:
            if name == "logCumsumExp" and dtype not in ["float16", "bfloat16", "float32", "float64"]:
                continue
            x = shard.array(dyadic((3, 4), dtype, seed=21, bound=1, divisor=2))
            ulp = 4 if name == "logCumsumExp" else None
            shard.case(name, x, 1, ulp=ulp)
            shard.case(name, x, 0, reverse=True, ulp=ulp)
            shard.case(name, x, 1, inclusive=False, ulp=ulp)
            shard.case(name, x, -1, reverse=True, inclusive=False, ulp=ulp)
        matrix = shard.array(dyadic((5, 6), seed=22, bound=1))
        cube = shard.array(dyadic((2, 3, 4), seed=23, bound=1, divisor=2))
        ulp = 4 if name == "logCumsumExp" else None
        shard.case(name, matrix.at("1:3"), ulp=ulp)  # no axis: the flattened array
        for x in [matrix.T, matrix.at("::2, ::-1"), matrix.at("0").broadcast(3, 6), cube.permute(2, 0, 1)]:
            for axis in range(len(x.value.shape)):
                shard.case(name, x, axis, ulp=ulp)
                shard.case(name, x, axis, reverse=True, inclusive=False, ulp=ulp)
        shard.case(name, shard.array(np.zeros((0,), np.float32)), 0)
        for shape, axis in [((2, 0), 0), ((0, 3), 1)]:
            shard.case(name, shard.array(np.zeros(shape, np.float32)), axis)
            if name != "logCumsumExp":
                shard.case(name, shard.array(np.zeros(shape, np.float32)), axis, inclusive=False)
        shard.case(name, shard.array(dyadic((67,), seed=24, bound=1, divisor=1)), 0, ulp=ulp)
    edge = shard.array(floats([[1.0, 2.0, math.nan, 3.0], [-math.inf, 1.0, math.inf, 0.0], [-0.0, 0.0, -0.0, 1.0]], "float32"))
    for name in SCANS:
        shard.case(name, edge, 1, ulp=4 if name == "logCumsumExp" else None)
    shard.case("cumsum", shard.array(normals((500,), seed=25)), 0, tolerance=1e-4)
    shard.case("cumulativeSum", edge, 0)
    shard.case("cumulativeProd", edge, 0)
    for dtype in ["float32", "int32", "uint8", "float16"]:
        x = shard.array(dyadic((3, 5), dtype, seed=26))
        shard.case("diff", x)
        shard.case("diff", x, n=2)
        shard.case("diff", x, axis=0)
        shard.case("diff", x, n=0)
        shard.case("diff", x.T, axis=0, n=3)
