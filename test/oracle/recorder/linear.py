"""Products of arrays: matmul and its family, einsum, convolution."""

import mlx.core as mx
import numpy as np

from .samples import dyadic, floats, normals
from .shard import FLOATS


def record(shard):
    products(shard)
    families(shard)
    einsums(shard)
    convolutions(shard)


def products(shard):
    shapes = [
        ((3, 4), (4, 5)), ((4,), (4, 5)), ((3, 4), (4,)), ((4,), (4,)), ((2, 3, 4), (4, 5)), ((3, 4), (2, 4, 5)), ((2, 3, 4), (2, 4, 5)),
        ((2, 1, 3, 4), (5, 4, 2)), ((1, 1), (1, 1)), ((1, 7), (7, 1)), ((7, 1), (1, 7)), ((5, 4), (2, 3, 4, 1)), ((4,), (2, 4, 3)), ((2, 3, 4), (4,)),
        ((0, 4), (4, 3)), ((3, 0), (0, 2)), ((3, 4), (4, 0)), ((17, 13), (13, 11)), ((33, 67), (67, 35)), ((2, 0, 4), (4, 3)), ((64, 64), (64, 48)),
    ]  # fmt: skip
    for left, right in shapes:
        shard.case("matmul", shard.array(dyadic(left, seed=61, bound=2, divisor=2)), shard.array(dyadic(right, seed=62, bound=2, divisor=2)))
    for dtype in FLOATS:
        a, b = (shard.array(dyadic(s, dtype, seed=63, bound=2, divisor=1)) for s in ((6, 5), (5, 7)))
        shard.case("matmul", a, b)
        shard.case("matmul", b.T, a.T)
        shard.case("matmul", a, b.at(":, 0"))
        shard.case("addmm", shard.array(dyadic((7,), dtype, seed=64)), a, b)
    a, b = shard.array(dyadic((8, 6), seed=65, bound=2)), shard.array(dyadic((6, 9), seed=66, bound=2))
    for x, y in [(a, a.T), (b.T, a.T), (a.at("::-1, ::2"), b.at("::2")), (a.at("2:5"), b.at(":, ::-3")), (a.at("0"), b), (a, b.at(":, 3")),
                 (a.at("0").broadcast(5, 6), b), (a.at(":, 0:1").broadcast(8, 6), b), (b.T.at("1:"), a.T.at(":, ::2"))]:  # fmt: skip
        shard.case("matmul", x, y)
    cube = shard.array(dyadic((3, 4, 5), seed=67, bound=2))
    shard.case("matmul", cube, cube.permute(0, 2, 1))
    shard.case("matmul", cube.permute(1, 2, 0), cube.permute(1, 0, 2))
    shard.case("matmul", cube.at("::-1"), cube.at("0").T)
    x, y = normals((37, 129), seed=68), normals((129, 41), seed=69)
    shard.case("matmul", shard.array(x), shard.array(y), tolerance=129 * 2**-24 * 4)
    edge = shard.array(np.array([[np.nan, 1.0], [np.inf, 0.0], [1.0, -0.0]], np.float32))
    shard.case("matmul", edge, shard.array(np.array([[1.0, 0.0], [2.0, 1.0]], np.float32)))


