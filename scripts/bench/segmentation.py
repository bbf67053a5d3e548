"""The fully convolutional net of section 13.11, and its training as the section does it."""

import re
import sys
from collections import OrderedDict

import torch
from torch import nn
from torch.nn import functional as F

from efficientnet import EfficientNetLite0

CLASSES = 21


def bilinear_kernel(channels, side):
    """The weight of a transposed convolution that enlarges each channel by itself."""
    factor = (side + 1) // 2
    center = factor - 1 if side % 2 == 1 else factor - 0.5
    along = 1 - (torch.arange(side) - center).abs() / factor
    return torch.eye(channels)[:, :, None, None] * along[:, None] * along


def fcn(body, channels, classes):
    """Scores of every class for every pixel; `body` names the layers that give a cell for 32 pixels each way."""
    scores = nn.Conv2d(channels, classes, 1)
    nn.init.xavier_uniform_(scores.weight)
    enlarged = nn.ConvTranspose2d(classes, classes, 64, padding=16, stride=32)
    with torch.no_grad():
        enlarged.weight.copy_(bilinear_kernel(classes, 64))
    return nn.Sequential(OrderedDict([*body, ("final_conv", scores), ("transpose_conv", enlarged)]))


def fcn_resnet18(classes):
    """On torchvision's ResNet-18 with random weights, without its pooling and output."""
    from torchvision.models import resnet18  # not above: the training below does without torchvision

    return fcn(list(resnet18().named_children())[:-2], 512, classes)


def picture_losses(scores, classes):
    """The mean over each picture's pixels: (batch)."""
    return F.cross_entropy(scores, classes, reduction="none").mean((1, 2))


# ---- what parity.py trains ----


class Body(nn.Module):
    """The layers of EfficientNet-Lite0 before its pooling."""

    def __init__(self, weights, keep_statistics):
        super().__init__()
        self.net = EfficientNetLite0(1000)
        self.net.load_state_dict(torch.load(weights, weights_only=True))
        self.keep_statistics = keep_statistics

    def train(self, mode=True):
        return super().train(mode and not self.keep_statistics)

    def forward(self, x):
        return self.net.features(x)


def class_of_color():
    """A table from the number of a color, red being its highest byte, to the class, or 255; outlines are background."""
    table = torch.full((1 << 24,), 255, dtype=torch.uint8)
    for place in range(CLASSES):
        # The bits of a class's number make its color.
        red, green, blue = ((place >> k & 1) << 7 | (place >> k + 3 & 1) << 6 for k in range(3))
        table[red << 16 | green << 8 | blue] = place
    table[224 << 16 | 224 << 8 | 192] = 0
    return table


def pictures(folder, name, least):
    """The pictures of one of VOC's lists, bytes (3, height, width), and their classes (height, width).

    Those of which a side is shorter than `least` has it are left out.
    """
    import numpy as np  # these not above: the benchmark's workloads do without them
    from PIL import Image

    def pixels(path):
        return torch.from_numpy(np.array(Image.open(path).convert("RGB")))

    table, found = class_of_color(), []
    for entry in (folder / "ImageSets" / "Segmentation" / f"{name}.txt").read_text().split():
        picture = pixels(folder / "JPEGImages" / f"{entry}.jpg").permute(2, 0, 1)
        if picture.shape[1] < least[0] or picture.shape[2] < least[1]:
            continue
        path = folder / "SegmentationClass" / f"{entry}.png"
        red, green, blue = pixels(path).long().unbind(2)
        classes = table[red << 16 | green << 8 | blue]
        if classes.max() == 255:
            sys.exit(f"{path}: one of its colors is no class's")
        found.append((picture, classes))
    return found


def random_places(entries, crop):
    """For each picture the upper left corner of a part of `crop` rows and columns."""
    return [[int(torch.randint(a - b + 1, ())) for a, b in zip(classes.shape, crop)] for _, classes in entries]


