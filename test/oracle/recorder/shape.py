"""Functions that move elements and never change them."""

import mlx.core as mx
import numpy as np

from .samples import dyadic, floats, sample
from .shard import DTYPES


def record(shard):
    cube = shard.array(dyadic((2, 3, 4), seed=31))
    small = shard.array(np.arange(12, dtype=np.int32).reshape(3, 4))
    empty = shard.array(np.zeros((2, 0, 3), np.float32))
    scalar = shard.array(floats(1.5, "float32"))
    vector = shard.array(np.arange(5, dtype=np.float32))
    views = [cube, cube.T, cube.at("::-1, 1:, ::2"), cube.permute(1, 0, 2), cube.at(":, 0:1").broadcast(2, 3, 4)]
    for x in views:
        reshapes(shard, x)
        axes(shard, x)
        repeats(shard, x)
    for x in [*views, small, small.T, small.at("::2, ::-1")]:
        for k in [0, 1, -1, 5]:
            shard.case("tril", x, k)
            shard.case("triu", x, k)
        pads(shard, x)
    shard.case("reshape", empty, [0])
    shard.case("reshape", empty, [3, 0, 7])
    shard.case("reshape", scalar, [1, 1])
    shard.case("reshape", scalar, [])
    shard.case("flatten", scalar)
    shard.case("flatten", empty)
    shard.case("transpose", empty)
    shard.case("transpose", scalar)
    shard.case("squeeze", shard.array(dyadic((1, 3, 1, 2), seed=32)))
    for axis in [0, 2, -2, [0, 2], [0, -2]]:
        shard.case("squeeze", shard.array(dyadic((1, 3, 1, 2), seed=32)), axis)
    for axis in [0, 1, -1, 3, [0, 1], [0, -1], [1, 3]]:
        shard.case("expandDims", small, axis) if axis != 3 else shard.case("expandDims", cube, axis)
    diagonals(shard, cube, small, vector)
    joins(shard, cube, small, vector, empty)
    broadcasts(shard, vector, small, scalar)
    for dtype in DTYPES:  # moved bits stay bits, whatever the width of an element
        x = shard.array(sample([[1, 0, 1], [0, 1, 1]], dtype))
        shard.case("concatenate", [x, x.at("::-1")], 1)
        shard.case("stack", [x, x], 2)
        shard.case("transpose", x)
        shard.case("pad", x, 1)
        shard.case("tile", x, [2, 2])
        shard.case("repeat", x, 2, 1)
        shard.case("roll", x, 1, 0)
        shard.case("tril", x)
        shard.case("reshape", x.T, [6])
        shard.case("diag", x.at("0"))
    for name in ["atLeast1d", "atLeast2d", "atLeast3d"]:
        for x in [scalar, vector, small, cube]:
            shard.case(name, x)
    shard.case("asStrided", vector, [3, 3], [1, 1], call=lambda x, s, t: mx.as_strided(x, s, t))
    shard.case("asStrided", vector, [2, 2], [2, 1], 1, call=lambda x, s, t, o: mx.as_strided(x, s, t, o))
    shard.case("contiguous", small.T)


