"""The anchors, the labels and the detector of sections 13.4 and 13.7, as the book computes them."""

import torch
from torch import nn
from torch.nn import functional as F

# The sizes of the anchors at each of the five scales, and the ratios at all of them.
SIZES = [[0.2, 0.272], [0.37, 0.447], [0.54, 0.619], [0.71, 0.79], [0.88, 0.961]]
RATIOS = [1, 2, 0.5]
ANCHORS = len(SIZES[0]) + len(RATIOS) - 1


def multibox_prior(height, width, sizes, ratios):
    """Boxes around the center of each cell: (height * width * anchors of a cell, 4), in shares of the picture."""
    each = len(sizes) + len(ratios) - 1
    sizes, ratios = torch.tensor(sizes), torch.tensor(ratios)
    rows, columns = (torch.arange(height) + 0.5) / height, (torch.arange(width) + 0.5) / width
    y, x = (grid.reshape(-1) for grid in torch.meshgrid(rows, columns, indexing="ij"))
    root = torch.sqrt(ratios)
    w = torch.cat((sizes * root[0], sizes[0] * root[1:])) * height / width
    h = torch.cat((sizes / root[0], sizes[0] / root[1:]))
    corners = torch.stack((-w, -h, w, h)).T.repeat(height * width, 1) / 2
    return torch.stack([x, y, x, y], dim=1).repeat_interleave(each, dim=0) + corners


def tiny_ssd_anchors():
    """The 5,444 anchors of a picture of 256 x 256."""
    scales = zip([32, 16, 8, 4, 1], SIZES)
    return torch.cat([multibox_prior(side, side, sizes, RATIOS) for side, sizes in scales])


def box_iou(boxes, others):
    """Intersection over union of each box with each other one: (boxes, others)."""

    def area(corners):
        return (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])

    left_top = torch.max(boxes[:, None, :2], others[:, :2])
    right_bottom = torch.min(boxes[:, None, 2:], others[:, 2:])
    both = (right_bottom - left_top).clamp(min=0)
    both = both[:, :, 0] * both[:, :, 1]
    return both / (area(boxes)[:, None] + area(others) - both)


def assign_anchors(truths, anchors, threshold=0.5):
    """The place of the true box that each anchor stands for, or -1."""
    ious = box_iou(anchors, truths)  # (anchors, truths)
    assigned = torch.full((len(anchors),), -1, dtype=torch.long)
    largest, nearest = torch.max(ious, dim=1)
    assigned[torch.nonzero(largest >= threshold).reshape(-1)] = nearest[largest >= threshold]
    # Then every true box takes the anchor nearest to it: the pair of the largest IoU first, which leaves the game.
    for _ in range(len(truths)):
        pair = torch.argmax(ious)
        truth, anchor = pair % len(truths), torch.div(pair, len(truths), rounding_mode="floor")
        assigned[anchor] = truth
        ious[:, truth] = -1
        ious[anchor, :] = -1
    return assigned


def centered(corners):
    """Center and sides from corners."""
    return torch.cat(((corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]), dim=1)


def offsets_of(anchors, assigned, least=1e-6):
    """How far boxes are from their anchors, in numbers that a net learns well."""
    anchors, assigned = centered(anchors), centered(assigned)
    shifts = 10 * (assigned[:, :2] - anchors[:, :2]) / anchors[:, 2:]
    return torch.cat((shifts, 5 * torch.log(least + assigned[:, 2:] / anchors[:, 2:])), dim=1)


def multibox_target(anchors, labels):
    """Offsets and masks (batch, anchors * 4) and classes (batch, anchors) from labels (batch, things, 5)."""
    batch = []
    for label in labels:
        assigned = assign_anchors(label[:, 1:], anchors)
        mask = (assigned >= 0).float().unsqueeze(-1).repeat(1, 4)
        classes, boxes = torch.zeros(len(anchors), dtype=torch.long), torch.zeros(len(anchors), 4)
        places = torch.nonzero(assigned >= 0).reshape(-1)
        things = assigned[places]
        classes[places] = label[things, 0].long() + 1
        boxes[places] = label[things, 1:]
        batch.append(((offsets_of(anchors, boxes) * mask).reshape(-1), mask.reshape(-1), classes))
    return tuple(torch.stack(part) for part in zip(*batch))


def down_sample_block(inputs, outputs):
    layers = []
    for _ in range(2):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
        inputs = outputs
    return nn.Sequential(*layers, nn.MaxPool2d(2))


def concat_predictions(scales):
    return torch.cat([torch.flatten(scale.permute(0, 2, 3, 1), start_dim=1) for scale in scales], dim=1)


class TinySsd(nn.Module):
    """A detector with five scales; `forward` gives anchors, scores (batch, anchors, classes + 1) and offsets."""

    def __init__(self, classes):
        super().__init__()
        self.classes = classes
        self.blocks = nn.ModuleList(
            [
                nn.Sequential(down_sample_block(3, 16), down_sample_block(16, 32), down_sample_block(32, 64)),
                down_sample_block(64, 128),
                down_sample_block(128, 128),
                down_sample_block(128, 128),
                nn.AdaptiveMaxPool2d((1, 1)),
            ]
        )
        channels = [64, 128, 128, 128, 128]
        self.class_predictors = nn.ModuleList(
            nn.Conv2d(inputs, ANCHORS * (classes + 1), 3, padding=1) for inputs in channels
        )
        self.box_predictors = nn.ModuleList(nn.Conv2d(inputs, ANCHORS * 4, 3, padding=1) for inputs in channels)

    def forward(self, x):
        anchors, scores, offsets = [], [], []
        for scale, block in enumerate(self.blocks):
            x = block(x)
            anchors.append(multibox_prior(*x.shape[-2:], SIZES[scale], RATIOS))
            scores.append(self.class_predictors[scale](x))
            offsets.append(self.box_predictors[scale](x))
        scores = concat_predictions(scores)
        return torch.cat(anchors), scores.reshape(len(x), -1, self.classes + 1), concat_predictions(offsets)


def ssd_loss(scores, classes, offsets, true_offsets, masks):
    """The cross-entropy of the classes and the absolute error of the offsets, for each picture."""
    batch, _, kinds = scores.shape
    entropy = F.cross_entropy(scores.reshape(-1, kinds), classes.reshape(-1), reduction="none")
    error = F.l1_loss(offsets * masks, true_offsets * masks, reduction="none")
    return entropy.reshape(batch, -1).mean(dim=1) + error.mean(dim=1)
