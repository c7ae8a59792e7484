"""The dtype of every pair of dtypes, and of every dtype with a plain number."""

import numpy as np

from .samples import floats, sample
from .shard import DTYPES, FLOATS


def record(shard):
    ones = {dtype: shard.array(sample([1, 0], dtype)) for dtype in DTYPES}
    for left in DTYPES:
        for right in DTYPES:
            shard.case("add", ones[left], ones[right])
    for left in ["bool", "uint8", "uint64", "int32", "int64", "float16", "bfloat16", "float32"]:
        for right in ["bool", "int8", "int64", "uint32", "float16", "bfloat16", "float64"]:
            for name in ["divide", "floorDivide", "power", "less", "maximum", "logicalAnd", "arctan2"]:
                if name == "floorDivide" and right not in FLOATS:
                    continue
                shard.case(name, ones[left], ones[right])
            shard.case("concatenate", [ones[left], ones[right]])
            shard.case("stack", [ones[left], ones[right]])
            shard.case("where", ones["bool"], ones[left], ones[right])
            shard.case("matmul", ones[left], ones[right])
    for dtype in DTYPES:
        x = ones[dtype]
        for name in ["add", "subtract", "multiply", "divide", "power", "maximum", "less", "equal"]:
            for number in [2, 2.5, True, -1] if not (name == "power" and dtype not in FLOATS) else [2, 2.5, True]:
                if number == -1 and dtype.startswith(("u", "b")):
                    continue
                shard.case(name, x, number)
                shard.case(name, number, x)
        if dtype != "float64":  # whose logAddExp MLX computes in float32
            for number in [2, 2.5, True]:
                shard.case("logAddExp", x, number)
        if dtype not in FLOATS and dtype != "bool":
            for name in ["floorDivide", "remainder", "bitwiseAnd", "leftShift"]:
                shard.case(name, x, 2)
        shard.case("remainder", x, 2.5)
        shard.case("where", ones["bool"], x, 3)
        shard.case("where", ones["bool"], 0.5, x)
    shard.case("add", 2, 3)
    shard.case("add", 2, 2.5)
    shard.case("add", True, True)
    shard.case("divide", 7, 2)
    shard.case("add", 2**40, 1)
    big = shard.array(np.array([2**63 + 1025, 2**64 - 1, 5], np.uint64))
    shard.case("add", big, shard.array(np.array([1, 1, -3], np.int64)))
    shard.case("add", big, 1)
    shard.case("multiply", big, big)
    shard.case("add", shard.array(np.array([2**53 + 1, -(2**62)], np.int64)), shard.array(floats([0.5, 1.5], "float32")))
