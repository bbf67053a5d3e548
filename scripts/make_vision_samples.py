"""Draws the samples of chapter 13 (computer vision): pictures with one banana, hot dogs, CIFAR-10's and VOC's formats,
dogs of four breeds, and single pictures.

    python3 scripts/make_vision_samples.py data/samples

Writes the folders `detection`, `hotdog`, `cifar10`, `images`, `voc2012` and `dog_breed` below the one that is named.
Every picture is drawn here, from seeds that do not change; none is a photo and nothing comes from elsewhere. The same
releases of the libraries write the same files each time. Needs NumPy and Pillow.
"""

import colorsys
import math
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

# Figures are drawn this many times larger and shrunk, which smooths their edges.
FINE = 4
QUALITY = 80
DETECTION = {"bananas_train": 32, "bananas_val": 16}
# Pictures of each of the classes.
HOTDOG = {"train": 24, "test": 12}
CIFAR = {"data_batch_1.bin": 25, "test_batch.bin": 8}
# How many pictures, and which of them are small.
VOC = {"train": (24, (6, 17)), "val": (12, (7,))}
# Pictures of each of the breeds.
BREED = {"train": 10, "test": 2}

READMES = {
    "detection": """\
# Sample pictures with a banana

32 training and 16 validation pictures in the layout of the book's banana set. On each one crescent lies on a made-up
background; `label.csv` has its box in pixels, where `xmax` and `ymax` are the first column and row past the figure.
""",
    "hotdog": """\
# Sample hot dogs

24 hot dogs and 24 other dishes for training, 12 and 12 for testing, of 128 x 128 pixels, in the layout of the book's
hot dog set.
""",
    "cifar10": """\
# Sample pictures in CIFAR-10's format

`data_batch_1.bin` has 250 pictures and `test_batch.bin` 80, as many of each of the ten classes, in the binary format
of CIFAR-10: a byte with the label, then 1024 bytes each of red, green and blue, row by row.
""",
    "images": """\
# Single sample pictures

`catdog.jpg` shows a dog within the box (60, 45, 378, 516) and a cat within (400, 112, 655, 493), `cat1.jpg` a cat and
`banana.jpg` three bananas on a table. `rainier.jpg` shows a snow-covered mountain above a forest, and `autumn-oak.jpg`
an oak in the strokes of an oil painting: content and style for style transfer.
""",
    "voc2012": """\
# Sample pictures in VOC2012's format

24 training and 12 validation pictures in the layout of PASCAL VOC2012's semantic segmentation, of 160 x 120 or 120 x
160 pixels; two for training and one for validation are smaller, 90 x 60. On each are one to three things of the classes
aeroplane, bird, boat, car, cat, dog and horse. `SegmentationClass` has the class of every pixel, in VOC's palette, and
around each thing a border of the color (224, 224, 192) that belongs to no class.
""",
    "dog_breed": """\
# Sample dogs of four breeds

40 training and 8 test pictures, 96 to 128 pixels wide and 96 high, in the layout of Kaggle's dog breeds: `labels.csv`
has the breed of every training picture, `beagle`, `boston_bull`, `dingo` or `pekinese`, ten of each.
""",
}
README_END = """\

`scripts/make_vision_samples.py` draws them; they take the place of the published pictures in tests, and in sections
that cannot fetch those. Nothing in them is taken from elsewhere; they are licensed as the rest of the repository is,
MIT OR Apache-2.0.
"""


# Colors and backgrounds.


def color(rng, hue, saturation, value):
    """A random color out of ranges, the hue in degrees."""
    h, s, v = (rng.uniform(low, high) for low, high in (hue, saturation, value))
    return tuple(round(255 * part) for part in colorsys.hsv_to_rgb(h % 360 / 360, s, v))


# Ranges of hues for backgrounds, bright yellow left out.
HUES = [(75, 160), (170, 240), (240, 340), (345, 395), (375, 395), (75, 395)]


def dull(rng, hue, saturation=(0.05, 0.45), value=(0.2, 0.85)):
    """A color that is no bright yellow."""
    return color(rng, hue, saturation, value)


def tint(base, factor):
    """The color made darker (below 1) or lighter (above 1)."""
    if factor <= 1:
        return tuple(round(part * factor) for part in base)
    return tuple(round(255 - (255 - part) * (2 - factor)) for part in base)


def noise(rng, size, cells, power=1.0):
    """Smooth noise between 0 and 1: random grids of so many cells, enlarged and added."""
    total = np.zeros((size[1], size[0]))
    for across in cells:
        across = (across, across) if isinstance(across, int) else across
        grid = rng.uniform(0, 1, (across[1] + 1, across[0] + 1)).astype(np.float32)
        enlarged = Image.fromarray(grid).resize(size, Image.Resampling.BICUBIC)
        total += np.asarray(enlarged) / max(across) ** power
    total -= total.min()
    return total / total.max()


def blend(first, second, share):
    return first + (np.asarray(second, dtype=float) - first) * share[..., None]


def picture(values):
    return Image.fromarray(np.clip(np.round(values), 0, 255).astype(np.uint8))


def textured(rng, values, depth=0.25, grain=1.5):
    """Uneven light and a little grain."""
    size = values.shape[1], values.shape[0]
    light = 1 + depth * (noise(rng, size, (2, 4, 9)) - 0.6)
    return values * light[..., None] + rng.normal(0, grain, (size[1], size[0], 1))


def clutter(rng, pen, size, hue):
    """One rectangle, ellipse or line in a dull color."""
    x, y = rng.uniform(0, size[0]), rng.uniform(0, size[1])
    own = pen.at(x, y, max(size) * rng.uniform(0.05, 0.3), rng.uniform(0, 180))
    paint, other = dull(rng, hue), rng.uniform(0.3, 1)
    kind = rng.integers(3)
    if kind == 0:
        own.box(-1, -other, 1, other, paint)
        own.box(-0.85, -0.8 * other, 0.85, 0.8 * other, tint(paint, rng.uniform(0.85, 1.15)))
    elif kind == 1:
        own.ellipse(0, 0, 1, other, paint)
    else:
        own.line([(-2, 0), (0, rng.uniform(-0.3, 0.3)), (2, 0)], 0.12 * other, paint)


def background(rng, size, hue=None, shapes=(3, 8)):
    """Noise at several scales between random dull colors, with blurred shapes on it."""
    hue = hue or HUES[rng.integers(len(HUES))]
    values = np.full((size[1], size[0], 3), dull(rng, hue), dtype=float)
    values = blend(values, dull(rng, hue), noise(rng, size, (2, 4, 8)))
    values = blend(values, dull(rng, hue), noise(rng, size, (3, 7, 16, 30), 0.7) ** 3)
    result = picture(values)
    pen = Pen.on(size)
    for _ in range(rng.integers(*shapes)):
        clutter(rng, pen, size, HUES[rng.integers(len(HUES))])
    layer = pen.layer().filter(ImageFilter.GaussianBlur(max(size) / 256 * rng.uniform(0.3, 2.0)))
    result.paste(layer, (0, 0), layer)
    return picture(textured(rng, np.asarray(result, dtype=float)))


def wood(rng, size, planks=4):
    """Planks with a grain along them."""
    across = np.arange(size[1])[:, None] / size[1] * planks
    values = np.zeros((size[1], size[0], 3))
    grain = noise(rng, size, ((2, 30), (3, 60), (5, 110)), 0.5)
    rings = 0.5 + 0.5 * np.sin(30 * noise(rng, size, ((1, 5), (2, 9))) + 3 * grain)
    for plank in range(planks):
        base = np.asarray(color(rng, (18, 26), (0.5, 0.6), (0.36, 0.46)), dtype=float)
        inside = (across >= plank) & (across < plank + 1) & np.ones((1, size[0]), dtype=bool)
        values[inside] = base
    values *= (0.8 + 0.3 * grain + 0.12 * rings)[..., None]
    seam = np.abs(across - np.round(across)) * size[1] / planks < 1.2
    values[np.broadcast_to(seam & (np.round(across) > 0), values.shape[:2])] *= 0.45
    return picture(textured(rng, values, 0.2))


# Drawing.


