"""Kills a run of six epochs at random moments, and compares its tables with those of a run that nobody disturbed.

    python3 benches/kills.py [--kills 100] [--programs target/release] [--seed 1]

Each trial makes a run, kills (SIGKILL) its runner or one of its stages after a random time, goes on with
`deepmcat run`, and compares every table but `training`, which holds wall-clock times. Prints `100 of 100`; exit code 1
where a table differs.
"""

import argparse
import hashlib
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

KEPT = ["dataset", "pixels", "baseline", "features", "assignments", "clusters", "samples", "metrics", "checkpoints"]


def tables(run):
    files = (path for table in KEPT for path in (run / table).rglob("*") if path.is_file())
    return {str(path.relative_to(run)): hashlib.blake2b(path.read_bytes()).hexdigest() for path in files}


def stages_of(runner):
    """Process numbers of the stages that a runner started."""
    try:
        children = pathlib.Path(f"/proc/{runner}/task").glob("*/children")
        return [int(word) for file in children for word in file.read_text().split()]
    except OSError:
        return []


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--programs", default="target/release")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    deepmcat = str(pathlib.Path(args.programs).resolve() / "deepmcat")
    draw = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        quiet = {"cwd": root, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        call = lambda *words: subprocess.run([deepmcat, *words], check=True, **quiet)
        init = lambda run: call("init", "archive", "--run", run, "--preset", "ci", "--set", "run.epochs=6",
                                "--set", "compute.threads=1", "--set", "ingest.key_file=")  # the same names in all runs
        call("synth", "archive", "--subjects", "3", "--size", "48", "--format", "dicom")
        init("undisturbed")
        start = time.monotonic()
        call("run", "undisturbed")
        seconds = time.monotonic() - start
        expected = tables(root / "undisturbed")
        same = landed = 0
        for number in range(args.kills):
            init("run")
            runner = subprocess.Popen([deepmcat, "run", "run"], **quiet)
            time.sleep(draw.uniform(0, seconds))
            stages = stages_of(runner.pid)
            victim = draw.choice(stages) if stages and draw.random() < 0.5 else runner.pid
            if runner.poll() is None:
                try:
                    os.kill(victim, signal.SIGKILL)
                    landed += 1
                except ProcessLookupError:
                    pass  # a stage that has just ended
            runner.wait()
            call("run", "run")
            found = tables(root / "run")
            differ = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
            same += not differ
            if differ:
                print(f"kill {number}: {differ}", file=sys.stderr)
            shutil.rmtree(root / "run")
        print(f"{same} of {args.kills} ended with the tables of an undisturbed run ({landed} kills hit a live process; "
              f"undisturbed {seconds:.1f} s)")
        return same != args.kills


if __name__ == "__main__":
    sys.exit(main())
