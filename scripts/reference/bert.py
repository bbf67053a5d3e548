"""Values and gradients of PyTorch 2.15.0's BERT for `crates/nlp-pretraining/tests/it/reference.rs`.

The model is the benchmark's, without dropout, first in parts, then whole. For each case: its inputs, its parameters by
the names of the Rust model, the output `y`, uneven weights `seed`, and the gradients of the sum of `y · seed`. One of the
positions to predict comes twice.
"""

import re
import sys
from pathlib import Path

import torch

from reference import Reference, uneven

SCRIPTS = Path(__file__).resolve().parents[1]
sys.path.append(str(SCRIPTS / "bench"))
import nlp_pretraining as nets  # noqa: E402

torch.manual_seed(7)
torch.set_default_dtype(torch.float64)
reference = Reference("bert")


def rust_name(name):
    name = re.sub(r"blocks\.(\d+)", lambda match: f"block{int(match[1]) + 1}", name)
    return re.sub(r"(norm\d\.)norm\.", r"\1", name)


def record(case, net, **inputs):
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if "norm" in name:
                parameter.normal_()  # not all ones and zeros
    y = net(*inputs.values())
    if isinstance(y, tuple):
        y = torch.cat([part.flatten() for part in y])
    seed = uneven(y.numel()).reshape(y.shape)
    parameters = {f"parameter.{rust_name(name)}": value for name, value in net.named_parameters()}
    leaves = {name: value for name, value in (parameters | inputs).items() if value.is_floating_point()}
    gradients = torch.autograd.grad((y * seed).sum(), list(leaves.values()))
    tensors = parameters | inputs | {"y": y, "seed": seed}
    tensors |= {f"gradient.{name}": gradient for name, gradient in zip(leaves, gradients)}
    for name, tensor in tensors.items():
        reference.keep(f"{case}.{name}", tensor.float() if tensor.is_floating_point() else tensor)


normal, ids = reference.normal, reference.integers
VOCABULARY, HIDDEN = 13, 8
sizes = (VOCABULARY, HIDDEN, 6, 2, 2, 0.0, 12)
pairs = {"tokens": ids(VOCABULARY, 3, 7), "segments": ids(2, 3, 7), "lens": torch.tensor([7, 4, 1])}
positions = torch.tensor([[1, 5], [2, 0], [3, 3]])

record("encoder", nets.BertEncoder(*sizes), **pairs)
record("mlm", nets.MaskedLanguageModel(VOCABULARY, HIDDEN), x=normal(3, 7, HIDDEN), positions=positions)
record("nsp", nets.NextSentencePrediction(HIDDEN), x=normal(3, HIDDEN))
record("bert", nets.Bert(*sizes), **pairs, positions=positions)
reference.write(SCRIPTS.parent / "crates" / "nlp-pretraining" / "tests" / "reference")