class Pen:
    """Draws on a transparent layer, in units of the figure: x to the right and y downward."""

    def __init__(self, image, matrix, origin):
        self.image, self.matrix, self.origin = image, matrix, origin
        self.draw = ImageDraw.Draw(image)

    @classmethod
    def on(cls, size):
        """A pen whose unit is a pixel of the picture."""
        return cls(Image.new("RGBA", (size[0] * FINE, size[1] * FINE)), np.eye(2) * FINE, np.zeros(2))

    def at(self, x, y, scale=1.0, angle=0.0, mirror=False):
        """A pen for a figure around (x, y), so many times larger and turned by an angle in degrees."""
        cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        turn = np.array([[cosine, -sine], [sine, cosine]]) * scale
        flip = np.diag([-1.0 if mirror else 1.0, 1.0])
        return Pen(self.image, self.matrix @ turn @ flip, self.origin + self.matrix @ np.array([x, y], dtype=float))

    def layer(self):
        return self.image.reduce(FINE)

    def points(self, points):
        return [tuple(point) for point in np.asarray(points, dtype=float) @ self.matrix.T + self.origin]

    def polygon(self, points, paint):
        self.draw.polygon(self.points(points), fill=paint)

    def box(self, left, top, right, bottom, paint):
        self.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], paint)

    def ellipse(self, x, y, across, down, paint, turn=0.0):
        t = np.linspace(0, 2 * math.pi, 72, endpoint=False)
        cosine, sine = math.cos(math.radians(turn)), math.sin(math.radians(turn))
        right, below = across * np.cos(t), down * np.sin(t)
        self.polygon(np.stack([x + cosine * right - sine * below, y + sine * right + cosine * below], axis=1), paint)

    def line(self, points, width, paint):
        """A smooth line with round ends through the points."""
        path = np.asarray(self.points(curve(points)))
        radius = width / 2 * math.sqrt(abs(np.linalg.det(self.matrix)))
        passed = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(path, axis=0).T))])
        along = np.linspace(0, passed[-1], 2 + int(passed[-1] / max(radius / 6, 0.5)))
        for x, y in zip(np.interp(along, passed, path[:, 0]), np.interp(along, passed, path[:, 1])):
            self.draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=paint)


def curve(points, steps=16):
    """Many points on a Catmull-Rom curve through a few."""
    points = np.asarray(points, dtype=float)
    if len(points) == 2:
        return points[0] + (points[1] - points[0]) * np.linspace(0, 1, 2 * steps)[:, None]
    padded = np.concatenate([points[:1], points, points[-1:]])
    t = np.linspace(0, 1, steps)[:, None]
    pieces = []
    for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:]):
        pieces.append(b + t * (c - a) / 2 + t**2 * (a - 2.5 * b + 2 * c - d / 2) + t**3 * (1.5 * (b - c) + (d - a) / 2))
    return np.concatenate(pieces)


def shaded(rng, layer, depth=0.3):
    """The layer with light from one side."""
    values = np.asarray(layer, dtype=float).copy()
    height, width = values.shape[:2]
    angle = rng.uniform(0, 2 * math.pi)
    y, x = np.mgrid[0:height, 0:width]
    slope = (x / width - 0.5) * math.cos(angle) + (y / height - 0.5) * math.sin(angle)
    light = 1 - depth * (slope + 0.3 * noise(rng, (width, height), (4, 8)))
    values[..., :3] *= light[..., None]
    return picture(values)


def put(rng, paper, layer, shadow=0.02, depth=0.3):
    """The layer laid on the paper, with a soft shadow."""
    size = max(paper.size)
    dark = Image.new("RGBA", paper.size)
    alpha = layer.getchannel("A").point(lambda a: a * 0.45)
    dark.paste((10, 10, 15, 255), (round(size * shadow), round(size * shadow)), alpha)
    result = paper.convert("RGBA")
    result.alpha_composite(dark.filter(ImageFilter.GaussianBlur(size * shadow * 0.8)))
    result.alpha_composite(shaded(rng, layer, depth))
    return result.convert("RGB")


def save(image, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, quality=QUALITY, optimize=True)


# Bananas.


def crescent(bend, thick, start, end, low, high):
    """The outline of a part of a banana: between two shares of its length and two shares of its thickness."""
    t = np.linspace(start, end, 48)
    half = thick * (1 - np.abs(t) ** 2.6) ** 0.65 + 0.035
    inner, outer = 1 + low * half, 1 + high * half
    angle = bend * t
    upper = np.stack([outer * np.sin(angle), -outer * np.cos(angle)], axis=1)
    lower = np.stack([inner * np.sin(angle), -inner * np.cos(angle)], axis=1)
    return np.concatenate([upper, lower[::-1]])


def banana(rng, size, longer, center=None):
    """A layer with a banana whose box has a longer side of so many pixels."""
    bend, thick, angle = rng.uniform(0.75, 1.15), rng.uniform(0.19, 0.26), rng.uniform(0, 360)
    outline = crescent(bend, thick, -1, 1, -1, 1)
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    turned = outline @ np.array([[cosine, -sine], [sine, cosine]]).T
    low, high = turned.min(axis=0), turned.max(axis=0)
    scale = longer / (high - low).max()
    half = scale * (high - low) / 2
    if center is None:
        center = [rng.uniform(half[i] + 2, size[i] - half[i] - 2) for i in (0, 1)]
    x, y = np.asarray(center) - scale * (low + high) / 2
    paper = Pen.on(size)
    paint_banana(rng, paper.at(x, y, scale, angle), bend, thick)
    return paper.layer()


def paint_banana(rng, pen, bend, thick):
    yellow = color(rng, (47, 56), (0.72, 0.92), (0.86, 0.98))
    brown = color(rng, (25, 40), (0.5, 0.7), (0.2, 0.35))
    for low, high, factor in [(-1, 1, 0.78), (-0.8, 0.8, 0.92), (-0.45, 0.7, 1.0), (0.05, 0.5, 1.25)]:
        pen.polygon(crescent(bend, thick, -0.97, 0.97, low, high), tint(yellow, factor))
    for _ in range(rng.integers(0, 4)):
        where, side = bend * rng.uniform(-0.6, 0.6), 1 + thick * rng.uniform(-0.5, 0.5)
        pen.ellipse(side * math.sin(where), -side * math.cos(where), 0.03, 0.02, tint(yellow, 0.6))
    stem = rng.uniform(0.86, 0.9)
    pen.polygon(crescent(bend, thick, stem, 1, -1, 1), tint(yellow, 0.62))
    pen.polygon(crescent(bend, thick, 0.96, 1, -1, 1), brown)
    pen.polygon(crescent(bend, thick, -1, -0.955, -1, 1), brown)


def box_of(layer):
    """The columns and rows that the figure covers at least half: the first ones, and those past the last."""
    return layer.getchannel("A").point(lambda a: 255 if a >= 128 else 0).getbbox()


def detection(folder):
    size = (256, 256)
    for seed, (part, count) in enumerate(DETECTION.items()):
        lines = ["img_name,label,xmin,ymin,xmax,ymax"]
        for index in range(count):
            rng = np.random.default_rng([1, seed, index])
            layer = banana(rng, size, rng.uniform(41, 99))
            save(put(rng, background(rng, size), layer, 0.008), folder / part / "images" / f"{index}.jpg")
            lines.append(",".join(str(value) for value in (f"{index}.jpg", 0, *box_of(layer))))
        (folder / part / "label.csv").write_text("\n".join(lines) + "\n")


# Dishes, within -1 to 1.


def hot_dog(rng, pen):
    bread = color(rng, (26, 36), (0.4, 0.6), (0.72, 0.88))
    sausage = color(rng, (4, 16), (0.65, 0.82), (0.5, 0.68))
    bow = rng.uniform(-0.08, 0.08)
    for y, width in ((-0.2, 0.5), (0.2, 0.5)):
        pen.line([(-0.6, y), (0, y + bow), (0.6, y)], width, tint(bread, 0.75))
        pen.line([(-0.6, y), (0, y + bow), (0.6, y)], width * 0.88, bread)
        pen.line([(-0.5, 1.25 * y), (0, 1.25 * y + bow), (0.5, 1.25 * y)], width * 0.3, tint(bread, 1.3))
    pen.line([(-0.56, 0), (0, bow), (0.56, 0)], 0.46, tint(bread, 0.5))
    pen.line([(-0.85, 0), (0, bow), (0.85, 0)], 0.33, tint(sausage, 0.75))
    pen.line([(-0.85, -0.01), (0, bow - 0.01), (0.85, -0.01)], 0.26, sausage)
    pen.line([(-0.8, -0.07), (0, bow - 0.07), (0.8, -0.07)], 0.05, tint(sausage, 1.3))
    x = np.linspace(-0.72, 0.72, 15)
    wave = np.stack([x, bow * (1 - x**2) + 0.08 * np.where(np.arange(15) % 2, 1, -1)], axis=1)
    pen.line(wave, 0.07, color(rng, (46, 54), (0.8, 0.95), (0.88, 0.98)))


def pizza(rng, pen):
    crust = color(rng, (26, 36), (0.5, 0.65), (0.65, 0.8))
    pen.ellipse(0, 0, 0.95, 0.95, tint(crust, 0.8))
    pen.ellipse(0, 0, 0.9, 0.9, crust)
    pen.ellipse(0, 0, 0.78, 0.78, color(rng, (8, 16), (0.7, 0.8), (0.65, 0.75)))
    pen.ellipse(0, 0, 0.73, 0.73, color(rng, (40, 48), (0.5, 0.65), (0.88, 0.96)))
    for turn in np.arange(8) * math.pi / 4 + rng.uniform(0, 1):
        reach = rng.uniform(0.3, 0.6)
        x, y = reach * math.cos(turn), reach * math.sin(turn)
        pen.ellipse(x, y, 0.13, 0.13, color(rng, (0, 10), (0.7, 0.8), (0.5, 0.7)))
    for _ in range(9):
        x, y = rng.uniform(-0.45, 0.45, 2)
        pen.ellipse(x, y, 0.07, 0.035, color(rng, (95, 125), (0.5, 0.7), (0.3, 0.5)), rng.uniform(0, 180))
    for turn in np.arange(4) * 45:
        pen.at(0, 0, 1, turn).line([(-0.92, 0), (0.92, 0)], 0.02, tint(crust, 0.7))


