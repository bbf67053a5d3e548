"""Values and gradients of PyTorch 2.15.0 and torchvision 0.29.2 for `crates/vision/tests/it/reference.rs`.

Run as `OMP_NUM_THREADS=1 python3 scripts/reference/vision.py`; it takes some seconds. What it writes:

- RoI pooling, RoI alignment and non-maximum suppression of torchvision, and its changes of colors and sizes;
- the labels and the detections that section 13.4's definitions give, written here once more with PyTorch;
- the residual net of section 13.1 (narrow), the detector of 13.7, torchvision's SqueezeNet 1.0 and ResNet-18,
  EfficientNet-Lite0 under the names of R. Liu's weights, and the net of 13.11 on the body of ResNet-18.

Weights and pictures of the nets are drawn by a formula that both languages have, so none is kept. For each net there
are its parameters' names in their order as bytes, an output that is differentiated, of each parameter's gradient the
norm and the sum over uneven weights, and an output in evaluation; of the outputs of 13.11's net, every 61st number.
Nets with batch normalization are differentiated in training, and evaluated with the running statistics that this step
leaves.
"""

import sys
from pathlib import Path

import numpy as np
import torch
import torchvision
from PIL import Image
from torch import nn
from torch.nn import functional as F
from torchvision.transforms import functional as V

from reference import Reference, drawn, uneven

sys.path.append(str(Path(__file__).resolve().parents[1] / "bench"))
import vision_nets  # noqa: E402
from efficientnet import EfficientNetLite0  # noqa: E402
from segmentation import fcn_resnet18, picture_losses  # noqa: E402

FOLDER = Path(__file__).resolve().parents[2] / "crates" / "vision" / "tests" / "reference"

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
reference = Reference("vision")
generator = reference.generator


def uniform(*shape):
    """From 0 to 1."""
    return torch.rand(*shape, generator=generator)


# ---- regions ----


def regions():
    x = reference.normal(2, 3, 7, 9)
    # On pictures of 36 x 28 pixels. All numbers are quarters, so that neither float rounds them, and some are halves
    # of cells, which are rounded away from zero.
    boxes = [
        [0, 0, 0, 20, 20],
        [0, 3.25, 7.5, 30, 27.75],
        [1, 2, 2, 34, 26],
        [1, 10, 10, 10, 10],  # a point
        [0, 12, 9, 13, 27],  # narrower than a cell
        [1, -9.5, -6, 14, 11.25],  # partly outside
        [0, 22, 14, 60, 50],
        [1, -40, -40, 80, 80],  # all around
        [0, 50, 3, 70, 20],  # wholly outside
        [1, -30, -30, -20, -18],
        [0, 20, 24, 6, 8],  # reversed
    ]
    drawn = torch.cat([torch.randint(0, 2, (8, 1), generator=generator), (uniform(8, 4) * 160 - 20).round() / 4], 1)
    boxes = torch.cat([torch.tensor(boxes), drawn])
    reference.keep("regions", boxes)
    reference.case("roi_pool", {"x": x}, torchvision.ops.roi_pool(x, boxes, (2, 3), 0.25))
    reference.case("roi_align", {"x": x}, torchvision.ops.roi_align(x, boxes, (2, 3), 0.25, 2, aligned=True))


# ---- boxes ----


def drawn_boxes(count, least, most):
    corner, sides = uniform(count, 2), least + (most - least) * uniform(count, 2)
    return torch.cat([corner, corner + sides], 1).float()


def distinct_scores(count):
    return ((torch.randperm(count, generator=generator) + 0.5) / count).float()


def is_sure(ious, threshold):
    """Whether no rounding decides what overlaps too much."""
    return ((ious - threshold).abs() > 1e-5).all()


def suppression():
    boxes, scores = drawn_boxes(300, 0.05, 0.4), distinct_scores(300)
    reference.keep("nms.boxes", boxes)
    reference.keep("nms.scores", scores)
    for percent in [20, 50, 70]:
        assert is_sure(torchvision.ops.box_iou(boxes.double(), boxes.double()), percent / 100)
        reference.keep(f"nms.kept_{percent}", torchvision.ops.nms(boxes, scores, percent / 100))


