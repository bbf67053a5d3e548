"""The trainings of sections 13.13 and 13.14, two competitions on Kaggle, as the sections do them."""

import math
import sys
import zipfile
from collections import Counter

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

from efficientnet import EfficientNetLite0
from vision_nets import small_resnet18

CIFAR10_LABELS = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def cifar10(rows, table):
    """The pictures of files of rows, bytes (n, 32, 32, 3), and the class of each by the zipped table of labels."""
    pixels = np.concatenate([np.asarray(Image.open(path)) for path in rows]).reshape(-1, 32, 32, 3)
    with zipfile.ZipFile(table) as archive:
        lines = archive.read("trainLabels.csv").decode().split()[1:]
    return pixels, [CIFAR10_LABELS.index(line.split(",")[1]) for line in lines[: len(pixels)]]


def divided(entries, valid_ratio):
    """Which pictures with their classes are trained on, which validate, and how many of each class do so.

    Those are each class's first ones: as many as the rarest class has, times the ratio, one at least; but the only
    picture of a class is trained on.
    """
    counts = Counter(label for _, label in entries)
    held_out = max(math.floor(min(counts.values()) * valid_ratio), 1)
    seen, parts = Counter(), ([], [])
    for picture, label in entries:
        parts[seen[label] < min(held_out, counts[label] - 1)].append((picture, label))
        seen[label] += 1
    return *parts, held_out


def minibatch(entries, transform, device):
    """Pictures (batch, 3, height, width) and their classes (batch)."""
    x = torch.stack([transform(picture) for picture, _ in entries])
    return x.to(device), torch.tensor([label for _, label in entries], device=device)


def train(net, count, examples, config, evaluate=dict):
    """Losses and accuracies of each epoch, and what `evaluate` gives after it; a last minibatch that would be smaller is
    left out. `examples` gives inputs and classes of an epoch, counted from 0, by their places among `count`."""
    optimizer = torch.optim.SGD(net.parameters(), lr=config["lr"], momentum=0.9, weight_decay=config["weight_decay"])
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, config["lr_period"], config["lr_decay"])
    size, metrics = config["batch_size"], {}
    for epoch in range(config["num_epochs"]):
        net.train()
        total_loss = right = trained = 0
        order = torch.randperm(count)
        for start in range(0, count - size + 1, size):
            x, y = examples(epoch, order[start : start + size])
            scores = net(x)
            losses = F.cross_entropy(scores, y, reduction="none")
            optimizer.zero_grad()
            losses.sum().backward()
            optimizer.step()
            total_loss += float(losses.detach().sum())
            right += int((scores.argmax(1) == y).sum())
            trained += len(x)
        schedule.step()
        net.eval()
        reached = {"train_loss": total_loss / trained, "train_acc": right / trained, **evaluate()}
        for name, value in reached.items():
            metrics.setdefault(name, []).append(value)
    return metrics


def narrow_resnet18(narrowing):
    def xavier_weights(layer):
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            nn.init.xavier_uniform_(layer.weight)

    return small_resnet18(narrowing).apply(xavier_weights)


def accuracy(net, x, y, size=256):
    """The share of pictures whose class the net finds."""
    with torch.no_grad():
        right = sum(int((net(x[i : i + size]).argmax(1) == y[i : i + size]).sum()) for i in range(0, len(x), size))
    return right / len(x)


def cifar10_trainings(record, rows, table, device):
    """The two trainings of section 13.13 as one, where its run was on the pictures that these files have."""
    from torchvision import transforms  # not above: the other sections of parity.py do without it

    config, said = record["config"], "".join(cell["text"] for cell in record["cells"])
    pixels, labels = cifar10(rows, table)
    entries = list(zip(map(Image.fromarray, pixels), labels))
    # The section has the pictures as files, named after their numbers: 1, 10, 100, 2.
    pictures, tests = [entries[place] for place in sorted(range(3000), key=lambda place: str(place + 1))], entries[3000:]
    counts = f"{len(pictures)} training and {len(tests)} test pictures"
    pictures = pictures[: config["examples"]]
    *parts, held_out = divided(pictures, config["valid_ratio"])
    organized = f"{len(pictures)} training pictures, of each class {held_out} of them to validate with"
    if record["data"] != "stand-in" or f"{counts}, " not in said or f"{organized}\n" not in said:
        sys.exit(f"the run of vision/kaggle-cifar10 was not on {counts}, {organized}, and no others are here")
    normalized = transforms.Compose(
        [transforms.ToTensor(), transforms.Normalize([0.4914, 0.4822, 0.4465], [0.2023, 0.1994, 0.2010])]
    )
    crop = transforms.RandomResizedCrop(32, scale=(0.64, 1.0), ratio=(1.0, 1.0))
    augmented = transforms.Compose([transforms.Resize((40, 40)), crop, transforms.RandomHorizontalFlip(), normalized])

    def trained(part, evaluate):
        net = narrow_resnet18(config["narrowing"]).to(device)
        examples = lambda _, places: minibatch([part[place] for place in places], augmented, device)  # noqa: E731
        return net, train(net, len(part), examples, config, lambda: evaluate(net))

    def training():
        valid, test = (minibatch(part, normalized, device) for part in (parts[1], tests))
        _, metrics = trained(parts[0], lambda net: {"valid_acc": accuracy(net, *valid)})
        net, found = trained(pictures, lambda net: {})
        metrics |= {f"{name}_all": values for name, values in found.items()}
        return metrics | {"submission_acc": [accuracy(net, *test)]}

    return {"": training}


