"""Parameters after each step of PyTorch 2.15.0's optimizers, for `crates/d2l/tests/optim.rs`.

The objective is half the sum of the squares of `x w + b`.
"""

import torch

from reference import Reference

reference = Reference("optim")
x, w0, b0 = reference.normal(5, 4), reference.normal(4, 3), reference.normal(3)
for name, tensor in (("x", x), ("w", w0), ("b", b0)):
    reference.keep(f"start.{name}", tensor)


def run(name, optimizer, steps=5):
    w, b = (start.detach().clone().requires_grad_() for start in (w0, b0))
    optimizer = optimizer([w, b])
    kept = []
    for _ in range(steps):
        optimizer.zero_grad()
        (0.5 * (x.detach() @ w + b).square().sum()).backward()
        optimizer.step()
        kept.append((w.detach().clone(), b.detach().clone()))
    reference.keep(f"{name}.w", torch.stack([w for w, _ in kept]))
    reference.keep(f"{name}.b", torch.stack([b for _, b in kept]))


run("sgd", lambda p: torch.optim.SGD(p, lr=0.01))
run("sgd_decay", lambda p: torch.optim.SGD(p, lr=0.01, weight_decay=0.1))
run("sgd_momentum", lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, weight_decay=0.1))
run("sgd_nesterov", lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, nesterov=True))
run("adam", lambda p: torch.optim.Adam(p))
run("adam_options", lambda p: torch.optim.Adam(p, lr=0.1, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1))
run("adamw", lambda p: torch.optim.AdamW(p))
run("adamw_options", lambda p: torch.optim.AdamW(p, lr=0.1, betas=(0.8, 0.95), weight_decay=0.3))
run("rmsprop", lambda p: torch.optim.RMSprop(p))
run("rmsprop_options", lambda p: torch.optim.RMSprop(p, lr=0.02, alpha=0.9, eps=1e-6, momentum=0.5, weight_decay=0.1))
run("adagrad", lambda p: torch.optim.Adagrad(p))
run("adagrad_options", lambda p: torch.optim.Adagrad(p, lr=0.1, weight_decay=0.1, eps=1e-6))
run("adadelta", lambda p: torch.optim.Adadelta(p))
run("adadelta_options", lambda p: torch.optim.Adadelta(p, lr=0.5, rho=0.8, eps=1e-4, weight_decay=0.1))
reference.write()
