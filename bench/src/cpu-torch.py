"""The rows of cpu-rows.ts in PyTorch on the CPU; speaks the lines that command-peer.ts expects: cpu-torch.py MODE THREADS."""
import resource
import sys
import time

import torch
import torch.nn.functional as F

from torch_models import perceptron, transformer

mode, threads = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(threads)
torch.manual_seed(1)


def prepared(run):
    return torch.compile(run) if mode == "compiled" else run


def without_gradient(run):
    def quiet():
        with torch.no_grad():
            run()

    return quiet


def product(*shapes, left=False, right=False):
    a, b = (torch.rand(shape) - 0.5 for shape in shapes)
    a, b = (a.T if left else a), (b.T if right else b)
    return without_gradient(lambda: a @ b)


def linear_gelu():
    a, b, c = torch.rand(1024, 1024) - 0.5, torch.rand(1024, 1024) - 0.5, torch.rand(1024)
    return without_gradient(lambda: F.gelu(torch.addmm(c, a, b)))


def convolution(x, weight, **options):
    x, weight = torch.rand(x) - 0.5, torch.rand(weight) - 0.5
    return without_gradient(lambda: F.conv2d(x, weight, **options))


def over(fn):
    x = torch.rand(4096, 4096) - 0.5
    return without_gradient(lambda: fn(x))


def chain(x):
    for _ in range(5):
        x = x * 1.01 + 0.5
    return x


def attention(count, with_gradient):
    q, k, v = ((torch.rand(1, 8, count, 64) - 0.5).requires_grad_() for _ in range(3))

    def forward():
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)

    def backward():
        for tensor in (q, k, v):
            tensor.grad = None
        forward().sum().backward()

    return backward if with_gradient else without_gradient(forward)


def training(model, optimizer, x, targets, with_step):
    loss_of = prepared(lambda: F.cross_entropy(model(x).flatten(0, -2), targets))

    def run():
        optimizer.zero_grad()
        loss_of().backward()
        if with_step:
            optimizer.step()

    return run


def mlp():
    model = perceptron()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    return training(model, optimizer, torch.rand(256, 784), torch.arange(256) * 7 % 10, True)


def gpt(with_step):
    model = transformer()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    return training(model, optimizer, torch.rand(1, 128, 256), torch.arange(128) * 7 % 1024, with_step)


square = (1024, 1024)
rows = {
    "matmul-512": lambda: product((512, 512), (512, 512)),
    "matmul-1024": lambda: product(square, square),
    "matmul-2048": lambda: product((2048, 2048), (2048, 2048)),
    "matmul-1001": lambda: product((1001, 1001), (1001, 1001)),
    "matmul-skinny": lambda: product((32, 4096), (4096, 4096)),
    "matmul-left-transposed": lambda: product(square, square, left=True),
    "matmul-right-transposed": lambda: product(square, square, right=True),
    "matmul-batched": lambda: product((16, 256, 256), (16, 256, 256)),
    "linear-gelu": linear_gelu,
    "conv": lambda: convolution((8, 64, 56, 56), (64, 64, 3, 3), padding=1),
    "conv-1x1": lambda: convolution((8, 64, 28, 28), (256, 64, 1, 1)),
    "conv-depthwise": lambda: convolution((8, 64, 56, 56), (64, 1, 3, 3), padding=1, groups=64),
    "conv-stride": lambda: convolution((8, 64, 56, 56), (128, 64, 3, 3), stride=2, padding=1),
    "conv-stem": lambda: convolution((2, 3, 224, 224), (64, 3, 7, 7), stride=2, padding=3),
    "copy": lambda: over(lambda x: x + 1),
    "softmax": lambda: over(lambda x: torch.softmax(x, -1)),
    "layer-norm": lambda: over(lambda x: F.layer_norm(x, (4096,))),
    "rms-norm": lambda: over(lambda x: F.rms_norm(x, (4096,))),
    "sum": lambda: over(lambda x: x.sum()),
    "sum-rows": lambda: over(lambda x: x.sum(1)),
    "sum-columns": lambda: over(lambda x: x.sum(0)),
    "chain": lambda: over(chain),
    "transcendental": lambda: over(lambda x: torch.sqrt(torch.sin(torch.log(torch.exp(torch.tanh(x)) + 1)) + 2)),
    "attention-512": lambda: attention(512, False),
    "attention-2048": lambda: attention(2048, False),
    "attention-512-gradient": lambda: attention(512, True),
    "attention-2048-gradient": lambda: attention(2048, True),
    "mlp-step": mlp,
    "gpt-gradient": lambda: gpt(False),
    "gpt-step": lambda: gpt(True),
}


def processor_milliseconds():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return (used.ru_utime + used.ru_stime) * 1e3


def answer(words):
    global run
    if words[0] == "prepare":
        if words[1] not in rows:
            return "unable not written in PyTorch"
        run = rows[words[1]]()
        start = time.perf_counter()
        run()
        run()
        return f"ready {(time.perf_counter() - start) * 1e3} torch={torch.__version__} mode={mode}"
    times, processor, began = [], processor_milliseconds(), time.perf_counter()
    while not times or (time.perf_counter() - began) * 1e3 < float(words[1]):
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1e3)
    per_run = (processor_milliseconds() - processor) / len(times)
    return f"measured {per_run} " + " ".join(f"{value:.6f}" for value in times)


for line in sys.stdin:
    print(answer(line.split()), flush=True)
