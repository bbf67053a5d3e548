"""Draws the sample of sprites that belongs to this repository: an archive of creatures in the layout of the book's.

    python3 scripts/make_sprites_sample.py data/samples/pokemon

Every creature grows here out of random numbers, from a seed that does not change; none is anybody's figure and nothing comes
from elsewhere. The same releases of the libraries write the same bytes each time. Needs NumPy and Pillow.
"""

import colorsys
import io
import sys
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

CREATURES = 60
SIDE = 64
# A creature is drawn on a grid of so many cells, each of several pixels, the left half first.
CELLS, HALF, SCALE = 20, 10, 3
WHITE, OUTLINE, FIRST_COLOR = 0, 1, 2

README = """\
# Sample sprites

`sprites.zip` has 120 pictures of 64 x 64 pixels in 60 folders, in the layout of the book's sprites: a folder has one creature
in two colors, `front.png` and `shiny.png`, on white.

`scripts/make_sprites_sample.py` draws them; they take the place of the published pictures in tests, and in sections that
cannot fetch those. Nothing in them is taken from elsewhere; they are licensed as the rest of the repository is, MIT OR
Apache-2.0.
"""


def shape(rng):
    """The cells of a creature, symmetric: 0 where there is none, else 1 to 4 for its parts."""
    height, width = rng.integers(12, CELLS - 1), rng.integers(4, HALF)
    rows, columns = np.mgrid[0:CELLS, 0:HALF]
    # An ellipse around the axis, which is the right edge of the half, with a fringe that is drawn at random.
    y = (rows - CELLS / 2 + 0.5) / (height / 2)
    x = (HALF - 0.5 - columns) / width
    body = x**2 + y**2 + rng.normal(0, 0.18, (CELLS, HALF)) < 1
    head = (y < rng.uniform(-0.4, 0)) & body
    parts = np.where(body, 1, 0) + np.where(head, 1, 0)
    belly = body & (x < 0.45) & (np.abs(y - 0.35) < 0.35)
    parts[belly] = 3
    # Arms, ears and feet: bars that start at the body.
    for row in rng.choice(np.arange(2, CELLS - 2), 2, replace=False):
        reach = rng.integers(1, 4)
        inner = HALF - int(width * max(0.2, 1 - abs(y[row, 0])))
        parts[row : row + 2, max(0, inner - reach) : inner + 1] = 1
    eye_row, eye_column = CELLS // 2 - height // 4, HALF - 1 - rng.integers(1, max(2, width // 2))
    parts[eye_row, eye_column] = 4
    return np.concatenate((parts, parts[:, ::-1]), 1)


def drawn(parts):
    """The same as places in a palette, with an outline, (64, 64)."""
    cells = np.pad(parts, 1)
    filled = cells > 0
    near = np.zeros_like(filled)
    for axis in (0, 1):
        for step in (-1, 1):
            near |= np.roll(filled, step, axis)
    places = np.where(filled, cells + FIRST_COLOR - 1, np.where(near, OUTLINE, WHITE))
    pixels = np.kron(places[:21, :21], np.ones((SCALE, SCALE), dtype=int))
    sprite = np.zeros((SIDE, SIDE), dtype=np.uint8)
    sprite[: pixels.shape[0], : pixels.shape[1]] = pixels[:SIDE, :SIDE]
    # What lies in the upper half of a cell of the body is lighter: two more colors.
    shade = (np.arange(SIDE)[:, None] % SCALE == 0) & ((sprite == FIRST_COLOR) | (sprite == FIRST_COLOR + 1))
    sprite[shade] += 4
    return sprite


def palette(hue, rng):
    """Colors of the places: white, the outline, body, head, belly, eye, and the lighter body and head."""

    def color(turn, saturation, value):
        return [round(255 * part) for part in colorsys.hsv_to_rgb((hue + turn) % 1, saturation, value)]

    turn = rng.uniform(0.05, 0.3)
    body, head = color(0, 0.65, 0.75), color(turn, 0.6, 0.8)
    lighter = [color(0, 0.45, 0.95), color(turn, 0.4, 0.95)]
    return [[255, 255, 255], [48, 40, 48], body, head, color(0.1, 0.25, 0.95), [16, 16, 24], *lighter]


def png(sprite, colors):
    picture = Image.fromarray(sprite, "P")
    picture.putpalette(sum(colors, []))
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True, bits=4)
    return file.getvalue()


def main(folder):
    rng = np.random.default_rng(17)
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / "sprites.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(1, CREATURES + 1):
            sprite, hue = drawn(shape(rng)), rng.uniform()
            for name, turn in (("front", 0), ("shiny", rng.uniform(0.3, 0.7))):
                # A time that does not change, so that the bytes do not either.
                entry = zipfile.ZipInfo(f"pokemon/{number}/{name}.png", (2021, 1, 1, 0, 0, 0))
                archive.writestr(entry, png(sprite, palette(hue + turn, rng)), zipfile.ZIP_DEFLATED)
    (folder / "README.md").write_text(README, encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
