"""Fused functions of mx.fast, and their gradients."""

import numpy as np

from .samples import floats, normals

ALLOWED = {"float16": 4e-3, "bfloat16": 3.2e-2, "float32": 4e-6}


def record(shard):
    for dtype, allowed in ALLOWED.items():
        x, w, b = (shard.array(normals(s, dtype, seed=260 + i)) for i, s in enumerate([(3, 5, 8), (8,), (8,)]))
        for eps in [1e-5, 0.5]:
            shard.case("fast.rmsNorm", x, w, eps, ulp=4, tolerance=allowed)
            shard.case("fast.layerNorm", x, w, b, eps, ulp=4, tolerance=allowed)
        shard.case("fast.rmsNorm", x, None, 1e-5, ulp=4, tolerance=allowed)
        shard.case("fast.layerNorm", x, None, None, 1e-5, ulp=4, tolerance=allowed)
        shard.case("fast.layerNorm", x, w, None, 1e-5, ulp=4, tolerance=allowed)
        y = shard.array(normals((2, 4, 5, 8), dtype, seed=270))
        for traditional in [False, True]:
            for dims, base, scale, offset in [(8, 10000, 1, 0), (4, 10000, 1, 3), (8, 500, 0.5, 2)]:
                shard.case("fast.rope", y, dims, traditional=traditional, base=base, scale=scale, offset=offset, ulp=4, tolerance=allowed)
    x, w, b = (shard.array(normals(s, seed=260 + i)) for i, s in enumerate([(3, 5, 8), (8,), (8,)]))
    shard.case("fast.rmsNorm", x.permute(1, 0, 2), w, 1e-5, ulp=4, tolerance=4e-6)
    shard.case("fast.rmsNorm", x.at("..., ::2"), w.at("::2"), 1e-5, ulp=4, tolerance=4e-6)
    shard.case("fast.layerNorm", x.at("::-1").permute(1, 0, 2), w, b, 1e-5, ulp=4, tolerance=4e-6)
    shard.vjp("fast.rmsNorm", x, w, 1e-5, wrt=(0, 1), tolerance=2e-5)
    shard.vjp("fast.layerNorm", x, w, b, 1e-5, wrt=(0, 1, 2), tolerance=2e-5)
    y = shard.array(normals((2, 4, 5, 8), seed=270))
    shard.vjp("fast.rope", y, 8, traditional=False, base=10000, scale=1, offset=1, tolerance=1e-5)
    frequencies = shard.array(floats([1.0, 10.0, 100.0, 1000.0], "float32"))
    shard.case("fast.rope", y, 8, traditional=False, base=None, scale=1, offset=1, freqs=frequencies, ulp=4, tolerance=4e-6)
    attention(shard)


def attention(shard):
    def sdpa(q, k, v, tolerance=4e-6, **options):
        shard.case("fast.scaledDotProductAttention", q, k, v, ulp=8, tolerance=tolerance, **options)

    q, k, v = (shard.array(normals((2, 4, 6, 8), seed=280 + i)) for i in range(3))
    boolean = shard.array(np.tril(np.ones((6, 6), bool)))
    additive = shard.array(normals((2, 1, 6, 6), seed=284))
    for options in [{}, {"mask": "causal"}, {"mask": boolean}, {"mask": additive}]:
        sdpa(q, k, v, scale=0.25, **options)
        shard.vjp("fast.scaledDotProductAttention", q, k, v, wrt=(0, 1, 2), tolerance=2e-5, scale=0.25, **options)
    few = [shard.array(normals((2, 2, 6, 8), seed=285 + i)) for i in range(2)]
    sdpa(q, *few, scale=0.5)
    sdpa(q, *few, scale=0.5, mask="causal")
    sdpa(q.at(":, :, 0:1"), k, v, scale=0.25)
    sdpa(q.at(":, :, 0:3"), k, v, scale=0.25, mask="causal")
    sdpa(q.permute(0, 2, 1, 3), k.permute(0, 2, 1, 3), v.permute(0, 2, 1, 3), scale=0.25)
    sdpa(q, k, shard.array(normals((2, 4, 6, 5), seed=287)), scale=0.25)
    for dtype in ["float16", "bfloat16"]:
        sdpa(*(shard.array(a.value, dtype) for a in (q, k, v)), tolerance=ALLOWED[dtype], scale=0.25, mask="causal")
