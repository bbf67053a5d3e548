"""Values and gradients of PyTorch 2.15.0's cross_entropy for `crates/d2l/tests/it/cross_entropy.rs`."""

import torch
from torch.nn.functional import cross_entropy

from reference import Reference

reference = Reference("cross_entropy")
for reduction in ("none", "mean", "sum"):
    logits, labels = reference.normal(7, 5, scale=3.0), reference.integers(5, 7)
    reference.case(reduction, {"logits": logits, "labels": labels}, cross_entropy(logits, labels, reduction=reduction))

    logits, labels = reference.normal(3, 4, 2, 3), reference.integers(4, 3, 2, 3)
    weights = torch.rand(4, generator=reference.generator, dtype=torch.float64)
    output = cross_entropy(logits, labels, weight=weights, ignore_index=2, reduction=reduction)
    reference.case(f"options_{reduction}", {"logits": logits, "labels": labels, "weights": weights}, output)

logits, labels = torch.tensor([[1e4, -1e4, 0.0], [80.0, 100.0, -90.0]], dtype=torch.float64), torch.tensor([1, 1])
logits.requires_grad_()
reference.case("large", {"logits": logits, "labels": labels}, cross_entropy(logits, labels))
reference.write()
