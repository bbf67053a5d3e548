"""A tiny BERT as the book's files hold one, and what PyTorch makes of it and of the sample in `data/samples/bert`.

For `crates/nlp-applications/src/pretrained_bert.rs`: `book_bert/vocab.json`, `book_bert/pretrained.params` and
`pretrained_bert.json`, written with PyTorch 2.15.0. The encoder here is not the book's code but PyTorch's own
`nn.TransformerEncoderLayer`, whose parameters are set by the names of the files.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "crates" / "nlp-applications" / "tests" / "reference"
WORDS = ["<unk>", "<pad>", "<mask>", "<cls>", "<sep>", "a", "man", "woman", "is", "walking", "sleeping", ".", "the"]
HIDDEN, FEED_FORWARD, LAYERS, POSITIONS = 8, 6, 2, 12

BOOK = {
    "embeddings": ["encoder.token_embedding.weight", "encoder.segment_embedding.weight", "encoder.pos_embedding"],
    "norm": None,
    "block": "encoder.blks.{}.",
    "attention": [f"attention.W_{which}" for which in "qkvo"],
    "others": {"norm1": "addnorm1.ln", "linear1": "ffn.dense1", "linear2": "ffn.dense2", "norm2": "addnorm2.ln"},
}
HUGGING_FACE = {
    "embeddings": [f"embeddings.{which}_embeddings.weight" for which in ("word", "token_type", "position")],
    "norm": "embeddings.LayerNorm",
    "block": "encoder.layer.{}.",
    "attention": [*(f"attention.self.{which}" for which in ("query", "key", "value")), "attention.output.dense"],
    "others": {"norm1": "attention.output.LayerNorm", "linear1": "intermediate.dense", "linear2": "output.dense",
               "norm2": "output.LayerNorm"},
}


def book_tensors():
    """All of `BERTModel`, what only pretraining needs among it."""
    torch.manual_seed(7)
    words, hidden = len(WORDS), HIDDEN
    shapes = {"encoder.token_embedding.weight": (words, hidden), "encoder.segment_embedding.weight": (2, hidden)}
    shapes["encoder.pos_embedding"] = (1, POSITIONS, hidden)
    layers = {"hidden.0": (hidden, hidden), "mlm.mlp.0": (hidden, hidden), "mlm.mlp.2": (hidden,),
              "mlm.mlp.3": (words, hidden), "nsp.output": (2, hidden)}
    for block in map(BOOK["block"].format, range(LAYERS)):
        layers |= {block + name: (hidden, hidden) for name in BOOK["attention"]}
        layers |= {block + "addnorm1.ln": (hidden,), block + "addnorm2.ln": (hidden,)}
        layers |= {block + "ffn.dense1": (FEED_FORWARD, hidden), block + "ffn.dense2": (hidden, FEED_FORWARD)}
    for name, shape in layers.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    tensors = {name: torch.randn(shape) for name, shape in shapes.items()}
    is_norm = {name: ".ln.weight" in name or name == "mlm.mlp.2.weight" for name in shapes}
    scales = {name: 0.3 if is_norm[name] else 1.0 if "embedding" in name else 0.4 for name in shapes}
    return {name: float(is_norm[name]) + scales[name] * x for name, x in tensors.items()}


def encode(tensors, naming, heads, activation, epsilon, tokens, segments, lens):
    """The vectors of all tokens, in float64."""
    tensors = {name: tensor.double() for name, tensor in tensors.items()}
    words, texts, positions = (tensors[name] for name in naming["embeddings"])
    x = words[tokens] + texts[segments] + positions.reshape(-1, words.shape[1])[: tokens.shape[1]]
    if naming["norm"]:
        norm = [tensors[f"{naming['norm']}.{kind}"] for kind in ("weight", "bias")]
        x = nn.functional.layer_norm(x, x.shape[-1:], *norm, epsilon)
    hidden_tokens = torch.arange(tokens.shape[1]) >= lens[:, None]
    for block in map(naming["block"].format, range(LAYERS)):
        state = {}
        for kind in ("weight", "bias"):
            q, k, v, o = (tensors[f"{block}{name}.{kind}"] for name in naming["attention"])
            state |= {f"self_attn.in_proj_{kind}": torch.cat([q, k, v]), f"self_attn.out_proj.{kind}": o}
            state |= {f"{own}.{kind}": tensors[f"{block}{name}.{kind}"] for own, name in naming["others"].items()}
        units = len(state["linear1.bias"])
        layer = nn.TransformerEncoderLayer(
            x.shape[-1], heads, units, 0.0, activation, epsilon, batch_first=True, dtype=torch.float64
        )
        layer.load_state_dict(state)
        x = layer(x, src_key_padding_mask=hidden_tokens)
    return x


def main():
    book = book_tensors()
    folder = FOLDER / "book_bert"
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(book, folder / "pretrained.params")
    (folder / "vocab.json").write_text(json.dumps(WORDS) + "\n", "ascii", newline="\n")
    tokens = torch.tensor([[3, 5, 6, 8, 4, 7, 4], [3, 12, 10, 4, 4, 1, 1]])
    segments = torch.tensor([[0, 0, 0, 0, 0, 1, 1], [0, 0, 0, 0, 1, 0, 0]])
    inputs = {"tokens": tokens, "segments": segments, "lens": torch.tensor([7, 5])}
    sample = load_file(ROOT / "data/samples/bert/model.safetensors")
    outputs = {
        "book": encode(book, BOOK, 4, "relu", 1e-5, **inputs),
        "sample": encode(sample, HUGGING_FACE, 2, "gelu", 1e-12, **inputs),
    }
    values = {name: tensor.tolist() for name, tensor in inputs.items()}
    values |= {name: [[[round(x, 6) for x in row] for row in rows] for rows in tensor.tolist()]
               for name, tensor in outputs.items()}
    lines = ",\n".join(f'"{name}": {json.dumps(value)}' for name, value in values.items())
    (FOLDER / "pretrained_bert.json").write_text(f"{{\n{lines}\n}}\n", "ascii", newline="\n")


main()
