"""Values, indices and gradients of PyTorch 2.15.0's topk for `crates/d2l/tests/it/top_k.rs`."""

from reference import Reference

reference = Reference("top_k")
for axis in range(3):
    for largest in (True, False):
        x = reference.normal(4, 5, 6)
        values, indices = x.topk(3, dim=axis, largest=largest)
        name = f"{'largest' if largest else 'smallest'}_{axis}"
        reference.case(name, {"x": x}, values)
        reference.keep(f"{name}.indices", indices)
reference.write()