def reshapes(shard, x):
    count = x.value.size
    for shape in [[count], [-1], [count // 2, 2], [2, -1], [1, count, 1]]:
        shard.case("reshape", x, shape)
    shard.case("flatten", x)
    for start, end in [(0, 1), (1, 2), (1, -1), (-2, -1), (0, 0)]:
        shard.case("flatten", x, start, end)
    shard.case("unflatten", x, -1, [-1, 1])
    shard.case("unflatten", x, 0, [1, -1])


def axes(shard, x):
    shard.case("transpose", x)
    for order in [[0, 1, 2], [2, 0, 1], [1, 0, 2], [-1, 0, 1]]:
        shard.case("transpose", x, order)
    shard.case("permuteDims", x, [1, 2, 0])
    for a, b in [(0, 1), (0, 2), (-1, 1), (1, 1)]:
        shard.case("swapAxes", x, a, b)
        shard.case("moveAxis", x, a, b)
    shard.case("matrixTranspose", x)
    for axis in [0, -1, [0, 1], [0, 2]]:
        shard.case("flip", x, axis)
    shard.case("flip", x)
    for shift, axis in [(1, None), (-2, None), (1, 0), (-1, 2), (7, 1), ([1, 2], [0, 2]), (2, [0, 1]), (-5, None), (0, 1)]:
        shard.case("roll", x, shift, *([] if axis is None else [axis]))


def repeats(shard, x):
    shard.case("repeat", x, 2)
    for axis in [0, 1, -1]:
        shard.case("repeat", x, 3, axis)
    shard.case("repeat", x, 0, 1)
    for reps in [2, [2], [1, 2], [2, 1, 3], [2, 1, 1, 2], [1, 0, 1]]:
        shard.case("tile", x, reps)


def pads(shard, x):
    rank = len(x.value.shape)
    each = [[i % 2, i + 1] for i in range(rank)]
    for width in [1, [1, 2], each]:
        shard.case("pad", x, width)
        shard.case("pad", x, width, mode="edge")
    shard.case("pad", x, 2, constantValues=7)
    shard.case("pad", x, 0)
    shard.case("pad", x, 1, constantValues=shard.array(np.array(3, np.int32)))


def diagonals(shard, cube, small, vector):
    for k in [0, 1, -1, 3, -2]:
        shard.case("diag", vector, k)
        for x in [small, small.T, small.at("::-1, ::2")]:
            shard.case("diag", x, k)
            shard.case("diagonal", x, offset=k)
            shard.case("trace", x, offset=k)
    for a, b in [(0, 1), (1, 2), (2, 0), (-1, -2)]:
        shard.case("diagonal", cube, axis1=a, axis2=b)
        shard.case("diagonal", cube.T, offset=1, axis1=a, axis2=b)
        shard.case("trace", cube, axis1=a, axis2=b)
    shard.case("trace", small, dtype="float32")
    shard.case("trace", shard.array(np.eye(3, dtype=np.uint8)))


def joins(shard, cube, small, vector, empty):
    for axis in [0, 1, -1]:
        shard.case("concatenate", [cube, cube.at("::-1")], axis)
        shard.case("concatenate", [cube, cube.at(":, :, ::-1"), cube], axis)
        shard.case("concatenate", [small.T, small.T], axis)
        shard.case("stack", [small, small.at("::-1, ::-1")], axis)
        shard.case("unstack", cube, axis=axis)
    shard.case("concatenate", [small, small.at(":, 1:"), small.at(":, ::2")], 1)
    shard.case("concatenate", [small.at("0:0"), small])
    shard.case("concat", [small, small])
    shard.case("concatenate", [vector])
    shard.case("concatenate", [empty, empty], 1)
    shard.case("concatenate", [small.at("0:0"), small.at("0:0, 1:")], 1)
    shard.case("stack", [vector, vector])
    shard.case("stack", [shard.array(floats(1.5, "float32")), shard.array(floats(2.5, "float32"))])
    for parts, axis in [(3, 1), (2, 0), (2, -1), ([1], 1), ([1, 3], 2), ([0, 2], 1), (4, 2), ([-1], 2)]:
        shard.case("split", cube, parts, axis)
        shard.case("split", cube.at("..., ::-1"), parts, axis)
    shard.case("split", vector, 5)
    shard.case("split", vector, [2, 2])


def broadcasts(shard, vector, small, scalar):
    shard.case("broadcastTo", vector, [3, 5])
    shard.case("broadcastTo", scalar, [2, 2])
    shard.case("broadcastTo", scalar, [])
    shard.case("broadcastTo", small.at(":, 1:2"), [2, 3, 4])
    shard.case("broadcastTo", small.at("0:1"), [0, 4])
    shard.case("broadcastTo", small.T, [2, 4, 3])
    for shapes in [([2, 3], [3]), ([1, 4], [3, 1]), ([5, 1, 2], [1, 7, 2], [2]), ([], [2]), ([0, 1], [1, 3])]:
        shard.case("broadcastShapes", *shapes, call=lambda *s: list(mx.broadcast_shapes(*s)))
