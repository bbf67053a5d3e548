"""Values and gradients of PyTorch 2.15.0's activation functions for `crates/d2l/tests/it/activation.rs`."""

import torch
from torch.nn import functional

from reference import Reference

reference = Reference("activation")
functions = {
    "relu": functional.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "gelu": functional.gelu,
    "gelu_tanh": lambda x: functional.gelu(x, approximate="tanh"),
    "leaky_relu": lambda x: functional.leaky_relu(x, 0.2),
}
for name, function in functions.items():
    x = torch.cat([reference.normal(3, 9, scale=2.0).detach(), torch.zeros(3, 1, dtype=torch.float64)], dim=1)
    x.requires_grad_()
    reference.case(name, {"x": x}, function(x))
reference.write()
