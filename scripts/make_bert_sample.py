"""Writes the tiny BERT of random numbers that stands in where no pretrained one can be had.

    pip install numpy safetensors
    python3 scripts/make_bert_sample.py data/samples/bert

The word pieces come from the texts in `data/samples`, which were written for this repository; the numbers are the same
each time. Names and files are Hugging Face's.
"""

import json
import string
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from sample_pieces import pieces

CHARACTERS = string.ascii_lowercase + string.digits + string.punctuation
HIDDEN, FEED_FORWARD, HEADS, LAYERS, POSITIONS = 16, 32, 2, 2, 64


def main(folder):
    vocabulary = pieces(CHARACTERS, words=250, endings=50)
    drawn = np.random.default_rng(7)
    tensors = {}

    def matrix(name, rows, columns, scale):
        tensors[f"{name}.weight"] = (drawn.standard_normal((rows, columns)) * scale).astype(np.float32)

    def linear(name, outputs, inputs):
        matrix(name, outputs, inputs, inputs**-0.5)
        tensors[f"{name}.bias"] = np.zeros(outputs, np.float32)

    def norm(name):
        tensors[f"{name}.weight"] = np.ones(HIDDEN, np.float32)
        tensors[f"{name}.bias"] = np.zeros(HIDDEN, np.float32)

    tables = {"word": len(vocabulary), "position": POSITIONS, "token_type": 2}
    for name, rows in tables.items():
        matrix(f"embeddings.{name}_embeddings", rows, HIDDEN, 0.5)
    norm("embeddings.LayerNorm")
    for layer in range(LAYERS):
        block = f"encoder.layer.{layer}"
        for name in ("self.query", "self.key", "self.value", "output.dense"):
            linear(f"{block}.attention.{name}", HIDDEN, HIDDEN)
        norm(f"{block}.attention.output.LayerNorm")
        linear(f"{block}.intermediate.dense", FEED_FORWARD, HIDDEN)
        linear(f"{block}.output.dense", HIDDEN, FEED_FORWARD)
        norm(f"{block}.output.LayerNorm")

    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "model.safetensors")
    (folder / "vocab.txt").write_text("".join(f"{piece}\n" for piece in vocabulary), "utf-8", newline="\n")
    config = {
        "num_hidden_layers": LAYERS,
        "hidden_size": HIDDEN,
        "num_attention_heads": HEADS,
        "intermediate_size": FEED_FORWARD,
        "vocab_size": len(vocabulary),
        "max_position_embeddings": POSITIONS,
        "type_vocab_size": 2,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
        "do_lower_case": True,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", "utf-8", newline="\n")
    numbers = sum(tensor.size for tensor in tensors.values())
    print(f"{len(vocabulary)} word pieces, {numbers} numbers")


main(Path(sys.argv[1]))
