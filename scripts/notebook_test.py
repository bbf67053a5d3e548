"""Runs a notebook that `cargo xtask notebook` wrote, from start to end, under evcxr's Jupyter kernel.

Fails where a cell fails, or where a cell whose recorded run drew a figure shows none. The notebook with the fresh outputs
is written beside the old one, as <name>.run.ipynb.

    cargo xtask notebook linear-regression-scratch
    cargo install --locked evcxr_jupyter       # once, some ten minutes on two cores
    evcxr_jupyter --install
    python3 -m venv "$TMPDIR/jupyter" && "$TMPDIR/jupyter/bin/pip" install nbclient ipykernel
    "$TMPDIR/jupyter/bin/python" scripts/notebook_test.py target/notebooks/linear-regression-scratch.ipynb

The first cell compiles candle and the chapter, some minutes; with EVCXR_TMPDIR set to a folder that stays, only once.
"""

import argparse
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

IMAGES = {"image/svg+xml", "image/png"}


def figures(cell):
    """How many a cell shows: outputs of their own in the recorded notebook, images of one page under the kernel."""
    data = [output.get("data", {}) for output in cell.get("outputs", [])]
    return sum(bool(IMAGES & set(kinds)) + "".join(kinds.get("text/html", "")).count("<img ") for kinds in data)


def problems(recorded, ran):
    for number, (before, after) in enumerate(zip(recorded.cells, ran.cells, strict=True), 1):
        if before.cell_type != "code":
            continue
        for output in after.outputs:
            if output.output_type == "error":
                yield f"cell {number}: {output.ename}: {output.evalue}"
        if figures(after) < figures(before):
            yield f"cell {number}: {figures(after)} figures, the recorded run drew {figures(before)}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--timeout", type=int, default=1800, help="seconds for one cell (default: %(default)s)")
    arguments = parser.parse_args()
    if not arguments.notebook.is_file():
        sys.exit(f"{arguments.notebook} is not there: `cargo xtask notebook <section>` writes it")
    recorded = nbformat.read(arguments.notebook, as_version=4)
    nbformat.validate(recorded)
    fresh = nbformat.from_dict(recorded)
    for cell in fresh.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    started = time.monotonic()
    client = NotebookClient(
        fresh,
        timeout=arguments.timeout,
        startup_timeout=600,  # a machine that is busy takes long to start a kernel
        kernel_name="rust",
        allow_errors=True,
        resources={"metadata": {"path": str(arguments.notebook.resolve().parent)}},
    )
    client.execute()
    nbformat.write(fresh, arguments.notebook.with_suffix(".run.ipynb"))
    wrong = list(problems(recorded, fresh))
    for line in wrong:
        print(line)
    code = [cell for cell in fresh.cells if cell.cell_type == "code"]
    shown = sum(figures(cell) for cell in code)
    seconds = time.monotonic() - started
    print(f"{arguments.notebook}: {len(code)} code cells, {shown} figures, {len(wrong)} problems, {seconds:.0f} s")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