def burger(rng, pen):
    bread = color(rng, (26, 34), (0.5, 0.65), (0.72, 0.85))
    pen.ellipse(0, 0.5, 0.8, 0.3, tint(bread, 0.85))
    pen.box(-0.8, 0.3, 0.8, 0.5, tint(bread, 0.85))
    pen.line([(-0.75, 0.28), (0.75, 0.28)], 0.28, color(rng, (14, 24), (0.5, 0.65), (0.25, 0.35)))
    pen.polygon([(-0.8, 0.08), (0.8, 0.08), (0.45, 0.3), (0.1, 0.1), (-0.3, 0.32)], (240, 180, 60))
    pen.line([(-0.75, 0.05), (0.75, 0.05)], 0.14, color(rng, (2, 10), (0.7, 0.85), (0.7, 0.8)))
    x = np.linspace(-0.85, 0.85, 13)
    leaf = np.stack([x, -0.06 + 0.05 * np.where(np.arange(13) % 2, 1, -1)], axis=1)
    pen.line(leaf, 0.1, color(rng, (90, 115), (0.6, 0.75), (0.5, 0.7)))
    top = np.linspace(math.pi, 2 * math.pi, 40)
    pen.polygon(np.stack([0.85 * np.cos(top), -0.1 + 0.72 * np.sin(top)], axis=1), bread)
    pen.polygon(np.stack([0.6 * np.cos(top) - 0.1, -0.3 + 0.42 * np.sin(top)], axis=1), tint(bread, 1.2))
    for _ in range(12):
        pen.ellipse(rng.uniform(-0.5, 0.5), rng.uniform(-0.65, -0.3), 0.05, 0.03, (250, 235, 200), rng.uniform(0, 180))


def fruit(rng, pen):
    for x, y in ((-0.45, 0.25), (0.45, 0.3), (0.0, -0.35)):
        hue = [(345, 365), (22, 34), (80, 110)][rng.integers(3)]
        skin, radius = color(rng, hue, (0.7, 0.9), (0.6, 0.9)), rng.uniform(0.4, 0.5)
        pen.ellipse(x, y, radius, radius, tint(skin, 0.75))
        pen.ellipse(x - 0.03, y - 0.03, radius * 0.9, radius * 0.9, skin)
        pen.ellipse(x - 0.35 * radius, y - 0.35 * radius, radius * 0.25, radius * 0.2, tint(skin, 1.5), -45)
        pen.line([(x, y - 0.7 * radius), (x + 0.05, y - 1.15 * radius)], 0.06, (80, 55, 35))
        pen.ellipse(x + 0.17, y - 1.05 * radius, 0.13, 0.06, (70, 130, 50), -20)


def plate(rng, pen):
    for radius, shade in ((1.0, 200), (0.97, 240), (0.7, 215), (0.68, 232)):
        pen.ellipse(0, 0, radius, radius, (shade, shade, shade - rng.integers(0, 8)))


def eggs(rng, pen):
    plate(rng, pen)
    for x, y in ((-0.25, -0.15), (0.28, 0.2)):
        for _ in range(5):
            pen.ellipse(x + rng.uniform(-0.1, 0.1), y + rng.uniform(-0.1, 0.1), 0.25, 0.22, (252, 250, 244))
        yolk = color(rng, (38, 46), (0.8, 0.9), (0.92, 1.0))
        pen.ellipse(x, y, 0.15, 0.15, tint(yolk, 0.9))
        pen.ellipse(x - 0.02, y - 0.02, 0.12, 0.12, yolk)
    for x, y in ((-0.35, 0.35), (-0.2, 0.45), (0.4, -0.3)):
        pen.ellipse(x, y, 0.13, 0.13, color(rng, (0, 10), (0.75, 0.85), (0.65, 0.8)))


def salad(rng, pen):
    bowl = dull(rng, (180, 380), (0.2, 0.6), (0.4, 0.8))
    pen.ellipse(0, 0, 0.97, 0.97, tint(bowl, 0.7))
    pen.ellipse(0, 0, 0.92, 0.92, bowl)
    pen.ellipse(0, 0, 0.8, 0.8, tint(bowl, 0.6))
    for _ in range(34):
        turn, reach = rng.uniform(0, 2 * math.pi), 0.6 * math.sqrt(rng.uniform())
        leaf = color(rng, (85, 125), (0.5, 0.8), (0.35, 0.75))
        pen.ellipse(reach * math.cos(turn), reach * math.sin(turn), 0.22, 0.11, leaf, rng.uniform(0, 180))
    for _ in range(6):
        x, y = rng.uniform(-0.45, 0.45, 2)
        pen.ellipse(x, y, 0.14, 0.14, (190, 40, 35))
        pen.ellipse(x, y, 0.09, 0.09, (225, 95, 75))


def donut(rng, pen):
    icing = color(rng, [(320, 345), (15, 25), (180, 200)][rng.integers(3)], (0.35, 0.6), (0.5, 0.9))
    dough = color(rng, (28, 34), (0.5, 0.6), (0.7, 0.8))
    pen.ellipse(0, 0, 0.9, 0.9, tint(dough, 0.8))
    pen.ellipse(0, 0, 0.85, 0.85, dough)
    pen.ellipse(0, 0, 0.76, 0.76, icing)
    pen.ellipse(0, 0, 0.36, 0.36, tint(dough, 0.9))
    for turn in np.linspace(0, 2 * math.pi, 26):
        x, y = np.array([math.cos(turn), math.sin(turn)]) * rng.uniform(0.45, 0.68)
        pen.ellipse(x, y, 0.06, 0.022, color(rng, (0, 360), (0.5, 0.9), (0.8, 1)), rng.uniform(0, 180))
    pen.ellipse(0, 0, 0.26, 0.26, tint(dough, 0.35))


DISHES = [pizza, burger, fruit, eggs, salad, donut]


def dish(rng, draw):
    size = (128, 128)
    paper = background(rng, size, shapes=(2, 6))
    if rng.uniform() < 0.35 and draw is not eggs:
        pen = Pen.on(size)
        plate(rng, pen.at(64 + rng.uniform(-4, 4), 64 + rng.uniform(-4, 4), rng.uniform(56, 63)))
        paper = put(rng, paper, pen.layer())
    scale = rng.uniform(40, 56)
    angle = rng.uniform(0, 360) if draw is not burger and draw is not fruit else rng.uniform(-15, 15)
    room = 62 - 1.03 * scale
    pen = Pen.on(size)
    draw(rng, pen.at(64 + rng.uniform(-room, room), 64 + rng.uniform(-room, room), scale, angle))
    return put(rng, paper, pen.layer(), depth=0.4)


def hotdog(folder):
    for seed, (part, count) in enumerate(HOTDOG.items()):
        for index in range(count):
            rng = np.random.default_rng([2, seed, index])
            save(dish(rng, hot_dog), folder / part / "hotdog" / f"{index}.jpg")
            save(dish(rng, DISHES[index % len(DISHES)]), folder / part / "not-hotdog" / f"{index}.jpg")


# Cats and dogs.


def eyes(pen, apart, y, radius, iris, slit=False):
    for x in (-apart, apart):
        pen.ellipse(x, y, radius * 1.12, radius * 1.12, (40, 30, 25))
        pen.ellipse(x, y, radius, radius, iris)
        pen.ellipse(x, y, radius * (0.35 if slit else 0.6), radius * (0.9 if slit else 0.6), (15, 12, 12))
        pen.ellipse(x - 0.3 * radius, y - 0.35 * radius, 0.25 * radius, 0.25 * radius, (250, 250, 250))


def cat_face(pen, coat, iris):
    """Within -1 to 1: pointed ears, slit eyes, whiskers."""
    dark, light = tint(coat, 0.6), tint(coat, 1.55)
    for side in (-1, 1):
        own = pen.at(0, 0, mirror=side < 0)
        own.polygon([(0.2, -0.62), (0.86, -0.02), (0.86, -0.98)], dark)
        own.polygon([(0.24, -0.6), (0.8, -0.05), (0.8, -0.9)], coat)
        own.polygon([(0.42, -0.55), (0.72, -0.25), (0.73, -0.75)], (225, 160, 155))
    pen.ellipse(0, 0.12, 0.9, 0.76, dark)
    pen.ellipse(0, 0.12, 0.86, 0.72, coat)
    for x in (-0.2, 0, 0.2):
        pen.line([(x, -0.55), (x * 0.7, -0.3)], 0.07, dark)
    for side in (-1, 1):
        for y in (0.08, 0.26):
            pen.line([(0.86 * side, y), (0.62 * side, y + 0.04)], 0.06, dark)
    pen.ellipse(-0.17, 0.46, 0.26, 0.2, light)
    pen.ellipse(0.17, 0.46, 0.26, 0.2, light)
    pen.ellipse(0, 0.66, 0.18, 0.12, light)
    eyes(pen, 0.37, 0.04, 0.19, iris, slit=True)
    pen.polygon([(-0.11, 0.27), (0.11, 0.27), (0, 0.39)], (205, 110, 110))
    for side in (-1, 1):
        pen.line([(0, 0.39), (0.03 * side, 0.5), (0.2 * side, 0.53)], 0.035, (70, 45, 40))
        for y, rise in ((0.36, -0.1), (0.45, 0.02), (0.53, 0.14)):
            pen.line([(0.28 * side, y), (0.98 * side, y + rise)], 0.022, (245, 242, 235))


