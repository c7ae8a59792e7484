"""Random numbers: the same bits from the same key, and from the global state after a seed."""

import mlx.core as mx
import numpy as np

from .samples import dyadic, floats
from .shard import Expected, dtype_of, encode_argument, plain, python_function, python_options


def record(shard):
    seeds = [0, 1, 42, 864, 2**31, 2**32 + 5, 2**53 - 1]
    keys = []
    for seed in seeds:
        keys.append(shard.array(shard.case("random.key", seed)))
    for key in keys:
        shard.case("random.split", key)
        shard.case("random.normal", [], key=key)
    for count in [1, 3, 5, 8, 33]:
        shard.case("random.split", keys[2], count)
        # MLX's bits have no Python name, but split is bits of [count, 2].
        shard.case("random.bits", [count, 2], key=keys[3], call=lambda shape, key: mx.random.split(key, shape[0]))
    for key in keys[:4]:
        samples(shard, key)
    parameters(shard, keys[1])
    choices(shard, keys)
    covariances(shard, keys)
    sequences(shard)


def samples(shard, key):
    for shape in [[], [1], [2], [3], [7], [2, 3], [0], [3, 5, 1], [65]]:
        shard.case("random.uniform", 0, 1, shape, key=key)
        shard.case("random.normal", shape, key=key)
        shard.case("random.randint", 0, 10, shape, key=key)
        shard.case("random.bernoulli", 0.5, shape, key=key)
        shard.case("random.gumbel", shape, key=key, tolerance=5e-7)  # it crosses zero: -log(-log(u))
        shard.case("random.laplace", shape, key=key)
        shard.case("random.truncatedNormal", -2, 2, shape, key=key, tolerance=3e-6)  # through MLX's erf, 3e-8 off


def parameters(shard, key):
    for dtype in ["float16", "bfloat16", "float32"]:
        # Halves are exact: every step is rounded to the dtype, here as there.
        is_half = dtype != "float32"
        shape = [257] if is_half else [9]
        allowed = None if is_half else 2e-6
        shard.case("random.uniform", 0, 1, shape, dtype=dtype, key=key)
        shard.case("random.uniform", -3, 5, shape, dtype=dtype, key=key)
        shard.case("random.normal", shape, dtype=dtype, key=key)
        shard.case("random.normal", shape, loc=1.5, scale=2.5, dtype=dtype, key=key, tolerance=allowed)
        shard.case("random.gumbel", shape, dtype=dtype, key=key, tolerance=allowed)
        shard.case("random.laplace", shape, dtype=dtype, key=key, tolerance=allowed)
        shard.case("random.laplace", shape, loc=1.5, scale=2.5, dtype=dtype, key=key, tolerance=allowed)
        shard.case("random.truncatedNormal", -1, 0.5, shape, dtype=dtype, key=key, tolerance=allowed)
    for dtype in ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]:
        shard.case("random.randint", 0, 100, [9], dtype=dtype, key=key)
    shard.case("random.randint", -50, 50, [17], key=key)
    shard.case("random.randint", 5, 6, [4], key=key)
    low, high = shard.array(np.array([[0], [10]], np.int32)), shard.array(np.array([5, 20, 30], np.int32))
    shard.case("random.randint", low, high, [2, 3], key=key)
    shard.case("random.uniform", shard.array(floats([[0.0], [10.0]], "float32")), shard.array(floats([1.0, 20.0, 30.0], "float32")), [2, 3], key=key)
    shard.case("random.normal", [8], loc=2.5, scale=0.5, key=key)
    shard.case("random.normal", [2, 3], loc=shard.array(floats([[0.5], [10.0]], "float32")), scale=shard.array(floats([1.0, 2.0, 4.0], "float32")), key=key)
    shard.case("random.laplace", [8], loc=-1.5, scale=3, key=key)
    for low, high, dtype in [(0, 256, "uint8"), (-128, 128, "int8"), (0, 2**31, "int32"), (0, 2**32, "uint32"), (0, 2, "bool"), (-7.25, 5.5, "int32")]:
        shard.case("random.randint", low, high, [9], dtype=dtype, key=key)
    bounds = shard.array(floats([-3.5, 0.25, 2.75], "float32")), shard.array(np.array([[4], [9]], np.int8))
    shard.case("random.randint", *bounds, [2, 3], key=key)
    shard.case("random.truncatedNormal", 1, -1, [9], key=key)
    # MLX draws float32 and goes on in float64, so that the error is float32's.
    shard.case("random.normal", [9], dtype="float64", loc=0.5, scale=3, key=key, tolerance=2e-6)
    shard.case("random.laplace", [9], dtype="float64", loc=0.5, scale=3, key=key, tolerance=2e-6)
    for p in [0, 0.1, 0.9, 1]:
        shard.case("random.bernoulli", p, [33], key=key)
    shard.case("random.bernoulli", shard.array(floats([0.1, 0.5, 0.9, 0.25, 0.75], "float32")), key=key)
    shard.case("random.bernoulli", shard.array(floats([[0.2], [0.8]], "float32")), [2, 5], key=key)
    shard.case("random.truncatedNormal", shard.array(floats([-1.0, 0.0, 0.5], "float32")), shard.array(floats([[1.0], [3.0]], "float32")), key=key, tolerance=3e-6)


