"""Kills `deepmcat names` at random moments while names come in, and counts those that were answered and are lost.

    python3 benches/names_kills.py RUN [--kills 100] [--programs target/release] [--seed 1]

Works on a copy of a finished run's tables. Each trial gives two names at the same time by two processes, and kills
(SIGKILL) both after a random time. A name counts as answered where its program ended with 0. Prints what was answered, kept
and lost, and how long a name takes; exit code 1 where one is lost or a number is given twice.
"""

import argparse
import json
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--programs", default="target/release")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    names = [str(pathlib.Path(args.programs).resolve() / "deepmcat-names")]
    draw = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        run = root / "run"
        run.mkdir()
        shutil.copy(args.run / "run.toml", run)
        shutil.copytree(args.run / "assignments", run / "assignments")
        (run / "dataset").mkdir()
        shutil.copy(args.run / "dataset/manifest.parquet", run / "dataset")
        call = lambda *words: subprocess.run([*names, "run", *words], cwd=root, check=True, capture_output=True, text=True)
        clusters = [row.split(",")[0] for row in call("ask", "-n", "1000000").stdout.splitlines()[1:] if "medoid" in row]
        (root / "first.csv").write_text(f"{clusters[0]},first\n")
        start = time.monotonic()
        call("import", "first.csv")
        seconds = time.monotonic() - start
        answered = {"first"}
        for number in range(args.kills):
            processes = []
            for one in "ab":
                name = f"{number}{one}"
                (root / f"{name}.csv").write_text(f"{draw.choice(clusters)},{name}\n")
                words = [*names, "run", "import", f"{name}.csv", "-q"]
                processes.append((name, subprocess.Popen(words, cwd=root, stderr=subprocess.DEVNULL)))
            time.sleep(draw.uniform(0, 2 * seconds))
            for name, process in processes:
                process.kill()
                if process.wait() == 0:
                    answered.add(name)
        log = json.loads(call("log", "--json").stdout)
        lost = answered - {decision["category"] for decision in log}
        numbers = [decision["number"] for decision in log]
        print(f"{args.kills} kills of two: {len(answered)} names answered, {len(log)} in the log, {len(lost)} lost; "
              f"a name takes {seconds * 1000:.0f} ms, program and table included")
        return bool(lost) or numbers != list(range(1, len(log) + 1))


if __name__ == "__main__":
    sys.exit(main())