def minibatch(entries, places, crop, device):
    """Parts of pictures (batch, 3, *crop), as EfficientNet-Lite0 takes them, and their classes (batch, *crop)."""
    height, width = crop
    parts = [
        (picture[:, top : top + height, left : left + width], classes[top : top + height, left : left + width])
        for (picture, classes), (top, left) in zip(entries, places)
    ]
    x, y = (torch.stack(tensors).to(device) for tensors in zip(*parts))
    return (x.float() - 127) / 128, y.long()


def evaluate(net, batches):
    """The share of pixels that are named rightly, and the mean IoU over the classes that are there or were named."""
    counts = torch.zeros(CLASSES, CLASSES, dtype=torch.double)  # true classes by named ones
    net.eval()
    with torch.no_grad():
        for x, y in batches:
            pairs = (y * CLASSES + net(x).argmax(1)).flatten()
            counts += pairs.bincount(minlength=CLASSES**2).reshape(CLASSES, CLASSES).cpu()
    right = counts.diag()
    either = counts.sum(0) + counts.sum(1) - right
    return float(right.sum() / counts.sum()), float((right / either)[either > 0].mean())


def train(net, entries, validation, config, device):
    """Losses, accuracies and IoUs of each epoch; a last minibatch that would be smaller is left out."""
    crop, size = (config["crop_height"], config["crop_width"]), config["batch_size"]
    starts = range(0, len(validation), size)
    places = random_places(validation, crop)  # the same in every epoch
    is_new = lambda name: name.startswith(("final_conv", "transpose_conv"))  # noqa: E731
    groups = [[p for name, p in net.named_parameters() if is_new(name) == new] for new in (False, True)]
    rates = [config["lr"], config["lr"] * config["output_factor"]]
    groups = [{"params": group, "lr": rate} for group, rate in zip(groups, rates)]
    optimizer = torch.optim.SGD(groups, weight_decay=config["weight_decay"])
    metrics = {"train_loss": [], "train_acc": [], "test_acc": [], "mean_iou": []}
    for _ in range(config["num_epochs"]):
        net.train()
        total_loss = right = trained = 0
        order = torch.randperm(len(entries)).tolist()
        for start in range(0, len(order) - size + 1, size):
            chosen = [entries[place] for place in order[start : start + size]]
            x, y = minibatch(chosen, random_places(chosen, crop), crop, device)
            scores = net(x)
            losses = picture_losses(scores, y)
            optimizer.zero_grad()
            losses.sum().backward()
            optimizer.step()
            total_loss += float(losses.detach().sum())
            right += int((scores.argmax(1) == y).sum())
            trained += len(x)
        batches = (minibatch(validation[i : i + size], places[i : i + size], crop, device) for i in starts)
        accuracy, iou = evaluate(net, batches)
        metrics["train_loss"].append(total_loss / trained)
        metrics["train_acc"].append(right / (trained * crop[0] * crop[1]))
        metrics["test_acc"].append(accuracy)
        metrics["mean_iou"].append(iou)
    return metrics


def trainings(record, folder, weights, device):
    """The section's one training, where its run was on the body and the pictures that this script has."""
    config, said = record["config"], "".join(cell["text"] for cell in record["cells"])
    if "pretrained: " not in said or not re.search(r"to \[1, 1280, ", said):
        sys.exit("the run of vision/fcn was not on the pretrained body of EfficientNet-Lite0, and no other is here")
    crop = config["crop_height"], config["crop_width"]
    train_pictures, validation = (pictures(folder, name, crop) for name in ["train", "val"])
    counts = f"{len(train_pictures)} training and {len(validation)} validation pictures"
    if f"{counts}\n" not in said:
        sys.exit(f"the run of vision/fcn had other pictures than {folder}, which has {counts}")

    def training():
        net = fcn([("body", Body(weights, config["keep_statistics"]))], 1280, CLASSES).to(device)
        return train(net, train_pictures, validation, config, device)

    return {"": training}
