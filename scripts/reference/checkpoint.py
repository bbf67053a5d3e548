"""Files as PyTorch 2.15.0's `torch.save` writes them, and their values, for `crates/d2l/tests/it/checkpoint.rs`."""

import torch

from reference import FOLDER, Reference

reference = Reference("checkpoint")


def normal(*shape):
    return reference.normal(*shape).detach().float()


torch.manual_seed(7)
net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 2))
net(normal(5, 4))  # moves the running statistics
state = net.state_dict()
for name, tensor in state.items():
    if not name.endswith("num_batches_tracked"):
        reference.keep(f"state.{name}", tensor)
torch.save(state, FOLDER / "state.pt")
torch.save({"epoch": 3, "model": state}, FOLDER / "training.pt")

whole = normal(3, 4, 2)
views = {
    "contiguous": whole,
    "transposed": whole.transpose(0, 2),
    "narrowed": whole[1:, 1:3],
    "doubles": whole.double(),
    "ids": reference.integers(10, 5),
    "scalar": torch.tensor(2.5),
    "empty": torch.zeros(0, 3),
}
for name, tensor in views.items():
    reference.keep(f"views.{name}", tensor)
torch.save(views, FOLDER / "views.pt")
torch.save({"weight": whole, "mask": whole > 0}, FOLDER / "mask.pt")
torch.save(state, FOLDER / "old.pt", _use_new_zipfile_serialization=False)
reference.write()
