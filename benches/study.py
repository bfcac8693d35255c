"""The study: what the recipes give, over data sets and seeds, with their baselines. Standard library only.

    python3 benches/study.py [--sets standard,hard,...] [--recipes small-data,...] [--seeds 1,2,3] [--epochs N]
                             [--bin target/release] [--work runs/study] [--out docs/study]

`results.csv`: each row is one clustering: the final pass over clean images at several k, the last epoch's on augmented
images (`recipe+augmented`), the frozen encoder (`encoder`) and raw pixels (`raw`), plain k-means both. `epochs.csv`: every epoch of the
same runs. study_figure.py draws both. Labels are read for these figures and by nothing else. A run that is there is not
run again; rows of other runs in the tables are kept.
"""
import argparse
import csv
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "data"
# Archive: arguments of `deepmcat synth`, or a folder of real scans. Then settings: of ingest, and k of the training, 8 times
# the number of classes as in the paper. Then k of the result: 8, 4, 2 and 1 times that number.
SETS = {
    "standard": (["--subjects", "97", "--format", "png"], ["cluster.k=104"], [104, 52, 26, 13]),
    "hard": (["--subjects", "97", "--format", "png", "--hardness", "hard"], ["cluster.k=104"], [104, 52, 26, 13]),
    "long-axis": (
        ["--subjects", "400", "--format", "png", "--hardness", "hard", "--classes", "LA_2CH,LA_3CH,LA_4CH"],
        ["cluster.k=24"],
        [24, 12, 6, 3],
    ),
    "medical-mnist": (SHARED / "medical-mnist-dev", ["cluster.k=48"], [48, 24, 12, 6]),
    "philips": (SHARED / "mr-sequences-philips", ["ingest.frames=all", "cluster.k=72"], [72, 36, 18, 9]),
}
# Recipe: preset, and what is changed in it, the first being what a user gets. Most take one thing away. What begins with
# `final.` alone is made from the same training.
RECIPES = {
    "small-data": ("small-data", []),
    "quick": ("quick", []),
    "not smoothed": ("small-data", ["final.smooth=0"]),
    "not merged": ("small-data", ["final.merge=0"]),
    "no encoder": ("small-data", ['encoder.file=""']),
    "no taught network": ("small-data", ["run.networks=1", "run.epochs=40", "run.taught=0"]),
    "taught networks alone": ("small-data", ["run.taught=2"]),
    "one clustering": ("small-data", ["cluster.clusterings=1"]),
    "equal networks": ("small-data", ["augment.spread=0"]),
    "taught from all images": ("small-data", ["sample.sure=1"]),
    "bfloat16": ("small-data", ["compute.precision=bfloat16"]),
}
# The presets' values of what recipes change in the result: runs keep what was set last.
RESULT_SETTINGS = ["final.smooth=40", "final.merge=4"]
MEASURED = ["purity", "balanced_purity", "nmi_labels", "nmi_previous", "ari", "seconds"]
RESULT = ["set", "preset", "seed", "k", "epochs"]
EPOCH = ["set", "preset", "seed", "epochs", "epoch"]


def with_set(changes):
    return [word for change in changes for word in ("--set", change)]


def node_seconds(run: pathlib.Path) -> float:
    """Seconds of every node of the chain, once; a taught network's epochs have no row in `status`."""
    receipts = [path for path in (run / "receipts").glob("*@*.json") if not path.name.startswith("evaluate")]
    return sum(json.loads(path.read_text())["seconds"] for path in receipts if "@raw" not in path.name)


class Table:
    """A CSV file with one row for each value of its key, written after each new row."""

    def __init__(self, path: pathlib.Path, key: list[str]):
        self.path, self.keys = path, key
        rows = csv.DictReader(path.open()) if path.is_file() else []
        self.rows = {self.key(row): row for row in rows}

    def key(self, row: dict):
        # Numbers by size, the largest k first.
        number = lambda field: -int(row[field]) if field == "k" else int(row[field])
        return tuple(row[field] if field in ("set", "preset") else number(field) for field in self.keys)

    def add(self, rows):
        text = lambda value: "" if value is None else f"{value:.4f}" if isinstance(value, float) else value
        fields = [*self.keys, *MEASURED]
        for row in rows:
            self.rows[self.key(row)] = {field: text(row.get(field)) for field in fields}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("w", newline="") as file:
            writer = csv.DictWriter(file, fields, lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.rows[key] for key in sorted(self.rows))


