"""Values and gradients of two small nets of PyTorch 2.15.0's layers for `crates/d2l/tests/it/layers.rs`.

For each net its parameters and buffers by PyTorch's names, the output while training, the gradients of the sum of its
products with `seed`, the buffers after that step, and the output of inference.
"""

import torch
from torch import nn

from reference import Reference

reference = Reference("layers")


class Image(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 4, (3, 2), padding=(1, 0), stride=(1, 2))
        self.norm = nn.BatchNorm2d(4)
        self.up = nn.ConvTranspose2d(4, 3, 2, stride=2)
        self.hidden = nn.Linear(3 * 2 * 3, 6)
        self.layer_norm = nn.LayerNorm(6)
        self.output = nn.Linear(6, 3, bias=False)

    def forward(self, x):
        x = torch.relu(self.norm(self.conv(x)))
        x = nn.functional.max_pool2d(x, (3, 2), 2, (1, 1))
        x = nn.functional.avg_pool2d(self.up(x), 2, 2)
        x = nn.functional.adaptive_avg_pool2d(x, (2, 3)).flatten(1)
        return self.output(torch.tanh(self.layer_norm(self.hidden(x))))


class Sequence(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(9, 5)
        self.conv = nn.Conv1d(5, 4, 3, padding=1)
        self.output = nn.Linear(4, 2)

    def forward(self, ids):
        x = self.conv(self.embedding(ids).transpose(1, 2))
        return self.output(torch.sigmoid(x).mean(2))


def record(case, net, x):
    for name, tensor in net.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            reference.keep(f"{case}.before.{name}", tensor)
    reference.keep(f"{case}.x", x)
    y = net.train()(x)
    seed = reference.normal(*y.shape).detach()
    reference.keep(f"{case}.y", y)
    reference.keep(f"{case}.seed", seed)
    (y * seed).sum().backward()
    for name, parameter in net.named_parameters():
        reference.keep(f"{case}.gradient.{name}", parameter.grad)
    for name, buffer in net.named_buffers():
        if not name.endswith("num_batches_tracked"):
            reference.keep(f"{case}.after.{name}", buffer)
    reference.keep(f"{case}.inference", net.eval()(x))


torch.manual_seed(7)
torch.set_default_dtype(torch.float64)
image, sequence = Image(), Sequence()
with torch.no_grad():
    for parameter in [*image.norm.parameters(), *image.layer_norm.parameters()]:
        parameter.normal_()  # not all ones and zeros
record("image", image, reference.normal(5, 2, 7, 9).detach())
record("sequence", sequence, reference.integers(9, 4, 6))
reference.write()