def multibox_prior(height, width, sizes, ratios):
    """`(anchors, 4)`: row by row, around each center the sizes with the first ratio, then the other ratios."""
    shapes = [(size, ratios[0]) for size in sizes] + [(sizes[0], ratio) for ratio in ratios[1:]]
    anchors = []
    for row in range(height):
        for column in range(width):
            x, y = (column + 0.5) / width, (row + 0.5) / height
            for size, ratio in shapes:
                w, h = size * ratio**0.5 * height / width, size / ratio**0.5
                anchors.append([x - w / 2, y - h / 2, x + w / 2, y + h / 2])
    return torch.tensor(anchors)


def centered(boxes):
    return torch.cat([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], 1)


def assigned(truths, anchors, threshold=0.5):
    """The place of the true box of each anchor, or -1."""
    ious = torchvision.ops.box_iou(anchors, truths)
    assert is_sure(ious, threshold)
    best, place = ious.max(1)
    place[best < threshold] = -1
    for _ in range(len(truths)):
        anchor, truth = divmod(int(ious.argmax()), len(truths))
        place[anchor] = truth
        ious[anchor, :] = -1
        ious[:, truth] = -1
    return place


def multibox_target(anchors, pictures):
    """Offsets, masks and classes; each picture has rows of a class and four corners."""
    offsets, masks, classes = [], [], []
    for truths in pictures:
        place = assigned(truths[:, 1:], anchors)
        is_thing = (place >= 0)[:, None].double()
        a, t = centered(anchors), centered(truths[place, 1:])
        offset = torch.cat([10 * (t[:, :2] - a[:, :2]) / a[:, 2:], 5 * torch.log(1e-6 + t[:, 2:] / a[:, 2:])], 1)
        offsets.append((offset * is_thing).flatten())
        masks.append(is_thing.expand(-1, 4).flatten())
        classes.append(torch.where(place >= 0, truths[place, 0].long() + 1, 0))
    return torch.stack(offsets), torch.stack(masks), torch.stack(classes)


def detections():
    """Those of two pictures with 40 anchors and 3 classes, as rows of a class or -1, a confidence and corners."""
    anchors = drawn_boxes(40, 0.1, 0.4).double()
    # All confidences differ, and some are too low to count.
    scores = torch.randn(2, 4, 40, generator=generator) * 1.5
    scores[:, 0, ::5] += 7
    probabilities = scores.softmax(1).float().double()
    offsets = torch.randn(2, 160, generator=generator).float().double()
    reference.keep("detection.anchors", anchors.float())
    reference.keep("detection.probabilities", probabilities.float())
    reference.keep("detection.offsets", offsets.float())
    found = []
    for probability, offset in zip(probabilities, offsets.reshape(2, 40, 4)):
        confidence, kind = probability[1:].max(0)
        a = centered(anchors)
        center, sides = offset[:, :2] * a[:, 2:] / 10 + a[:, :2], torch.exp(offset[:, 2:] / 5) * a[:, 2:]
        boxes = torch.cat([center - sides / 2, center + sides / 2], 1)
        assert is_sure(torchvision.ops.box_iou(boxes, boxes), 0.5)
        assert ((confidence - 0.01).abs() > 1e-5).all() and (confidence < 0.01).any()
        kept = torchvision.ops.nms(boxes, confidence, 0.5).tolist()
        others = [place for place in range(40) if place not in kept]
        kind[others] = -1
        kind[confidence < 0.009999999] = -1
        confidence = torch.where(confidence < 0.009999999, 1 - confidence, confidence)
        rows = torch.cat([kind[:, None].double(), confidence[:, None], boxes], 1)
        found.append(rows[kept + others])
    reference.keep("detection.y", torch.stack(found).float())


# ---- pictures ----


