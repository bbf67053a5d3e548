"""Values and gradients of PyTorch 2.15.0's embedding for `crates/d2l/tests/it/embedding.rs`."""

from torch.nn.functional import embedding

from reference import Reference

reference = Reference("embedding")
for name, shape in (("sequence", (9,)), ("batch", (3, 5)), ("single", ()), ("pages", (2, 3, 4))):
    weight, ids = reference.normal(6, 4), reference.integers(6, *shape)
    reference.case(name, {"weight": weight, "ids": ids}, embedding(ids, weight))
reference.write()
