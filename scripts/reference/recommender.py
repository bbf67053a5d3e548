"""Values and gradients of PyTorch 2.15.0's recommenders for `crates/recommender/tests/it/reference.rs`.

The models are the benchmark's, without dropout, and their weights are drawn larger than where a training begins. For each
case: its inputs, its parameters by the names and in the layout of the Rust model, the output `y`, uneven weights `seed`,
and the gradients of the sum of `y · seed`. Ids of a minibatch come more than once.
"""

import sys
from pathlib import Path

import torch
from torch.nn import functional as F

from reference import Reference, uneven

SCRIPTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(SCRIPTS / "bench"))  # before this file, which has the same name
import recommender as nets  # noqa: E402

torch.manual_seed(7)
torch.set_default_dtype(torch.float64)
reference = Reference("recommender")


def as_it_is(name, value):
    return value


def record(case, net, forward=None, *, names=None, layout=as_it_is, **inputs):
    """One case. `names` has the Rust names of layers that are called otherwise; `layout` brings a parameter, or its
    gradient, into the order that it has there."""

    def rust_name(name):
        layer, kind = name.rsplit(".", 1)
        return f"{(names or {}).get(layer, layer)}.{kind}"

    net.eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.normal_(std=0.5)
    y = (forward or net)(*inputs.values())
    seed = uneven(y.numel()).reshape(y.shape)
    parameters = dict(net.named_parameters())
    floats = {name: value for name, value in inputs.items() if value.is_floating_point()}
    gradients = torch.autograd.grad((y * seed).sum(), [*parameters.values(), *floats.values()])
    assert all(gradient.abs().max() > 0.01 for gradient in gradients), f"{case}: there is little to compare"
    tensors = inputs | {"y": y, "seed": seed}
    for (name, value), gradient in zip(parameters.items(), gradients):
        tensors[f"parameter.{rust_name(name)}"] = layout(name, value)
        tensors[f"gradient.parameter.{rust_name(name)}"] = layout(name, gradient)
    for name, gradient in zip(floats, gradients[len(parameters) :]):
        tensors[f"gradient.{name}"] = gradient
    for name, tensor in tensors.items():
        reference.keep(f"{case}.{name}", tensor.float() if tensor.is_floating_point() else tensor)


normal, ids = reference.normal, reference.integers
USERS, ITEMS, FACTORS, BATCH = 4, 7, 3, 6
users, items = ids(USERS, BATCH), ids(ITEMS, BATCH)

# ---- Ratings ----

mf = nets.MatrixFactorization(USERS, ITEMS, FACTORS)
mf_names = {"users": "user_embeddings", "items": "item_embeddings"}
record("mf", mf, names=mf_names, users=users, items=items)


def ratings_of_all_items(users):
    return mf.users(users) @ mf.items.weight.T + mf.user_bias(users) + mf.item_bias.weight.T


record("mf_all_items", mf, ratings_of_all_items, names=mf_names, users=torch.tensor([2, 0, 2]))

ratings = ids(6, 5, USERS).double().requires_grad_()  # 0 where there is none
record("autorec", nets.AutoRec(USERS, 6, 0.05), ratings=ratings)

# ---- Rankings ----

no_parameters = torch.nn.Module()
record("bpr", no_parameters, nets.bpr_losses, positive=normal(8, scale=2), negative=normal(8, scale=2))


def hinge(positive, negative):
    first = torch.ones_like(positive)
    return F.margin_ranking_loss(positive, negative, first, margin=0.5, reduction="none")


record("hinge", no_parameters, hinge, positive=normal(8, scale=2), negative=normal(8, scale=2))

neumf_names = {"product_users": "p", "product_items": "q", "users": "u", "items": "v", "output": "prediction"}
neumf_names |= {"perceptron.0": "hidden.0", "perceptron.2": "hidden.1"}
record("neumf", nets.NeuMf(USERS, ITEMS, FACTORS, [5, 4]), names=neumf_names, users=users, items=items)

# ---- Sequences ----

LENGTH, HORIZONTAL, VERTICAL = 4, 5, 2
caser = nets.Caser(USERS, ITEMS, FACTORS, LENGTH, HORIZONTAL, VERTICAL)
caser_names = {"sequence_items": "items", "items": "next"}
caser_names |= {f"horizontal.{place}": f"horizontal.{place + 1}" for place in range(LENGTH)}


def caser_layout(name, value):
    """The filters go along the sequence alone, with the factors as channels; and what the vertical ones find stands by
    factors, then by filters."""
    if name == "vertical.weight":
        return value.flatten(1)  # (filters, 1, length, 1) -> (filters, length)
    if name.startswith("horizontal.") and name.endswith(".weight"):
        return value.squeeze(1).transpose(1, 2)  # (filters, 1, height, factors) -> (filters, factors, height)
    if name == "hidden.weight":
        vertical, horizontal = value.split((VERTICAL * FACTORS, HORIZONTAL * LENGTH), 1)
        by_factor = vertical.unflatten(1, (VERTICAL, FACTORS)).transpose(1, 2).flatten(1)
        return torch.cat((by_factor, horizontal), 1)
    return value


def score_of_one_item(users, sequences, items):
    return caser.score(caser(users, sequences), items)


def scores_of_all_items(users, sequences):
    return caser(users, sequences) @ caser.items.weight.T + caser.bias.weight.T


as_in_rust = {"names": caser_names, "layout": caser_layout}
sequences = ids(ITEMS, BATCH, LENGTH)
record("caser", caser, score_of_one_item, **as_in_rust, users=users, sequences=sequences, items=items)
record("caser_all_items", caser, scores_of_all_items, **as_in_rust, users=users[:3], sequences=sequences[:3])

# ---- Clicks ----

FIELDS = (3, 4, 2)
first_numbers = (0, 3, 7)
x = torch.stack([first + ids(numbers, BATCH) for first, numbers in zip(first_numbers, FIELDS)], 1)
record("fm", nets.FactorizationMachine(FIELDS, FACTORS), x=x)

deepfm_names = {"perceptron.0": "mlp.hidden1", "perceptron.3": "mlp.hidden2", "perceptron.6": "mlp.output"}
record("deepfm", nets.DeepFactorizationMachine(FIELDS, FACTORS, (6, 5)), names=deepfm_names, x=x)
reference.write(SCRIPTS.parent / "crates" / "recommender" / "tests" / "reference")
