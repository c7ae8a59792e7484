"""Derivatives of functions and of small programs, and vectorized functions.

A program has a name here and the same name in programs.ts.
"""

import mlx.core as mx
import mlx.nn as nn
import numpy as np

from .samples import dyadic, floats, normals
from .shard import Expected, encode_argument, plain, python_function, python_options


def record(shard):
    unary(shard)
    binary(shard)
    shaped(shard)
    vectorized(shard)
    programs(shard)


def unary(shard):
    inside = shard.array(floats([0.1, -0.3, 0.5, -0.72, 0.9, 0.01], "float32"))
    positive = shard.array(floats([0.2, 0.5, 1.0, 2.5, 7.0, 30.0], "float32"))
    above = shard.array(floats([1.1, 1.5, 2.0, 3.5, 8.0, 40.0], "float32"))
    wide = shard.array(floats([-5.0, -1.25, -0.1, 0.3, 2.0, 6.5], "float32"))
    for names, x in [
        (["sin", "cos", "tan", "sinh", "cosh", "tanh", "exp", "expm1", "erf", "sigmoid", "square", "abs", "negative", "arctan",
          "arcsinh", "sign", "floor", "round", "degrees", "radians", "stopGradient", "nn.relu", "nn.gelu", "nn.silu", "nn.softplus"], wide),
        (["arcsin", "arccos", "arctanh", "erfinv", "log1p"], inside),
        (["log", "log2", "log10", "sqrt", "rsqrt", "reciprocal"], positive),
        (["arccosh"], above),
    ]:  # fmt: skip
        for name in names:
            shard.vjp(name, x, ulp=8, tolerance=1e-7)
    shard.vjp("sin", shard.array(normals((3, 4), seed=101)).T, ulp=8, tolerance=1e-7)
    for dtype in ["float16", "bfloat16", "float64"]:
        x = shard.array(floats([-1.5, 0.25, 0.75], dtype))
        for name in ["exp", "tanh", "square", "sigmoid"]:
            shard.vjp(name, x, ulp=8, tolerance=1e-7)


def binary(shard):
    a, b = shard.array(dyadic((3, 4), seed=102)), shard.array(dyadic((4,), seed=103) + 4.5)
    column = shard.array(dyadic((3, 1), seed=104))
    for name in ["add", "subtract", "multiply", "divide", "maximum", "minimum", "arctan2", "logAddExp", "remainder"]:
        shard.vjp(name, a, b, wrt=(0, 1), tolerance=1e-5)
        if name not in ["divide", "remainder"]:
            shard.vjp(name, a.T, column.T, wrt=(0, 1), tolerance=1e-5)
    positive = shard.array(floats([[0.5, 1.5], [2.0, 3.0]], "float32"))
    shard.vjp("power", positive, shard.array(floats([2.0, -0.5], "float32")), wrt=(0, 1), tolerance=1e-5)
    shard.vjp("power", positive, 3, tolerance=1e-5)
    condition = shard.array(np.array([[True], [False], [True]]))
    shard.vjp("where", condition, a, b, wrt=(1, 2))
    shard.vjp("clip", a, -1, 1.5)
    ties = shard.array(floats([1.0, 2.0, 3.0], "float32"))
    shard.vjp("maximum", ties, shard.array(floats([1.0, 3.0, 2.0], "float32")), wrt=(0, 1))
    shard.vjp("minimum", ties, shard.array(floats([1.0, 3.0, 2.0], "float32")), wrt=(0, 1))