def dog_face(pen, coat, iris=(110, 70, 35), pale=None, ears=None, muzzle=None, upright=False, fur=None):
    """Within -1 to 1: hanging or upright ears, a long snout, a tongue, perhaps a mane."""
    dark, light = tint(coat, 0.55), pale or tint(coat, 1.6)
    ears, muzzle = ears or dark, muzzle or light
    if fur:
        for turn in range(0, 360, 15):
            own = pen.at(0, 0.05, 1, turn)
            own.polygon(curve([(0.5, -0.2), (1.0, -0.05), (0.5, 0.2)]), tint(fur, 0.8 + 0.1 * (turn % 45 > 0)))
    pen.ellipse(0, -0.12, 0.66, 0.74, tint(coat, 0.8))
    pen.ellipse(0, -0.12, 0.63, 0.71, coat)
    pen.polygon(curve([(0, -0.82), (0.1, -0.4), (0.14, 0.1), (-0.14, 0.1), (-0.1, -0.4), (0, -0.82)]), light)
    for side in (-1, 1):
        own = pen.at(0, 0, mirror=side < 0)
        ear = [(0.3, -0.76), (0.62, -0.74), (0.92, -0.2), (0.86, 0.42), (0.64, 0.4), (0.56, -0.2), (0.3, -0.76)]
        inner = [(0.4, -0.7), (0.6, -0.66), (0.82, -0.2), (0.79, 0.3), (0.68, 0.28), (0.62, -0.2), (0.4, -0.7)]
        if upright:
            own.polygon([(0.16, -0.68), (0.52, -1.22), (0.66, -0.36)], tint(ears, 0.75))
            own.polygon([(0.27, -0.68), (0.5, -1.06), (0.58, -0.46)], (205, 150, 140))
            continue
        own.polygon(curve(ear), ears)
        own.polygon(curve(inner), tint(ears, 1.1) if ears != dark else tint(coat, 0.65))
    pen.ellipse(0, 0.8, 0.14, 0.18, (215, 95, 105))
    pen.line([(0, 0.7), (0, 0.88)], 0.025, (165, 60, 70))
    pen.ellipse(0, 0.44, 0.43, 0.36, tint(muzzle, 0.85))
    pen.ellipse(0, 0.42, 0.41, 0.34, muzzle)
    pen.ellipse(0, 0.2, 0.2, 0.14, (35, 28, 28))
    pen.ellipse(-0.05, 0.15, 0.07, 0.035, (130, 120, 120))
    pen.line([(0, 0.3), (0, 0.52)], 0.035, (60, 40, 35))
    pen.line([(-0.3, 0.5), (-0.15, 0.6), (0, 0.53), (0.15, 0.6), (0.3, 0.5)], 0.04, (60, 40, 35))
    for x, y in ((-0.2, 0.38), (-0.28, 0.44), (0.2, 0.38), (0.28, 0.44)):
        pen.ellipse(x, y, 0.018, 0.018, (90, 65, 55))
    eyes(pen, 0.29, -0.2, 0.12, iris)
    for side in (-1, 1):
        pen.line([(0.2 * side, -0.42), (0.36 * side, -0.42)], 0.05, dark)


def body(pen, right, rim, paint):
    """A body with a rim, its right side given from top to bottom."""
    outline = curve(right + [(-x, y) for x, y in right[-2::-1]])
    pen.polygon(outline, rim)
    pen.polygon(outline * [0.95, 0.98], paint)


def cat(pen, coat, iris=(150, 185, 70)):
    """A cat that sits, about 2 wide and 3 high."""
    dark, light = tint(coat, 0.62), tint(coat, 1.5)
    pen.line([(0.4, 1.25), (0.85, 1.2), (0.95, 0.75), (0.72, 0.45)], 0.2, dark)
    pen.line([(0.4, 1.25), (0.85, 1.2), (0.95, 0.75), (0.72, 0.45)], 0.15, coat)
    pen.line([(0.82, 0.52), (0.72, 0.45)], 0.17, dark)
    body(pen, [(0, -0.3), (0.45, 0.1), (0.66, 0.8), (0.6, 1.35), (0, 1.45)], dark, coat)
    for side in (-1, 1):
        for y in (0.5, 0.72, 0.94):
            pen.line([(0.58 * side, y + 0.02), (0.36 * side, y + 0.06)], 0.07, dark)
        pen.ellipse(0.44 * side, 1.12, 0.2, 0.3, tint(coat, 0.85))
    pen.ellipse(0, 0.5, 0.27, 0.42, light)
    for side in (-1, 1):
        pen.line([(0.17 * side, 0.6), (0.17 * side, 1.38)], 0.27, tint(coat, 0.75))
        pen.line([(0.17 * side, 0.6), (0.17 * side, 1.38)], 0.23, coat)
        pen.ellipse(0.2 * side, 1.43, 0.2, 0.1, light)
        for x in (0.13, 0.26):
            pen.line([(x * side, 1.42), (x * side, 1.5)], 0.02, dark)
    cat_face(pen.at(0, -0.55, 0.82), coat, iris)


def dog(pen, coat, collar=(175, 45, 45), pale=None, saddle=None, **marks):
    """A dog that sits, about 2 wide and 3 high, perhaps with a saddle of another color."""
    dark, light = tint(coat, 0.7), pale or tint(coat, 1.55)
    pen.line([(0.4, 1.2), (0.8, 1.05), (0.96, 0.6)], 0.2, dark)
    pen.line([(0.4, 1.2), (0.8, 1.05), (0.96, 0.6)], 0.15, coat)
    body(pen, [(0, -0.4), (0.48, 0.0), (0.7, 0.75), (0.66, 1.38), (0, 1.45)], dark, coat)
    if saddle:
        body(pen, [(0, -0.4), (0.48, 0.0), (0.67, 0.6), (0.6, 0.85), (0, 0.9)], saddle, saddle)
    for side in (-1, 1):
        pen.ellipse(0.5 * side, 1.1, 0.24, 0.34, tint(coat, 0.85))
        pen.ellipse(0.56 * side, 1.44, 0.26, 0.1, light)
    pen.ellipse(0, 0.5, 0.32, 0.5, light)
    for side in (-1, 1):
        pen.line([(0.2 * side, 0.55), (0.2 * side, 1.36)], 0.31, dark)
        pen.line([(0.2 * side, 0.55), (0.2 * side, 1.36)], 0.27, coat)
        pen.ellipse(0.22 * side, 1.43, 0.23, 0.12, light)
        for x in (0.14, 0.29):
            pen.line([(x * side, 1.42), (x * side, 1.52)], 0.02, dark)
    pen.line([(-0.47, 0.06), (0, 0.22), (0.47, 0.06)], 0.13, collar)
    pen.ellipse(0, 0.3, 0.09, 0.09, (225, 190, 80))
    dog_face(pen.at(0, -0.6, 0.95), coat, pale=pale, **marks)


def fitted(draw, size, box, *paints):
    """A layer with a figure that fills the box."""
    pen = Pen.on((480, 640))
    draw(pen.at(240, 320, 190), *paints)
    figure = pen.layer()
    figure = figure.crop(figure.getbbox()).resize((box[2] - box[0], box[3] - box[1]), Image.Resampling.LANCZOS)
    layer = Image.new("RGBA", size)
    layer.paste(figure, box[:2])
    return layer


# CIFAR-10's classes, within -1 to 1.


def airplane(rng, pen):
    hull = color(rng, (190, 240), (0.0, 0.2), (0.75, 1.0))
    mark = color(rng, (0, 360), (0.5, 0.9), (0.4, 0.9))
    pen.polygon([(0.3, 0), (-0.25, -0.95), (-0.5, -0.95), (-0.2, 0), (-0.5, 0.95), (-0.25, 0.95)], tint(hull, 0.8))
    pen.polygon([(-0.6, 0), (-0.82, -0.38), (-0.98, -0.38), (-0.85, 0), (-0.98, 0.38), (-0.82, 0.38)], mark)
    pen.ellipse(0, 0, 0.98, 0.16, hull)
    pen.ellipse(0.7, 0, 0.14, 0.09, (50, 70, 100))


