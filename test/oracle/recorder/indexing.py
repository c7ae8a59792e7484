"""Reading and updating by index: integers, slices, ellipsis, new axes, arrays, masks."""

import mlx.core as mx
import numpy as np

from .samples import dyadic, floats, sample
from .shard import DTYPES, Input

ELLIPSIS, NEW_AXIS = "...", None


def python_index(items):
    """Our index items as Python's: strings are slices, null is a new axis."""
    made = []
    for item in items:
        if isinstance(item, str):
            made.append(eval(f"_[{item}]", {"_": type("", (), {"__getitem__": lambda _, i: i})()}))
        else:
            made.append(item)
    return made[0] if len(made) == 1 else tuple(made)


def read(x, *items):
    index = python_index(items)
    # NumPy checks the bounds that MLX does not: what it refuses is not recorded.
    every = index if isinstance(index, tuple) else (index,)
    np.array(x.astype(mx.float32))[tuple(np.array(i) if isinstance(i, mx.array) else i for i in every)]
    return x[index]


def write(x, items, value):
    copy = mx.array(x)
    copy[python_index(items)] = value
    return copy


def updated(method):
    return lambda x, items, value: getattr(x.at[python_index(items)], method)(value)


def record(shard):
    vector = shard.array(np.arange(10, dtype=np.float32))
    matrix = shard.array(dyadic((4, 5), seed=41))
    cube = shard.array(dyadic((3, 4, 5), seed=42))
    rows = shard.array(np.array([2, 0, 2], np.int32))
    negative = shard.array(np.array([-1, 1, -3], np.int32))
    columns = shard.array(np.array([[0, 1], [4, 3]], np.uint32))
    reads(shard, vector, matrix, cube, rows, negative, columns)
    writes(shard, vector, matrix, cube, rows, columns)
    masks(shard, vector, matrix, cube)
    takes(shard, vector, matrix, cube, rows, negative, columns)
    pair = shard.array(np.array([1, 2], np.int32))
    last = shard.array(np.array([3], np.int32))
    for x, start, axes, size in [
        (vector, last, [0], [4]), (matrix, pair, [0, 1], [2, 3]), (matrix, pair, [1, 0], [1, 2]), (matrix, last, [-1], [4, 2]),
        (cube, pair, [0, 2], [2, 4, 1]), (cube.T, last, [0], [2, 4, 3]), (cube, pair, [0, 2], [0, 4, 1]),
    ]:  # fmt: skip
        shard.case("slice", x, start, axes, size, call=lambda a, s, k, n: mx.slice(a, s, axes=tuple(k), slice_size=tuple(n)))
        update = shard.array(dyadic(tuple(size), seed=45))
        shard.case("sliceUpdate", x, update, start, axes, call=lambda a, u, s, k: mx.slice_update(a, u, s, axes=tuple(k)))
    for dtype in DTYPES:
        x = shard.array(sample([[1, 0, 1], [0, 1, 1], [1, 1, 0]], dtype))
        shard.case("at", x, rows, call=read)
        shard.case("at", x, "::-1", "1", call=read)
        shard.case("take", x, rows, 1)
        shard.case("at.set", x, [rows.at(":2"), 1], 0, call=write)
        if dtype != "bool":
            for method in ["add", "maximum", "multiply"]:
                shard.case(f"at.{method}", x, [rows], 1, call=updated(method))
    for dtype in ["uint8", "int8", "uint16", "int16", "uint32", "int32", "int64", "uint64"]:
        shard.case("at", matrix, shard.array(np.array([1, 3, 0], dtype)), call=read)


