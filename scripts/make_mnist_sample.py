"""Writes the committed sample that takes MNIST's place: 1,000 training and 200 test images of digits drawn here.

    python3 scripts/make_mnist_sample.py FOLDER_WITH_DEJAVU_TTF data/samples/mnist

MNIST itself may not be committed, so each image is a digit of one of DejaVu's faces, which cargo keeps with the crate
`dejavu` (~/.cargo/registry/src/*/dejavu-*/assets/*/ttf): slanted, turned, stretched, made thicker or thinner, moved,
and with a ragged edge, in a box of 20 pixels within the 28 as in MNIST. The files have MNIST's names and format. The
same numbers are drawn in each run; another version of Pillow may set single pixels otherwise. Needs Pillow and NumPy.
"""

import gzip
import struct
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

FACES = [
    "DejaVuSans.ttf",
    "DejaVuSans-Bold.ttf",
    "DejaVuSansCondensed.ttf",
    "DejaVuSansMono.ttf",
    "DejaVuSerif.ttf",
    "DejaVuSerifCondensed.ttf",
]
SIDE = 28
# Large enough for smooth edges: each of the image's pixels is a square of 8 x 8 of these.
DRAWN = 8 * SIDE
# Few shades pack well.
SHADES = np.array([0, 64, 128, 192, 255])


def draw(digit, fonts, random):
    """One image, (28, 28) in bytes."""
    font = fonts[random.integers(len(fonts))]
    canvas = Image.new("L", (DRAWN, DRAWN))
    middle = DRAWN / 2
    ImageDraw.Draw(canvas).text((middle, middle), str(digit), fill=255, font=font, anchor="mm")
    # From a place on the new canvas to that on the old one: move, then turn, slant and stretch around the middle.
    angle, slant = random.normal(0.0, 0.08), random.normal(0.1, 0.13)
    across, along = random.uniform(0.8, 1.2), random.uniform(0.88, 1.08)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shape = np.linalg.inv(turn @ np.array([[1.0, -slant], [0.0, 1.0]]) @ np.diag([across, along]))
    shift = random.normal(0.0, 6.0, size=2)
    offset = np.array([middle, middle]) - shape @ (np.array([middle, middle]) + shift)
    coefficients = (*shape[0], offset[0], *shape[1], offset[1])
    canvas = canvas.transform(canvas.size, Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR)
    # A stroke's width by a blur and a threshold, which noise of a few pixels' grain makes ragged.
    canvas = canvas.filter(ImageFilter.GaussianBlur(4))
    grain = Image.fromarray((random.random((SIDE, SIDE)) * 255).astype(np.uint8))
    grain = np.asarray(grain.resize(canvas.size, Image.Resampling.BICUBIC), dtype=float) / 255.0 - 0.5
    threshold = random.uniform(0.22, 0.62)
    ink = np.asarray(canvas, dtype=float) / 255.0 + 0.35 * grain > threshold
    shades = ink.reshape(SIDE, 8, SIDE, 8).mean(axis=(1, 3)) * 255.0
    return SHADES[np.abs(shades[..., None] - SHADES).argmin(axis=-1)].astype(np.uint8)


def write(path, data):
    with open(path, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed:
        packed.write(data)


def main(faces, target):
    target.mkdir(parents=True, exist_ok=True)
    fonts = [ImageFont.truetype(str(faces / face), 205) for face in FACES]
    random = np.random.default_rng(18)
    for part, count in [("train", 1000), ("t10k", 200)]:
        labels = random.permutation(np.arange(count) % 10).astype(np.uint8)
        pixels = np.stack([draw(label, fonts, random) for label in labels])
        images = struct.pack(">4I", 2051, count, SIDE, SIDE) + pixels.tobytes()
        write(target / f"{part}-images-idx3-ubyte.gz", images)
        write(target / f"{part}-labels-idx1-ubyte.gz", struct.pack(">2I", 2049, count) + labels.tobytes())
        print(f"{part}: {count} images, mean {pixels.mean() / 255:.3f}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
