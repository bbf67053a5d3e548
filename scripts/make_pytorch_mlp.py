"""Writes `data/samples/pytorch-mlp`, the model that section 5.5 reads: what `torch.save` of PyTorch 2.15.0 makes of a
perceptron from 20 over 256 to 10 features with the initial values of seed 7, and of an input with the model's output.
"""

from pathlib import Path

import torch
from torch import nn

FOLDER = Path(__file__).resolve().parents[1] / "data" / "samples" / "pytorch-mlp"


class MLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(20, 256)
        self.output = nn.Linear(256, 10)

    def forward(self, x):
        return self.output(torch.relu(self.hidden(x)))


torch.manual_seed(7)
net = MLP()
x = torch.randn(2, 20)
FOLDER.mkdir(parents=True, exist_ok=True)
torch.save(net.state_dict(), FOLDER / "mlp.pt")
torch.save({"x": x, "y": net(x).detach()}, FOLDER / "example.pt")
