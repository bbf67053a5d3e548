"""What the reference scripts share: seeded inputs, gradients, and writing them for the tests of `d2l`.

The files in `crates/d2l/tests/reference/` were written with PyTorch 2.15.0.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file

FOLDER = Path(__file__).resolve().parents[2] / "crates" / "d2l" / "tests" / "reference"


def drawn(count, stream):
    """Numbers from -1 to 1: the fractions of a sine that is stretched far."""
    places = torch.arange(count, dtype=torch.float64)
    stretched = torch.sin(places * 12.9898 + stream * 78.233) * 43758.5453
    return 2 * (stretched - stretched.floor()) - 1


def uneven(count):
    """Weights that differ from each other, in the default type."""
    return torch.sin(torch.arange(count) * 0.7 + 0.3) + 0.1


class Reference:
    """Collects named tensors of one operation; all inputs are of float64."""

    def __init__(self, operation):
        self.operation = operation
        self.tensors = {}
        self.generator = torch.Generator().manual_seed(7)

    def normal(self, *shape, scale=1.0):
        """A leaf with normal values."""
        values = torch.randn(*shape, generator=self.generator, dtype=torch.float64) * scale
        return values.requires_grad_()

    def integers(self, high, *shape):
        return torch.randint(0, high, shape, generator=self.generator)

    def keep(self, name, tensor):
        self.tensors[name] = tensor.detach().clone().contiguous()

    def case(self, name, inputs, output):
        """Keeps inputs, output `y`, uneven weights `seed`, and the gradients of the sum of `y · seed`."""
        seed = torch.sin(torch.arange(output.numel(), dtype=torch.float64) * 0.7 + 0.3).reshape(output.shape) + 0.1
        leaves = {key: value for key, value in inputs.items() if value.requires_grad}
        gradients = torch.autograd.grad((output * seed).sum(), list(leaves.values()))
        for key, value in inputs.items():
            self.keep(f"{name}.{key}", value)
        for key, gradient in zip(leaves, gradients):
            self.keep(f"{name}.grad_{key}", gradient)
        self.keep(f"{name}.y", output)
        self.keep(f"{name}.seed", seed)

    def write(self, folder=FOLDER):
        folder.mkdir(parents=True, exist_ok=True)
        metadata = {"made_with": f"PyTorch {torch.__version__.split('+')[0]}"}
        save_file(self.tensors, folder / f"{self.operation}.safetensors", metadata=metadata)
