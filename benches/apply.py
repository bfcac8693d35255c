"""A model on images that its run has not seen: subjects held out, and classes left out.

    python3 benches/apply.py ARCHIVE... [--programs target/release] [--preset quick] [--no-novel]

ARCHIVE has a folder for each class; what stands before the first "_" in a file's name is its subject. A fifth of the
subjects is held out, or of the images where there are fewer than 50 subjects. A run over the others is named by one label a cluster, that of its medoid, and applied to those held out.
Then each class in turn is left out of a run that is applied to the held-out images of all classes: how well the p-value of
novelty tells its images from the others (AUROC). Needs polars and scikit-learn.
"""

import argparse
import csv
import io
import json
import pathlib
import shutil
import subprocess
import tempfile

import polars as pl
from sklearn.metrics import roc_auc_score


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archives", nargs="+", type=pathlib.Path)
    parser.add_argument("--programs", default="target/release")
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--no-novel", action="store_true", help="leave no class out")
    args = parser.parse_args()
    program = pathlib.Path(args.programs).resolve() / "deepmcat"
    for archive in args.archives:
        files = sorted(path for path in archive.glob("*/*") if path.is_file())
        # Of few subjects, images of each are held out.
        few = len({path.name.split("_")[0] for path in files}) < 50
        subject = lambda path: path.stem if few else path.name.split("_")[0]
        subjects = sorted({subject(path) for path in files})
        held = set(subjects[::5])
        classes = sorted({path.parent.name for path in files})
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            for path in files:
                part = "new" if subject(path) in held else "old"
                to = folder / part / path.parent.name / path.name
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, to)
            call = lambda *words: subprocess.run([program, *words], check=True, cwd=folder, capture_output=True, text=True).stdout
            own = run(call, args.preset, folder, "all", classes)
            new = json.loads(call("apply", "run-all", "new", "--out", "out-all", "--set", "ingest.rules=folders", "--json"))["metrics"]
            print(f"{archive.name}: the run's own images {own['accuracy']:.4f} (n = {own['images']}), held out {new['accuracy']:.4f} "
                  f"(n = {new['images']}; ECE {new['ece']:.4f}, {1 - new['coverage']:.3f} abstained, error among others {new['error']:.4f})", flush=True)
            areas = []
            for left in [] if args.no_novel else classes:
                others = [name for name in classes if name != left]
                run(call, args.preset, folder, "part", others)
                call("apply", "run-part", "new", "--out", "out-part", "--set", "ingest.rules=folders")
                table = told(folder / "out-part")
                area = roc_auc_score(table["label"] == left, 1 - table["novelty"])
                flagged = table.filter(pl.col("label") == left)["novelty"].lt(0.01).mean()
                false = table.filter(pl.col("label") != left)["novelty"].lt(0.01).mean()
                areas.append(area)
                print(f"  without {left}: AUROC {area:.4f}; flagged {flagged:.3f} of its images, {false:.3f} of others", flush=True)
                shutil.rmtree(folder / "run-part")
                shutil.rmtree(folder / "out-part")
            if areas:
                print(f"  AUROC: mean {sum(areas) / len(areas):.4f}, least {min(areas):.4f}", flush=True)


def run(call, preset, folder, name, classes):
    """A run over some classes, its clusters named by the labels of their medoids; the figures on its own images."""
    paths = json.dumps([str(folder / "old" / name) for name in classes])
    call("init", "old", "--run", f"run-{name}", "--preset", preset, "--set", f"cluster.k={8 * len(classes)}",
         "--set", "ingest.rules=folders", "--set", f"input.paths={paths}")
    call("run", f"run-{name}")
    root = folder / f"run-{name}"
    manifest = pl.read_parquet(root / "dataset/manifest.parquet")
    labels = pl.read_parquet(root / "dataset/labels.parquet")
    by_path = dict(manifest.join(labels, on="image_id").select("path", "label").iter_rows())
    asked = csv.DictReader(io.StringIO(call("names", f"run-{name}", "ask", "-n", "100000")))
    rows = [(row["what"], by_path[row["image"].removeprefix("dataset/")]) for row in asked if row["what"].isdigit()]
    (folder / "names.csv").write_text("".join(f"{what},{label}\n" for what, label in rows))
    call("names", f"run-{name}", "import", "names.csv")
    return json.loads(call("categorize", f"run-{name}", "--json"))["metrics"]


def told(root):
    categories = pl.read_parquet(root / "categories/part-0.parquet")
    return categories.join(pl.read_parquet(root / "dataset/labels.parquet"), on="image_id")


if __name__ == "__main__":
    main()
