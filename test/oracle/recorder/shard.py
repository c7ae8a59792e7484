"""One recorded file: its pool of input arrays, its cases, and how both are written down.

A case names our function in camelCase and gives its arguments as JSON. The same description
is run through MLX here and through our own functions in oracle.test.ts, so that
the two sides cannot drift apart: what is written is what was called.
"""

import base64
import json
import math
import re

import mlx.core as mx
import mlx.nn as nn
import numpy as np

# Names that are not their camelCase form with underscores.
PYTHON_NAMES = {
    "asType": "astype",
    "argMax": "argmax",
    "argMin": "argmin",
    "argSort": "argsort",
    "argPartition": "argpartition",
    "topK": "topk",
    "searchSorted": "searchsorted",
    "logSumExp": "logsumexp",
    "logCumsumExp": "logcumsumexp",
    "logAddExp": "logaddexp",
    "swapAxes": "swapaxes",
    "moveAxis": "moveaxis",
    "atLeast1d": "atleast_1d",
    "atLeast2d": "atleast_2d",
    "atLeast3d": "atleast_3d",
    "isNaN": "isnan",
    "isInf": "isinf",
    "isFinite": "isfinite",
    "isPosInf": "isposinf",
    "isNegInf": "isneginf",
    "isClose": "isclose",
    "allClose": "allclose",
    "expandDims": "expand_dims",
    "variance": "var",
    "convTransposed1d": "conv_transpose1d",
    "convTransposed2d": "conv_transpose2d",
    "convTransposed3d": "conv_transpose3d",
    "which": "where",
    "beta1": "beta_1",
}

PYTHON_OPTIONS = {"keepAxes": "keepdims", "equalNaN": "equal_nan", "hiddenSize": "mlp_dims"}

DTYPES = [
    "bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64",
    "float16", "bfloat16", "float32", "float64",
]  # fmt: skip
FLOATS = ["float16", "bfloat16", "float32", "float64"]
INTEGERS = ["uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"]


def dtype_of(name):
    """The MLX dtype called `name`."""
    return mx.bool_ if name == "bool" else getattr(mx, name)


def name_of(dtype):
    """Our name of an MLX dtype."""
    return "bool" if dtype == mx.bool_ else str(dtype).removeprefix("mlx.core.")


def snake(name):
    """camelCase to snake_case, by table first."""
    return PYTHON_NAMES.get(name) or re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()


def python_function(name):
    """The MLX function that our `name` (`sum`, `nn.relu`, `random.uniform`, `fast.rope`) stands for."""
    *path, last = name.split(".")
    owner = {"nn": nn, "random": mx.random, "fast": mx.fast, "linalg": mx.linalg, "losses": nn.losses}[path[0]] if path else mx
    return getattr(owner, snake(last))


def bits_of(value):
    """The little-endian bytes of an MLX array, row-major."""
    value = mx.contiguous(value)
    if value.dtype == mx.bfloat16:
        value = value.view(mx.uint16)
    return np.array(value).tobytes()


def encode_array(value):
    """An MLX array as JSON: dtype, shape, and base64 of its bytes."""
    return {"d": name_of(value.dtype), "s": list(value.shape), "b": base64.b64encode(bits_of(value)).decode()}


class Input:
    """An array argument: an entry of the pool, and the views taken of it."""

    def __init__(self, key, value, steps=()):
        self.key, self.value, self.steps = key, value, list(steps)

    @property
    def T(self):
        return Input(self.key, self.value.T, [*self.steps, "T"])

    def permute(self, *axes):
        return Input(self.key, self.value.transpose(axes), [*self.steps, "permute " + ",".join(map(str, axes))])

    def at(self, spec):
        items = eval(f"_[{spec}]", {"_": type("", (), {"__getitem__": lambda _, i: i})()})
        return Input(self.key, self.value[items], [*self.steps, "at " + spec])

    def broadcast(self, *shape):
        return Input(
            self.key, mx.broadcast_to(self.value, shape), [*self.steps, "broadcast " + ",".join(map(str, shape))]
        )

    def encode(self):
        return {"$": self.key, "t": self.steps} if self.steps else {"$": self.key}


class Expected:
    """A value that MLX gave, wherever JSON needs it spelled out."""

    @staticmethod
    def encode(value):
        if isinstance(value, mx.array):
            return encode_array(value)
        if isinstance(value, dict):
            return {"dict": {k: Expected.encode(v) for k, v in value.items()}}
        if isinstance(value, (list, tuple)):
            return [Expected.encode(v) for v in value]
        return encode_plain(value)


def encode_plain(value):
    """Numbers, strings, booleans and None; what JSON lacks is spelled `{"n": "nan"}`."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"n": "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"}
    if isinstance(value, float) and value == 0 and math.copysign(1, value) < 0:
        return {"n": "-0"}
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**53:
        return {"n": str(value)}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"cannot write {value!r}")


def encode_argument(value):
    """An argument as JSON."""
    if isinstance(value, Input):
        return value.encode()
    if isinstance(value, (list, tuple)):
        return [encode_argument(v) for v in value]
    if isinstance(value, dict):
        return {"dict": {k: encode_argument(v) for k, v in value.items()}}
    return encode_plain(value)


def plain(value):
    """An argument as MLX takes it."""
    if isinstance(value, Input):
        return value.value
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, tuple):
        return tuple(plain(v) for v in value)
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return value


def python_options(options):
    """Our options as MLX's keyword arguments."""
    return {
        PYTHON_OPTIONS.get(k, snake(k)): dtype_of(v) if k == "dtype" else plain(v) for k, v in options.items()
    }


