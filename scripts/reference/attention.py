"""Values and gradients of PyTorch 2.15.0's attention models for `crates/attention/tests/reference.rs`.

The models are the benchmark's, without dropout. For each case: its inputs, its parameters by the names of the Rust
models, the output `y`, uneven weights `seed`, and the gradients of the sum of `y · seed`. Among the lengths are 0, so that a
whole row is masked, and lengths beyond the row.
"""

import re
import sys
from pathlib import Path

import torch

from reference import Reference

CRATES = Path(__file__).resolve().parents[2] / "crates"
sys.path.append(str(Path(__file__).resolve().parents[1] / "bench"))
import sequence_nets as nets  # noqa: E402

torch.manual_seed(7)
torch.set_default_dtype(torch.float64)
reference = Reference("attention")


def rust_name(name):
    name = re.sub(r"blocks\.(\d+)", lambda match: f"block{int(match[1]) + 1}", name)
    return re.sub(r"(^|norm\d\.)norm\.", r"\1", name)


def record(case, net, **inputs):
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if "norm" in name:
                parameter.normal_()  # not all ones and zeros
    y = net(*inputs.values())
    seed = torch.sin(torch.arange(y.numel()) * 0.7 + 0.3).reshape(y.shape) + 0.1
    parameters = {f"parameter.{rust_name(name)}": value for name, value in net.named_parameters()}
    leaves = {name: value for name, value in (parameters | inputs).items() if value.is_floating_point()}
    gradients = torch.autograd.grad((y * seed).sum(), list(leaves.values()))
    tensors = parameters | inputs | {"y": y, "seed": seed}
    tensors |= {f"gradient.{name}": gradient for name, gradient in zip(leaves, gradients)}
    for name, tensor in tensors.items():
        reference.keep(f"{case}.{name}", tensor.float() if tensor.is_floating_point() else tensor)


class DotProduct(torch.nn.Module):
    """Scaled dot-product attention, as inside of MultiHeadAttention."""

    def forward(self, queries, keys, values, lens):
        scores = torch.bmm(queries, keys.transpose(1, 2)) / queries.shape[-1] ** 0.5
        return torch.bmm(nets.masked_softmax(scores, lens), values)


normal, ids = reference.normal, reference.integers
per_sequence, per_query = torch.tensor([3, 0, 9]), torch.tensor([[1, 0], [5, 2], [3, 9]])
for kind, lens in (("sequence", per_sequence), ("query", per_query)):
    queries, keys, values = normal(3, 2, 4), normal(3, 5, 6), normal(3, 5, 3)
    additive = nets.AdditiveAttention(4, 6, 7, 0.0)
    record(f"additive_{kind}", additive, queries=queries, keys=keys, values=values, lens=lens)
    queries, keys, values = normal(3, 2, 4), normal(3, 5, 4), normal(3, 5, 3)
    record(f"dot_product_{kind}", DotProduct(), queries=queries, keys=keys, values=values, lens=lens)
    queries, keys, values = normal(3, 2, 8), normal(3, 5, 8), normal(3, 5, 8)
    heads = nets.MultiHeadAttention(8, 2, 0.0)
    record(f"multi_head_{kind}", heads, queries=queries, keys=keys, values=values, lens=lens)

record("positions", nets.PositionalEncoding(6, 0.0), x=normal(2, 5, 6))
record("feed_forward", nets.FeedForward(6, 5), x=normal(2, 3, 6))
record("add_norm", nets.AddNorm(6, 0.0), x=normal(2, 3, 6), change=normal(2, 3, 6))
record("encoder_block", nets.EncoderBlock(8, 6, 2, 0.0), x=normal(3, 4, 8), lens=torch.tensor([4, 2, 0]))
record("decoder_block", nets.DecoderBlock(8, 6, 2, 0.0), x=normal(3, 4, 8), encoded=normal(3, 5, 8), lens=per_sequence)

translation = {"source": ids(9, 3, 5), "target": ids(8, 3, 4), "lens": torch.tensor([5, 2, 0])}
sizes = (6, 8, 2, 0.0)
bahdanau = nets.EncoderDecoder(nets.Seq2SeqEncoder(9, *sizes), nets.AttentionDecoder(8, *sizes))
record("bahdanau", bahdanau, **translation)
sizes = (8, 6, 2, 2, 0.0)
transformer = nets.EncoderDecoder(nets.TransformerEncoder(9, *sizes), nets.TransformerDecoder(8, *sizes))
record("transformer", transformer, **translation)
reference.write(CRATES / "attention" / "tests" / "reference")