def wheels(pen, places, y, radius):
    for x in places:
        pen.ellipse(x, y, radius, radius, (25, 25, 28))
        pen.ellipse(x, y, radius * 0.5, radius * 0.5, (150, 150, 155))


def automobile(rng, pen):
    paint = color(rng, (0, 360), (0.5, 0.9), (0.5, 0.95))
    pen.polygon([(-0.6, 0), (-0.38, -0.45), (0.28, -0.45), (0.6, 0)], paint)
    pen.polygon([(-0.46, -0.03), (-0.31, -0.36), (-0.05, -0.36), (-0.05, -0.03)], (180, 210, 230))
    pen.polygon([(0.03, -0.03), (0.03, -0.36), (0.24, -0.36), (0.45, -0.03)], (180, 210, 230))
    pen.line([(-0.82, 0.14), (0.82, 0.14)], 0.34, paint)
    pen.box(-0.85, 0.2, 0.85, 0.34, tint(paint, 0.7))
    wheels(pen, (-0.52, 0.52), 0.34, 0.23)


def bird(rng, pen):
    feathers = color(rng, [(200, 225), (0, 15), (20, 40)][rng.integers(3)], (0.3, 0.8), (0.4, 0.85))
    pen.polygon([(-0.4, 0.05), (-0.98, 0.18), (-0.92, 0.42), (-0.35, 0.3)], tint(feathers, 0.7))
    for x in (-0.05, 0.15):
        pen.line([(x, 0.4), (x + 0.05, 0.85)], 0.06, (200, 130, 50))
    pen.ellipse(0, 0.12, 0.6, 0.4, feathers, -15)
    pen.ellipse(0.12, 0.25, 0.4, 0.24, tint(feathers, 1.5), -15)
    pen.ellipse(-0.15, 0.05, 0.4, 0.2, tint(feathers, 0.65), 15)
    pen.ellipse(0.5, -0.3, 0.28, 0.27, feathers)
    pen.polygon([(0.72, -0.4), (0.99, -0.26), (0.72, -0.18)], (235, 160, 40))
    pen.ellipse(0.57, -0.36, 0.07, 0.07, (15, 15, 15))


def animal_coat(rng):
    return color(rng, (15, 35), (0.1, 0.65), (0.35, 0.8))


def cat_head(rng, pen):
    cat_face(pen, animal_coat(rng), color(rng, (60, 130), (0.5, 0.7), (0.7, 0.9)))


def dog_head(rng, pen):
    dog_face(pen, animal_coat(rng))


def legs(pen, coat, places, top, bottom, width):
    for x in places:
        pen.line([(x, top), (x + 0.02, bottom)], width, coat)


def deer(rng, pen):
    coat = color(rng, (20, 30), (0.5, 0.7), (0.5, 0.75))
    legs(pen, tint(coat, 0.7), (-0.48, 0.16), 0.2, 0.9, 0.09)
    legs(pen, coat, (-0.6, 0.28), 0.2, 0.92, 0.1)
    pen.ellipse(-0.15, 0.15, 0.55, 0.26, coat)
    pen.ellipse(-0.68, 0.05, 0.1, 0.13, (240, 235, 225))
    pen.polygon([(0.1, 0.1), (0.38, -0.42), (0.58, -0.3), (0.4, 0.25)], coat)
    pen.ellipse(0.58, -0.35, 0.26, 0.13, coat, 20)
    for x in (-0.4, -0.2, 0.0, -0.3, -0.1):
        pen.ellipse(x, 0.03 + 0.12 * (x in (-0.3, -0.1)), 0.05, 0.05, (245, 230, 205))
    for lean in (-0.16, 0.2):
        pen.line([(0.46, -0.42), (0.42 + lean, -0.68), (0.5 + lean, -0.96)], 0.06, (225, 210, 180))
        pen.line([(0.42 + lean, -0.68), (0.56 + lean * 1.6, -0.8)], 0.05, (225, 210, 180))
    pen.ellipse(0.58, -0.4, 0.045, 0.045, (15, 15, 15))
    pen.ellipse(0.8, -0.27, 0.06, 0.05, (20, 15, 15))


def frog(rng, pen):
    skin = color(rng, (85, 130), (0.5, 0.8), (0.45, 0.8))
    for side in (-1, 1):
        pen.ellipse(0.62 * side, 0.4, 0.34, 0.24, tint(skin, 0.75), 50 * side)
        pen.ellipse(0.66 * side, 0.7, 0.3, 0.09, tint(skin, 0.85))
        pen.ellipse(0.36 * side, -0.42, 0.25, 0.25, skin)
    pen.ellipse(0, 0.18, 0.68, 0.58, skin)
    pen.ellipse(0, 0.38, 0.42, 0.34, tint(skin, 1.55))
    for side in (-1, 1):
        pen.ellipse(0.36 * side, -0.44, 0.17, 0.17, (245, 240, 190))
        pen.ellipse(0.36 * side, -0.44, 0.09, 0.11, (15, 15, 15))
        pen.ellipse(0.22 * side, 0.76, 0.18, 0.08, tint(skin, 0.85))
    pen.line([(-0.45, -0.02), (0, 0.14), (0.45, -0.02)], 0.05, tint(skin, 0.4))


def horse(rng, pen):
    coat = color(rng, (12, 30), (0.2, 0.7), (0.25, 0.65))
    mane = tint(coat, 0.4)
    legs(pen, tint(coat, 0.7), (-0.45, 0.22), 0.25, 0.9, 0.12)
    legs(pen, coat, (-0.58, 0.34), 0.25, 0.92, 0.14)
    pen.line([(-0.65, 0.05), (-0.88, 0.2), (-0.88, 0.65)], 0.15, mane)
    pen.ellipse(-0.12, 0.14, 0.6, 0.32, coat)
    pen.polygon([(0.05, 0.05), (0.34, -0.72), (0.66, -0.6), (0.46, 0.3)], coat)
    pen.line([(0.08, -0.12), (0.2, -0.5), (0.38, -0.82)], 0.16, mane)
    pen.polygon([(0.4, -0.68), (0.46, -0.97), (0.56, -0.72)], coat)
    pen.line([(0.5, -0.6), (0.82, -0.3)], 0.27, coat)
    pen.ellipse(0.86, -0.26, 0.12, 0.11, tint(coat, 0.6))
    pen.ellipse(0.58, -0.6, 0.045, 0.045, (15, 12, 12))


def ship(rng, pen):
    hull = color(rng, (0, 360), (0.4, 0.9), (0.25, 0.7))
    sail = color(rng, (0, 60), (0.0, 0.15), (0.9, 1.0))
    pen.line([(0, 0.4), (0, -0.95)], 0.07, (95, 65, 40))
    pen.polygon([(0.07, -0.88), (0.07, 0.24), (0.72, 0.24)], sail)
    pen.polygon([(-0.07, -0.7), (-0.07, 0.24), (-0.58, 0.24)], tint(sail, 0.86))
    pen.polygon([(-0.95, 0.34), (0.98, 0.34), (0.66, 0.82), (-0.68, 0.82)], hull)
    pen.box(-0.9, 0.34, 0.95, 0.44, tint(hull, 1.5))


def truck(rng, pen):
    cab = color(rng, (0, 360), (0.5, 0.9), (0.45, 0.9))
    cargo = color(rng, (0, 360), (0.0, 0.2), (0.75, 0.98))
    pen.box(-0.95, -0.62, 0.32, 0.42, cargo)
    for x in (-0.7, -0.4, -0.1):
        pen.box(x, -0.56, x + 0.04, 0.36, tint(cargo, 0.75))
    pen.polygon([(0.37, 0.42), (0.37, -0.4), (0.72, -0.4), (0.95, 0.02), (0.95, 0.42)], cab)
    pen.polygon([(0.52, -0.04), (0.52, -0.3), (0.68, -0.3), (0.83, -0.04)], (185, 215, 235))
    pen.box(-0.95, 0.42, 0.97, 0.54, (50, 50, 55))
    wheels(pen, (-0.68, -0.25, 0.62), 0.58, 0.21)


# What draws a class, the hues of where one would expect it, and how far it leans.
SKY, ROAD, MEADOW, ROOM, SEA = (195, 220), (200, 280), (85, 130), (-25, 30), (185, 225)
CLASSES = [
    (airplane, SKY, 180),
    (automobile, ROAD, 8),
    (bird, SKY, 12),
    (cat_head, ROOM, 12),
    (deer, MEADOW, 6),
    (dog_head, ROOM, 12),
    (frog, MEADOW, 12),
    (horse, MEADOW, 6),
    (ship, SEA, 8),
    (truck, ROAD, 8),
]


def tiny(rng, label):
    """A picture of 32 x 32 pixels of the class, more often than not where one would expect it."""
    size = (32, 32)
    draw, place, lean = CLASSES[label]
    paper = background(rng, size, place if rng.uniform() < 0.6 else None, shapes=(0, 3))
    scale = rng.uniform(10, 15)
    room = 15.5 - scale
    x, y = 16 + rng.uniform(-room, room), 16 + rng.uniform(-room, room)
    pen = Pen.on(size)
    draw(rng, pen.at(x, y, scale, rng.uniform(-lean, lean), rng.uniform() < 0.5))
    return put(rng, paper, pen.layer())