def families(shard):
    a, b = shard.array(dyadic((3, 4), seed=71)), shard.array(dyadic((4, 2), seed=72))
    for c in [(3, 2), (2,), (3, 1), (1, 1), ()]:
        shard.case("addmm", shard.array(dyadic(c, seed=73)), a, b)
    shard.case("addmm", shard.array(dyadic((3, 2), seed=73)), a, b, alpha=0.5, beta=2.0)
    shard.case("addmm", shard.array(dyadic((2, 3), seed=74)).T, a, b, alpha=-2.0)
    v, w = shard.array(dyadic((4,), seed=75)), shard.array(dyadic((3,), seed=76))
    for x, y in [(v, v), (a, v), (a, a), (shard.array(dyadic((2, 3, 4), seed=77)), a), (v, 2)]:
        shard.case("inner", x, y)
    for x, y in [(v, w), (a, b), (v.at("::-2"), w.at("::2"))]:
        shard.case("outer", x, y)
    for x, y, axis in [(v, v, -1), (a, a, -1), (a, a, 0), (a, v, -1), (a.T, w, -1), (shard.array(dyadic((2, 3, 4), seed=77)), a, -1)]:
        shard.case("vecdot", x, y, call=lambda x, y, axis: mx.vecdot(x, y, axis=axis), axis=axis)
    for x, y in [(v, w), (a, b), (a.T, b), (shard.array(np.arange(4, dtype=np.int32).reshape(2, 2)), shard.array(np.eye(2, dtype=np.int32)))]:
        shard.case("kron", x, y)
    left, right = shard.array(dyadic((2, 3, 4), seed=77)), shard.array(dyadic((4, 3, 5), seed=78))
    for axes in [1, 0]:
        shard.case("tensordot", left, right.permute(0, 1, 2) if axes else v, axes)
    shard.case("tensordot", left, shard.array(dyadic((3, 4, 2), seed=79)), 2)
    shard.case("tensordot", left, right, [[1, 2], [1, 0]])
    shard.case("tensordot", left, right, [[2], [0]])
    shard.case("tensordot", left.T, right.at("::-1"), [[1], [1]])


def einsums(shard):
    a, b = shard.array(dyadic((3, 4), seed=81)), shard.array(dyadic((4, 5), seed=82))
    square = shard.array(dyadic((4, 4), seed=83))
    c, d = shard.array(dyadic((2, 3, 4), seed=84)), shard.array(dyadic((2, 4, 5), seed=85))
    v = shard.array(dyadic((4,), seed=86))
    table = [
        ("ij,jk->ik", a, b), ("ij,jk", a, b), ("ij->ji", a), ("ij->", a), ("ij->i", a), ("ij->j", a), ("ii->i", square), ("ii->", square), ("ii", square),
        ("i,i->", v, v), ("i,j->ij", v, v), ("ij,j->i", a, v), ("ij,j->ij", a, v), ("bij,bjk->bik", c, d), ("bij,bjk->ik", c, d),
        ("bij,bjk->kb", c, d), ("ij,jk,k->i", a, b, shard.array(dyadic((5,), seed=87))), ("bij,ij->b", c, a), ("ij,ij->ij", a, a), ("ij,ij->", a, a),
        ("...ij,...jk->...ik", c, d), ("...i->...", c), ("ij...->j...", c), ("...ij->...ji", c), ("i...,i...->...", a, a), ("bhij,bhjk->bhik",
        shard.array(dyadic((2, 2, 3, 4), seed=88, bound=2)), shard.array(dyadic((2, 2, 4, 3), seed=89, bound=2))), ("ij,kj->ik", a, a.at("::-1")),
        ("ji,jk->ik", a, shard.array(dyadic((3, 2), seed=90))), ("ij,jk,kl,lm->im", a, b, b.T, a.T), ("ab,cd->abcd", a.at(":2, :2"), square.at(":2, 1:3")),
        (" i j , j k -> i k ", a, b), ("ij,jk->ik", b.T, a.T), ("ij,jk->ik", a.at("::2"), b.at(":, ::-2")),
    ]  # fmt: skip
    for subscripts, *operands in table:
        shard.case("einsum", subscripts, *operands)


