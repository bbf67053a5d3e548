"""Trains softmax regression (section 3.7) here and in PyTorch by turns and prints the ratio of examples a second.

    python3 scripts/compare_softmax_regression.py [--threads 2] [--rounds 5] [--epochs 3]

Both sides train on Fashion-MNIST at batch 256 and rate 0.1, keep the whole set in memory, count loss and accuracy as
they go, and time training alone. PyTorch reads the set that the first run here leaves in data/. Needs PyTorch 2 and
cargo.
"""

import argparse
import gzip
import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import torch
from torch import nn

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("D2L_DATA_DIR", ROOT / "data")) / "fashion-mnist"


def train_here(threads, epochs):
    """Examples a second of one run of the chapter's binary."""
    with tempfile.TemporaryDirectory() as out:
        command = ["cargo", "run", "--release", "--quiet", "-p", "linear-nets", "--", "softmax-regression-concise"]
        flags = ["--threads", str(threads), "--num-epochs", str(epochs), "--no-progress", "--out", out]
        subprocess.run(command + flags, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        run = json.loads((Path(out) / "softmax-regression-concise" / "run.json").read_text())
    if run["data"] != "full":
        raise SystemExit("the run used the sample: the full data cannot be had here, so there is nothing to compare")
    return run["examples_per_second"]


def training_set():
    """Images (60000, 1, 28, 28) from 0 to 1 and labels (60000)."""
    images = gzip.decompress((DATA / "train-images-idx3-ubyte.gz").read_bytes())[16:]
    labels = gzip.decompress((DATA / "train-labels-idx1-ubyte.gz").read_bytes())[8:]
    images = torch.frombuffer(bytearray(images), dtype=torch.uint8).reshape(-1, 1, 28, 28).float() / 255
    return images, torch.frombuffer(bytearray(labels), dtype=torch.uint8).long()


def train_torch(images, labels, epochs, batch_size=256):
    """Examples a second of the same training in PyTorch."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    nn.init.normal_(net[1].weight, std=0.01)
    loss = nn.CrossEntropyLoss(reduction="none")
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    total_loss = correct = 0.0
    started = time.perf_counter()
    for _ in range(epochs):
        order = torch.randperm(len(images))
        for indices in order.split(batch_size):
            x, y = images[indices], labels[indices]
            scores = net(x)
            losses = loss(scores, y)
            optimizer.zero_grad()
            losses.mean().backward()
            optimizer.step()
            total_loss += float(losses.detach().sum())
            correct += float((scores.argmax(1) == y).sum())
    return epochs * len(images) / (time.perf_counter() - started)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=3)
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    train_here(arguments.threads, 1)  # builds the program and fetches the data
    images, labels = training_set()
    train_torch(images, labels, 1)  # warms up
    here, there = [], []
    for number in range(1, arguments.rounds + 1):
        here.append(train_here(arguments.threads, arguments.epochs))
        there.append(train_torch(images, labels, arguments.epochs))
        print(f"round {number}: here {here[-1]:,.0f} examples/s, PyTorch {there[-1]:,.0f}", flush=True)
    ratios = [a / b for a, b in zip(here, there)]
    print(
        f"median: here {statistics.median(here):,.0f} examples/s, PyTorch {torch.__version__} "
        f"{statistics.median(there):,.0f}; ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) "
        f"on {arguments.threads} threads"
    )


if __name__ == "__main__":
    main()
