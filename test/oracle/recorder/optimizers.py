"""Optimizers over five steps of fixed gradients, schedules, clipping."""

import mlx.core as mx
import mlx.optimizers as optim

from .samples import floats, normals
from .shard import Expected, snake

SCHEDULES = [
    ("exponentialDecay", [0.1, 0.9]), ("stepDecay", [0.1, 0.5, 3]), ("cosineDecay", [0.1, 10]), ("cosineDecay", [0.1, 10, 0.01]),
    ("linearSchedule", [0, 0.1, 5]), ("linearSchedule", [0.5, 0.25, 7]),
]  # fmt: skip


def schedule(description):
    name, arguments = description
    return getattr(optim, snake(name))(*arguments)


def record(shard):
    parameters = {"weight": shard.array(normals((3, 2), seed=221)), "bias": shard.array(normals((2,), seed=222))}
    steps = [
        {"weight": shard.array(normals((3, 2), seed=230 + i)), "bias": shard.array(normals((2,), seed=240 + i, scale=0.1))} for i in range(5)
    ]

    def optimizer(name, **options):
        keywords = {snake(k): v for k, v in options.items()}
        if isinstance(options.get("learningRate"), dict):
            keywords["learning_rate"] = schedule(options["learningRate"]["schedule"])
        made = getattr(optim, name)(**keywords)
        current = {k: v.value for k, v in parameters.items()}
        out = []
        for gradients in steps:
            current = made.apply_gradients({k: v.value for k, v in gradients.items()}, current)
            mx.eval(current, made.state)
            out.append(dict(current))
        shard.cases.append({
            "f": f"optim.{name}", "args": [], "options": options, "parameters": {k: v.encode() for k, v in parameters.items()},
            "steps": [{k: v.encode() for k, v in g.items()} for g in steps], "out": Expected.encode(out), "tolerance": 2e-6, "ulp": 16,
        })  # fmt: skip

    optimizer("SGD", learningRate=0.1)
    optimizer("SGD", learningRate=0.1, momentum=0.9)
    optimizer("SGD", learningRate=0.1, momentum=0.9, nesterov=True)
    optimizer("SGD", learningRate=0.1, momentum=0.9, dampening=0.25)
    optimizer("SGD", learningRate=0.1, weightDecay=0.01)
    optimizer("SGD", learningRate=0.1, momentum=0.5, weightDecay=0.1, nesterov=True)
    for name in ["Adam", "AdamW"]:
        for correction in [False, True]:
            optimizer(name, learningRate=0.01, biasCorrection=correction)
            optimizer(name, learningRate=0.01, betas=[0.5, 0.75], eps=1e-3, biasCorrection=correction)
        optimizer(name, learningRate=0.01)
    optimizer("AdamW", learningRate=0.01, weightDecay=0.25)
    optimizer("RMSprop", learningRate=0.01)
    optimizer("RMSprop", learningRate=0.01, alpha=0.5, eps=1e-3)
    optimizer("Lion", learningRate=0.01)
    optimizer("Lion", learningRate=0.01, betas=[0.5, 0.75], weightDecay=0.1)
    optimizer("Adagrad", learningRate=0.1)
    optimizer("Adagrad", learningRate=0.1, eps=1e-2)
    optimizer("Adamax", learningRate=0.01)
    optimizer("Adamax", learningRate=0.01, betas=[0.5, 0.75], eps=1e-3)
    optimizer("AdaDelta", learningRate=0.1)
    optimizer("AdaDelta", learningRate=1, rho=0.5, eps=1e-2)
    for options in [{}, {"beta1": 0.9, "weightDecay": 0.1}, {"warmupInit": True}, {"scaleParameter": False, "clipThreshold": 0.5, "decayRate": -0.5}]:
        optimizer("Adafactor", **options)
    optimizer("Adafactor", learningRate=0.05, relativeStep=False, eps=[1e-6, 1e-2])
    for options in [{}, {"nesterov": False, "weightDecay": 0}, {"momentum": 0.5, "nsSteps": 3}]:
        optimizer("Muon", learningRate=0.05, **options)
    for description in SCHEDULES:
        optimizer("SGD", learningRate={"schedule": list(description)})
        optimizer("Adam", learningRate={"schedule": list(description)})
        at = schedule(description)
        shard.cases.append({
            "f": f"optim.{description[0]}", "args": description[1], "steps": list(range(13)),
            "out": [Expected.encode(mx.array(at(mx.array(i)))) for i in range(13)], "ulp": 4, "tolerance": 1e-8,
        })  # fmt: skip
    parts, boundaries = [["linearSchedule", [0, 0.1, 5]], ["cosineDecay", [0.1, 8]]], [5]
    joined = optim.join_schedules([schedule(p) for p in parts], boundaries)
    shard.cases.append({
        "f": "optim.joinSchedules", "args": [parts, boundaries], "steps": list(range(15)),
        "out": [Expected.encode(mx.array(joined(mx.array(i)))) for i in range(15)], "ulp": 4, "tolerance": 1e-8,
    })  # fmt: skip
    for limit in [0.5, 1, 100]:
        gradients = {"a": shard.array(normals((3, 2), seed=250)), "b": shard.array(floats([3.0, -4.0], "float32"))}
        clipped, norm = optim.clip_grad_norm({k: v.value for k, v in gradients.items()}, limit)
        shard.cases.append({
            "f": "optim.clipGradNorm", "args": [{"dict": {k: v.encode() for k, v in gradients.items()}}, limit],
            "out": Expected.encode([clipped, norm]), "ulp": 8,
        })  # fmt: skip
