"""The book's workloads in eager PyTorch: what `cargo xtask bench` runs beside the programs of this workspace.

    python3 scripts/bench/torch_bench.py list
    python3 scripts/bench/torch_bench.py run lenet --steps 10 --threads 2
    python3 scripts/bench/torch_bench.py worker lenet --threads 2

A worker writes one line of JSON with what it is about to do, then reads a number of steps a line and answers each with
a line of their times. Needs PyTorch 2, and torchvision for the workloads `augment-jpegs`, `nms` and `fcn`.
"""

import argparse
import json
import math
import statistics
import sys
import time

try:
    import torch
except ImportError:
    sys.exit("this Python has no PyTorch: `python3 -m pip install torch` gives it, or name another with --python")

from workloads import WORKLOADS


def peak_mb():
    """The most memory that was resident at once, in MB (10^6 bytes), where the system tells."""
    try:
        with open("/proc/self/status") as status:
            lines = [line for line in status if line.startswith("VmHWM:")]
    except OSError:
        return None
    return int(lines[0].split()[1]) * 1024 / 1e6 if lines else None


def time_steps(step, count):
    ms = []
    loss = None
    for _ in range(count):
        start = time.perf_counter()
        loss = step()
        ms.append((time.perf_counter() - start) * 1e3)
    loss = float(loss.detach()) if loss is not None else math.nan
    return {"ms": ms, "loss": loss if math.isfinite(loss) else None, "peak_mb": peak_mb()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["list", "run", "worker"])
    parser.add_argument("workload", nargs="?", choices=list(WORKLOADS))
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--warmup", type=int, default=3)
    parser.add_argument("--threads", type=int, default=None)
    arguments = parser.parse_args()
    if arguments.command == "list":
        print("\n".join(WORKLOADS))
        return
    if arguments.workload is None:
        parser.error("name a workload")
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    torch.manual_seed(42)
    start_mb = peak_mb()
    try:
        net, step = WORKLOADS[arguments.workload]()
    except ImportError as error:
        sys.exit(f"{error}: `python3 -m pip install torchvision` gives what this workload needs")
    greeting = {
        "name": arguments.workload,
        "parameters": sum(parameter.numel() for parameter in net.parameters()),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "start_mb": start_mb,
    }
    if arguments.command == "run":
        time_steps(step, arguments.warmup)
        times = time_steps(step, arguments.steps)
        print(json.dumps(greeting | {"median_ms": statistics.median(times["ms"])} | times))
        return
    print(json.dumps(greeting), flush=True)
    for line in sys.stdin:
        print(json.dumps(time_steps(step, int(line))), flush=True)


if __name__ == "__main__":
    main()
