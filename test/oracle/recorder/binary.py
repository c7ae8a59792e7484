"""Functions of two or three arrays, element by element: arithmetic, comparison, bits, where, clip."""

import math

import mlx.core as mx
import numpy as np

from .samples import INTEGER_RANGE, floats, integers, normals, pairs, sample
from .shard import DTYPES, FLOATS, INTEGERS, exactly

TRUTH = {"arctan2": np.arctan2, "logAddExp": np.logaddexp, "power": np.power}
ANY = ["add", "subtract", "multiply", "divide", "maximum", "minimum", "arctan2", "logAddExp"]
COMPARE = ["equal", "notEqual", "less", "lessEqual", "greater", "greaterEqual"]
LOGICAL = ["logicalAnd", "logicalOr", "logicalXor"]
BITS = ["bitwiseAnd", "bitwiseOr", "bitwiseXor"]


def truth(name, a, b):
    """The true value in float64 for what MLX approximates."""
    if name == "floorDivide" and a.dtype in (mx.float16, mx.bfloat16):  # MLX rounds the quotient to a half first
        with np.errstate(all="ignore"):
            return np.floor(np.array(a.astype(mx.float32)) / np.array(b.astype(mx.float32)))
    if name not in TRUTH or (name == "power" and not mx.issubdtype(a.dtype, mx.floating)):
        return None
    with np.errstate(all="ignore"):
        return TRUTH[name](exactly(a), exactly(b))


def grid(shard, name, dtype, left, right):
    """Every pair of a column and a row."""
    column, row = shard.array(sample(left, dtype).reshape(-1, 1)), shard.array(sample(right, dtype))
    shard.case(name, column, row, exact=truth(name, column.value, row.value))


