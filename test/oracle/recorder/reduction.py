"""Reductions: over no, one, several and negative axes, kept or not, of every dtype."""

import math
import warnings

import mlx.core as mx
import numpy as np
import scipy.special as special

from .samples import INTEGER_RANGE, dyadic, floats, integers, normals, sample
from .shard import DTYPES, FLOATS, exactly

ALL = ["sum", "prod", "min", "max", "mean", "variance", "std", "any", "all", "argMax", "argMin", "logSumExp", "median"]
ONE_AXIS = ["argMax", "argMin"]
ROUNDED = {
    "mean": np.mean, "prod": np.prod, "variance": np.var, "std": np.std, "softmax": special.softmax, "logSumExp": special.logsumexp,
}  # fmt: skip


class Reductions:
    """Records reductions; those whose results round get their true value too."""

    def __init__(self, shard):
        self.shard, self.array = shard, shard.array

    def case(self, name, x, *axes, **options):
        exact = None
        if name in ROUNDED and x.value.size > 0 and (name != "prod" or mx.issubdtype(x.value.dtype, mx.floating)):
            axis = tuple(axes[0]) if axes and isinstance(axes[0], list) else axes[0] if axes else None
            keywords = {{"keepAxes": "keepdims"}.get(k, k): v for k, v in options.items() if k in ("keepAxes", "ddof")}
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                exact = ROUNDED[name](exactly(x.value), axis=axis, **keywords)
        return self.shard.case(name, x, *axes, exact=exact, **options)


def record(recorded):
    shard = Reductions(recorded)
    for dtype in DTYPES:
        cube = shard.array(dyadic((2, 3, 4), dtype, seed=11, bound=2, divisor=2))
        for name in ALL:
            shard.case(name, cube)
            shard.case(name, cube, 1)
            shard.case(name, cube, -1, keepAxes=True)
            if name not in ONE_AXIS and dtype in ["bool", "uint8", "int32", "float16", "float32"]:
                shard.case(name, cube, [0, 2])
                shard.case(name, cube, [0, -2], keepAxes=True)
                if name != "median":
                    shard.case(name, cube, [])
        shard.case("softmax", cube, -1)
        recorded.case("countNonzero", cube, 1, call=lambda x, axis: mx.count_nonzero(x, axis=axis))
    options(shard)
    views(shard)
    edges(shard)
    rounding(shard)


def options(shard):
    """ddof, several axes, softmax over several axes, precise."""
    cube = shard.array(dyadic((3, 4, 2), seed=12))
    for name in ["variance", "std"]:
        for ddof in [0, 1, 2]:
            shard.case(name, cube, ddof=ddof)
            shard.case(name, cube, 1, ddof=ddof)
            shard.case(name, cube, [0, 2], ddof=ddof, keepAxes=True)
        shard.case(name, cube, 2, ddof=2)
    for axis in [None, 0, 1, [0, 1], [-1, 0]]:
        shard.case("softmax", cube, *([] if axis is None else [axis]))
    half = shard.array(normals((3, 9), "float16", seed=13, scale=3))
    shard.case("softmax", half, -1, precise=True)
    shard.case("softmax", half, -1)
    for name in ["sum", "mean", "max", "median", "logSumExp", "argMax"]:
        shard.case(name, cube, keepAxes=True)
    for length in [1, 2, 5, 6]:
        shard.case("median", shard.array(dyadic((length,), seed=length)))
    shard.case("median", cube, [0, 1])
    shard.case("median", shard.array(np.array([4, 1, 3, 2], np.int32)))