def frozen_net(device, weights=None):
    """EfficientNet-Lite0 with its own thousand outputs, not trained here; its weights are random if none are given."""
    net = EfficientNetLite0(1000)
    if weights is not None:
        net.load_state_dict(torch.load(weights, weights_only=True))
    return net.requires_grad_(False).eval().to(device)


def features(net, entries, transform, size, device):
    """The net's outputs (n, 1000) and the classes (n)."""
    starts = range(0, len(entries), size)
    batches = (minibatch(entries[start : start + size], transform, device) for start in starts)
    outputs, classes = zip(*((net(x), y) for x, y in batches))
    return torch.cat(outputs), torch.cat(classes)


def dog_trainings(record, folder, weights, device):
    """The three trainings of section 13.14 as one, where its run was on this folder's pictures and these weights."""
    from torchvision import transforms  # as above

    config, said = record["config"], "".join(cell["text"] for cell in record["cells"])
    lines = (folder / "labels.csv").read_text().split()[1:]
    breed_of = dict(line.split(",") for line in lines)
    breeds = sorted(set(breed_of.values()))
    files = sorted(path for path in (folder / "train").iterdir() if not path.name.startswith("."))
    entries = [(path, breeds.index(breed_of[path.stem])) for path in files]
    tests = entries[9::10]  # every tenth is held back
    pictures = [entry for place, entry in enumerate(entries) if place % 10 != 9]
    *parts, held_out = divided(pictures, config["valid_ratio"])
    counts = f"{len(pictures)} training and {len(tests)} test pictures, {len(breed_of)} labels"
    organized = f"pictures of each breed to validate with = {held_out}"
    if record["data"] != "stand-in" or f"{counts}\n" not in said or f"{organized}\n" not in said:
        sys.exit(f"the run of vision/kaggle-dog was on other pictures than {folder}, which has {counts}, {organized}")
    if "EfficientNetLite0: " not in said:
        sys.exit("the run of vision/kaggle-dog was not on EfficientNet-Lite0, and no other net is here")
    side, size = config["side"], config["batch_size"]
    opened = lambda path: Image.open(path).convert("RGB")  # noqa: E731
    # What these weights were trained to see: bytes less 127, by 128.
    normalized = [transforms.ToTensor(), transforms.Normalize([127 / 255] * 3, [128 / 255] * 3)]
    colors = transforms.ColorJitter(brightness=0.4, contrast=0.4, saturation=0.4)
    augmented = [transforms.RandomResizedCrop(side), transforms.RandomHorizontalFlip(), colors]
    augmented = transforms.Compose([opened, *augmented, *normalized])
    middle = [transforms.Resize(side * 256 // 224), transforms.CenterCrop(side)]
    middle = transforms.Compose([opened, *middle, *normalized])

    def trained(body, part, valid=()):
        """A new head, and the metrics of its training on the features of a part."""
        if valid:
            x, y = features(body, valid, middle, size, device)
        views = [features(body, part, augmented, size, device) for _ in range(config["kept_views"])]

        def examples(epoch, places):
            if views:
                return [tensor[places.to(device)] for tensor in views[epoch % len(views)]]
            return features(body, [part[place] for place in places], augmented, size, device)

        def evaluate():
            with torch.no_grad():
                return {"valid_loss": float(F.cross_entropy(head(x), y))} if valid else {}

        head = nn.Sequential(nn.Linear(1000, 256), nn.ReLU(), nn.Linear(256, len(breeds))).to(device)
        metrics = train(head, len(part), examples, config, evaluate)
        del metrics["train_acc"]  # which the section does not measure
        return head, metrics

    def training():
        body = frozen_net(device, weights)
        _, metrics = trained(body, *parts)
        _, untrained = trained(frozen_net(device), *parts)
        head, found = trained(body, pictures)
        gain = untrained["valid_loss"][-1] - metrics["valid_loss"][-1]
        for suffix, values in (("_untrained", untrained), ("_all", found)):
            metrics |= {name + suffix: each for name, each in values.items()}
        x, y = features(body, tests, middle, size, device)
        with torch.no_grad():
            scores = head(x)
        loss, right = F.cross_entropy(scores, y), (scores.argmax(1) == y).sum()
        return metrics | {"gain": [gain], "submission_loss": [float(loss)], "submission_acc": [int(right) / len(y)]}

    return {"": training}