def pictures():
    """A picture of 7 x 6 pixels, with other colors and at other sizes; all as bytes `(height, width, 3)`."""
    bytes_ = torch.randint(0, 256, (6, 7, 3), generator=generator).to(torch.uint8)
    picture = Image.fromarray(bytes_.numpy())
    keep = lambda name, changed: reference.keep(f"picture.{name}", torch.from_numpy(np.array(changed)))
    keep("original", picture)
    for name, change in [
        ("brightness", V.adjust_brightness),
        ("contrast", V.adjust_contrast),
        ("saturation", V.adjust_saturation),
    ]:
        for percent in [60, 95, 140]:
            keep(f"{name}_{percent}", change(picture, percent / 100))
    # Pillow keeps hue and saturation in a byte each, and is several units off; torchvision's tensors are not.
    for percent in [-30, 5, 45]:
        turned = V.adjust_hue(bytes_.permute(2, 0, 1), percent / 100)
        reference.keep(f"picture.hue_{percent}", turned.permute(1, 2, 0))
    for width, height in [(4, 3), (17, 13), (7, 2)]:
        keep(f"resized_{width}x{height}", picture.resize((width, height), Image.Resampling.BILINEAR))


# ---- nets ----


def named(net):
    """Parameters and buffers by name; the names' places decide what is drawn for each."""
    everything = [*net.named_parameters(), *net.named_buffers()]
    return sorted(entry for entry in everything if not entry[0].endswith("num_batches_tracked"))


def fill(net):
    """He's uniform distribution for weights, small biases and means, scales and variances around 1."""
    for stream, (name, variable) in enumerate(named(net)):
        values = drawn(variable.numel(), stream).reshape(variable.shape)
        if variable.dim() > 1:
            values *= (6 / variable[0].numel()) ** 0.5
        elif name.endswith(("weight", "running_var")):
            values = 1 + 0.2 * values
        else:
            values *= 0.2
        with torch.no_grad():
            variable.copy_(values)


def record(case, net, shape, normalizes, loss, every=1):
    """`loss` makes a number of what the net gives; that is a tensor or a tuple of tensors.

    Where `every` is above 1, one in so many of an output's numbers is kept, in a row.
    """
    fill(net)
    names = "\n".join(name for name, _ in named(net))
    reference.keep(f"{case}.names", torch.tensor(list(names.encode()), dtype=torch.uint8))
    x = drawn(torch.Size(shape).numel(), 1000).reshape(shape)
    net.train(normalizes)
    y = net(x)
    number = loss(y)
    parameters = sorted(net.named_parameters())
    gradients = torch.autograd.grad(number, [parameter for _, parameter in parameters])
    net.eval()
    keep = lambda name, value: reference.keep(f"{case}.{name}", value.float())
    for name, outputs in [("y_differentiated", y), ("y", net(x))]:
        for place, output in enumerate(outputs if isinstance(outputs, tuple) else [outputs]):
            keep(f"{name}.{place}", output if every == 1 else output.flatten()[::every])
    reference.keep(f"{case}.loss", number)
    reference.keep(f"{case}.norms", torch.stack([gradient.norm() for gradient in gradients]))
    sums = [(gradient.flatten() * uneven(gradient.numel())).sum() for gradient in gradients]
    reference.keep(f"{case}.sums", torch.stack(sums))


def seeded(y):
    return (y * uneven(y.numel()).reshape(y.shape)).sum()