class Shard:
    """The cases of one area, written to recorded/<area>.json."""

    def __init__(self, area):
        self.area, self.pool, self.cases, self.keys, self.refused = area, {}, [], {}, []

    def array(self, value, dtype=None):
        """Puts an array (MLX, NumPy or nested lists) into the pool."""
        if not isinstance(value, mx.array):
            value = mx.array(np.array(value)) if dtype is None else mx.array(np.array(value)).astype(dtype_of(dtype))
        elif dtype is not None:
            value = value.astype(dtype_of(dtype))
        value = mx.contiguous(value)
        identity = (name_of(value.dtype), tuple(value.shape), bits_of(value))
        key = self.keys.get(identity)
        if key is None:
            key = f"{identity[0]}[{','.join(map(str, value.shape))}]#{len(self.keys)}"
            self.keys[identity] = key
            self.pool[key] = encode_array(value)
        return Input(key, value)

    def case(self, name, *args, call=None, exact=None, ulp=None, tolerance=None, extra=None, **options):
        """Runs MLX's function and records the case; a call that MLX refuses is listed and left out.

        exact: a function giving the true value in float64, for functions that MLX approximates
        tolerance: an absolute error to allow
        """
        try:
            function = call or python_function(name)
            out = function(*[plain(a) for a in args], **python_options(options))
            mx.eval(out)
        except (ValueError, TypeError, RuntimeError, NotImplementedError, IndexError, SystemError) as error:
            self.refused.append((name, str(error).split("\n")[0]))
            return None
        record = {"f": name, "args": [encode_argument(a) for a in args]}
        if options:
            record["options"] = {k: encode_argument(v) for k, v in options.items()}
        if extra:
            record.update(extra)
        record["out"] = Expected.encode(out)
        if exact is not None and isinstance(out, mx.array):
            truth = rounded_to(exact, out)
            if truth is not None:
                record["exact"] = encode_array(truth)
        if ulp is not None:
            record["ulp"] = ulp
        if tolerance is not None:
            record["tolerance"] = tolerance
        self.cases.append(record)
        return out

    def vjp(self, name, *args, wrt=(0,), call=None, tolerance=None, ulp=None, **options):
        """Records the gradients of `name` with respect to the arguments `wrt`, for a fixed cotangent."""
        function = call or python_function(name)
        given = [plain(a) for a in args]
        keywords = python_options(options)

        def of(*primals):
            full = list(given)
            for position, primal in zip(wrt, primals):
                full[position] = primal
            return function(*full, **keywords)

        primals = [given[i] for i in wrt]
        shape_of = of(*primals)
        steps = (mx.arange(shape_of.size).astype(mx.float32) * 5 % 7 - 3) / 4
        cotangent = self.array(steps.reshape(shape_of.shape).astype(shape_of.dtype))
        _, gradients = mx.vjp(of, primals, [cotangent.value])
        mx.eval(gradients)
        record = {"f": name, "args": [encode_argument(a) for a in args]}
        if options:
            record["options"] = {k: encode_argument(v) for k, v in options.items()}
        record["vjp"] = {"wrt": list(wrt), "cotangent": cotangent.encode()}
        record["out"] = Expected.encode(gradients)
        if tolerance is not None:
            record["tolerance"] = tolerance
        if ulp is not None:
            record["ulp"] = ulp
        self.cases.append(record)

    def write(self, folder):
        """Writes the shard, one case a line, and reports what MLX refused."""
        lines = ["{", f'"area": {json.dumps(self.area)},', f'"mlx": {json.dumps(mx.__version__)},', '"inputs": {']
        lines.append(",\n".join(f"{json.dumps(k)}:{dump(v)}" for k, v in self.pool.items()))
        lines += ["},", '"cases": [']
        lines.append(",\n".join(dump(c) for c in self.cases))
        lines += ["]", "}", ""]
        path = folder / f"{self.area}.json"
        path.write_text("\n".join(lines))
        print(f"{self.area}: {len(self.cases)} cases, {path.stat().st_size} bytes, {len(self.refused)} refused")
        for name, why in {name: why for name, why in self.refused}.items():
            print(f"    refused {name}: {why[:140]}")


def dump(value):
    """Compact JSON."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def rounded_to(exact, out):
    """The truth in the dtype of `out`, or None where MLX gives it everywhere."""
    if name_of(out.dtype) not in FLOATS:
        return None
    with np.errstate(all="ignore"):
        truth = mx.array(np.array(exact, np.float64, order="C"), mx.float64).astype(out.dtype)
    if truth.shape != out.shape:
        raise AssertionError(f"the true value has shape {truth.shape}, MLX's {out.shape}")
    theirs, ours = ordered_bits(out), ordered_bits(truth)
    both_nan = np.array(mx.isnan(out) & mx.isnan(truth))
    same = both_nan | ((theirs == ours) & (signs(out) == signs(truth)))
    return None if same.all() else truth


def signs(value):
    """Which elements have their sign bit set."""
    return np.signbit(np.array(value.astype(mx.float64)))


def exactly(value):
    """The elements in float64, as MLX computes with them: integers become float32 first."""
    if value.dtype == mx.float64:
        return np.array(value)
    return np.array(value.astype(mx.float32).astype(mx.float64))


def ordered_bits(value):
    """Integers in the order of the floats they came from (float64 as exact Python objects)."""
    width = {"float16": np.int16, "bfloat16": np.int16, "float32": np.int32, "float64": np.int64}
    kind = width[name_of(value.dtype)]
    raw = np.frombuffer(bits_of(value), kind).reshape(value.shape)
    magnitude = (raw & np.iinfo(kind).max).astype(object)
    return np.where(raw < 0, -magnitude, magnitude)
