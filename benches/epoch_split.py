"""Seconds of an epoch by stage, and the share that is not computation. Standard library only.

    python3 benches/epoch_split.py [RUN]        default: runs/demo

For each stage: wall-clock seconds of its process (receipts), of which `compute` as the stage itself logged it (the
line `timing ...` of its log); the rest is process start, libtorch, and reading and writing tables, images and
checkpoints. `gap` is what the runner adds between stages: hashing, receipts, retention. The first epoch is left out, and
a stage that no later one has.
"""
import json
import pathlib
import re
import sys

run = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "runs/demo")
STAGES = ["embed", "cluster", "sample", "train"]


def phases(node: str) -> dict[str, float]:
    text = (run / "logs" / f"{node}.log").read_text(errors="replace")
    found = re.findall(r"timing (.*)", text)
    return {name: float(value) for name, value in re.findall(r"(\w+)=([\d.]+)", found[-1])} if found else {}


def main():
    epochs = sorted(int(p.stem.split("@")[1]) for p in (run / "receipts").glob("train@*.json"))[1:]
    if not epochs:
        sys.exit(f"{run}: no finished epochs to split (run `make demo` first)")
    print(f"{run}: mean of epochs {epochs[0]} to {epochs[-1]}, seconds")
    print(f"{'stage':<10}{'wall':>8}{'compute':>9}{'other':>8}  phases")
    total_wall = total_compute = 0.0
    for stage in STAGES:
        wall = compute = 0.0
        sums: dict[str, float] = {}
        done = [epoch for epoch in epochs if (run / "receipts" / f"{stage}@{epoch}.json").is_file()]
        if not done:
            continue
        for epoch in done:
            node = f"{stage}@{epoch}"
            wall += json.loads((run / "receipts" / f"{node}.json").read_text())["seconds"]
            for name, value in phases(node).items():
                sums[name] = sums.get(name, 0.0) + value
        compute = sums.get("compute", 0.0)
        n = len(epochs)
        parts = "  ".join(f"{name} {value / n:.3f}" for name, value in sums.items())
        print(f"{stage:<10}{wall / n:>8.2f}{compute / n:>9.2f}{(wall - compute) / n:>8.2f}  {parts}")
        total_wall += wall / n
        total_compute += compute / n
    # From the end of the epoch before the first to the end of the last.
    ends = [(run / "receipts" / f"train@{epoch}.json").stat().st_mtime for epoch in (epochs[0] - 1, epochs[-1])]
    elapsed = (ends[1] - ends[0]) / len(epochs)
    print(f"{'gap':<10}{elapsed - total_wall:>8.2f}{0:>9.2f}{elapsed - total_wall:>8.2f}  the runner, and evaluate beside")
    print(f"{'epoch':<10}{elapsed:>8.2f}{total_compute:>9.2f}{elapsed - total_compute:>8.2f}")
    print(f"share that is not computation: {100 * (1 - total_compute / elapsed):.1f} %")


main()