def record(shard):
    for dtype in DTYPES:
        values = pairs(dtype)
        for name in [*ANY, *COMPARE, *LOGICAL]:
            grid(shard, name, dtype, values, values)
        if dtype in FLOATS:
            for name in ["floorDivide", "remainder", "power"]:
                grid(shard, name, dtype, values, values)
            shard.case("divmod", shard.array(sample([7.5, -7.5, 2.0], dtype)), shard.array(sample([2.0, 2.0, -0.75], dtype)))
            continue
        for name in BITS:
            grid(shard, name, dtype, values, values)
        if dtype == "bool":
            continue
        low, high = INTEGER_RANGE[dtype]
        # Not by zero, and not the least integer by -1: both are traps of the processor in MLX.
        divisors = [v for v in [1, 2, 3, -3, 5, -7, 100, high, low] if v != 0 and low <= v <= high]
        for name in ["floorDivide", "remainder"]:
            grid(shard, name, dtype, values, divisors)
            if low < 0:
                grid(shard, name, dtype, [v for v in values if v != low], [-1])
        grid(shard, "power", dtype, values, [0, 1, 2, 3, 5, 7, 31, *([-1, -2, -7] if low < 0 else [high])])
        width = high.bit_length() + (low < 0)
        for name in ["leftShift", "rightShift"]:
            grid(shard, name, dtype, values, [0, 1, 2, width // 2, width - 1])
        shard.case("divmod", shard.array(sample([7, 9, 2], dtype)), shard.array(sample([2, 4, 5], dtype)))
        shard.case("bitwiseLeftShift", shard.array(sample([1, 3, 5], dtype)), 2)
        shard.case("bitwiseRightShift", shard.array(sample([1, 3, 50], dtype)), 2)
    shapes(shard)
    conditions(shard)
    closeness(shard)
    powers(shard)


def shapes(shard):
    """Broadcasting, views, scalars and empty arrays."""
    a, b = shard.array(normals((4, 5), seed=3)), shard.array(normals((5, 4), seed=4))
    row, column = shard.array(normals((5,), seed=5)), shard.array(normals((4, 1), seed=6))
    scalar, empty = shard.array(floats(1.25, "float32")), shard.array(np.zeros((0, 5), np.float32))
    cube = shard.array(normals((2, 1, 4, 5), seed=7))
    for name in ["add", "subtract", "multiply", "divide", "maximum", "less", "power", "arctan2", "equal"]:
        left = [(a, b.T), (a, row), (column, row), (a, scalar), (scalar, a.at("::-1, ::2")), (cube, column), (empty, row),
                (a.at("1:3, ::-2"), b.at("::2, 2:").T), (row.at("2:3").broadcast(4, 5), a), (scalar, scalar)]  # fmt: skip
        for x, y in left:
            exact = truth(name, *mx.broadcast_arrays(x.value, y.value)) if name in TRUTH else None
            shard.case(name, x, y, exact=exact)
    ints = shard.array(np.arange(-6, 6, dtype=np.int32).reshape(3, 4))
    for name in ["floorDivide", "remainder", "bitwiseXor", "leftShift", "minimum"]:
        shard.case(name, ints, 3)
        shard.case(name, ints.T, shard.array(np.array([1, 2, 4], np.int32)))
        shard.case(name, ints.at("::-1, 1:"), shard.array(np.array(2, np.int32)))
    shard.case("broadcastArrays", a, row, column)


def conditions(shard):
    """where and clip."""
    condition = shard.array(np.array([True, False, True, True, False]))
    for dtype in DTYPES:
        x, y = shard.array(sample([1, 2, 3, 4, 5] if dtype != "bool" else [1, 1, 0, 0, 1], dtype)), shard.array(
            sample([7, 0, 9, 8, 6] if dtype != "bool" else [0, 1, 1, 0, 0], dtype)
        )
        shard.case("where", condition, x, y)
        shard.case("where", shard.array(np.array([[True], [False]])), x, y)
        if dtype != "bool":
            shard.case("clip", x, 2, 4)
            shard.case("clip", x, shard.array(sample([2, 2, 2, 4, 4], dtype)), None)
            shard.case("clip", x, None, 3)
    edge = shard.array(floats(pairs("float32"), "float32"))
    shard.case("which", condition, edge.at(":5"), 2.5)
    shard.case("where", shard.array(np.array([0.0, 1.0, math.nan, -2.0], np.float32)), 1.5, 0.5)
    shard.case("where", shard.array(np.array([0, 3, -1], np.int32)), shard.array(np.array([1, 2, 3], np.int16)), 2.5)
    shard.case("where", condition, shard.array(np.array([1, 2, 3, 4, 5], np.uint8)), shard.array(floats([0.5] * 5, "float16")))
    shard.case("where", True, edge, 0.25)
    shard.case("clip", edge, -0.5, 2.75)
    shard.case("clip", edge, shard.array(floats([math.nan], "float32")), None)
    shard.case("clip", shard.array(np.arange(12, dtype=np.int32).reshape(3, 4)), shard.array(np.array([[2], [5], [9]], np.int32)), 10)
    shard.case("clip", shard.array(np.arange(6, dtype=np.int32)), 1.5, 3.5)
    shard.case("clip", shard.array(np.arange(6, dtype=np.float32)).at("::-2"), 1, 3)


def closeness(shard):
    """isClose, allClose, arrayEqual."""
    a = shard.array(floats([1.0, 1.0, math.nan, math.inf, -math.inf, 0.0, 1e-9, 100.0], "float32"))
    b = shard.array(floats([1.0, 1.00002, math.nan, math.inf, math.inf, -0.0, 0.0, 100.0005], "float32"))
    for options in [{}, {"equalNaN": True}, {"rtol": 1e-3}, {"atol": 1e-3, "rtol": 0.0}]:
        shard.case("isClose", a, b, **options)
        shard.case("allClose", a, b, **options)
        shard.case("allClose", a.at(":2"), b.at(":2"), **options)
    shard.case("isClose", shard.array(np.array([1, 2], np.int32)), shard.array(np.array([1, 3], np.int32)))
    for left, right in [(a, a), (a, b), (a.at(":2"), a.at(":2")), (a.at(":2"), a.at(":3"))]:
        shard.case("arrayEqual", left, right)
        shard.case("arrayEqual", left, right, equalNaN=True)
    shard.case("arrayEqual", shard.array(np.array([1, 2], np.int32)), shard.array(np.array([1, 2], np.float32)))


def powers(shard):
    """power of scalars, fractional and negative exponents, wrapping integers."""
    x = floats([0.0, -0.0, 0.5, 2.0, 10.0, -2.0, -0.5, math.inf, -math.inf, math.nan], "float32")
    values = shard.array(x)
    for exponent in [0, 1, 2, 3, -1, -2, 0.5, -0.5, 1.5, 10]:
        shard.case("power", values, exponent, exact=truth("power", x, mx.full(x.shape, exponent, mx.float32)))
    shard.case("power", 2, shard.array(floats([-3.0, 0.5, 10.0, 127.0, 128.0, -149.0, -150.0], "float32")))
    base = floats([0.1, 0.9, 1.1, 3.3, 7.7, 25.0, 123.4], "float32")
    for exponent in [0.3, 2.7, -3.3, 12.0]:
        shard.case("power", shard.array(base), exponent, exact=truth("power", base, mx.full(base.shape, exponent, mx.float32)))
    shard.case("pow", values, 2)
    shard.case("atan2", values, 2)
    for dtype in INTEGERS:
        shard.case("multiply", shard.array(integers([INTEGER_RANGE[dtype][1], 100, 3], dtype)), shard.array(integers([3, 100, 77], dtype)))
