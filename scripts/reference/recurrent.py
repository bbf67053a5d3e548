"""Writes crates/d2l/tests/reference/recurrent.safetensors: recurrent nets of PyTorch 2.15.0 with their gradients.

For each kind of net one layer in one direction ("plain") and two layers in both directions over sequences of different
lengths, batch first ("deep"), in float64: parameters, inputs, initial states, outputs, final states, and the gradients
of all inputs and parameters under fixed weights of the outputs and final states.

    python scripts/reference/recurrent.py
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

STEPS, BATCH, INPUTS, HIDDEN = 5, 4, 3, 6
LENGTHS = torch.tensor([3, 5, 1, 4])
NETS = {
    "rnn_tanh": lambda **options: torch.nn.RNN(INPUTS, HIDDEN, nonlinearity="tanh", **options),
    "rnn_relu": lambda **options: torch.nn.RNN(INPUTS, HIDDEN, nonlinearity="relu", **options),
    "gru": lambda **options: torch.nn.GRU(INPUTS, HIDDEN, **options),
    "lstm": lambda **options: torch.nn.LSTM(INPUTS, HIDDEN, **options),
}


def case(net, deep):
    """Everything about one run of a net, by name."""
    shape = (BATCH, STEPS, INPUTS) if deep else (STEPS, BATCH, INPUTS)
    x = torch.randn(shape, requires_grad=True)
    rows = 4 if deep else 1
    states = [torch.randn(rows, BATCH, HIDDEN, requires_grad=True) for _ in range(2 if isinstance(net, torch.nn.LSTM) else 1)]
    state = tuple(states) if len(states) == 2 else states[0]
    if deep:
        packed = pack_padded_sequence(x, LENGTHS, batch_first=True, enforce_sorted=False)
        packed, last = net(packed, state)
        output, _ = pad_packed_sequence(packed, batch_first=True, total_length=STEPS)
    else:
        output, last = net(x, state)
    last = last if isinstance(last, tuple) else (last,)
    found = {"x": x, "output": output}
    found |= {f"state{k}": value for k, value in enumerate(states)}
    found |= {f"last{k}": value for k, value in enumerate(last)}
    found |= {f"parameter.{name}": value for name, value in net.named_parameters()}
    weights = {f"weight.{name}": torch.randn_like(found[name]) for name in ["output", *(f"last{k}" for k in range(len(last)))]}
    sum((found[name.removeprefix("weight.")] * value).sum() for name, value in weights.items()).backward()
    gradients = {f"gradient.{name}": value.grad for name, value in found.items() if value.is_leaf}
    return {name: value.detach().clone().contiguous() for name, value in (found | weights | gradients).items()}


def main():
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    tensors = {"lengths": LENGTHS}
    for name, make in NETS.items():
        for kind, net in [("plain", make()), ("deep", make(num_layers=2, bidirectional=True, batch_first=True))]:
            tensors |= {f"{name}.{kind}.{key}": value for key, value in case(net, kind == "deep").items()}
    path = Path(__file__).parents[2] / "crates/d2l/tests/reference/recurrent.safetensors"
    path.parent.mkdir(exist_ok=True)
    save_file(tensors, path, metadata={"torch": torch.__version__, "script": "scripts/reference/recurrent.py"})


if __name__ == "__main__":
    main()
