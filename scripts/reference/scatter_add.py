"""Values and gradients of PyTorch 2.15.0's scatter_add for `crates/d2l/tests/it/scatter_add.rs`."""

from reference import Reference

reference = Reference("scatter_add")
for axis in range(3):
    shape = [3, 4, 2]
    x = reference.normal(*shape)
    size, shape[axis] = shape[axis], 5
    source, indices = reference.normal(*shape), reference.integers(size, *shape)
    reference.case(f"axis_{axis}", {"x": x, "indices": indices, "source": source}, x.scatter_add(axis, indices, source))
reference.write()
