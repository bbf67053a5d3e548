"""Values and gradients of PyTorch 2.15.0's models of texts for `crates/nlp-applications/tests/it/reference.rs`.

The models are the benchmark's, without dropout. For each case: its inputs, its parameters by the names of the Rust model,
the output `y`, uneven weights `seed`, and the gradients of the sum of `y · seed`. Vectors that are not trained stand as
`constant.vectors`. Both encoders add 1e-5 to a variance, as the Rust ones do; BERT's authors add 1e-12.
"""

import re
import sys
from pathlib import Path

import torch

from reference import Reference, uneven

SCRIPTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(SCRIPTS / "bench"))  # before this file, which has the same name
import nlp_applications as nets  # noqa: E402
from nlp_pretraining import BertEncoder  # noqa: E402

torch.manual_seed(7)
torch.set_default_dtype(torch.float64)
reference = Reference("nlp_applications")

PERCEPTRONS = {"attend": "attend.f", "compare": "compare.g", "aggregate": "aggregate.h"}


def rust_name(name):
    name = re.sub(r"blocks\.(\d+)", lambda match: f"block{int(match[1]) + 1}", name)
    return re.sub(r"(norm\d\.)norm\.", r"\1", name)


def name_of_attention(name):
    name = re.sub(r"^(attend|compare|aggregate)\.", lambda match: f"{PERCEPTRONS[match[1]]}.", name)
    name = name.replace("output.", "aggregate.output.")
    return name.replace(".1.", ".layer1.").replace(".4.", ".layer2.")


def record(case, net, rename=rust_name, **inputs):
    net.eval()
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if "norm" in name:
                parameter.normal_()  # not all ones and zeros
    y = net(*inputs.values())
    seed = uneven(y.numel()).reshape(y.shape)
    parameters = {f"parameter.{rename(name)}": value for name, value in net.named_parameters()}
    gradients = torch.autograd.grad((y * seed).sum(), list(parameters.values()))
    tensors = parameters | inputs | {"y": y, "seed": seed}
    tensors |= {f"constant.{name}": value for name, value in net.named_buffers()}
    tensors |= {f"gradient.{name}": gradient for name, gradient in zip(parameters, gradients)}
    for name, tensor in tensors.items():
        reference.keep(f"{case}.{name}", tensor.float() if tensor.is_floating_point() else tensor)


ids = reference.integers
WORDS, DIMENSION = 11, 3
vectors = reference.normal(WORDS, DIMENSION).detach()
record("birnn", nets.BiRnn(vectors, 4, 2), tokens=ids(WORDS, 3, 6))
record("textcnn", nets.TextCnn(vectors, (2, 3), 4, 0.5), tokens=ids(WORDS, 3, 7))
sentences = {"premises": ids(WORDS, 2, 5), "hypotheses": ids(WORDS, 2, 4)}
record("attention", nets.DecomposableAttention(WORDS, DIMENSION, 6, 0.2), name_of_attention, **sentences)

sizes = (WORDS, 8, 6, 2, 2, 0.0, 12)
pairs = {"tokens": ids(WORDS, 3, 7), "segments": ids(2, 3, 7), "lens": torch.tensor([7, 4, 1])}
record("classifier", nets.BertClassifier(BertEncoder(*sizes), 8), **pairs)
record("encoder_gelu", nets.HuggingFaceEncoder(*sizes, epsilon=1e-5), **pairs)
reference.write(SCRIPTS.parent / "crates" / "nlp-applications" / "tests" / "reference")
