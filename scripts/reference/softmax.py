"""Values and gradients of PyTorch 2.15.0's softmax for `crates/d2l/tests/it/softmax.rs`."""

import torch

from reference import Reference

reference = Reference("softmax")
for axis in range(3):
    for name, function in (("softmax", torch.softmax), ("log_softmax", torch.log_softmax)):
        x = reference.normal(3, 5, 4, scale=2.0)
        reference.case(f"{name}_{axis}", {"x": x}, function(x, axis))


def masked(x, lengths):
    """Softmax over each row's first elements, the others filled with a large negative number."""
    beyond = torch.arange(x.shape[-1]) >= lengths[..., None]
    return torch.softmax(x.masked_fill(beyond, -1e6), -1)


x, lengths = reference.normal(3, 4, 5), torch.tensor([2, 5, 0])
reference.case("masked_batch", {"x": x, "lens": lengths}, masked(x, lengths[:, None].expand(3, 4)))
x, lengths = reference.normal(3, 4, 5), reference.integers(7, 3, 4)
reference.case("masked_rows", {"x": x, "lens": lengths}, masked(x, lengths))
reference.write()
