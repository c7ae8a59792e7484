"""Sorting and searching. Partitions are recorded as their sorted parts: the order within one is free."""

import math

import mlx.core as mx
import numpy as np

from .samples import dyadic, floats, integers, normals, sample
from .shard import DTYPES, FLOATS


def record(shard):
    for dtype in DTYPES:
        distinct = np.array([[3, 1, 4, 0, 5], [9, 2, 6, 8, 7]])
        x = shard.array(sample(distinct if dtype != "bool" else distinct % 2, dtype))
        for name in ["sort", "argSort"]:
            shard.case(name, x)
            shard.case(name, x, 0)
        if dtype != "bool":
            shard.case("topK", x, 2, call=lambda a, k: mx.sort(mx.topk(a, k)))
            shard.case("searchSorted", shard.array(sample([1, 3, 3, 7], dtype)), shard.array(sample([0, 1, 2, 3, 4, 7, 9], dtype)))
    edge = shard.array(floats([3.0, math.nan, -1.0, math.inf, 0.0, -math.inf, math.nan, 1e-45, 2.0], "float32"))
    shard.case("sort", edge)
    for dtype in ["float16", "bfloat16", "float64"]:
        shard.case("sort", shard.array(edge.value, dtype))
    ties = shard.array(np.array([2, 1, 2, 1, 0, 2, 0, 1], np.int32))
    for name in ["sort", "argSort"]:
        shard.case(name, ties)  # stable
        shard.case(name, shard.array(np.zeros((3, 0), np.float32)))
        shard.case(name, shard.array(np.zeros((3, 1), np.float32)))
    wide = shard.array(integers([2**63 + 5, 3, 2**64 - 1, 2**63], "uint64"))
    shard.case("sort", wide)
    shard.case("argSort", wide)
    cube = shard.array(normals((3, 5, 4), seed=51))
    for x in [cube, cube.T, cube.at("::-1, ::2, 1:")]:
        for name in ["sort", "argSort"]:
            for axis in [0, 1, 2, -2]:
                shard.case(name, x, axis)
            shard.case(name, x.at("0"), call=lambda a, name=name: (mx.sort if name == "sort" else mx.argsort)(a))
        for axis in [0, 1, -1]:
            # Our answer is sorted on both sides of the middle before it is compared.
            shard.case("partition", x, 1, axis, extra={"property": "partition"}, call=lambda a, k, axis: mx.sort(a, axis))
            shard.case("argPartition", x, 1, axis, extra={"property": "argPartition"}, call=lambda a, k, axis: mx.sort(a, axis))
            shard.case("topK", x, 2, axis, extra={"property": "sorted"}, call=lambda a, k, axis: mx.sort(mx.topk(a, k, axis), axis))
    shard.case("sort", shard.array(normals((129,), seed=52)))
    shard.case("argSort", shard.array(normals((129,), seed=52)))
    edges = shard.array(floats([-1.0, 0.0, 0.0, 2.5, 9.0], "float32"))
    values = shard.array(floats([[-2.0, -1.0, 0.0], [2.5, 3.0, 10.0]], "float32"))
    for side in ["left", "right"]:
        shard.case("searchSorted", edges, values, side=side)
        shard.case("searchSorted", edges, values.T, side=side)
        shard.case("searchSorted", edges.at("::2"), values.at("0"), side=side)
        shard.case("searchSorted", edges, shard.array(floats([-math.inf, math.inf, -0.0], "float32")), side=side)
        shard.case("searchSorted", edges, shard.array(floats(1.5, "float32")), side=side)
        shard.case("searchSorted", shard.array(np.zeros((0,), np.float32)), values, side=side)
