"""The lines of gpu-rows.ts in PyTorch, TF32 off, on the same machine: `python3 gpu-torch.py [words]`."""
import statistics
import sys
import time

import torch
import torch.nn.functional as F

from torch_models import perceptron, transformer

torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False
words = sys.argv[1].split(",") if len(sys.argv) > 1 else [""]


def measure(name, run, flops=0, bytes_moved=0):
    if not any(word in name for word in words):
        return
    for _ in range(3):
        run()
    torch.cuda.synchronize()
    alone = []
    first = time.perf_counter()
    while len(alone) < 5 or (time.perf_counter() - first < 0.4 and len(alone) < 60):
        start = time.perf_counter()
        run()
        torch.cuda.synchronize()
        alone.append(time.perf_counter() - start)
    single = statistics.median(alone)
    length = max(2, min(50, int(0.1 / single) + 1))
    trains = []
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(length):
            run()
        torch.cuda.synchronize()
        trains.append((time.perf_counter() - start) / length)
    seconds = min(single, statistics.median(trains))
    rate = f"{flops / seconds / 1e12:.2f} TFLOP/s" if flops else f"{bytes_moved / seconds / 1e9:.0f} GB/s" if bytes_moved else ""
    print(f"torch: {name:<44} {seconds * 1e3:10.4f} ms  {rate}", flush=True)


def randn(*shape, dtype=torch.float32):
    return torch.randn(*shape, device="cuda", dtype=dtype)


print(f"torch {torch.__version__}, {torch.cuda.get_device_name()}")
count = 2**28
x = randn(count)
y = torch.empty_like(x)
measure("copy 1 GiB", lambda: y.copy_(x), bytes_moved=8 * count)
measure("sum of 1 GiB", lambda: x.sum(), bytes_moved=4 * count)
wide = x.view(16384, 16384)
measure("sum over axis 0 of 1 GiB", lambda: wide.sum(0), bytes_moved=4 * count)
measure("sum over axis 1 of 1 GiB", lambda: wide.sum(1), bytes_moved=4 * count)
rows = x.view(65536, 4096)
measure("softmax of 1 GiB", lambda: torch.softmax(rows, -1), bytes_moved=8 * count)
del y, wide, rows
x = randn(4096, 4096)
measure("sum of 16M", lambda: x.sum(), bytes_moved=4 * 2**24)
measure("softmax [4096, 4096]", lambda: torch.softmax(x, -1), bytes_moved=8 * 2**24)
for size in (1024, 2048, 4096, 8192, 4001):
    a, b = randn(size, size), randn(size, size)
    measure(f"matmul {size}³ f32", lambda: a @ b, flops=2 * size**3)
a, b = randn(64, 512, 512), randn(64, 512, 512)
measure("matmul 64 × 512³ f32, batched", lambda: a @ b, flops=64 * 2 * 512**3)
for size in (4096, 8192):
    a, b = randn(size, size, dtype=torch.float16), randn(size, size, dtype=torch.float16)
    measure(f"matmul {size}³ f16", lambda: a @ b, flops=2 * size**3)
image, kernel = randn(8, 64, 56, 56), randn(64, 64, 3, 3)
measure("conv 3×3 64→64 on [8, 56, 56]", lambda: F.conv2d(image, kernel, padding=1))
flops = 2 * 2 * 16 * 2048 * 2048 * 64 / 2
for name, dtype in (("float32", torch.float32), ("float16", torch.float16)):
    q, k, v = (randn(1, 16, 2048, 64, dtype=dtype).requires_grad_() for _ in range(3))
    with torch.no_grad():
        measure(
            f"attention 16 × 2048 × 64 causal {name}",
            lambda: F.scaled_dot_product_attention(q, k, v, is_causal=True),
            flops=flops,
        )

    def backward():
        for tensor in (q, k, v):
            tensor.grad = None
        F.scaled_dot_product_attention(q, k, v, is_causal=True).sum().backward()

    measure(f"attention 16 × 2048 × 64 causal {name}, value and gradient", backward, flops=3.5 * flops)

mlp = perceptron().cuda()
adam = torch.optim.Adam(mlp.parameters(), lr=1e-3, fused=True)
images, labels = randn(256, 784), torch.arange(256, device="cuda") % 10


def mlp_step():
    adam.zero_grad()
    F.cross_entropy(mlp(images), labels).backward()
    adam.step()


measure("MLP 784-512-256-10, batch 256, Adam step", mlp_step)


gpt = transformer().cuda()
adamw = torch.optim.AdamW(gpt.parameters(), lr=1e-3, fused=True)
tokens, targets = randn(1, 128, 256), torch.arange(128, device="cuda") * 7 % 1024


def gpt_forward():
    with torch.no_grad():
        gpt(tokens)


def gpt_gradient():
    adamw.zero_grad()
    F.cross_entropy(gpt(tokens)[0], targets).backward()


def gpt_step():
    gpt_gradient()
    adamw.step()


measure("GPT 4 × 256, 128 tokens: forward", gpt_forward)
measure("GPT 4 × 256, 128 tokens: value and gradient", gpt_gradient)
measure("GPT 4 × 256, 128 tokens: AdamW step", gpt_step)
