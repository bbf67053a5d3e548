"""Values and gradients of PyTorch 2.15.0's matmul for `crates/d2l/tests/it/matmul.rs`."""

from reference import Reference

reference = Reference("matmul")
cases = {
    "plain": ((4, 5), (5, 3)),
    "batch": ((2, 3, 4, 5), (2, 3, 5, 2)),
    "shared_right": ((2, 3, 4), (4, 5)),
    "shared_left": ((3, 4), (2, 4, 5)),
    "crossed": ((2, 1, 3, 4), (5, 4, 2)),
}
for name, (left, right) in cases.items():
    a, b = reference.normal(*left), reference.normal(*right)
    reference.case(name, {"a": a, "b": b}, a @ b)
reference.write()
