"""The nets of sections 17.1 and 17.2, their updates, and their trainings for the page parity.md."""

import io
import sys
import zipfile

import torch
from torch import nn
from torch.nn import functional as F


def gaussian_nets(latent=2):
    """The generator and the discriminator of section 17.1."""
    discriminator = nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 3), nn.Tanh(), nn.Linear(3, 1))
    return nn.Sequential(nn.Linear(latent, 2)), discriminator


def generator_block(inputs, outputs, stride=2, padding=1):
    conv = nn.ConvTranspose2d(inputs, outputs, 4, stride, padding, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


def discriminator_block(inputs, outputs, slope):
    conv = nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.LeakyReLU(slope, inplace=True))


def picture_nets(channels=64, latent=100, slope=0.2):
    """The generator and the discriminator of section 17.2."""
    c = channels
    generator = nn.Sequential(
        generator_block(latent, 8 * c, 1, 0),
        generator_block(8 * c, 4 * c),
        generator_block(4 * c, 2 * c),
        generator_block(2 * c, c),
        nn.ConvTranspose2d(c, 3, 4, 2, 1, bias=False),
        nn.Tanh(),
    )
    discriminator = nn.Sequential(
        discriminator_block(3, c, slope),
        discriminator_block(c, 2 * c, slope),
        discriminator_block(2 * c, 4 * c, slope),
        discriminator_block(4 * c, 8 * c, slope),
        nn.Conv2d(8 * c, 1, 4, bias=False),
    )
    return generator, discriminator


def initialize(*nets):
    """All numbers from a narrow normal distribution, the scales of normalizations too."""
    for net in nets:
        for parameter in net.parameters():
            nn.init.normal_(parameter, 0, 0.02)


def update_discriminator(x, z, discriminator, generator, optimizer):
    """The loss, and the logits of real and of generated examples."""
    optimizer.zero_grad()
    real, generated = discriminator(x), discriminator(generator(z).detach())
    loss = F.binary_cross_entropy_with_logits
    value = (loss(real, torch.ones_like(real)) + loss(generated, torch.zeros_like(generated))) / 2
    value.backward()
    optimizer.step()
    return value, real, generated


def update_generator(z, discriminator, generator, optimizer):
    optimizer.zero_grad()
    judged = discriminator(generator(z))
    value = F.binary_cross_entropy_with_logits(judged, torch.ones_like(judged))
    value.backward()
    optimizer.step()
    return value


def train(x, shape, nets, optimizers, config, evaluate, prepare=lambda x: x):
    """Losses and shares told right of each epoch, and what `evaluate` gives at its end. Noise has `shape` for each example;
    `prepare` makes a minibatch of examples out of rows of `x`."""
    generator, discriminator = nets
    generator_optimizer, discriminator_optimizer = optimizers
    names = "discriminator_loss", "generator_loss", "real_acc", "generated_acc"
    metrics = {name: [] for name in names}
    for _ in range(config["num_epochs"]):
        generator.train()
        sums = [0.0] * len(names)
        for indices in torch.randperm(len(x)).to(x.device).split(config["batch_size"]):
            z = torch.randn(len(indices), *shape, device=x.device)
            judged = update_discriminator(prepare(x[indices]), z, discriminator, generator, discriminator_optimizer)
            loss, real, generated = judged
            generator_loss = update_generator(z, discriminator, generator, generator_optimizer)
            shares = (real > 0).float().mean(), (generated <= 0).float().mean()
            for place, value in enumerate((loss, generator_loss, *shares)):
                sums[place] += float(value.detach()) * len(indices)
        generator.eval()
        with torch.no_grad():
            evaluated = evaluate()
        for name, value in [*zip(names, (total / len(x) for total in sums)), *evaluated.items()]:
            metrics.setdefault(name, []).append(value)
    return metrics


def gaussian_trainings(record, device):
    """The training of section 17.1."""
    config = record["config"]
    a, b = torch.tensor([[1, 2], [-0.1, 0.5]], device=device), torch.tensor([1.0, 2.0], device=device)

    def training():
        x = torch.randn(config["examples"], 2, device=device) @ a + b
        generator, discriminator = (net.to(device) for net in gaussian_nets(config["latent_dim"]))
        initialize(generator, discriminator)
        rates = (generator, config["lr_g"]), (discriminator, config["lr_d"])
        optimizers = [torch.optim.Adam(net.parameters(), rate) for net, rate in rates]

        def evaluate():
            weight, bias = generator[0].weight, generator[0].bias
            mean = (bias - b).norm() / b.norm()
            covariance = (weight @ weight.T - a.T @ a).norm() / (a.T @ a).norm()
            return {"mean_error": float(mean), "covariance_error": float(covariance)}

        shape = (config["latent_dim"],)
        return train(x, shape, (generator, discriminator), optimizers, config, evaluate)

    return {"": training}


def sprites(archive):
    """The pictures of an archive as bytes (n, 3, 64, 64), in the order of their folders and names."""
    import numpy as np  # not above: the benchmark's workloads need neither of them
    from PIL import Image

    with zipfile.ZipFile(archive) as files:
        names = [name for name in files.namelist() if name.lower().endswith((".png", ".jpg", ".jpeg"))]
        names = [name for name in names if not name.rsplit("/", 1)[-1].startswith(".")]
        names.sort(key=lambda name: name.split("/"))
        pictures = [Image.open(io.BytesIO(files.read(name))).convert("RGBA") for name in names]
    white = Image.new("RGBA", (1, 1), "white")
    pictures = [Image.alpha_composite(white.resize(picture.size), picture).convert("RGB") for picture in pictures]
    pixels = np.stack([np.asarray(picture.resize((64, 64), Image.BILINEAR)) for picture in pictures])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()


def from_minus_one_to_one(pixels):
    return pixels.float() / 127.5 - 1


def diversity(pictures):
    """The root of the mean squared difference of two pictures, averaged over all pairs."""
    x = pictures.flatten(1).double()
    return float(torch.pdist(x).mean() / x.shape[1] ** 0.5)


def picture_trainings(record, archive, device):
    """The training of section 17.2."""
    config = record["config"]
    if record["data"] == "sample":
        sys.exit(f"the run of gan/{record['section']} was on the sample: record it anew")
    every = sprites(archive)
    latent = config["latent_dim"]

    def training():
        # The section draws its own choice of the sprites.
        chosen = torch.randperm(len(every))[: config["examples"]].sort().values
        x = every[chosen].to(device)
        spread = from_minus_one_to_one(x[torch.arange(64) * len(x) // 64] if len(x) > 64 else x)
        generator, discriminator = (net.to(device) for net in picture_nets(config["channels"], latent, config["slope"]))
        initialize(generator, discriminator)
        betas = config["beta1"], 0.999
        optimizers = [torch.optim.Adam(net.parameters(), config["lr"], betas) for net in (generator, discriminator)]
        noise = torch.randn(21, latent, 1, 1, device=device)

        def evaluate():
            return {"diversity": diversity(generator(noise)) / diversity(spread)}

        nets = generator, discriminator
        return train(x, (latent, 1, 1), nets, optimizers, config, evaluate, from_minus_one_to_one)

    return {"": training}