def reads(shard, vector, matrix, cube, rows, negative, columns):
    for items in [("3",), ("-1",), ("2:7",), ("::2",), ("::-1",), ("7:2:-2",), ("-3:",), (":-4",), ("5:2",), ("100:",), ("-100:3",),
                  ("...",), (NEW_AXIS,), ("...", NEW_AXIS), (rows,), (negative,), (columns,)]:  # fmt: skip
        shard.case("at", vector, *items, call=read)
    plain = [
        (1,), (-1,), (1, 2), (1, 2, 3), (-1, -1, -1), ("1:",), (0, "::2"), ("...", 0), (0, "...", 1), ("...", "::-1"),
        (":", ":", 1), (NEW_AXIS, 1), ("...", NEW_AXIS), (1, NEW_AXIS, "2:"), ("::2", NEW_AXIS, "...", "::-2"), (":", "1:3", "::2"),
        ("::-1", "::-1", "::-1"), (0, ":", "4:0:-2"), ("1:1",), (":", 2), (NEW_AXIS, NEW_AXIS, 0),
    ]  # fmt: skip
    arrays = [
        (rows,), (negative,), (columns.at("0"),), (":", rows), ("...", rows), (rows, 1), (1, rows), (rows, rows), (rows, "1:3"),
        ("1:", rows), (rows, "...", 0), (rows, ":", rows), (columns.at(":1"), "::2"), (NEW_AXIS, rows), (rows, NEW_AXIS),
        (rows, rows, rows), (rows.at(":2"), columns.at("0"), columns.at("1")), (":", rows, rows), ("::2", columns, 1), (rows, NEW_AXIS, rows),
        (rows.at("::-1"), "::-1"), (0, rows, "1:4"), (rows, 0, rows), ("...", columns, "::2"), (rows, "::2", NEW_AXIS, negative),
    ]  # fmt: skip
    for x in [cube, cube.permute(2, 1, 0).at("1:4"), cube.at("::-1, :, ::1")]:
        for items in [*plain, *arrays]:
            shard.case("at", x, *items, call=read)
    shard.case("at", matrix, shard.array(np.array(2, np.int32)), call=read)
    shard.case("at", matrix, shard.array(np.zeros((0,), np.int32)), call=read)
    shard.case("at", matrix, shard.array(np.array([[0], [1]], np.int32)), shard.array(np.array([1, 2, 3], np.int32)), call=read)
    shard.case("at", matrix, [0, 2, 2], call=lambda x, i: x[mx.array(i)])
    shard.case("at", shard.array(floats(2.5, "float32")), "...", call=read)
    shard.case("at", shard.array(floats(2.5, "float32")), NEW_AXIS, call=read)


def writes(shard, vector, matrix, cube, rows, columns):
    row, scalar = shard.array(dyadic((5,), seed=43)), 9.5
    table = [
        (matrix, [1], row), (matrix, [1], scalar), (matrix, [-1, 2], scalar), (matrix, ["1:3"], row), (matrix, ["::2", "::2"], scalar),
        (matrix, ["::-1"], matrix), (matrix, ["...", 0], shard.array(dyadic((4,), seed=44))), (matrix, [rows.at(":2")], row),
        (matrix, [shard.array(np.array([0, 3], np.int32)), 1], scalar), (matrix, ["...", "1:4"], 2), (matrix, [":", rows.at(":2")], scalar),
        (matrix, ["..."], 0.5), (vector, ["2:5"], shard.array(np.array([7, 8, 9], np.int32))), (vector, ["::-3"], -1),
        (vector, [NEW_AXIS, "3:5"], scalar), (cube, [1, "1:3", "::2"], scalar), (cube, ["...", 2], shard.array(dyadic((3, 4), seed=45))),
        (cube, [shard.array(np.array([2, 0], np.int32)), ":", shard.array(np.array([1, 4], np.int32))], 3.5), (cube, ["5:"], scalar),
        (cube, [0, shard.array(np.array([1, 3], np.int32))], row), (cube.T, [1, "::2"], 0), (cube.T, ["::2"], cube.T.at("0")),
        (matrix, [], scalar),
    ]  # fmt: skip
    for x, items, value in table:
        shard.case("at.set", x, items, value, call=write)
    double = shard.array(np.array([1, 1, 2, 0, 1], np.int32))
    for method in ["add", "subtract", "multiply", "divide", "maximum", "minimum"]:
        f = updated(method)
        name = f"at.{method}"
        shard.case(name, matrix, [rows], 2, call=f)
        shard.case(name, matrix, [rows], row, call=f)
        shard.case(name, matrix, [double, double], shard.array(np.array([1, 2, 4, 0.5, 2], np.float32)), call=f)
        shard.case(name, vector, [columns], shard.array(np.array([[1, 2], [4, 8]], np.float32)), call=f)
        shard.case(name, vector, [double], shard.array(np.array([1, 2, 4, 8, 16], np.float32)), call=f)
        shard.case(name, vector, ["::2"], 2, call=f)
        shard.case(name, cube, [1, "::2", "1:"], 4, call=f)
        shard.case(name, cube, ["...", double.at(":3")], 2, call=f)
        shard.case(name, cube.permute(1, 0, 2), [0, double.at(":2")], row, call=f)
        shard.case(name, matrix, [1, 2], 8, call=f)