class Study:
    def __init__(self, options):
        self.options = options
        self.program = pathlib.Path(options.bin) / "deepmcat"
        out = pathlib.Path(options.out)
        self.results, self.epochs = Table(out / "results.csv", RESULT), Table(out / "epochs.csv", EPOCH)

    def call(self, *words) -> str:
        line = [str(self.program), *map(str, words)]
        done = subprocess.run(line, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit(f"failed: {' '.join(line)}")
        return done.stdout

    def archive(self, name: str) -> pathlib.Path | None:
        source = SETS[name][0]
        if isinstance(source, pathlib.Path):
            return source if source.is_dir() else None
        folder = pathlib.Path(self.options.work) / "archives" / name
        if not folder.is_dir():
            self.call("synth", folder, *source, "-q")
        return folder

    def rows(self, name: str, recipe: str, seed: int):
        archive = self.archive(name)
        if archive is None:
            print(f"skipped: {name} is not beside this checkout", file=sys.stderr)
            return
        preset, changes = RECIPES[recipe]
        training = [change for change in changes if not change.startswith("final.")]
        # Recipes of the same training share a run.
        trained = next(recipe for recipe, others in RECIPES.items() if others == (preset, training))
        trained = re.sub(r"\W+", "-", trained)
        # Of another length it is another run.
        length = f"-{self.options.epochs}-epochs" if self.options.epochs else ""
        run = pathlib.Path(self.options.work) / f"{name}-{trained}-{seed}{length}"
        sets = [f"run.seed={seed}", "ingest.rules=folders", *SETS[name][1], *training]
        if self.options.epochs:
            sets.append(f"run.epochs={self.options.epochs}")
        if not (run / "run.toml").is_file():
            self.call("init", archive, "--run", run, "--preset", preset, *with_set(sets), "-q")
        result = RESULT_SETTINGS + [change for change in changes if change not in training]
        ks = SETS[name][2]
        for k in ks:
            self.call("run", run, *with_set([*result, f"final.k={k}"]))
            status = json.loads(self.call("status", run, "--json"))
            passes = {row["pass"]: row for row in status["metrics"]}
            epochs = status["epochs"]
            seconds = node_seconds(run)
            common = {"set": name, "seed": seed, "k": k}
            if k == ks[0]:
                of_run = {"set": name, "seed": seed, "preset": recipe, "epochs": epochs}
                # A taught network clusters before its first epoch only.
                at = [epoch for epoch in range(epochs) if str(epoch) in passes]
                self.epochs.add({**passes[str(epoch)], **of_run, "epoch": epoch} for epoch in at)
            yield {**passes["final"], **common, "preset": recipe, "epochs": epochs, "seconds": seconds}
            if recipe == next(iter(RECIPES)):
                yield {**passes["encoder"], **common, "preset": "encoder", "epochs": 0}
                yield {**passes["raw"], **common, "preset": "raw", "epochs": 0}
            if k == ks[0]:
                # The last that a network has of its own features: what is taught begins with clean images of others.
                own = [passes[str(epoch)] for epoch in range(epochs) if str(epoch) in passes]
                for last in [row for row in own if row["nmi_previous"] is not None][-1:]:
                    yield {**last, **common, "k": last["clusters"], "preset": f"{recipe}+augmented", "epochs": epochs}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--recipes", default="small-data")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--epochs", type=int, default=0, help="0: those of the preset")
    parser.add_argument("--bin", default=str(ROOT / "target/release"))
    parser.add_argument("--work", default=str(ROOT / "runs/study"))
    parser.add_argument("--out", default=str(ROOT / "docs/study"))
    options = parser.parse_args()
    study = Study(options)
    for name in options.sets.split(","):
        for recipe in options.recipes.split(","):
            for seed in options.seeds.split(","):
                for row in study.rows(name, recipe, int(seed)):
                    study.results.add([row])
                    print(",".join(str(row.get(field)) for field in [*RESULT, *MEASURED]), flush=True)


main()
