"""Writes the committed sample of Fashion-MNIST: the first 600 training and 100 test images of each class.

    python3 scripts/make_fashion_mnist_sample.py FOLDER_WITH_THE_FOUR_GZ_FILES data/samples/fashion-mnist

The images keep their order in the original files. Needs Python's standard library only.
"""

import gzip
import struct
import sys
from pathlib import Path


def read(path, header):
    data = gzip.decompress(path.read_bytes())
    return data[:header], data[header:]


def write(path, data):
    with open(path, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed:
        packed.write(data)


def main(source, target):
    target.mkdir(parents=True, exist_ok=True)
    for part, per_class in [("train", 600), ("t10k", 100)]:
        images_name, labels_name = f"{part}-images-idx3-ubyte.gz", f"{part}-labels-idx1-ubyte.gz"
        _, images = read(source / images_name, 16)
        _, labels = read(source / labels_name, 8)
        left = [per_class] * 10
        chosen = []
        for index, label in enumerate(labels):
            if left[label]:
                left[label] -= 1
                chosen.append(index)
        assert not any(left), "a class has too few images"
        pixels = b"".join(images[index * 784 : (index + 1) * 784] for index in chosen)
        write(target / images_name, struct.pack(">4I", 2051, len(chosen), 28, 28) + pixels)
        write(target / labels_name, struct.pack(">2I", 2049, len(chosen)) + bytes(labels[i] for i in chosen))
        print(f"{part}: {len(chosen)} images")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
