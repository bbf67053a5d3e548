"""Values and gradients of PyTorch 2.15.0's linear for `crates/d2l/tests/it/linear.rs`."""

from torch.nn.functional import linear

from reference import Reference

reference = Reference("linear")
for name, shape in (("row", (5,)), ("batch", (7, 5)), ("steps", (2, 3, 5))):
    x, weight, bias = reference.normal(*shape), reference.normal(4, 5), reference.normal(4)
    reference.case(name, {"x": x, "weight": weight, "bias": bias}, linear(x, weight, bias))
    x, weight = reference.normal(*shape), reference.normal(4, 5)
    reference.case(f"{name}_without_bias", {"x": x, "weight": weight}, linear(x, weight))
reference.write()
