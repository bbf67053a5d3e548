"""Values and gradients of PyTorch 2.15.0's sums, means and maxima over axes for `crates/d2l/tests/it/reduce.rs`."""

from reference import Reference

reference = Reference("reduce")
for name, axes in (("first", [0]), ("middle", [1]), ("last", [2]), ("outer", [0, 2]), ("all", [0, 1, 2])):
    x = reference.normal(3, 5, 4)
    reference.case(f"sum_{name}", {"x": x}, x.sum(axes))
    x = reference.normal(3, 5, 4)
    reference.case(f"mean_{name}", {"x": x}, x.mean(axes, keepdim=True))
for axis in range(3):
    x = reference.normal(3, 5, 4)
    reference.case(f"max_{axis}", {"x": x}, x.max(axis).values)
reference.write()