def small_resnet18(narrowing, classes):
    c1, c2, c3, c4 = [channels // narrowing for channels in [64, 128, 256, 512]]
    net = nn.Sequential()
    net.add_module("conv", nn.Conv2d(3, c1, 3, padding=1))
    net.add_module("norm", nn.BatchNorm2d(c1))
    net.add_module("relu", nn.ReLU())
    for number, (inputs, outputs, stride) in enumerate([(c1, c1, 1), (c1, c2, 2), (c2, c3, 2), (c3, c4, 2)]):
        stage = nn.Sequential()
        stage.add_module("residual1", vision_nets.Residual(inputs, outputs, stride))
        stage.add_module("residual2", vision_nets.Residual(outputs, outputs, 1))
        net.add_module(f"block{number + 1}", stage)
    net.add_module("pool", nn.AdaptiveAvgPool2d(1))
    net.add_module("flatten", nn.Flatten())
    net.add_module("output", nn.Linear(c4, classes))
    return net


def down_sample_block(inputs, outputs):
    block = nn.Sequential()
    for number, channels in [(1, inputs), (2, outputs)]:
        block.add_module(f"conv{number}", nn.Conv2d(channels, outputs, 3, padding=1))
        block.add_module(f"norm{number}", nn.BatchNorm2d(outputs))
        block.add_module(f"relu{number}", nn.ReLU())
    block.add_module("pool", nn.MaxPool2d(2))
    return block


class TinySsd(nn.Module):
    """Section 13.7's detector, under the names that the Rust edition gives its parts."""

    # Each second one is the geometric mean of its neighbors.
    SIZES = [[0.2 + 0.17 * scale, ((0.2 + 0.17 * scale) * (0.37 + 0.17 * scale)) ** 0.5] for scale in range(5)]
    RATIOS = [1, 2, 0.5]

    def __init__(self, classes):
        super().__init__()
        self.classes = classes
        self.block0 = nn.Sequential()
        for number, (inputs, outputs) in enumerate([(3, 16), (16, 32), (32, 64)]):
            self.block0.add_module(f"block{number + 1}", down_sample_block(inputs, outputs))
        self.block1 = down_sample_block(64, 128)
        self.block2 = down_sample_block(128, 128)
        self.block3 = down_sample_block(128, 128)
        self.block4 = nn.AdaptiveMaxPool2d(1)
        for scale, inputs in enumerate([64, 128, 128, 128, 128]):
            self.add_module(f"classes{scale}", nn.Conv2d(inputs, 4 * (classes + 1), 3, padding=1))
            self.add_module(f"boxes{scale}", nn.Conv2d(inputs, 16, 3, padding=1))

    def forward(self, x):
        scores, offsets, self.anchors = [], [], []
        for scale in range(5):
            x = getattr(self, f"block{scale}")(x)
            self.anchors.append(multibox_prior(*x.shape[2:], self.SIZES[scale], self.RATIOS))
            flat = lambda name: getattr(self, f"{name}{scale}")(x).permute(0, 2, 3, 1).flatten(1)
            scores.append(flat("classes"))
            offsets.append(flat("boxes"))
        self.anchors = torch.cat(self.anchors)
        return torch.cat(scores, 1).reshape(len(x), -1, self.classes + 1), torch.cat(offsets, 1)


# What is on each of three pictures: classes and corners.
THINGS = [
    [[1, 0.13, 0.22, 0.41, 0.57], [0, 0.52, 0.48, 0.93, 0.97]],
    [[0, 0.07, 0.11, 0.86, 0.94]],
    [[1, 0.33, 0.08, 0.52, 0.31], [1, 0.35, 0.12, 0.55, 0.36], [0, 0.61, 0.66, 0.72, 0.78]],
]


def ssd():
    net = TinySsd(2)

    def loss(said):
        scores, offsets = said
        truths, masks, classes = multibox_target(net.anchors, [torch.tensor(things) for things in THINGS])
        reference.keep("ssd.anchors", net.anchors.float())
        reference.keep("ssd.classes", classes.to(torch.uint8))
        places = masks.nonzero()
        reference.keep("ssd.places", places)
        reference.keep("ssd.targets", truths[masks > 0])
        return F.cross_entropy(scores.flatten(0, 1), classes.flatten()) + F.l1_loss(offsets * masks, truths * masks)

    record("ssd", net, (3, 3, 64, 96), True, loss)


def fcn():
    classes = torch.arange(2 * 64 * 96).div(7, rounding_mode="floor").remainder(5).reshape(2, 64, 96)
    record("fcn", fcn_resnet18(5), (2, 3, 64, 96), True, lambda y: picture_losses(y, classes).sum(), every=61)


def nets():
    labels = torch.tensor([0, 3, 5, 9])
    record("resnet", small_resnet18(16, 10), (4, 3, 32, 32), True, lambda y: F.cross_entropy(y, labels))
    ssd()
    record("resnet18", torchvision.models.resnet18(num_classes=10), (4, 3, 64, 96), True, seeded)
    record("efficientnet", EfficientNetLite0(10), (4, 3, 61, 96), True, seeded)
    # Sides that leave nothing over at the pools, which round down in the Rust edition and up in torchvision.
    squeezenet = torchvision.models.squeezenet1_0
    record("squeezenet", squeezenet(num_classes=1000), (2, 3, 51, 67), False, seeded)
    # With a new output the Rust edition leaves out the last ReLU.
    new = squeezenet(num_classes=10)
    new.classifier[2] = nn.Identity()
    record("squeezenet_new", new, (2, 3, 51, 67), False, seeded)
    fcn()


regions()
suppression()
detections()
pictures()
nets()
reference.write(FOLDER)