def shaped(shard):
    cube, matrix = shard.array(dyadic((2, 3, 4), seed=105)), shard.array(dyadic((4, 5), seed=106))
    distinct = shard.array(floats(np.random.default_rng(7).permutation(24).reshape(2, 3, 4) / 4, "float32"))
    for name in ["sum", "mean", "variance", "logSumExp", "max", "min", "prod"]:
        for arguments in [(), (1,), ([0, 2],)]:
            x = distinct if name in ["max", "min"] else cube
            if name == "prod":
                x = shard.array(dyadic((2, 3, 4), seed=107, bound=1, divisor=1) + 1.5)
            shard.vjp(name, x, *arguments, tolerance=2e-5 if name != "prod" else 2.0)
    shard.vjp("std", cube, 1, tolerance=1e-5)
    shard.vjp("softmax", cube, -1, tolerance=1e-6)
    for name in ["cumsum", "logCumsumExp", "cumprod"]:
        shard.vjp(name, shard.array(dyadic((3, 4), seed=108, bound=1) + 2.0), 1, tolerance=2e-5)
        shard.vjp(name, shard.array(dyadic((3, 4), seed=108, bound=1) + 2.0), 0, reverse=True, tolerance=2e-5)
    for name in ["cummax", "cummin"]:
        shard.vjp(name, shard.array(floats([3.0, 1.0, 4.0, 1.5, 5.0], "float32")), 0)
    for name, arguments in [
        ("reshape", ([4, 6],)), ("transpose", ()), ("transpose", ([1, 0, 2],)), ("flip", (1,)), ("roll", (2, 1)), ("pad", (1,)), ("tile", ([2, 1, 1],)),
        ("repeat", (2, 1)), ("tril", ()), ("triu", (1,)), ("swapAxes", (0, 2)), ("expandDims", (1,)), ("broadcastTo", ([5, 2, 3, 4],)), ("flatten", ()),
    ]:  # fmt: skip
        shard.vjp(name, cube, *arguments)
    shard.vjp("sort", distinct, 1)
    shard.vjp("diagonal", matrix)
    shard.vjp("take", matrix, shard.array(np.array([1, 1, 3], np.int32)), 0)
    shard.vjp("takeAlongAxis", matrix, shard.array(np.array([[0], [4], [2], [2]], np.int32)), 1)
    shard.vjp("matmul", shard.array(dyadic((3, 4), seed=109)), matrix, wrt=(0, 1))
    shard.vjp("matmul", shard.array(dyadic((2, 3, 4), seed=110)), matrix, wrt=(0, 1))
    shard.vjp("matmul", shard.array(dyadic((4,), seed=110)), matrix, wrt=(0, 1))
    shard.vjp("matmul", matrix.T, shard.array(dyadic((4,), seed=110)), wrt=(0, 1))
    shard.vjp("addmm", shard.array(dyadic((5,), seed=111)), shard.array(dyadic((3, 4), seed=109)), matrix, wrt=(0, 1, 2), alpha=2, beta=3)
    shard.vjp("einsum", "ij,jk->ik", shard.array(dyadic((3, 4), seed=109)), matrix, wrt=(1, 2))
    shard.vjp("einsum", "ij,jk->i", shard.array(dyadic((3, 4), seed=109)), matrix, wrt=(1, 2))


def vectorized(shard):
    """vmap of a function over given axes, and jvp."""
    cube, matrix = shard.array(dyadic((2, 3, 4), seed=121)), shard.array(dyadic((4, 5), seed=122))
    other = shard.array(dyadic((2, 4, 3), seed=123))
    vector = shard.array(dyadic((3,), seed=124))

    def vmap(name, *args, inAxes, outAxes=0, **options):
        function = lambda *a: python_function(name)(*a, **python_options(options))  # noqa: E731
        axes = tuple(inAxes) if len(inAxes) > 1 else inAxes[0]
        mapped = mx.vmap(function, in_axes=axes, out_axes=outAxes)
        try:
            out = mapped(*[plain(a) for a in args])
        except (ValueError, RuntimeError, TypeError) as error:
            shard.refused.append((f"vmap {name}", str(error)))
            return
        record = {"f": name, "args": [encode_argument(a) for a in args], "vmap": {"inAxes": inAxes, "outAxes": outAxes}, "out": Expected.encode(out)}
        if options:
            record["options"] = options
        record["tolerance"] = 1e-6
        shard.cases.append(record)

    for name in ["sin", "sum", "softmax", "cumsum", "sort", "argMax", "transpose", "logSumExp", "argSort", "square"]:
        options = {"axis": -1} if name in ["softmax", "cumsum", "sort", "argMax", "logSumExp"] else {}
        for axis in [0, 1, 2]:
            vmap(name, cube, inAxes=[axis], **options)
        vmap(name, cube, inAxes=[1], outAxes=-1 if name not in ["sum"] else 0, **options)
    for axes in [[0, None], [None, 0], [0, 0]]:
        vmap("add", cube, other.permute(0, 2, 1), inAxes=axes)
    vmap("multiply", vector, cube, inAxes=[0, 1])
    vmap("matmul", cube, matrix, inAxes=[0, None])
    vmap("matmul", cube, other, inAxes=[0, 0])
    vmap("matmul", cube, matrix, inAxes=[1, None], outAxes=1)
    vmap("take", cube, shard.array(np.array([1, 0], np.int32)), inAxes=[0, None], axis=0)
    vmap("where", shard.array(np.array([True, False])), cube, other.permute(0, 2, 1), inAxes=[0, 0, 0])

    def jvp(name, *args, tolerance=1e-5):
        primals = [plain(a) for a in args]
        tangents = [shard.array(dyadic(p.shape, seed=130 + i)) for i, p in enumerate(primals)]
        _, out = mx.jvp(python_function(name), primals, [t.value for t in tangents])
        shard.cases.append({
            "f": name, "args": [encode_argument(a) for a in args], "jvp": {"tangents": [t.encode() for t in tangents]},
            "out": Expected.encode(out), "tolerance": tolerance,
        })  # fmt: skip

    for name in ["sin", "exp", "tanh", "square", "sum", "softmax", "logSumExp", "nn.gelu"]:
        jvp(name, cube)
    for name in ["add", "multiply", "divide", "arctan2"]:
        jvp(name, cube, shard.array(dyadic((3, 4), seed=125) + 5.0))
    jvp("matmul", shard.array(dyadic((3, 4), seed=126)), matrix)


