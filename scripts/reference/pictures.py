"""Writes a JPEG in four inks, as printers have it, for the test of crates/vision/src/picture.rs.

    python3 scripts/reference/pictures.py

Its left half is red (magenta and yellow), its right half green (cyan and yellow). Needs Pillow.
"""

from pathlib import Path

from PIL import Image

TARGET = Path(__file__).resolve().parents[2] / "crates" / "vision" / "tests" / "reference" / "cmyk.jpg"


def main():
    picture = Image.new("CMYK", (16, 8), (0, 255, 255, 0))
    picture.paste((255, 0, 255, 0), (8, 0, 16, 8))
    picture.save(TARGET, quality=95)


if __name__ == "__main__":
    main()