def masks(shard, vector, matrix, cube):
    mask1 = shard.array(np.array([True, False] * 5))
    mask2 = shard.array((np.arange(20) % 3 == 0).reshape(4, 5))
    lead = shard.array(np.array([True, False, True]))
    for x, mask, value in [
        (vector, mask1, 7.5), (vector, mask1, shard.array(np.array([1, 2, 3, 4, 5], np.float32))), (matrix, mask2, -1), (matrix.T, mask2.T, 2.5),
        (matrix, mask2, shard.array(np.arange(7, dtype=np.float32))), (cube, lead, 0.5), (matrix, shard.array(np.zeros((4, 5), bool)), 3),
        (matrix, shard.array(np.ones((4, 5), bool)), shard.array(np.arange(20, dtype=np.float32))),
        (matrix, mask2.at("::-1"), shard.array(np.arange(20, dtype=np.float32))),
    ]:  # fmt: skip
        shard.case("at.set", x, [mask], value, call=write)


def takes(shard, vector, matrix, cube, rows, negative, columns):
    by_column = columns.T
    for indices in [rows, negative, columns, by_column, 1, -1]:
        shard.case("take", vector, indices)
        shard.case("take", matrix, indices)
        for axis in [0, 1, -1]:
            if axis != 0 or indices not in (columns, by_column):
                shard.case("take", matrix, indices, axis)
        shard.case("take", cube.T, rows, 1)
    along0 = shard.array(np.array([[0, 1, 2, 3, 0], [3, 2, 1, 0, -1]], np.int32))
    along1 = shard.array(np.array([[0], [4], [-2], [1]], np.int32))
    shard.case("takeAlongAxis", matrix, along0, 0)
    shard.case("takeAlongAxis", matrix, along1, 1)
    shard.case("takeAlongAxis", matrix, along1, -1)
    shard.case("takeAlongAxis", matrix.T, along0.T, 1)
    shard.case("takeAlongAxis", matrix, shard.array(np.array([3, 7, -1], np.int32)), call=lambda x, i: mx.take_along_axis(x, i, None))
    shard.case("takeAlongAxis", cube, shard.array(np.argsort(np.array(cube.value), 1).astype(np.uint32)), 1)
    shard.case("takeAlongAxis", cube, shard.array(np.zeros((1, 4, 1), np.int32)), 0)
    for values in [shard.array(dyadic((2, 5), seed=46)), shard.array(floats(2.5, "float32"))]:
        shard.case("putAlongAxis", matrix, shard.array(np.array([[0, 1, 2, 3, 0], [3, 2, 1, 0, 2]], np.int32)), values, 0)
    shard.case("putAlongAxis", matrix, along1, shard.array(dyadic((4, 1), seed=47)), 1)
    shard.case("putAlongAxis", matrix.T, along1.T, shard.array(dyadic((1, 4), seed=47)), 0)
    shard.case("putAlongAxis", matrix, shard.array(np.array([3, 7, 19], np.int32)), shard.array(dyadic((3,), seed=48)),
               call=lambda x, i, v: mx.put_along_axis(x, i, v, None))  # fmt: skip
