"""Values and gradients of PyTorch 2.15.0's layer_norm for `crates/d2l/tests/it/layer_norm.rs`."""

from torch.nn.functional import layer_norm

from reference import Reference

reference = Reference("layer_norm")
for name, shape, normalized in (("last", (3, 4, 7), (7,)), ("last_two", (3, 4, 5), (4, 5))):
    x, gamma, beta = reference.normal(*shape, scale=2.0), reference.normal(*normalized), reference.normal(*normalized)
    reference.case(name, {"x": x, "gamma": gamma, "beta": beta}, layer_norm(x, normalized, gamma, beta, 1e-5))
reference.write()
