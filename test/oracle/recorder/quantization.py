"""Weights of few bits: packing, unpacking, products with packed weights and their gradients."""

import mlx.core as mx

from .samples import normals


def record(shard):
    def quantize_in_mlx(w, group_size=64, bits=4):
        return list(mx.quantize(w, group_size=group_size, bits=bits))

    for dtype, allowed in {"float32": 4e-5, "float16": 4e-2, "bfloat16": 4e-1}.items():
        w = shard.array(normals((3, 128), dtype, seed=301))
        x = shard.array(normals((2, 128), dtype, seed=302))
        for bits in [2, 3, 4, 5, 6, 8] if dtype == "float32" else [4]:
            for group in [32, 64, 128] if bits == 4 else [64]:
                options = {"groupSize": group, "bits": bits}
                packed = [shard.array(part) for part in shard.case("quantize", w, call=quantize_in_mlx, **options)]
                shard.case("dequantize", *packed, ulp=2, tolerance=allowed / 10, **options)
                shard.case("quantizedMatmul", x, *packed, tolerance=allowed, **options)
    w = shard.array(normals((2, 32, 64), seed=303))
    packed = [shard.array(part) for part in mx.quantize(w.value)]
    x = shard.array(normals((2, 3, 32), seed=304))
    shard.case("quantizedMatmul", x, *packed, tolerance=4e-5, transpose=False)
    shard.case("quantizedMatmul", x.at("0:1, 0:1"), *packed, tolerance=4e-5, transpose=False)
    shard.vjp("quantizedMatmul", x, *packed, tolerance=1e-4, transpose=False)
    flat = shard.array(mx.concatenate([mx.zeros((1, 64)), mx.full((1, 64), -0.7), mx.arange(64).reshape(1, 64) / 8]))
    shard.case("quantize", flat, call=quantize_in_mlx)
