"""Seconds that planning and a run with nothing to do take on a run folder of 1000 epochs.

    python3 benches/plan_1000.py [--epochs 1000] [--programs target/release] [--keep FOLDER]

Makes a run of the preset `ci` over a small synthetic archive first, which takes some minutes; with --keep it stays
there and serves the next time.
"""

import argparse
import pathlib
import subprocess
import tempfile
import time


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=1000)
    parser.add_argument("--programs", default="target/release")
    parser.add_argument("--keep")
    args = parser.parse_args()
    deepmcat = str(pathlib.Path(args.programs).resolve() / "deepmcat")
    with tempfile.TemporaryDirectory() as temporary:
        root = pathlib.Path(args.keep or temporary)
        root.mkdir(parents=True, exist_ok=True)

        def seconds(*words):
            start = time.monotonic()
            subprocess.run([deepmcat, *words], cwd=root, check=True, stdout=subprocess.DEVNULL)
            return time.monotonic() - start

        if not (root / "run").exists():
            seconds("synth", "archive", "--subjects", "3", "--size", "48", "--format", "dicom")
            seconds("init", "archive", "--run", "run", "--preset", "ci", "--set", f"run.epochs={args.epochs}")
        print(f"making the run: {seconds('run', 'run'):.1f} s")
        for words in (["plan", "run"], ["run", "run"], ["plan", "run", "--verify"]):
            print(f"deepmcat {' '.join(words)}: {min(seconds(*words) for _ in range(3)):.2f} s")


if __name__ == "__main__":
    main()
