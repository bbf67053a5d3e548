"""Values and gradients of PyTorch 2.15.0 for the sums of `d2l::ops`, in `crates/d2l/tests/it/add.rs`."""

import torch
from reference import Reference

reference = Reference("add")
a, b = reference.normal(3, 4, 5), reference.normal(3, 4, 5)
reference.case("plain", {"a": a, "b": b}, a + b)
a, b = reference.normal(2, 7), reference.normal(2, 7)
reference.case("relu", {"a": a, "b": b}, torch.relu(a + b))
reference.write()
