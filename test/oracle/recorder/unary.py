"""Functions of one array, element by element."""

import math

import mlx.core as mx
import numpy as np
import scipy.special as special

from .samples import edges, floats, normals, sample
from .shard import DTYPES, FLOATS, exactly

TRUTH = {
    "exp": np.exp, "expm1": np.expm1, "log": np.log, "log2": np.log2, "log10": np.log10, "log1p": np.log1p,
    "sin": np.sin, "cos": np.cos, "tan": np.tan, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh,
    "arcsin": np.arcsin, "arccos": np.arccos, "arctan": np.arctan, "arcsinh": np.arcsinh, "arccosh": np.arccosh,
    "arctanh": np.arctanh, "erf": special.erf, "erfinv": special.erfinv, "sigmoid": special.expit,
    "sqrt": np.sqrt, "rsqrt": lambda x: 1 / np.sqrt(x), "reciprocal": lambda x: 1 / x,
    "degrees": np.degrees, "radians": np.radians,
}  # fmt: skip
ALIASES = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh"}
EXACT = [
    "abs", "negative", "positive", "sign", "square", "ceil", "floor", "round", "trunc", "logicalNot", "isNaN", "isInf",
    "isFinite", "isPosInf", "isNegInf", "nanToNum", "stopGradient",
]  # fmt: skip


def truth(name, values):
    """The true value in float64: MLX computes some float64 functions in float32."""
    with np.errstate(all="ignore"):
        return TRUTH[name](exactly(values))