def choices(shard, keys):
    logits = shard.array(dyadic((4, 6), seed=161))
    for key in keys[1:4]:
        shard.case("random.categorical", logits, key=key)
        shard.case("random.categorical", logits, axis=0, key=key)
        shard.case("random.categorical", logits, numSamples=5, key=key)
        shard.case("random.categorical", logits, axis=1, shape=[3, 4], key=key)
        shard.case("random.categorical", logits.T, key=key)
        one_distribution(shard, key)
        shard.case("random.permutation", 10, key=key)
        shard.case("random.permutation", logits, key=key)
        shard.case("random.permutation", logits, axis=1, key=key)
        shard.case("random.permutation", shard.array(np.arange(7, dtype=np.int32)), key=key)
        mean = shard.array(floats([1.0, -2.0, 0.5], "float32"))
        diagonal = shard.array(np.diag(np.array([4.0, 1.0, 0.25], np.float32)))
        shard.case("random.multivariateNormal", mean, diagonal, [5], key=key, tolerance=1e-5)
        shard.case("random.multivariateNormal", mean, diagonal, key=key, tolerance=1e-5)


def one_distribution(shard, key):
    row = dyadic((7,), seed=162)
    shard.case("random.categorical", shard.array(row), key=key)
    shard.case("random.categorical", shard.array(row), numSamples=9, key=key)
    for shape in [[1], [9], [2, 3]]:
        shard.case("random.categorical", shard.array(row), shape=shape, key=key)
    shard.case("random.categorical", shard.array(row[None]), key=key)
    shard.case("random.categorical", shard.array(row[:, None]), axis=0, numSamples=4, key=key)
    for dtype in ["float16", "bfloat16", "int8", "bool"]:
        shard.case("random.categorical", shard.array(row.astype(dtype_of(dtype))), numSamples=9, key=key)
    for special in [[-np.inf, 0, -np.inf, 1], [np.inf, 0, np.inf, 1], [-np.inf, -np.inf, -np.inf], [3e38, -3e38]]:
        shard.case("random.categorical", shard.array(floats(special, "float32")), numSamples=9, key=key)


def covariances(shard, keys):
    """Samples are normals times U √S Vᵀ: of rounded singular values MLX takes roots, so where one is 0 the truth is recorded too."""
    for n in [1, 2, 3, 5, 10, 30]:
        draw = np.random.default_rng(n).standard_normal
        root, half, basis = draw((n, n)), draw((n, (n + 1) // 2)), np.linalg.qr(draw((n, n)))[0]
        covariance_case(shard, root @ root.T + 0.1 * np.eye(n), draw(n), [4], keys[1])
        covariance_case(shard, half @ half.T, draw(n), [4], keys[2])
        covariance_case(shard, (basis * (1 + np.arange(n) % 2)) @ basis.T, draw(n), [4], keys[3])
    draw = np.random.default_rng(0).standard_normal
    roots = draw((2, 1, 4, 4))
    batch = roots @ roots.swapaxes(-1, -2) + 0.1 * np.eye(4)
    covariance_case(shard, batch, draw((3, 4)), [], keys[4])
    covariance_case(shard, batch, draw(4), [5, 2, 3], keys[5])
    for matrix in [np.zeros((3, 3)), 1e-12 * batch[0, 0], 1e12 * batch[0, 0], roots[0, 0]]:
        covariance_case(shard, matrix, np.zeros(len(matrix)), [3], keys[6])


def covariance_case(shard, covariance, mean, shape, key):
    covariance, mean = np.float32(covariance), np.float32(mean)
    u, s, v = np.linalg.svd(np.float64(covariance))
    full = np.broadcast_shapes(shape, mean.shape[:-1], covariance.shape[:-2])
    normals = np.array(mx.random.normal([*full, mean.shape[-1]], key=key.value), np.float64)
    exact = mean + (normals[..., None, :] @ (u * np.sqrt(s)[..., None, :] @ v))[..., 0, :]
    allowed = 4e-6 * float(np.sqrt(s.max())) + 1e-6 * float(np.abs(mean).max())
    is_singular = s.min() < 1e-5 * s.max()
    shard.case("random.multivariateNormal", shard.array(mean), shard.array(covariance), shape, key=key, tolerance=allowed, exact=exact if is_singular else None)


def sequences(shard):
    """What one global state gives, call after call: `program.randomSequence(seed, calls)`."""

    def sequence(seed, calls):
        mx.random.seed(seed)
        out = [python_function(name)(*plain(args), **python_options(options)) for name, args, options in calls]
        mx.eval(out)
        shard.cases.append({"f": "program.randomSequence", "args": [seed, [[n, encode_argument(a), o] for n, a, o in calls]], "out": Expected.encode(out), "ulp": 4, "tolerance": 3e-6})  # fmt: skip

    for seed in [864, 0, 7]:
        sequence(seed, [["random.normal", [[]], {}]])
        sequence(seed, [["random.normal", [[]], {}], ["random.normal", [[3]], {}], ["random.uniform", [0, 1, [2, 2]], {}], ["random.randint", [0, 9, [4]], {}]])
        sequence(seed, [
            ["random.uniform", [0, 1, [3]], {}], ["random.bernoulli", [0.5, [5]], {}], ["random.gumbel", [[3]], {}], ["random.laplace", [[3]], {}],
            ["random.truncatedNormal", [-1, 1, [3]], {}], ["random.permutation", [6], {}], ["random.normal", [[]], {}],
        ])  # fmt: skip
    sequence(864, [["random.normal", [[]], {}]] * 12)
