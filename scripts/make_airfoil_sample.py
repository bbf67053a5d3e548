"""Writes the sample of airfoil measurements that belongs to this repository: invented, with a formula and noise.

    python3 scripts/make_airfoil_sample.py data/samples/airfoil/sample.dat

The columns are those of NASA's set: frequency in hertz, angle of attack in degrees, chord length in meters, speed of
the air in meters a second, displacement thickness in meters, sound pressure level in decibels. The level falls with
frequency, length and thickness, and the noise is about as large as what the other columns tell of it.
"""

import math
import random
import sys
from pathlib import Path

ROWS = 600


def rows(generator):
    for _ in range(ROWS):
        frequency = round(10 ** generator.uniform(2.3, 4.3) / 10) * 10
        angle = round(generator.uniform(0.0, 22.0), 1)
        chord = generator.choice([0.025, 0.05, 0.1, 0.15, 0.23, 0.3])
        speed = generator.choice([31.7, 39.6, 55.5, 71.3])
        thickness = round(0.0004 + 0.0011 * angle * generator.uniform(0.3, 1.2), 6)
        level = 131.0 - 0.9 * frequency / 1000 - 0.35 * angle - 30.0 * chord + 0.1 * (speed - 50) - 150.0 * thickness
        level += 1.5 * math.sin(angle) + generator.gauss(0.0, 4.0)
        yield frequency, angle, chord, speed, thickness, round(level, 3)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    lines = ["\t".join(str(value) for value in row) for row in rows(random.Random(11))]
    path = Path(sys.argv[1])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
