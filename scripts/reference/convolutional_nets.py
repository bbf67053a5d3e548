"""Values and gradients of PyTorch 2.15.0's convolutional nets for `crates/cnn/tests/it/reference.rs`.

The nets are the benchmark's, narrow and for small images, of which the last pools leave two pixels a side: with one, a
mean could not be told from a maximum, nor rows from columns where the image is flattened. Weights and images are drawn
by a formula that both languages have, so none is kept. For each net: its output `y` in evaluation, and the gradients of
the sum of `y · seed`. Of each parameter's gradient two numbers are kept, its norm and its sum over uneven weights. Nets
with batch normalization are differentiated in training, and evaluated after that step with the statistics that it left;
the others are differentiated without dropout.
"""

import sys
from pathlib import Path

import torch
from torch import nn

from reference import Reference, drawn, uneven

CRATES = Path(__file__).resolve().parents[2] / "crates"
sys.path.append(str(Path(__file__).resolve().parents[1] / "bench"))
import vision_nets as nets  # noqa: E402

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
reference = Reference("convolutional_nets")


def fill(net):
    """He's uniform distribution for weights, small biases, scales around 1."""
    for stream, (name, parameter) in enumerate(net.named_parameters()):
        values = drawn(parameter.numel(), stream).reshape(parameter.shape)
        if parameter.dim() > 1:
            values *= (6 / parameter[0].numel()) ** 0.5
        elif is_scale(net, name):
            values = 1 + 0.2 * values
        else:
            values *= 0.2
        with torch.no_grad():
            parameter.copy_(values)


def is_scale(net, name):
    layer, _, kind = name.rpartition(".")
    return kind == "weight" and isinstance(net.get_submodule(layer), (nn.BatchNorm1d, nn.BatchNorm2d))


def record(case, net, side, batch=4):
    fill(net)
    x = drawn(batch * side * side, 1000).reshape(batch, 1, side, side)
    has_norm = any(isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)) for layer in net.modules())
    net.train(has_norm)
    y = net(x)
    loss = (y * uneven(y.numel()).reshape(y.shape)).sum()
    gradients = torch.autograd.grad(loss, list(net.parameters()))
    net.eval()
    reference.keep(f"{case}.y", net(x))
    reference.keep(f"{case}.y_differentiated", y)
    reference.keep(f"{case}.norms", torch.stack([gradient.norm() for gradient in gradients]))
    sums = [(gradient.flatten() * uneven(gradient.numel())).sum() for gradient in gradients]
    reference.keep(f"{case}.sums", torch.stack(sums))


def lenet_with_norms():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5),
        nn.BatchNorm2d(6),
        nn.Sigmoid(),
        nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.BatchNorm2d(16),
        nn.Sigmoid(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(256, 120),
        nn.BatchNorm1d(120),
        nn.Sigmoid(),
        nn.Linear(120, 84),
        nn.BatchNorm1d(84),
        nn.Sigmoid(),
        nn.Linear(84, 10),
    )


record("lenet", nets.lenet(), 28)
record("alexnet", nets.alexnet(97, 16), 97)
record("vgg", nets.vgg11(16, 64, 64), 64)
record("nin", nets.nin(8), 99)
record("googlenet", nets.googlenet(8), 64)
record("batch_norm", lenet_with_norms(), 28)
record("resnet", nets.resnet18(8), 64)
record("densenet", nets.densenet(8), 64)
reference.write(CRATES / "cnn" / "tests" / "reference")