def cifar10(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (name, count) in enumerate(CIFAR.items()):
        labels = np.repeat(np.arange(10), count)
        np.random.default_rng([3, seed]).shuffle(labels)
        records = []
        for index, label in enumerate(labels):
            pixels = np.asarray(tiny(np.random.default_rng([3, seed, index]), label))
            records.append(bytes([label]) + pixels.transpose(2, 0, 1).tobytes())
        (folder / name).write_bytes(b"".join(records))


# Landscapes.


def sky(rng, size, high, low, clouds=0.8):
    """Clouds before a sky that changes its color down to the horizon."""
    width, height = size
    down = np.linspace(0, 1, height)[:, None] * np.ones((1, width))
    values = blend(np.full((height, width, 3), high, dtype=float), low, down)
    cover = noise(rng, size, ((2, 4), (4, 9), (9, 18), (18, 36)), 0.9)
    return blend(values, (250, 250, 252), clouds * np.clip((cover - 0.45) * 2.6, 0, 1) ** 1.3)


def sampled(grid, x, y):
    """The grid's values at places between 0 and 1, weighted between neighbors."""
    x, y = (np.clip(place, 0, 1) * (side - 1.001) for place, side in ((x, grid.shape[1]), (y, grid.shape[0])))
    left, top = x.astype(int), y.astype(int)
    x, y = x - left, y - top
    upper = grid[top, left] * (1 - x) + grid[top, left + 1] * x
    return upper * (1 - y) + (grid[top + 1, left] * (1 - x) + grid[top + 1, left + 1] * x) * y


def ridges(rng, size, cells):
    """Noise with sharp crests, as mountains have."""
    total = np.zeros((size[1], size[0]))
    for across in cells:
        total += (1 - np.abs(2 * noise(rng, size, (across,)) - 1)) / across
    return total / total.max()


def summit(rng, size):
    """A land with one summit, seen from a hill: for each pixel its color, and whether the land covers it."""
    # The land is 3 wide and 3 deep, the summit in its middle.
    side = 700
    y, x = np.mgrid[0:side, 0:side] / (side - 1)
    x, z = 3 * x - 1.5, 3 * y
    far = np.hypot(x - 0.06, z - 1.6)
    rough = ridges(rng, (side, side), (5, 10, 20, 40, 80, 160))
    cone = np.clip(1 - far / 1.25, 0, 1)
    land = 0.83 * cone**1.35 * (0.74 + 0.38 * rough) + 0.16 * rough * np.clip(far / 0.5, 0.15, 1)
    land = np.minimum(land, 0.71 - 0.12 * far + 0.025 * rough)
    fall_y, fall_x = np.gradient(land, 3 / side)
    light = (0.62 * fall_x + 0.3 * fall_y + 0.75) / np.sqrt(1 + fall_x**2 + fall_y**2)
    light = np.clip(light, 0.05, 1.15)[..., None]
    snow = np.array([150, 172, 212]) + light * np.array([102, 80, 42])
    rock = np.array([42, 48, 62]) + light * np.array([66, 60, 52])
    woods = np.array([24, 44, 42]) + light * np.array([30, 42, 24])
    patchy = noise(rng, (side, side), (12, 30, 70, 150), 0.5)
    steep = np.hypot(fall_x, fall_y)
    white = np.clip((land - 0.2 - 0.22 * patchy - 0.07 * (steep - 0.9)) * 14, 0, 1)
    wooded = np.clip((0.17 + 0.08 * patchy - land) * 22, 0, 1)
    colors = blend(blend(rock, woods, wooded), snow, white)

    # Front to back, the first step whose land reaches a pixel's height is the one that shows.
    width, height = size
    depth = np.linspace(0.35, 2.4, 900)[:, None]
    across = (np.arange(width) / (width - 1) - 0.5) * 1.25 * depth
    place = across / 3 + 0.5, depth / 3 + np.zeros_like(across)
    rows = height * (0.62 - (sampled(land, *place) - 0.2) / depth * 1.55)
    seen = np.minimum.accumulate(rows, axis=0)
    first = np.stack([np.searchsorted(-column, -np.arange(height)) for column in seen.T], axis=1)
    covered = first < len(depth)
    first = np.minimum(first, len(depth) - 1)
    column = np.arange(width)[None, :]
    haze = np.clip(depth[first, 0] / 2.4 - 0.2, 0, 1) * 0.3
    shown = np.stack([sampled(colors[..., i], place[0], place[1])[first, column] for i in range(3)], axis=2)
    return blend(shown, (176, 196, 224), haze), covered


def conifer(rng, pen, paint):
    """Its foot at (0, 0) and its top at (0, -1)."""
    y = np.linspace(-1, -0.04, 11)
    reach = 0.05 + 0.24 * (1 + y) ** 0.9
    right, inner = reach * rng.uniform(0.8, 1.2, 11), reach * rng.uniform(0.45, 0.6, 11)
    edge = [(0, -1)] + [point for i in range(1, 11) for point in ((right[i], y[i]), (inner[i], y[i] - 0.03))]
    pen.box(-0.025, -0.1, 0.025, 0.03, (46, 36, 32))
    pen.polygon(edge + [(-x * rng.uniform(0.85, 1.15), y) for x, y in edge[:0:-1]], paint)
    lit = [(0.15 * x, y) for x, y in edge] + [(-0.85 * x, y) for x, y in edge[:0:-1]]
    pen.polygon(lit, tint(paint, 1.1))


def mountain(rng, size):
    """A summit under snow above a forest."""
    width, height = size
    values = sky(rng, size, (70, 122, 190), (196, 216, 236), 0.75)
    double = (2 * width, 2 * height)
    land, covered = summit(rng, double)
    layer = np.dstack([np.clip(land, 0, 255), 255.0 * covered])
    layer = Image.fromarray(layer.astype(np.uint8)).reduce(2)
    result = picture(values)
    result.paste(layer, (0, 0), layer)
    for foot, tall, step, paint in (
        (0.78, 24, 5, (74, 104, 112)),
        (0.86, 38, 8, (46, 80, 76)),
        (0.95, 60, 13, (28, 58, 48)),
        (1.06, 88, 19, (16, 38, 34)),
    ):
        pen = Pen.on(size)
        bow = noise(rng, (width, 2), ((6, 1),))[0] - 0.5
        edge = [(x, height * foot - 4 + 0.45 * tall * bow[x] - 0.3 * tall) for x in range(width)]
        pen.polygon(edge + [(width, height), (0, height)], tint(paint, 0.85))
        places = np.arange(0, width, step) + rng.uniform(-0.6 * step, 0.6 * step, len(range(0, width, step)))
        for x in rng.permutation(places):
            y = edge[int(np.clip(x, 0, width - 1))][1] + 0.3 * tall + rng.uniform(0, 0.2 * tall)
            conifer(rng, pen.at(x, y, tall * rng.uniform(0.65, 1.15)), tint(paint, rng.uniform(0.8, 1.06)))
        layer = pen.layer()
        result.paste(layer, (0, 0), layer)
    return picture(textured(rng, np.asarray(result, dtype=float), 0.08, 1.0))


def branch(rng, pen, start, angle, length, width, tips):
    """A branch that forks, its ends added to the tips."""
    x, y = start
    bent = angle + rng.uniform(-14, 14)
    end = x + length * math.sin(math.radians(bent)), y - length * math.cos(math.radians(bent))
    middle = (x + end[0]) / 2 + rng.uniform(-0.06, 0.06) * length, (y + end[1]) / 2
    pen.line([start, middle, end], width, (66, 46, 40))
    pen.line([(px - 0.2 * width, py) for px, py in (start, middle, end)], 0.35 * width, (116, 84, 64))
    if length < 17:
        tips.append(end)
        return
    for lean in (-34, 4, 36):
        if lean != 4 or rng.uniform() < 0.75:
            share = rng.uniform(0.64, 0.8)
            branch(rng, pen, end, angle * 0.85 + lean + rng.uniform(-10, 10), length * share, width * 0.62, tips)


def oak(rng, size):
    """An oak on a meadow, in the colors of autumn."""
    width, height = size
    values = sky(rng, size, (112, 150, 196), (246, 222, 168), 0.7)
    rows = np.arange(height)[:, None]
    for base, swing, near, other in (
        (0.66, 0.16, (112, 118, 150), (142, 124, 136)),
        (0.72, 0.1, (140, 98, 66), (92, 96, 74)),
        (0.8, 0.05, (176, 146, 62), (110, 118, 52)),
    ):
        edge = height * (base + swing * (noise(rng, (width, 2), ((5, 1), (11, 1)))[0] - 0.5))
        ground = np.full((height, width, 3), near, dtype=float)
        values = blend(values, blend(ground, other, noise(rng, size, (3, 8, 20), 0.7)), 1.0 * (rows >= edge))
    pen = Pen.on(size)
    x, foot = 0.5 * width, 0.9 * height
    pen.ellipse(x + 26, foot + 1, 120, 11, (84, 74, 44))
    for _ in range(260):
        leaf = color(rng, (8, 46), (0.7, 0.9), (0.55, 0.9))
        pen.ellipse(x + rng.normal(0, 90), foot + 3 + abs(rng.normal(0, 11)), 3, 1.6, leaf, rng.uniform(0, 180))
    for side in (-1, 1):
        root = [(x, foot - 34), (x + 11 * side, foot - 12), (x + 30 * side, foot + 4), (x, foot + 2)]
        pen.polygon(curve(root), (66, 46, 40))
    tips = []
    pen.line([(x, foot), (x + 2, foot - 30), (x, foot - 66)], 25, (66, 46, 40))
    pen.line([(x - 5, foot), (x - 3, foot - 30), (x - 5, foot - 66)], 8, (112, 80, 60))
    for angle, length, wide in ((-66, 54, 11), (-34, 60, 14), (-4, 58, 15), (32, 60, 14), (64, 54, 11)):
        branch(rng, pen, (x + 0.12 * angle, foot - 62), angle, length, wide, tips)
    leaves = [(tx + dx, ty + dy) for tx, ty in tips for dx, dy in rng.normal(0, 9, (30, 2))]
    hue = 14 + 30 * noise(rng, size, (5, 9, 14), 0.6)
    for lx, ly in rng.permutation(leaves):
        near = int(np.clip(ly, 0, height - 1)), int(np.clip(lx, 0, width - 1))
        light = np.clip(0.8 - 0.0016 * (lx - x) - 0.0022 * (ly - 110) + rng.normal(0, 0.09), 0.4, 1)
        leaf = color(rng, (hue[near] - 8, hue[near] + 8), (0.78, 0.95), (light - 0.03, light))
        pen.ellipse(lx, ly, rng.uniform(2.5, 4.5), rng.uniform(1.6, 2.6), leaf, rng.uniform(0, 180))
    layer = pen.layer()
    result = picture(values)
    result.paste(layer, (0, 0), layer)
    return result


def oil(rng, image):
    """The picture painted anew with a brush: broad strokes first, finer ones where those missed something."""
    width, height = image.size
    paper = Image.new("RGB", (2 * width, 2 * height), (150, 116, 82))
    draw = ImageDraw.Draw(paper)
    swirl = 2 * math.pi * noise(rng, image.size, (3, 6))
    for brush, misses in ((11, 0), (6, 15), (3.5, 24)):
        smooth = image.filter(ImageFilter.GaussianBlur(0.35 * brush))
        wanted = np.asarray(smooth, dtype=float)
        painted = np.asarray(paper.reduce(2).filter(ImageFilter.GaussianBlur(0.35 * brush)), dtype=float)
        missed = np.abs(wanted - painted).mean(axis=2)
        fall_y, fall_x = np.gradient(wanted.mean(axis=2))
        turn = np.where(np.hypot(fall_x, fall_y) > 3, np.arctan2(fall_x, -fall_y), 0.35 * np.sin(swirl))
        step = 0.6 * brush
        places = np.mgrid[0:height:step, 0:width:step].reshape(2, -1).T
        for y, x in rng.permutation(places + rng.uniform(0, step, places.shape)):
            near = min(int(y), height - 1), min(int(x), width - 1)
            if missed[near] < misses:
                continue
            paint = wanted[near] + rng.normal(0, 9) + rng.normal(0, 5, 3)
            angle = turn[near] + rng.normal(0, 0.2)
            stroke(rng, draw, 2 * x, 2 * y, angle, brush, paint)
    return paper.reduce(2)


def stroke(rng, draw, x, y, angle, brush, paint):
    """A bent stroke of a brush, each of its bristles with a little more or less paint."""
    half = brush * rng.uniform(1.2, 2.2)
    bend = rng.normal(0, 0.12) * half
    cosine, sine = math.cos(angle), math.sin(angle)
    bristles = 5
    for at in range(bristles):
        aside = (at / (bristles - 1) - 0.5) * 1.6 * brush
        ends = half * rng.uniform(0.8, 1.1, 2)
        path = [(-ends[0], aside), (-0.3 * half, aside + bend), (0.3 * half, aside + bend), (ends[1], aside)]
        path = [(x + cosine * along - sine * over, y + sine * along + cosine * over) for along, over in path]
        light = rng.normal(0, 8) + (14 if at == 0 else -14 if at == bristles - 1 else 0)
        shade = tuple(int(np.clip(part + light, 0, 255)) for part in paint)
        draw.line(path, fill=shade, width=max(1, math.ceil(0.5 * brush)), joint="curve")


# Single pictures.


def room(rng, size, wall, floor):
    """A wall with a window and a picture on it, and a floor of boards."""
    width, height = size
    edge = round(height * 0.68)
    values = np.full((height, width, 3), wall, dtype=float)
    values[edge:] = floor
    pen = Pen.on(size)
    for x in np.linspace(-1.1, 1.1, 14):
        pen.line([(width * (0.5 + 0.8 * x), edge), (width * (0.5 + 1.5 * x), height)], 1.5, tint(floor, 0.8))
    pen.box(0, edge - 14, width, edge, (238, 234, 226))
    pen.box(0, edge, width, edge + 3, tint(floor, 0.6))
    window(pen.at(width * 0.54, height * 0.2, height * 0.17))
    frame = pen.at(width * 0.92, height * 0.15, height * 0.09)
    frame.box(-0.8, -1, 0.8, 1, (92, 62, 42))
    frame.box(-0.66, -0.86, 0.66, 0.86, (232, 226, 210))
    frame.polygon([(-0.66, 0.86), (-0.2, -0.1), (0.1, 0.35), (0.35, 0.0), (0.66, 0.86)], (105, 135, 125))
    pen.at(width * 0.5, height * 0.9).ellipse(0, 0, width * 0.47, height * 0.095, (150, 92, 92))
    pen.at(width * 0.5, height * 0.9).ellipse(0, 0, width * 0.44, height * 0.082, (182, 128, 120))
    layer = pen.layer().filter(ImageFilter.GaussianBlur(1.0))
    result = picture(values)
    result.paste(layer, (0, 0), layer)
    return picture(textured(rng, np.asarray(result, dtype=float), 0.2))


def window(pen):
    pen.box(-0.85, -1, 0.85, 1, (240, 238, 232))
    for left in (-0.75, 0.05):
        for top in (-0.9, 0.05):
            pen.box(left, top, left + 0.7, top + 0.85, (176, 208, 230))
    for left in (-0.75, 0.05):
        pen.box(left, 0.6, left + 0.7, 0.9, (130, 165, 110))


def images(folder):
    rng = np.random.default_rng([4, 0])
    size = (728, 561)
    paper = room(rng, size, (176, 190, 188), (160, 126, 96))
    paper = put(rng, paper, fitted(dog, size, (60, 45, 378, 516), (178, 122, 70)), 0.012, 0.2)
    paper = put(rng, paper, fitted(cat, size, (400, 112, 655, 493), (140, 136, 132)), 0.012, 0.2)
    save(paper, folder / "catdog.jpg")

    rng = np.random.default_rng([4, 1])
    size = (500, 400)
    paper = room(rng, size, (196, 182, 164), (128, 104, 88))
    save(put(rng, paper, fitted(cat, size, (125, 30, 365, 385), (208, 138, 72)), 0.012, 0.2), folder / "cat1.jpg")

    rng = np.random.default_rng([4, 2])
    size = (256, 256)
    paper = wood(rng, size)
    for x, y, longer in ((80, 78, 104), (178, 110, 92), (104, 188, 112)):
        paper = put(rng, paper, banana(rng, size, longer, (x, y)), 0.012)
    save(paper, folder / "banana.jpg")

    save(mountain(np.random.default_rng([4, 3]), (512, 341)), folder / "rainier.jpg")
    rng = np.random.default_rng([4, 4])
    save(oil(rng, oak(rng, (429, 300))), folder / "autumn-oak.jpg")


# Scenes with the class of each pixel.

# VOC's numbers of the classes.
VOC_CLASSES = {"aeroplane": 1, "bird": 3, "boat": 4, "car": 7, "cat": 8, "dog": 12, "horse": 13}
BORDER = 255


def palette():
    """VOC's colors: the lowest bits of a number are the highest ones of its red, green and blue, and so on."""
    colors = np.zeros((256, 3), dtype=np.uint8)
    for number in range(256):
        for bit in range(8):
            colors[number, bit % 3] |= (number >> bit & 1) << 7 - bit // 3
    return colors.tobytes()


def pet(draw):
    """A painter of a cat or dog in any coat."""

    def paint(rng, pen):
        gray = rng.uniform() < 0.3
        draw(pen, color(rng, (20, 50), (0.0, 0.08), (0.3, 0.7)) if gray else animal_coat(rng))

    return paint


# What draws a class, how far its foot is below its center and its height, and how far it leans.
THINGS = {
    "aeroplane": (airplane, 0.0, 2.0, 180),
    "bird": (bird, 0.85, 1.5, 5),
    "boat": (ship, 0.72, 1.8, 4),
    "car": (automobile, 0.55, 1.05, 2),
    "cat": (pet(cat), 1.45, 2.95, 3),
    "dog": (pet(dog), 1.45, 3.0, 3),
    "horse": (horse, 0.95, 1.95, 3),
}
# Where things are: the hues above and below the horizon, how saturated they are, and what may be there.
VIEWS = {
    "air": (SKY, SKY, (0.3, 0.6), ["aeroplane"]),
    "sea": (SKY, SEA, (0.4, 0.65), ["boat"]),
    "road": (SKY, ROAD, (0.02, 0.15), ["car", "car", "dog", "bird"]),
    "meadow": (SKY, MEADOW, (0.4, 0.65), ["horse", "bird", "cat", "dog", "horse"]),
    "room": (HUES[5], (18, 34), (0.25, 0.5), ["cat", "dog"]),
}
HOMES = {
    "aeroplane": ["air"],
    "bird": ["meadow"],
    "boat": ["sea"],
    "car": ["road"],
    "cat": ["room", "meadow"],
    "dog": ["room", "meadow", "road"],
    "horse": ["meadow"],
}


def view(rng, size, name):
    """A place without things, and the row of its horizon."""
    width, height = size
    above, below, strong, _ = VIEWS[name]
    edge = round(height * (1.0 if name == "air" else rng.uniform(0.36, 0.52)))
    ground = np.full((height, width, 3), color(rng, below, strong, (0.4, 0.65)), dtype=float)
    patches = noise(rng, size, ((2, 9), (5, 20), (9, 40)), 0.6)
    values = blend(ground, color(rng, below, strong, (0.3, 0.75)), patches)
    if name == "room":
        wall = np.full((edge, width, 3), dull(rng, above, (0.05, 0.3), (0.55, 0.85)), dtype=float)
        values[:edge] = blend(wall, (255, 250, 235), 0.25 * noise(rng, (width, edge), (2, 3)))
        values[edge - height // 30 : edge] = (236, 232, 224)
        values[edge] *= 0.5
    else:
        high, low = color(rng, above, (0.35, 0.6), (0.7, 0.9)), color(rng, above, (0.1, 0.25), (0.85, 0.95))
        values[:edge] = sky(rng, (width, edge), high, low, rng.uniform(0.3, 0.9))
    result = picture(values)
    pen = Pen.on(size)
    if name in ("road", "meadow"):
        for _ in range(rng.integers(4, 9)):
            bush = color(rng, (70, 150), (0.25, 0.5), (0.25, 0.5))
            x, across, down = rng.uniform(0, width), width * rng.uniform(0.05, 0.2), height * rng.uniform(0.04, 0.14)
            pen.ellipse(x, edge, across, down, bush)
        pen.box(0, edge, width, 1.3 * edge, tuple(round(part) for part in values[edge, 0]))
    if name == "road":
        y = rng.uniform(0.75, 0.9) * height
        for x in np.arange(rng.uniform(-0.3, 0), 1, 0.3):
            pen.box(x * width, y, (x + 0.16) * width, y + height / 50, (225, 222, 210))
    layer = pen.layer().filter(ImageFilter.GaussianBlur(height / 200))
    result.paste(layer, (0, 0), layer)
    return picture(textured(rng, np.asarray(result, dtype=float), 0.2)), edge


def scene(rng, size, names, place):
    """A picture with things, from the farthest to the nearest, and the class of each of its pixels."""
    width, height = size
    paper, edge = view(rng, size, place)
    classes = np.zeros((height, width), dtype=np.uint8)
    nearness = np.sort(rng.uniform(0.25, 1, len(names)))
    columns = rng.permutation(len(names))
    for name, near, column in zip(names, nearness, columns):
        draw, foot, tall, lean = THINGS[name]
        share = width / len(names)
        scale = min(0.62 * share, 0.86 * height / tall) * rng.uniform(0.75, 1) * (0.75 + 0.25 * near)
        x = share * (column + 0.5) + rng.uniform(-0.12, 0.12) * share
        if name == "aeroplane":
            y = rng.uniform(0.9 * scale, max(height - 0.9 * scale, scale))
        else:
            y = max(edge + near * (0.97 * height - edge) - foot * scale, (tall - foot) * scale)
        pen = Pen.on(size)
        draw(rng, pen.at(x, y, scale, rng.uniform(-lean, lean), rng.uniform() < 0.5))
        layer = pen.layer()
        paper = put(rng, paper, layer, 0.0 if name == "aeroplane" else 0.012)
        # Pixels that the thing covers at least half are its own, those that it touches or that are beside it border.
        alpha = layer.getchannel("A")
        around = alpha.point(lambda a: 255 if a else 0).filter(ImageFilter.MaxFilter(3))
        classes[np.asarray(around) > 0] = BORDER
        classes[np.asarray(alpha) >= 128] = VOC_CLASSES[name]
    return paper, classes


def voc2012(folder):
    root = folder / "VOCdevkit" / "VOC2012"
    number = 0
    for seed, (part, (count, small)) in enumerate(VOC.items()):
        lines = []
        for index in range(count):
            rng = np.random.default_rng([5, seed, index])
            size = (90, 60) if index in small else (120, 160) if index % 4 == 3 else (160, 120)
            first = list(VOC_CLASSES)[index % len(VOC_CLASSES)]
            place = HOMES[first][rng.integers(len(HOMES[first]))]
            more = rng.integers(3) if size[0] == 160 else rng.integers(2)
            names = [first] + [VIEWS[place][3][rng.integers(len(VIEWS[place][3]))] for _ in range(more)]
            paper, classes = scene(rng, size, names, place)
            number += 1
            lines.append(f"drawn_{number:04}")
            save(paper, root / "JPEGImages" / f"{lines[-1]}.jpg")
            mask = Image.fromarray(classes)
            mask.putpalette(palette())
            save(mask, root / "SegmentationClass" / f"{lines[-1]}.png")
        path = root / "ImageSets" / "Segmentation" / f"{part}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n")


# Breeds of dogs.


def boston_bull(rng):
    coat = color(rng, (0, 40), (0.1, 0.35), (0.14, 0.24))
    return {"coat": coat, "pale": (242, 238, 232), "ears": coat, "upright": True}


def dingo(rng):
    coat = color(rng, (24, 32), (0.52, 0.68), (0.72, 0.86))
    return {"coat": coat, "pale": tint(coat, 1.6), "ears": coat, "upright": True, "iris": (150, 95, 40)}


def pekinese(rng):
    coat = color(rng, (30, 40), (0.22, 0.4), (0.8, 0.93))
    muzzle = color(rng, (10, 30), (0.2, 0.3), (0.2, 0.32))
    return {"coat": coat, "fur": tint(coat, 0.9), "ears": tint(coat, 0.62), "muzzle": muzzle}


def beagle(rng):
    coat = color(rng, (20, 28), (0.6, 0.75), (0.56, 0.7))
    return {"coat": coat, "pale": (246, 243, 236), "ears": tint(coat, 0.8), "saddle": (38, 32, 32)}


BREEDS = [beagle, boston_bull, dingo, pekinese]


def breed_picture(rng, breed):
    """A dog of the breed, the whole one or its head."""
    size = (int(rng.integers(96, 129)), 96)
    paper = background(rng, size, [MEADOW, ROOM, SEA, ROAD][rng.integers(4)], shapes=(2, 5))
    marks = breed(rng)
    pen = Pen.on(size)
    x, mirror = size[0] / 2 + rng.uniform(-0.08, 0.08) * size[0], rng.uniform() < 0.5
    if rng.uniform() < 0.6:
        scale = rng.uniform(26, 30)
        collar = color(rng, (0, 360), (0.5, 0.8), (0.4, 0.8))
        dog(pen.at(x, 50 - 0.02 * scale, scale, rng.uniform(-5, 5), mirror), collar=collar, **marks)
    else:
        marks.pop("saddle", None)
        scale = rng.uniform(36, 42)
        dog_face(pen.at(x, 50, scale, rng.uniform(-14, 14), mirror), **marks)
    return put(rng, paper, pen.layer(), depth=0.35)


def dog_breed(folder):
    lines = []
    for seed, (part, count) in enumerate(BREED.items()):
        for index in range(count * len(BREEDS)):
            rng = np.random.default_rng([6, seed, index])
            name, breed = rng.bytes(16).hex(), BREEDS[index % len(BREEDS)]
            save(breed_picture(rng, breed), folder / part / f"{name}.jpg")
            if part == "train":
                lines.append(f"{name},{breed.__name__}")
    (folder / "labels.csv").write_text("\n".join(["id,breed"] + sorted(lines)) + "\n")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for draw in (detection, hotdog, cifar10, images, voc2012, dog_breed):
        folder = Path(sys.argv[1]) / draw.__name__
        draw(folder)
        (folder / "README.md").write_text(READMES[draw.__name__] + README_END)


if __name__ == "__main__":
    main()