def programs(shard):
    """Whole functions with a name: their value, gradients, and gradients of gradients."""
    x, w1, w2 = shard.array(normals((8, 5), seed=141)), shard.array(normals((5, 7), seed=142)), shard.array(normals((7, 3), seed=143))
    b1, b2 = shard.array(normals((7,), seed=144)), shard.array(normals((3,), seed=145))
    labels = shard.array(np.array([0, 2, 1, 1, 0, 2, 2, 1], np.int32))
    q, k, v = (shard.array(normals((2, 6, 4), seed=146 + i)) for i in range(3))
    vector = shard.array(floats([0.3, -1.2, 0.7, 2.1], "float32"))

    def perceptron(w1, b1, w2, b2, x, labels):
        hidden = nn.relu(x @ w1 + b1)
        return nn.losses.cross_entropy(hidden @ w2 + b2, labels, reduction="mean")

    def attention(q, k, v):
        return mx.sum(mx.square(mx.softmax(q @ k.swapaxes(-1, -2) * 0.5, axis=-1) @ v))

    def rosenbrock(x):
        return mx.sum(100 * mx.square(x[1:] - mx.square(x[:-1])) + mx.square(1 - x[:-1]))

    def normalized(x, w, b):
        centred = x - mx.mean(x, axis=-1, keepdims=True)
        return mx.sum(mx.sin(centred * mx.rsqrt(mx.mean(mx.square(centred), axis=-1, keepdims=True) + 1e-5) * w + b))

    def article(scale, readings):
        return mx.square(mx.mean(readings * scale) - 1)

    def hessian_vector(x):
        direction = mx.array([1.0, -0.5, 2.0, 0.25])
        return mx.grad(lambda y: mx.sum(mx.grad(rosenbrock)(y) * direction))(x)

    def third_derivative(x):
        return mx.grad(mx.grad(mx.grad(lambda y: mx.sin(y) * mx.exp(y * 0.5))))(x)

    def per_sample(w, x):
        return mx.vmap(mx.grad(lambda w, row: mx.sum(mx.tanh(row @ w))), in_axes=(None, 0))(w, x)

    def jacobian(x):
        return mx.vmap(lambda c: mx.vjp(lambda y: mx.cumsum(mx.sin(y)), [x], [c])[1][0])(mx.eye(4))

    def gathered(table, index):
        return mx.sum(mx.square(table[index]))

    def program(name, function, *args, wrt=None, tolerance=1e-5):
        inputs = [plain(a) for a in args]
        out = function(*inputs) if wrt is None else mx.value_and_grad(function, argnums=wrt)(*inputs)
        mx.eval(out)
        case = {"f": f"program.{name}", "args": [encode_argument(a) for a in args]}
        if wrt is not None:
            case["valueAndGrad"] = list(wrt)
        shard.cases.append({**case, "out": Expected.encode(out), "tolerance": tolerance})

    program("perceptron", perceptron, w1, b1, w2, b2, x, labels, wrt=(0, 1, 2, 3))
    program("attention", attention, q, k, v, wrt=(0, 1, 2))
    program("rosenbrock", rosenbrock, vector, wrt=(0,), tolerance=1e-3)
    program("normalized", normalized, x, shard.array(normals((5,), seed=150)), shard.array(normals((5,), seed=151)), wrt=(0, 1, 2))
    program("article", article, shard.array(floats(1.5, "float32")), shard.array(floats([70, 72, 75, 80, 68], "float32")), wrt=(0,), tolerance=0)
    program("hessianVector", hessian_vector, vector, tolerance=1e-3)
    program("thirdDerivative", third_derivative, shard.array(floats(0.7, "float32")))
    program("perSample", per_sample, w1, x)
    program("jacobian", jacobian, vector)
    program("gathered", gathered, w1, shard.array(np.array([1, 1, 4, 0], np.int32)), wrt=(0,))