def views(shard):
    """Transposed, sliced and broadcast operands; scalars; empty arrays; axes of 1, 3 and 67."""
    matrix = shard.array(dyadic((6, 5), seed=14))
    scalar = shard.array(floats(2.5, "float32"))
    operands = [matrix.T, matrix.at("::2, 1:"), matrix.at("::-1, ::-2"), matrix.at("1").broadcast(4, 5), matrix.at("3, 2:4")]
    for name in [*ALL, "softmax"]:
        for x in operands:
            shard.case(name, x, 0)
            if name != "softmax":
                shard.case(name, x)
        if name not in ["softmax"]:
            shard.case(name, scalar)
        for shape in [(7, 1), (7, 3), (3, 67), (67, 3), (1, 1)]:
            x = shard.array(dyadic(shape, seed=15, bound=1))
            if name != "prod" or max(shape) < 20:
                shard.case(name, x, 1)
                shard.case(name, x, 0)
    empty, hollow = shard.array(np.zeros((0,), np.float32)), shard.array(np.zeros((3, 0, 2), np.float32))
    for name in ["sum", "prod", "any", "all", "mean", "logSumExp"]:
        shard.case(name, empty)
        shard.case(name, hollow, 1)
        shard.case(name, hollow, 0)
    for name in ["min", "max", "argMax"]:
        shard.case(name, hollow, 0)
    shard.case("sum", shard.array(np.zeros((0, 3), np.int32)), 0)
    transposed = shard.array(dyadic((2, 3, 4, 5), seed=16)).permute(3, 1, 0, 2)
    for name in ["sum", "max", "mean", "argMin", "all"]:
        for axis in [0, 1, 2, 3]:
            shard.case(name, transposed, axis)
    for name in ["sum", "max", "prod"]:
        shard.case(name, transposed.at("::2"), [1, 3])
        shard.case(name, transposed.at("..., ::2"), [0, 2], keepAxes=True)


def edges(shard):
    """NaN, infinities, signed zeros, wrapping sums, ties of argMax."""
    table = np.array([
        [1.0, math.nan, 2.0, -1.0], [math.inf, 1.0, 2.0, 3.0], [-math.inf, math.inf, 0.0, 1.0],
        [-math.inf, -math.inf, -math.inf, -math.inf], [0.0, -0.0, 0.0, -0.0], [-0.0, -0.0, -0.0, -0.0],
        [math.nan, math.nan, math.nan, math.nan], [5.0, 5.0, 1.0, 1.0], [-0.0, 0.0, -0.0, 0.0],
        [math.inf, math.inf, 0.0, 0.0], [2.0, 1.0, 0.0, math.nan],
    ], np.float32)  # fmt: skip
    for dtype in FLOATS:
        x = shard.array(sample(table, dtype))
        for name in [*ALL, "softmax"]:
            shard.case(name, x, 1)
            if name != "softmax":
                shard.case(name, shard.array(sample(table.T, dtype)), 0)
    ties = shard.array(np.array([[3, 1, 3, 1], [0, 0, 0, 0]], np.int32))
    for name in ["argMax", "argMin"]:
        shard.case(name, ties)
        shard.case(name, ties, 1)
        shard.case(name, ties, 0)
    for dtype in ["uint8", "int8", "int16", "uint32", "int32", "int64", "uint64"]:
        low, high = INTEGER_RANGE[dtype]
        x = shard.array(integers([[high, high, 1], [low, low, 2]], dtype))
        for name in ["sum", "prod", "max", "min", "mean"]:
            shard.case(name, x, 1, **({"tolerance": abs(high) * 1e-6} if name == "mean" else {}))


def rounding(shard):
    """Numbers whose sums round: the error allowed is that of any order of summation in float32."""
    for shape in [(257,), (33, 31), (1000,)]:
        x = normals(shape, seed=17)
        total = float(mx.sum(mx.abs(x)))
        values = shard.array(x)
        for name, scale in [("sum", total), ("mean", total / x.size), ("variance", 4.0), ("std", 4.0), ("logSumExp", 8.0)]:
            shard.case(name, values, tolerance=scale * 2**-24 * 16)
        shard.case("softmax", values, -1, ulp=8)
    half = normals((5, 33), "float16", seed=18)
    for dtype in ["float16", "bfloat16"]:
        x = shard.array(half.astype(getattr(mx, dtype)))
        unit = 2**-10 if dtype == "float16" else 2**-7
        for name in ["sum", "mean", "logSumExp"]:
            shard.case(name, x, 1, tolerance=unit * 16)
