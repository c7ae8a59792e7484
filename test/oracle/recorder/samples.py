"""The values that cases are made of: edges of every dtype, exactly summable numbers, and fixed random ones."""

import math

import mlx.core as mx
import numpy as np

from .shard import FLOATS, dtype_of

LARGEST = {"float16": 65504.0, "bfloat16": 3.3895313892515355e38, "float32": 3.4028234663852886e38, "float64": 1.7976931348623157e308}
SMALLEST_NORMAL = {"float16": 2.0**-14, "bfloat16": 2.0**-126, "float32": 2.0**-126, "float64": 2.0**-1022}
SMALLEST = {"float16": 2.0**-24, "bfloat16": 2.0**-133, "float32": 2.0**-149, "float64": 2.0**-1074}

INTEGER_RANGE = {
    "bool": (0, 1), "uint8": (0, 2**8 - 1), "uint16": (0, 2**16 - 1), "uint32": (0, 2**32 - 1), "uint64": (0, 2**64 - 1),
    "int8": (-(2**7), 2**7 - 1), "int16": (-(2**15), 2**15 - 1), "int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1),
}  # fmt: skip


def floats(values, dtype):
    """An MLX array of a float dtype, subnormals kept."""
    with np.errstate(all="ignore"):
        if dtype == "float64":
            return mx.array(np.array(values, np.float64), mx.float64)
        return mx.array(np.array(values, np.float32)).astype(dtype_of(dtype))


def integers(values, dtype):
    """An MLX array of an integer dtype, every bit kept."""
    return mx.array(np.array(values, np.bool_ if dtype == "bool" else dtype))


def sample(values, dtype):
    """An MLX array of any dtype."""
    return floats(values, dtype) if dtype in FLOATS else integers(values, dtype)


def edges(dtype):
    """What a function of one argument should be asked about."""
    if dtype not in FLOATS:
        low, high = INTEGER_RANGE[dtype]
        wanted = [0, 1, -1, 2, -2, 3, 4, 5, -5, 7, -7, 9, 16, 60, 100, -100, low, low + 1, high, high - 1]
        return integers([v for v in dict.fromkeys(wanted) if low <= v <= high], dtype)
    tiny, normal, largest = SMALLEST[dtype], SMALLEST_NORMAL[dtype], LARGEST[dtype]
    wanted = [
        math.nan, math.inf, -math.inf, 0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, -1.5, 2.5, -2.5, 3.5, -3.5, 2.0, -2.0,
        3.0, -3.0, 0.1, -0.1, 0.25, -0.25, 0.3, -0.7, 0.9, -0.9, 0.99, -0.99, 1.01, 0.01, -0.01, 1e-3, -1e-3, 1e-4,
        1e-5, -1e-5, 4.0, 5.5, -6.0, 7.25, 10.0, -10.0, 17.0, -20.0, 31.4, 50.0, -50.0, math.pi, -math.pi / 2, 80.0,
        -80.0, 100.0, -100.0, 1000.0, normal, -normal, tiny, -tiny, 3 * tiny, largest, -largest,
    ]  # fmt: skip
    return floats(wanted, dtype)


def pairs(dtype):
    """What each argument of a function of two arguments should be."""
    if dtype not in FLOATS:
        low, high = INTEGER_RANGE[dtype]
        wanted = [0, 1, -1, 2, 3, -3, 5, -7, 10, 100, low, high, high - 1]
        return [v for v in dict.fromkeys(wanted) if low <= v <= high]
    return [
        math.nan, math.inf, -math.inf, 0.0, -0.0, 1.0, -1.0, 2.5, -3.0, 7.0, 0.3, -0.1, SMALLEST[dtype], LARGEST[dtype],
    ]  # fmt: skip


def dyadic(shape, dtype="float32", seed=0, bound=4, divisor=4):
    """Multiples of 1/divisor up to `bound`: their sums and products are exact in any order."""
    generator = np.random.default_rng(seed)
    if dtype == "bool":
        return mx.array(generator.integers(0, 2, shape).astype(bool))
    if dtype in FLOATS:
        values = generator.integers(-bound * divisor, bound * divisor + 1, shape) / divisor
        return floats(values, dtype)
    low = 0 if dtype.startswith("u") else -bound * 2
    return mx.array(generator.integers(low, bound * 2 + 1, shape).astype(dtype))


def normals(shape, dtype="float32", seed=0, scale=1.0):
    """Fixed normal numbers."""
    return floats(np.random.default_rng(seed).standard_normal(shape) * scale, dtype)
