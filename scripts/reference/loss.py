"""Values and gradients of PyTorch 2.15.0's element-wise losses for `crates/d2l/tests/it/loss.rs`."""

import torch
from torch.nn import functional

from reference import Reference

reference = Reference("loss")
losses = {
    "mse": functional.mse_loss,
    "l1": functional.l1_loss,
    "huber": lambda x, t, reduction: functional.huber_loss(x, t, delta=0.7, reduction=reduction),
    "bce": functional.binary_cross_entropy_with_logits,
}
for name, loss in losses.items():
    for reduction in ("none", "mean", "sum"):
        x, t = reference.normal(4, 5, scale=2.0), reference.normal(4, 5)
        with torch.no_grad():
            x[0, 0] = t[0, 0]  # where the absolute error has no derivative
            if name == "bce":
                t.sigmoid_()
        reference.case(f"{name}_{reduction}", {"x": x, "t": t}, loss(x, t, reduction=reduction))
x = torch.tensor([-100.0, 100.0, -100.0, 100.0, 0.0], dtype=torch.float64).requires_grad_()
t = torch.tensor([0.0, 1.0, 1.0, 0.0, 0.5], dtype=torch.float64).requires_grad_()
output = functional.binary_cross_entropy_with_logits(x, t, reduction="none")
reference.case("bce_large", {"x": x, "t": t}, output)
for reduction in ("none", "mean", "sum"):
    x, t = reference.normal(4, 5, scale=2.0), reference.normal(4, 5)
    reference.case(f"squared_{reduction}", {"x": x, "t": t}, 0.5 * functional.mse_loss(x, t, reduction=reduction))
reference.write()
