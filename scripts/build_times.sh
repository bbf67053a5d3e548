#!/usr/bin/env bash
# Prints how long the waits of someone who works on the code are, on the machine at hand: run it with nothing else
# running, since each figure is the wall time of one command. Sections run at smoke scale, on the committed sample.
set -euo pipefail
cd "$(dirname "$0")/.."

target=$(mktemp -d)
trap 'rm -rf "$target"' EXIT
export CARGO_TARGET_DIR="$target" D2L_OFFLINE=1
smoke=(--scale smoke --no-progress --out "$target/out")

timed() {
    local what=$1 start end
    shift
    start=$(date +%s.%N)
    "$@" >/dev/null 2>"$target/log" || { cat "$target/log" >&2; exit 1; }
    end=$(date +%s.%N)
    printf '%-66s %7.1f s\n' "$what" "$(echo "$end - $start" | bc)"
}

first() { cargo run --release -p linear-nets -- softmax-regression-scratch "${smoke[@]}"; }
second() { cargo run --release -p mlp -- mlp-scratch "${smoke[@]}"; }

cargo fetch --locked >/dev/null 2>&1 || true
timed "cold release build of linear-nets, to a running section" first
timed "another chapter (mlp) for the first time after it" second
first >/dev/null 2>&1
touch crates/d2l/src/notebook/mod.rs
timed "after touching d2l/src/notebook/mod.rs" first
touch "$(git ls-files 'crates/linear-nets/*softmax_regression_scratch.rs' | head -n 1)"
timed "after touching one section" first
