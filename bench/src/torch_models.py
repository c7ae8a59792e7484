"""The models that PyTorch is measured with: the perceptron and the transformer of the benchmarks' rows."""
import torch
import torch.nn.functional as F


def perceptron():
    linear = torch.nn.Linear
    return torch.nn.Sequential(
        linear(784, 512), torch.nn.ReLU(), linear(512, 256), torch.nn.ReLU(), linear(256, 10)
    )


def transformer():
    blocks = [Block() for _ in range(4)]
    return torch.nn.Sequential(*blocks, torch.nn.LayerNorm(256), torch.nn.Linear(256, 1024, bias=False))


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.norm_in, self.norm_out = torch.nn.LayerNorm(256), torch.nn.LayerNorm(256)
        self.qkv, self.output = torch.nn.Linear(256, 768), torch.nn.Linear(256, 256)
        self.widen, self.narrow = torch.nn.Linear(256, 1024), torch.nn.Linear(1024, 256)

    def forward(self, x):
        q, k, v = self.qkv(self.norm_in(x)).view(1, 128, 3, 4, 64).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.output(attended.transpose(1, 2).reshape(1, 128, 256))
        return x + self.narrow(F.gelu(self.widen(self.norm_out(x)), approximate="tanh"))
