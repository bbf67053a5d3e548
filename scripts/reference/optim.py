"""PyTorch 2.15.0's optimizers, clipping and schedules, for `crates/d2l/tests/it/optim.rs`: parameters after each step.

The objective is half the sum of the squares of `x w + b`.
"""

import torch

from reference import Reference

reference = Reference("optim")
x, w0, b0 = reference.normal(5, 4), reference.normal(4, 3), reference.normal(3)
for name, tensor in (("x", x), ("w", w0), ("b", b0)):
    reference.keep(f"start.{name}", tensor)


def run(name, optimizer, steps=5, keep_from=0):
    w, b = (start.detach().clone().requires_grad_() for start in (w0, b0))
    optimizer = optimizer([w, b])
    kept = []
    for step in range(steps):
        optimizer.zero_grad()
        (0.5 * (x.detach() @ w + b).square().sum()).backward()
        optimizer.step()
        if step >= keep_from:
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
run("amsgrad", lambda p: torch.optim.Adam(p, amsgrad=True))
run("amsgrad_options", lambda p: torch.optim.Adam(p, lr=0.1, betas=(0.8, 0.95), weight_decay=0.1, amsgrad=True))

# The parameters after 100 steps. RMSProp has a small rate: at 0.01 it is at the bottom by then, where its steps
# multiply the rounding of the last digit by a thousand million, in PyTorch too.
hundred = {"steps": 100, "keep_from": 99}
run("sgd_100", lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, weight_decay=0.1), **hundred)
run("nesterov_100", lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, nesterov=True), **hundred)
run("adam_100", lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=0.1), **hundred)
run("amsgrad_100", lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=0.1, amsgrad=True), **hundred)
run("adamw_100", lambda p: torch.optim.AdamW(p, lr=0.01), **hundred)
run("rmsprop_100", lambda p: torch.optim.RMSprop(p, lr=0.001, alpha=0.9, momentum=0.5, weight_decay=0.1), **hundred)
run("adagrad_100", lambda p: torch.optim.Adagrad(p, lr=0.1, weight_decay=0.1), **hundred)
run("adadelta_100", lambda p: torch.optim.Adadelta(p, rho=0.9, weight_decay=0.1), **hundred)


def groups(p):
    """The weight with a decay of its own, the bias at half the learning rate."""
    return lambda lr: [{"params": p[:1], "weight_decay": 0.2}, {"params": p[1:], "lr": lr / 2}]


run("sgd_groups", lambda p: torch.optim.SGD(groups(p)(0.01), lr=0.01, momentum=0.9))
run("adam_groups", lambda p: torch.optim.Adam(groups(p)(0.1), lr=0.1))
run("sgd_groups_100", lambda p: torch.optim.SGD(groups(p)(0.01), lr=0.01, momentum=0.9), **hundred)
run("adam_groups_100", lambda p: torch.optim.Adam(groups(p)(0.01), lr=0.01), **hundred)
run("adamw_groups", lambda p: torch.optim.AdamW(groups(p)(0.1), lr=0.1))
run("rmsprop_groups", lambda p: torch.optim.RMSprop(groups(p)(0.02), lr=0.02))
run("adagrad_groups", lambda p: torch.optim.Adagrad(groups(p)(0.1), lr=0.1))
run("adadelta_groups", lambda p: torch.optim.Adadelta(groups(p)(1.0), lr=1.0))

w, b = (start.detach().clone().requires_grad_() for start in (w0, b0))
(0.5 * (x.detach() @ w + b).square().sum()).backward()
norm = torch.nn.utils.clip_grad_norm_([w, b], 0.5)
for name, tensor in (("norm", norm), ("w", w.grad), ("b", b.grad)):
    reference.keep(f"clipped.{name}", tensor)


def schedule(name, scheduler, epochs=24, lr=0.3):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    scheduler = scheduler(optimizer)
    rates = []
    for _ in range(epochs):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    reference.keep(f"schedule.{name}", torch.tensor(rates, dtype=torch.float64))


lr = torch.optim.lr_scheduler
schedule("step", lambda o: lr.StepLR(o, 5, 0.3))
schedule("multi_step", lambda o: lr.MultiStepLR(o, [4, 9, 17], 0.5))
schedule("factor", lambda o: lr.ExponentialLR(o, 0.8))
schedule("cosine", lambda o: lr.CosineAnnealingLR(o, 20, eta_min=0.01), epochs=21)
warm_up = lambda o: lr.LinearLR(o, start_factor=1 / 3, total_iters=5)
cosine = lambda o: lr.CosineAnnealingLR(o, 15, eta_min=0.01)
schedule("warm_up_cosine", lambda o: lr.SequentialLR(o, [warm_up(o), cosine(o)], milestones=[5]), epochs=21)
reference.write()
