"""Values, gradients and updates of PyTorch 2.15.0's adversarial nets for `crates/gan/tests/it/reference.rs`.

The nets are the benchmark's, narrow ones. For each net: its parameters by the names of the Rust net, the output while
training, the gradients of its sum over uneven weights, the running statistics that this step leaves, and the output in
evaluation; of pictures, every 61st number. For two games: the numbers of both nets before and after two rounds of updates by
stochastic gradient descent, whose steps show what Adam's hide, and the losses. Pictures are drawn by a formula that both
languages have.
"""

import sys
from pathlib import Path

import torch

from reference import Reference, drawn, uneven

SCRIPTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(SCRIPTS / "bench"))  # before this file, which has the same name
import adversarial as nets  # noqa: E402

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
reference = Reference("adversarial")

GAUSSIAN = {"0": "linear"}, {"0": "hidden1", "2": "hidden2", "4": "output"}
PICTURE = {f"{block}.{place}": f"block{block + 1}.{name}" for block in range(4) for place, name in ((0, "conv"), (1, "norm"))}
PICTURE = PICTURE | {"4": "output"}
EVERY = 61


def fill(net):
    """Numbers that leave something of what goes through; scales around 1."""
    for parameter in net.parameters():
        values = reference.normal(*parameter.shape).detach()
        if parameter.dim() > 1:
            values /= (parameter[0].numel()) ** 0.5
        else:
            values = 0.2 * values
        with torch.no_grad():
            parameter.copy_(values)
    for layer in net.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            with torch.no_grad():
                layer.weight += 1


def keep(case, part, net, names):
    """Parameters and running statistics."""
    for name, value in net.state_dict().items():
        layer, kind = name.rsplit(".", 1)
        if kind != "num_batches_tracked":
            reference.keep(f"{case}.{part}.{names[layer]}.{kind}", value)


def thinned(y):
    return y.flatten()[::EVERY] if y.numel() > 1000 else y


def record(case, net, names, x):
    fill(net)
    keep(case, "before", net, names)
    y = net.train()(x)
    parameters = dict(net.named_parameters())
    gradients = torch.autograd.grad((y * uneven(y.numel()).reshape(y.shape)).sum(), list(parameters.values()))
    for name, gradient in zip(parameters, gradients):
        layer, kind = name.rsplit(".", 1)
        assert gradient.abs().max() > 1e-3, f"{case}: there is little of a gradient for {name}"
        reference.keep(f"{case}.gradient.{names[layer]}.{kind}", gradient)
    reference.keep(f"{case}.y", thinned(y))
    for name, value in net.named_buffers():
        layer, kind = name.rsplit(".", 1)
        if kind != "num_batches_tracked":
            reference.keep(f"{case}.after.{names[layer]}.{kind}", value)
    reference.keep(f"{case}.inference", thinned(net.eval()(x)))


def play(case, players, names, x, noises, rate):
    """Rounds of updates: of the discriminator, then of the generator."""
    generator, discriminator = players
    for part, net, of in (("generator", generator, names[0]), ("discriminator", discriminator, names[1])):
        fill(net)
        keep(case, f"before.{part}", net.train(), of)
    optimizers = [torch.optim.SGD(net.parameters(), rate) for net in players]
    losses = []
    for z in noises:
        loss, _, _ = nets.update_discriminator(x, z, discriminator, generator, optimizers[1])
        losses += [loss, nets.update_generator(z, discriminator, generator, optimizers[0])]
    reference.keep(f"{case}.losses", torch.stack(losses))
    for part, net, of in (("generator", generator, names[0]), ("discriminator", discriminator, names[1])):
        keep(case, f"after.{part}", net, of)


def pictures(count):
    return drawn(count * 3 * 64 * 64, 1000).reshape(count, 3, 64, 64)


def noise(case, *shape):
    z = reference.normal(*shape).detach()
    reference.keep(f"{case}.z", z)
    return z


generator, discriminator = nets.gaussian_nets()
record("gaussian_generator", generator, GAUSSIAN[0], noise("gaussian_generator", 5, 2))
record("gaussian_discriminator", discriminator, GAUSSIAN[1], noise("gaussian_discriminator", 5, 2))
generator, discriminator = nets.picture_nets(2, 3, 0.2)
record("picture_generator", generator, PICTURE, noise("picture_generator", 2, 3, 1, 1))
record("picture_discriminator", discriminator, PICTURE, pictures(2))

x, z = reference.normal(6, 2).detach(), noise("gaussian_game", 2, 6, 2)
reference.keep("gaussian_game.x", x)
play("gaussian_game", nets.gaussian_nets(), GAUSSIAN, x, z, 0.5)
z = noise("picture_game", 2, 2, 2, 1, 1)
play("picture_game", nets.picture_nets(1, 2, 0.2), (PICTURE, PICTURE), pictures(2), z, 0.05)
reference.write(SCRIPTS.parent / "crates" / "gan" / "tests" / "reference")
