"""nn's fourteen losses with every reduction and their options."""

import mlx.core as mx
import numpy as np

from .samples import floats, normals


def record(shard):
    logits, other, third = (shard.array(normals((5, 4), seed=191 + i)) for i in range(3))
    labels = shard.array(np.array([3, 0, 1, 1, 2], np.int32))
    weights = shard.array(floats([0.5, 1.0, 2.0, 0.25, 1.5], "float32"))
    probabilities = shard.array(mx.softmax(normals((5, 4), seed=194), axis=-1))
    unit = shard.array(floats(np.random.default_rng(195).uniform(0, 1, (5, 4)), "float32"))
    signs = shard.array(floats([[1, -1, 1, -1]] * 5, "float32"))
    edge = shard.array(floats([[0.0, 1.0, 1e-30, 0.5]] * 5, "float32"))
    log_p = shard.array(mx.log(plain_softmax(normals((5, 4), seed=196))))
    log_q = shard.array(mx.log(plain_softmax(normals((5, 4), seed=197))))
    positive = shard.array(mx.abs(normals((5, 4), seed=198)) + 0.1)
    ones = shard.array(floats([1, -1, 1, 1, -1], "float32"))
    first, second = shard.array(normals((5,), seed=199)), shard.array(normals((5,), seed=200))
    table = [
        ("crossEntropy", (logits, labels), [{}, {"weights": weights}, {"labelSmoothing": 0.25}, {"weights": weights, "labelSmoothing": 0.1}]),
        ("crossEntropy", (logits, probabilities), [{}, {"labelSmoothing": 0.25}]),
        ("crossEntropy", (logits.T, labels), [{"axis": 0}]),
        ("binaryCrossEntropy", (logits, unit), [{}]),
        ("binaryCrossEntropy", (unit, signs), [{"withLogits": False}]),
        ("binaryCrossEntropy", (edge, unit), [{"withLogits": False}]),
        ("binaryCrossEntropy", (logits, unit), [{"weights": positive}]),
        ("l1Loss", (logits, other), [{}]), ("mseLoss", (logits, other), [{}]),
        ("nllLoss", (log_p, labels), [{}]), ("nllLoss", (log_p.T, labels), [{"axis": 0}]),
        ("gaussianNllLoss", (logits, other, positive), [{}, {"full": True}, {"eps": 0.5}]),
        ("klDivLoss", (log_p, log_q), [{}, {"axis": 0}]),
        ("smoothL1Loss", (logits, other), [{}, {"beta": 0.5}, {"beta": 2.5}]),
        ("tripletLoss", (logits, other, third), [{}, {"margin": 0.25}, {"axis": 0}, {"p": 1}, {"eps": 0.01}]),
        ("hingeLoss", (logits, signs), [{}]),
        ("huberLoss", (logits, other), [{}, {"delta": 0.5}]),
        ("logCoshLoss", (logits, other), [{}]),
        ("cosineSimilarityLoss", (logits, other), [{}, {"axis": 0}, {"eps": 0.5}]),
        ("marginRankingLoss", (first, second, ones), [{}, {"margin": 0.5}]),
    ]  # fmt: skip
    for name, arguments, variants in table:
        for options in variants:
            shard.case(f"losses.{name}", *arguments, ulp=16, tolerance=2e-6, **options)
            for reduction in ["none", "mean", "sum"]:
                shard.case(f"losses.{name}", *arguments, ulp=16, tolerance=1e-5, reduction=reduction, **options)
        wrt = (0,) if name in ["crossEntropy", "nllLoss", "hingeLoss", "binaryCrossEntropy"] else (0, 1)
        if arguments[0] is not edge:
            shard.vjp(f"losses.{name}", *arguments, wrt=wrt, tolerance=1e-5, ulp=16, reduction="sum", **variants[0])
    # Where two branches meet, the gradient is a convention.
    unit_labels = shard.array(floats([1.0, -1.0, 1.0, -1.0], "float32"))
    kinks = [shard.array(floats(values, "float32")) for values in [[1.0, -1.0, 0.5, 2.0], [1.0, -2.0, 1.5, 2.0]]]
    for name, arguments in [
        ("hingeLoss", (kinks[0], unit_labels)), ("huberLoss", kinks), ("smoothL1Loss", kinks), ("l1Loss", kinks), ("logCoshLoss", kinks),
        ("marginRankingLoss", (*kinks, unit_labels)), ("gaussianNllLoss", (*kinks, shard.array(floats([1e-6, 0.5, 1e-7, 1.0], "float32")))),
    ]:  # fmt: skip
        shard.vjp(f"losses.{name}", *arguments, wrt=tuple(range(len(arguments))), tolerance=1e-5, ulp=16, reduction="none")


def plain_softmax(x):
    return mx.softmax(x, axis=-1)
