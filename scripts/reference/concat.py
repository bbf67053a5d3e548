"""Values and gradients of PyTorch 2.15.0 for `d2l::ops::concat`, in `crates/d2l/tests/it/concat.rs`."""

import torch
from reference import Reference

reference = Reference("concat")
for name, axis, shapes in [
    ("channels", 1, [(2, 3, 4, 5), (2, 1, 4, 5), (2, 2, 4, 5), (2, 4, 4, 5)]),
    ("rows", 0, [(3, 4), (1, 4)]),
    ("columns", 2, [(2, 3, 1), (2, 3, 5), (2, 3, 2)]),
]:
    inputs = {f"x{i}": reference.normal(*shape) for i, shape in enumerate(shapes)}
    reference.case(name, inputs, torch.cat(list(inputs.values()), axis))
reference.write()
