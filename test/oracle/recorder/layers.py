"""nn's layers: the forward pass with given weights, the gradients of sum(output²), the state left behind."""

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx.utils import tree_flatten, tree_unflatten

from .samples import normals
from .shard import Expected, encode_argument, plain, python_options


def record(shard):
    def layer(name, args, *inputs, options=None, training=True, tolerance=1e-5, gradients=True):
        options = options or {}
        module = getattr(nn, name.replace("ConvTransposed", "ConvTranspose"))(*args, **python_options(options))
        made = {}
        for i, (path, value) in enumerate(tree_flatten(module.parameters())):
            given = normals(value.shape, seed=210 + i, scale=0.5)
            made[path] = shard.array(mx.abs(given) + 0.5 if path == "running_var" else given)
        module.update(tree_unflatten([(k, v.value) for k, v in made.items()]))
        module.train(training)
        record = {
            "f": f"layer.{name}", "args": encode_argument(list(args)), "options": options, "training": training,
            "parameters": {k: v.encode() for k, v in made.items()}, "inputs": [encode_argument(i) for i in inputs],
        }  # fmt: skip
        given = [plain(i) for i in inputs]
        output = module(*given)
        out = {"output": list(output) if isinstance(output, tuple) else output}
        mx.eval(output, module.parameters())
        after = dict(tree_flatten(module.parameters()))
        out["after"] = {k: after[k] for k in made if k.startswith("running")}
        if gradients and tree_flatten(module.trainable_parameters()):
            module.update(tree_unflatten([(k, v.value) for k, v in made.items()]))

            def loss(module):
                y = module(*given)
                return sum(mx.sum(mx.square(p)) for p in y) if isinstance(y, tuple) else mx.sum(mx.square(y))

            value, tree = nn.value_and_grad(module, loss)(module)
            out["loss"], out["gradients"] = value, dict(tree_flatten(tree))
            mx.eval(value, tree)
        shard.cases.append({**record, "out": Expected.encode(out), "tolerance": tolerance, "ulp": 16})

    x, sequence = shard.array(normals((5, 4), seed=201)), shard.array(normals((2, 7, 3), seed=202))
    image = shard.array(normals((2, 6, 5, 4), seed=203))
    layer("Linear", (4, 3), x)
    layer("Linear", (4, 3), x, options={"bias": False})
    layer("Linear", (3, 2), sequence)
    layer("Linear", (4, 3), shard.array(normals((4, 5), seed=204)).T)
    layer("Linear", (4, 3), x.at("0"))
    layer("Identity", (), x)
    layer("Embedding", (6, 3), shard.array(np.array([[0, 5, 2], [2, 2, 1]], np.int32)))
    layer("Embedding", (6, 3), shard.array(np.array(4, np.uint32)))
    for options in [{}, {"stride": 2}, {"padding": 1}, {"dilation": 2, "padding": 1}, {"bias": False, "stride": 2, "padding": 2}]:
        layer("Conv1d", (3, 4, 3), sequence, options=options)
        layer("Conv2d", (4, 3, 3), image, options=options)
    layer("Conv1d", (4, 6, 3), image.at("0"), options={"groups": 2}, gradients=False)
    layer("Conv2d", (4, 2, 3), image, options={"groups": 2, "padding": 1}, gradients=False)
    layer("Conv2d", (4, 2, [3, 2]), image, options={"stride": [2, 1], "padding": [1, 0]})
    for options in [{}, {"affine": False}, {"bias": False}, {"eps": 0.125}]:
        layer("LayerNorm", (4,), image, options=options)
    layer("RMSNorm", (4,), x)
    layer("RMSNorm", (4,), image, options={"eps": 0.125})
    for training in [True, False]:
        layer("BatchNorm", (4,), x, training=training)
        layer("BatchNorm", (4,), image, training=training)
        layer("BatchNorm", (3,), sequence, training=training, options={"momentum": 0.25, "eps": 0.125})
        layer("BatchNorm", (4,), x, training=training, options={"affine": False})
        layer("BatchNorm", (4,), x, training=training, options={"trackRunningStats": False})
    for compatible in [False, True]:
        layer("GroupNorm", (2, 4), image, options={"pytorchCompatible": compatible})
        layer("GroupNorm", (4, 4), x, options={"pytorchCompatible": compatible})
        layer("GroupNorm", (1, 3), sequence, options={"pytorchCompatible": compatible, "affine": False})
    for name in ["MaxPool1d", "AvgPool1d"]:
        for args, options in [((2,), {}), ((3,), {"stride": 1}), ((3,), {"stride": 2, "padding": 1}), ((2,), {"stride": 3})]:
            layer(name, args, sequence, options=options)
    for name in ["MaxPool2d", "AvgPool2d"]:
        for args, options in [((2,), {}), (([2, 3],), {}), ((3,), {"stride": 1}), ((3,), {"stride": [2, 1], "padding": 1}), ((2,), {"stride": 3})]:
            layer(name, args, image, options=options)
    for bias in [True, False]:
        layer("GRU", (3, 5), sequence, options={"bias": bias}, tolerance=5e-5)
        layer("LSTM", (3, 5), sequence, options={"bias": bias}, tolerance=5e-5)
    hidden, cell = shard.array(normals((2, 5), seed=205)), shard.array(normals((2, 5), seed=206))
    layer("GRU", (3, 5), sequence, hidden, tolerance=5e-5)
    layer("LSTM", (3, 5), sequence, hidden, cell, tolerance=5e-5)
    layer("GRU", (3, 5), sequence.at("0"), tolerance=5e-5)
    layer("LSTM", (3, 5), sequence.at("0"), tolerance=5e-5)
    layer("RNN", (3, 5), sequence, tolerance=5e-5)
    layer("RNN", (3, 5), sequence, hidden, options={"bias": False}, tolerance=5e-5)
    layer("Bilinear", (4, 3, 2), x, shard.array(normals((5, 3), seed=207)))
    layer("Bilinear", (4, 3, 2), x, shard.array(normals((5, 3), seed=207)), options={"bias": False})
    layer("InstanceNorm", (4,), image)
    layer("InstanceNorm", (4,), image, options={"affine": True, "eps": 0.125})
    volume = shard.array(normals((1, 4, 5, 4, 2), seed=208))
    layer("Conv3d", (2, 3, 2), volume)
    layer("Conv3d", (2, 3, [2, 3, 1]), volume, options={"stride": [1, 2, 1], "padding": [1, 1, 0], "bias": False})
    for name in ["MaxPool3d", "AvgPool3d"]:
        layer(name, (2,), volume)
        layer(name, ([2, 3, 1],), volume, options={"stride": 1, "padding": [1, 1, 0]})
    wide = shard.array(normals((2, 6, 8), seed=209))
    for options in [{}, {"traditional": True}, {"base": 500, "scale": 0.5}]:
        layer("RoPE", (8,), wide, options=options)
    layer("RoPE", (4,), wide, 3)
    for options in [{}, {"cosFirst": True}, {"fullTurns": True, "scale": 2}, {"minFreq": 0.01, "maxFreq": 10}]:
        layer("SinusoidalPositionalEncoding", (6,), shard.array(np.arange(5, dtype=np.float32)), options=options)
    causal = shard.array(nn.MultiHeadAttention.create_additive_causal_mask(6))
    layer("MultiHeadAttention", (8, 2), wide, wide, wide, tolerance=5e-5)
    layer("MultiHeadAttention", (8, 2), wide, wide, wide, causal, options={"bias": True}, tolerance=5e-5)
    layer("TransformerEncoderLayer", (8, 2), wide, causal, options={"hiddenSize": 12}, tolerance=2e-4)
    layer("TransformerEncoderLayer", (8, 2), wide, causal, options={"hiddenSize": 12, "normFirst": False}, tolerance=2e-4)
    layer("TransformerEncoder", (2, 8, 2), wide, causal, options={"hiddenSize": 12}, tolerance=5e-4)
    mask = shard.array(np.where(np.arange(3) < np.arange(6)[:, None], 0, -1e9).astype(np.float32))
    memory = shard.array(normals((2, 3, 8), seed=211))
    for options in [{"hiddenSize": 12}, {"hiddenSize": 12, "normFirst": False}]:
        layer("TransformerDecoderLayer", (8, 2), wide, memory, causal, mask, options=options, tolerance=5e-4)
    layer("TransformerDecoder", (2, 8, 2), wide, memory, causal, mask, options={"hiddenSize": 12}, tolerance=1e-3)
    whole = shard.array(np.zeros((3, 3), np.float32))
    model = {"numEncoderLayers": 1, "numDecoderLayers": 1, "hiddenSize": 12}
    layer("Transformer", (8, 2), memory, wide, whole, causal, mask, options=model, tolerance=1e-3)
    for options in [{}, {"stride": 2}, {"padding": 1}, {"dilation": 2, "padding": 1, "bias": False}, {"stride": 3, "outputPadding": 1}]:
        layer("ConvTransposed1d", (3, 4, 3), sequence, options=options, tolerance=5e-5)
        layer("ConvTransposed2d", (4, 3, 3), image, options=options, tolerance=5e-5)
    layer("ConvTransposed2d", (4, 2, [3, 2]), image, options={"stride": [2, 1], "padding": [1, 0]}, tolerance=5e-5)
    layer("ConvTransposed3d", (2, 3, 2), volume, options={"stride": 2}, tolerance=5e-5)
    for mode in ["nearest", "linear", "cubic"]:
        for factor in [2, 3, 1.5, 0.5, 2.7]:
            layer("Upsample", (factor,), sequence, options={"mode": mode})
            # Just below a whole number MLX's cubic takes one place twice and leaves another out: floor(x) + 1 < floor(x + 1).
            if (mode, factor) != ("cubic", 2.7):
                layer("Upsample", (factor,), image, options={"mode": mode})
        layer("Upsample", ([2, 1.5],), image, options={"mode": mode})
        if mode == "nearest":
            continue
        for factor in [2, 1.5, 0.5]:
            layer("Upsample", (factor,), image, options={"mode": mode, "alignCorners": True})
            layer("Upsample", (factor,), image, options={"mode": mode, "antialias": True})
    for heads in [1, 2, 6]:
        scores = shard.array(normals((2, heads, 4, 5), seed=212))
        layer("ALiBi", (), scores)
        layer("ALiBi", (), scores, 3)
        layer("ALiBi", (), scores, 0, shard.array(normals((4, 5), seed=213)))
    layer("Dropout2d", (0.5,), image, training=False)
    layer("Dropout3d", (0.5,), volume, training=False)
    layer("Dropout", (0.5,), x, training=False)
    layer("Dropout", (), x, training=False)