def record(shard):
    for name in [*TRUTH, *EXACT]:
        for dtype in DTYPES:
            values = edges(dtype)
            exact = truth(name, values) if name in TRUTH else None
            shard.case(name, shard.array(values), exact=exact)
    for alias, name in ALIASES.items():
        values = floats([0.5, -0.25, 1.0, 1.5, math.nan, -0.0], "float32")
        shard.case(alias, shard.array(values), exact=truth(name, values))
    for name in ["conj", "conjugate", "real", "imag"]:
        shard.case(name, shard.array(edges("float32")))
    for dtype in ["bool", *[d for d in DTYPES if "int" in d]]:
        shard.case("bitwiseInvert", shard.array(edges(dtype)))
    huge = floats([1e5, -1e5, 123456.789, 1e7, -3e9, 1e15, 1e30, -2.5e38], "float32")
    for name in ["sin", "cos", "tan", "tanh", "arctan", "arcsinh", "log1p", "erf", "cosh"]:
        shard.case(name, shard.array(huge), exact=truth(name, huge))
    near_one = floats([0.9999, 0.99999, 1.00001, 1.0001, 0.9999999, 1.0000001, 0.97, 1.03], "float32")
    for name in ["log", "log2", "log10", "arccosh", "arcsin", "arccos", "arctanh", "erfinv"]:
        shard.case(name, shard.array(near_one), exact=truth(name, near_one))
    near_zero = floats([1e-7, -1e-7, 3e-8, 1e-10, -1e-20, 1e-30, 1e-38, -1e-40, 5e-4, -0.02, 0.0625], "float32")
    for name in ["expm1", "log1p", "tanh", "sinh", "sin", "arcsinh", "arctanh", "erf", "erfinv", "arcsin", "tan", "arctan"]:
        shard.case(name, shard.array(near_zero), exact=truth(name, near_zero))
    near_overflow = floats([87.0, 88.0, 88.5, 88.72, 88.73, 89.0, -87.0, -87.5, -88.0, -95.0, -103.0, -103.9, -105.0], "float32")
    for name in ["exp", "expm1", "sinh", "cosh", "sigmoid"]:
        shard.case(name, shard.array(near_overflow), exact=truth(name, near_overflow))
    # Shapes: scalar, empty, odd, strided. A function that is right on the edges needs few of each.
    many = normals((67,), seed=1)
    matrix = shard.array(normals((5, 7), seed=2))
    for name in TRUTH:
        shard.case(name, shard.array(many), exact=truth(name, many))
    for name in ["exp", "abs", "sign", "tanh", "floor", "isNaN", "erf", "rsqrt"]:
        shard.case(name, shard.array(floats(0.75, "float32")))
        shard.case(name, shard.array(floats([], "float32")))
        shard.case(name, shard.array(np.zeros((3, 0, 2), np.float32)))
        for view in [matrix.T, matrix.at("1:4, ::2"), matrix.at("::-1, ::-3"), matrix.at("2").broadcast(3, 7)]:
            shard.case(name, view, exact=truth(name, view.value) if name in TRUTH else None)
    shard.case("nanToNum", shard.array(edges("float32")), nan=7.5, posinf=100.0, neginf=-50.0)
    shard.case("nanToNum", shard.array(edges("float16")), nan=1.5)
    for decimals in [0, 1, 2, -1, -2, 3]:
        for dtype in ["float32", "float16", "int32"]:
            values = sample([0, 5, 15, 25, 1234, -1234, -15, 250, 1250], dtype)
            if dtype != "int32":
                values = values / 4
            shard.case("round", shard.array(values), decimals=decimals, exact=np.round(exactly(values), decimals))
    for source in DTYPES:
        limited = [0, 1, 2, 3, 100, 127] if source != "bool" else [0, 1]
        if not source.startswith(("u", "b")):
            limited += [-1, -2, -100]
        values = shard.array(sample(limited, source))
        for target in DTYPES:
            if target.startswith("u") and source in FLOATS:
                continue  # a negative float to an unsigned integer is undefined in C++
            shard.case("asType", values, target, call=lambda x, t: x.astype(getattr(mx, t if t != "bool" else "bool_")))
    wide = shard.array(np.array([0, 255, 256, 65535, 65536, 2**31 - 1, -(2**31), -1, 2**40 + 5, 2**53 + 1, -(2**62)], np.int64))
    for target in DTYPES:
        shard.case("asType", wide, target, call=lambda x, t: x.astype(getattr(mx, t if t != "bool" else "bool_")))
    fractional = shard.array(floats([0.0, -0.0, 0.4, 0.5, 0.999, 1.5, 2.5, 126.99, 100.1], "float32"))
    for target in DTYPES:
        shard.case("asType", fractional, target, call=lambda x, t: x.astype(getattr(mx, t if t != "bool" else "bool_")))
    for source in ["float64", "float32"]:  # rounding to fewer bits: ties, overflow, subnormals, NaN
        values = [1 + 2**-11, 1 + 3 * 2**-11, 1 + 2**-8, 1 + 3 * 2**-9, 1 + 2**-24, 1 + 2**-23 + 2**-24, 65519.0, 65520.0,
                  70000.0, 2**-24, 2**-25, 1.5 * 2**-25, 2**-14 - 2**-25, 6e-8, 3.39e38, 3.4e38, 1e-40, 1e-45, math.nan,
                  math.inf, -math.inf, -0.0, 0.1, -1 / 3]  # fmt: skip
        for target in FLOATS:
            shard.case("asType", shard.array(floats(values, source)), target, call=lambda x, t: x.astype(getattr(mx, t)))
    bits = shard.array(np.array([[0x3F800000, 0x7FC00000, 0x80000000, 1], [0xFF800000, 0x12345678, 0xCAFEBABE, 0]], np.uint32))
    for target in DTYPES:
        if target != "bool":
            shard.case("view", bits, target, call=lambda x, t: x.view(getattr(mx, t)))
    words = shard.array(np.array([0x3C00, 0xBC00, 0x7BFF, 0x0001, 0x8001, 0x7C00, 0x3555, 0xC2F7, 0x0000], np.uint16))
    for source in ["uint16", "int16", "float16", "bfloat16"]:
        x = shard.array(words.value.view(getattr(mx, source)))
        for target in ["uint16", "int16", "float16", "bfloat16"]:
            shard.case("view", x, target, call=lambda x, t: x.view(getattr(mx, t)))
    octets = shard.array(np.array([0, 1, 127, 128, 255], np.uint8))
    shard.case("view", octets, "int8", call=lambda x, t: x.view(getattr(mx, t)))
    shard.case("view", shard.array(octets.value.view(mx.int8)), "uint8", call=lambda x, t: x.view(getattr(mx, t)))
    truths = shard.array(np.array([True, False, True]))
    for target in ["uint8", "int8"]:
        shard.case("view", truths, target, call=lambda x, t: x.view(getattr(mx, t)))
