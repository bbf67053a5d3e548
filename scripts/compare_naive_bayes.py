"""Classifies MNIST's test images by naive Bayes (section 18.9) in NumPy and here, and compares every prediction.

    python3 scripts/compare_naive_bayes.py [--numpy-only] [--data FOLDER_WITH_THE_FOUR_GZ_FILES]

NumPy follows the book's formula as it stands: P(x = 1 | y) = (n_xy + 1) / (n_y + 2) from pixels of 128 or more, and for
each image the sum of log P(y), of log P over its lit pixels and of log (1 - P) over the others, in 64 bits. Prints the
accuracy, a digest of the predictions, and how many images of each digit were taken for each; ends with status 1 where a
prediction differs. Without --data it reads what the run here leaves in data/. Needs NumPy, and cargo for the comparison.
"""

import argparse
import gzip
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("D2L_DATA_DIR", ROOT / "data")) / "mnist"


def read(folder, name, header):
    return np.frombuffer(gzip.decompress((folder / name).read_bytes()), dtype=np.uint8)[header:]


def in_numpy(folder):
    """Labels and predictions of the test images, and the seconds of counting."""
    images = read(folder, "train-images-idx3-ubyte.gz", 16).reshape(-1, 784)
    labels = read(folder, "train-labels-idx1-ubyte.gz", 8)
    started = time.perf_counter()
    lit = images >= 128
    n_y = np.array([(labels == y).sum() for y in range(10)], dtype=float)
    n_xy = np.array([lit[labels == y].sum(axis=0) for y in range(10)], dtype=float)
    p_y, p_xy = n_y / n_y.sum(), (n_xy + 1) / (n_y + 2)[:, None]
    seconds = time.perf_counter() - started
    log_p, log_not_p, log_p_y = np.log(p_xy), np.log(1 - p_xy), np.log(p_y)
    x = (read(folder, "t10k-images-idx3-ubyte.gz", 16).reshape(-1, 784) >= 128).astype(float)
    predicted = [(log_p * image + log_not_p * (1 - image)).sum(axis=1) + log_p_y for image in x]
    return read(folder, "t10k-labels-idx1-ubyte.gz", 8), np.argmax(predicted, axis=1), seconds


def here():
    """The predictions of a run of the chapter's program."""
    with tempfile.TemporaryDirectory() as out:
        command = ["cargo", "run", "--release", "--quiet", "-p", "math", "--", "naive-bayes", "--out", out]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        folder = Path(out) / "naive-bayes"
        if json.loads((folder / "run.json").read_text())["data"] != "full":
            sys.exit("the run used the sample: MNIST cannot be had here, so there is nothing to compare")
        return np.array((folder / "predictions.txt").read_text().split(), dtype=int)


def tell(name, labels, predicted):
    right = int((predicted == labels).sum())
    digest = hashlib.sha256(predicted.astype(np.uint8).tobytes()).hexdigest()[:16]
    print(f"{name}: {right} of {len(labels)} right ({right / len(labels):.4f}), predictions {digest}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--numpy-only", action="store_true", help="do not run the program here")
    parser.add_argument("--data", type=Path, default=DATA, help="the folder with the four files")
    arguments = parser.parse_args()

    ours = None if arguments.numpy_only else here()  # fetches the data too
    labels, predicted, seconds = in_numpy(arguments.data)
    tell(f"NumPy {np.__version__}", labels, predicted)
    print(f"counted in {1000 * seconds:.0f} ms")
    counts = np.zeros((10, 10), dtype=int)
    np.add.at(counts, (labels, predicted), 1)
    print("digit  " + "  ".join(f"{digit:4}" for digit in range(10)))
    for digit, row in enumerate(counts):
        print(f"{digit:5}  " + "  ".join(f"{count:4}" for count in row))
    if ours is not None:
        tell("here", labels, ours)
        differ = int((ours != predicted).sum()) if len(ours) == len(predicted) else len(predicted)
        print(f"predictions that differ: {differ}")
        sys.exit(1 if differ else 0)


if __name__ == "__main__":
    main()
