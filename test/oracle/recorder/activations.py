"""nn's activation functions and modules."""

import math

import mlx.core as mx
import mlx.nn as nn
import numpy as np

from .samples import floats, normals
from .shard import encode_argument, Expected, plain, python_options

FUNCTIONS = {
    "celu": [{}, {"alpha": 0.5}], "elu": [{}, {"alpha": 0.5}], "gelu": [{}], "geluApprox": [{}], "geluFastApprox": [{}], "glu": [{}, {"axis": 0}],
    "hardShrink": [{}, {"lambd": 1.5}], "hardTanh": [{}, {"minVal": -0.5, "maxVal": 2.5}], "hardswish": [{}], "leakyRelu": [{}, {"negativeSlope": 0.25}],
    "logSigmoid": [{}], "logSoftmax": [{}, {"axis": 0}], "mish": [{}], "relu": [{}], "relu2": [{}], "relu6": [{}], "selu": [{}], "sigmoid": [{}],
    "silu": [{}], "softmax": [{}, {"axis": 0}], "softmin": [{}, {"axis": 0}], "softplus": [{}], "softshrink": [{}, {"lambd": 1.25}], "softsign": [{}],
    "step": [{}, {"threshold": 1.5}], "tanh": [{}],
}  # fmt: skip
MODULES = [
    ("GLU", [], {}), ("Sigmoid", [], {}), ("Mish", [], {}), ("ReLU", [], {}), ("ReLU2", [], {}), ("ReLU6", [], {}), ("LeakyReLU", [], {"negativeSlope": 0.5}),
    ("ELU", [], {"alpha": 2.5}), ("Softmax", [], {}), ("Softplus", [], {}), ("Softsign", [], {}), ("Softshrink", [], {"lambd": 0.75}), ("CELU", [], {"alpha": 2.5}),
    ("SiLU", [], {}), ("LogSoftmax", [], {}), ("LogSigmoid", [], {}), ("PReLU", [], {}), ("PReLU", [], {"numParameters": 6, "init": 0.75}), ("GELU", [], {}),
    ("GELU", [], {"approx": "precise"}), ("GELU", [], {"approx": "tanh"}), ("GELU", [], {"approx": "fast"}), ("Tanh", [], {}), ("Hardswish", [], {}),
    ("Step", [], {"threshold": 0.5}), ("SELU", [], {}), ("HardTanh", [], {}), ("HardShrink", [], {}), ("Softmin", [], {}),
]  # fmt: skip
# MLX's own exp is 15 units off near 20, and forms like x * (1 + erf) cancel: an absolute error is allowed too.
ALLOWED = {"float16": 2e-3, "bfloat16": 1.6e-2, "float32": 2e-6, "float64": 2e-6}


def record(shard):
    special = [math.inf, -math.inf, math.nan, 0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 3.0, -3.0, 6.0, 100.0, -100.0, 1.5, 0.75]
    for name, variants in FUNCTIONS.items():
        for options in variants:
            for dtype, allowed in ALLOWED.items():
                x = shard.array(normals((4, 6), dtype, seed=181, scale=2.5))
                shard.case(f"nn.{name}", x, ulp=4 if "16" in dtype else 16, tolerance=allowed, **options)
            x = shard.array(normals((6, 4), seed=182, scale=2.0))
            shard.case(f"nn.{name}", x.T, ulp=16, tolerance=2e-6, **options)
            if name not in ["glu", "softmax", "softmin", "logSoftmax"]:
                shard.case(f"nn.{name}", shard.array(floats(special, "float32")), ulp=16, tolerance=2e-6, **options)
                shard.case(f"nn.{name}", shard.array(floats(1.25, "float32")), ulp=16, tolerance=2e-6, **options)
            if name not in ["softmax", "softmin", "logSoftmax"]:
                shard.case(f"nn.{name}", shard.array(np.zeros((0, 4), np.float32)), **options)
    for alpha in [shard.array(floats([0.25], "float32")), shard.array(floats([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], "float32"))]:
        shard.case("nn.prelu", shard.array(normals((4, 6), seed=181)), alpha, ulp=1)
    # Where two branches meet, the gradient is a convention.
    kinks = shard.array(floats([0.0, -0.5, 0.5, -1.0, 1.0, -3.0, 3.0, 6.0, -2.0, 0.25], "float32"))
    for name in ["relu", "relu2", "relu6", "leakyRelu", "elu", "celu", "selu", "hardswish", "hardTanh", "hardShrink", "softshrink", "softsign", "gelu", "silu"]:
        shard.vjp(f"nn.{name}", kinks, ulp=8, tolerance=2e-6)
    shard.vjp("nn.prelu", kinks, shard.array(floats([0.25], "float32")), wrt=(0, 1), ulp=2)
    for name, args, options in MODULES:
        module = getattr(nn, name)(*args, **python_options(options))
        x = shard.array(normals((4, 6), seed=183, scale=2.0))
        shard.cases.append({
            "f": f"layer.{name}", "args": encode_argument(args), "options": options, "parameters": {}, "inputs": [x.encode()],
            "out": Expected.encode({"output": module(plain(x))}), "ulp": 16, "tolerance": 2e-6,
        })  # fmt: skip