def convolutions(shard):
    for length, inputs, outputs, kernel, options in [
        (9, 2, 3, 3, {}), (9, 2, 3, 3, {"stride": 2}), (9, 2, 3, 3, {"padding": 1}), (9, 2, 3, 3, {"dilation": 2, "padding": 2}),
        (8, 4, 6, 3, {"groups": 2}), (8, 4, 4, 2, {"groups": 4, "stride": 2, "padding": 1}), (5, 1, 1, 1, {}), (7, 3, 2, 7, {}),
    ]:  # fmt: skip
        groups = options.get("groups", 1)
        x = shard.array(dyadic((2, length, inputs), seed=91, bound=2))
        w = shard.array(dyadic((outputs, kernel, inputs // groups), seed=92, bound=2))
        shard.case("conv1d", x, w, **options)
        if groups == 1:
            shard.vjp("conv1d", x, w, wrt=(0, 1), **options)
    for size, inputs, outputs, kernel, options in [
        ((6, 5), 2, 3, (3, 3), {}), ((6, 5), 2, 3, (3, 2), {"stride": 2}), ((6, 5), 2, 3, (3, 3), {"padding": 1}), ((6, 7), 1, 2, (3, 3), {"stride": [2, 1], "padding": [1, 0]}),
        ((7, 7), 2, 2, (2, 3), {"dilation": [2, 1], "padding": 1}), ((5, 5), 4, 6, (3, 3), {"groups": 2}), ((5, 5), 3, 3, (3, 3), {"groups": 3, "padding": 1}), ((4, 4), 3, 5, (1, 1), {}),
    ]:  # fmt: skip
        groups = options.get("groups", 1)
        x = shard.array(dyadic((2, *size, inputs), seed=93, bound=2))
        w = shard.array(dyadic((outputs, *kernel, inputs // groups), seed=94, bound=2))
        shard.case("conv2d", x, w, **options)
        if groups == 1:
            shard.vjp("conv2d", x, w, wrt=(0, 1), **options)
    x, w = shard.array(dyadic((2, 6, 5, 2), seed=95, bound=2)), shard.array(dyadic((3, 3, 3, 2), seed=96, bound=2))
    shard.case("conv2d", x.at(":, ::-1").permute(0, 2, 1, 3), w.permute(0, 2, 1, 3), padding=1)
    half = shard.array(dyadic((1, 5, 5, 2), "float16", seed=97, bound=1))
    shard.case("conv2d", half, shard.array(dyadic((2, 3, 3, 2), "float16", seed=98, bound=1)), padding=1)
    volume, weight = shard.array(dyadic((1, 4, 5, 4, 2), seed=101, bound=1)), shard.array(dyadic((3, 2, 3, 2, 2), seed=102, bound=1))
    shard.case("conv3d", volume, weight)
    shard.case("conv3d", volume, weight, stride=[1, 2, 1], padding=1)
    shard.case("convGeneral", x, w, stride=2, padding=[[1, 0], [0, 2]], kernelDilation=1, inputDilation=[2, 1])
    shard.case("convGeneral", x, w, flip=True, padding=1)
    sequence = shard.array(dyadic((2, 5, 4), seed=103, bound=2))
    for options in [{}, {"stride": 2}, {"stride": 2, "padding": 1, "outputPadding": 1}, {"dilation": 2}]:
        shard.case("convTransposed1d", sequence, shard.array(dyadic((3, 3, 4), seed=104, bound=2)), **options)
        shard.case("convTransposed2d", x, shard.array(dyadic((3, 2, 3, 2), seed=105, bound=2)), **options)
    shard.case("convTransposed1d", sequence, shard.array(dyadic((6, 3, 2), seed=106, bound=2)), groups=2)
    shard.case("convTransposed3d", volume, weight)
    long, short = shard.array(dyadic((7,), seed=107)), shard.array(dyadic((3,), seed=108))
    for mode in ["full", "same", "valid"]:
        shard.case("convolve", long, short, mode=mode)
        shard.case("convolve", short, long, mode=mode)
        shard.case("convolve", long, shard.array(dyadic((4,), seed=109)), mode=mode)
    shard.case("conv1d", shard.array(floats(np.zeros((0, 5, 2)), "float32")), shard.array(dyadic((3, 3, 2), seed=96)))
