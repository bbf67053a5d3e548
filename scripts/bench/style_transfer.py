"""Style transfer of section 13.12: its losses, which the benchmark takes too, and its training as the section does it."""

import gzip
import sys

import torch
from torch import nn

from vision_nets import vgg19_features

STYLE_LAYERS, CONTENT_LAYERS = (0, 5, 10, 19, 28), (25,)
# What the authors' weights give in the mean, by which the section divides their features.
MEANS = {0: 22.9, 5: 129.0, 10: 132.0, 19: 502.0, 25: 39.6, 28: 40.7}
MEAN, STD = (torch.tensor(values).reshape(3, 1, 1) for values in [(123.675, 116.28, 103.53), (58.395, 57.12, 57.375)])


def gram(features):
    """How much each two channels agree: (channels, channels)."""
    channels = features.shape[1]
    rows = features.reshape(channels, -1)
    return rows @ rows.T / rows.numel()


def extract(layers, x, means=None):
    """The features of the layers of content and of style, each before its ReLU; divided by `means`, if any."""
    found = {}
    for place, layer in enumerate(layers):
        x = layer(x)
        found[place] = x if means is None or place not in means else x / means[place]
    return [found[place] for place in CONTENT_LAYERS], [found[place] for place in STYLE_LAYERS]


def losses(picture, features, contents, grams, weights):
    """The weighted losses of content, of style and of total variation."""
    contents_now, styles_now = features
    content = sum((now - y).square().mean() for now, y in zip(contents_now, contents))
    style = sum((gram(now) - y).square().mean() for now, y in zip(styles_now, grams))
    down, across = picture[:, :, 1:] - picture[:, :, :-1], picture[..., 1:] - picture[..., :-1]
    roughness = 0.5 * (down.abs().mean() + across.abs().mean())
    return [weight * loss for weight, loss in zip(weights, (content, style, roughness))]


# ---- what parity.py trains ----


def oxford_net(weights):
    """VGG-19 up to conv5_1 with its authors' weights of eight bits, for a picture in RGB that is normalized."""
    from safetensors.torch import load  # not above: the benchmark does without it

    tensors = load(gzip.decompress(weights.read_bytes()))
    net = vgg19_features(29, kept=STYLE_LAYERS + CONTENT_LAYERS).requires_grad_(False)
    for place, layer in enumerate(net):
        if isinstance(layer, nn.Conv2d):
            name = f"features.{place}"
            weight = tensors[f"{name}.weight"].float() * tensors[f"{name}.weight.scale"] + tensors[f"{name}.weight.min"]
            layer.weight.copy_(weight.flip(1) * STD if place == 0 else weight)
            layer.bias.copy_(tensors[f"{name}.bias"])
    return net


def preprocessed(path, size):
    import numpy as np  # as above
    from PIL import Image

    picture = Image.open(path).convert("RGB").resize((size[1], size[0]), Image.BILINEAR)
    return ((torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() - MEAN) / STD).unsqueeze(0)


def trainings(record, content, style, weights, device):
    """The section's one training, where its run was on the weights that this script has."""
    config = record["config"]
    if record["data"] != "stand-in":
        sys.exit("the run of vision/neural-style was not on the authors' weights of eight bits, and no others are here")

    def training():
        size, kinds = (config["height"], config["width"]), ("content", "style", "tv")
        net = oxford_net(weights).to(device)
        start, painting = (preprocessed(path, size).to(device) for path in (content, style))
        with torch.no_grad():
            contents, _ = extract(net, start, MEANS)
            grams = [gram(y) for y in extract(net, painting, MEANS)[1]]
        picture = nn.Parameter(start.clone())
        optimizer = torch.optim.Adam([picture], lr=config["lr"])
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, config["lr_decay_epoch"], 0.8)
        metrics = {f"{kind}_loss": [] for kind in kinds}
        for _ in range(config["num_epochs"]):
            optimizer.zero_grad()
            parts = [config[f"{kind}_weight"] for kind in kinds]
            parts = losses(picture, extract(net, picture, MEANS), contents, grams, parts)
            sum(parts).backward()
            optimizer.step()
            schedule.step()
            for values, part in zip(metrics.values(), parts):
                values.append(float(part.detach()))
        return metrics

    return {"": training}
