"""Categories of finished runs by few labels, beside the purity of their clusters.

    python3 benches/categories.py RUN... [--programs target/release] [--seeds 5]

For each run, on a copy of its tables: one label a cluster (that of its medoid, as `deepmcat names ask` lists it), and five
random labels a class for some seeds. Prints a table; the bars are those of the issue. Needs polars.
"""

import argparse
import csv
import json
import pathlib
import shutil
import subprocess
import tempfile

import polars as pl


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=pathlib.Path)
    parser.add_argument("--programs", default="target/release")
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args()
    programs = pathlib.Path(args.programs).resolve()
    print("run         named by         purity  accuracy  bar    ECE    bar   error at 90 %  abstained  coverage at 2 %")
    for source in args.runs:
        with tempfile.TemporaryDirectory() as folder:
            run = pathlib.Path(folder) / "run"
            skip = shutil.ignore_patterns("images", "checkpoints", "pixels", "baseline", "logs", "receipts", "training", "samples", "review", "names")
            shutil.copytree(source, run, ignore=skip)
            call = lambda name, *words: subprocess.run([programs / f"deepmcat-{name}", *words], check=True, cwd=folder,
                                                       capture_output=True, text=True).stdout
            manifest = pl.read_parquet(run / "dataset/manifest.parquet")
            labels = dict(manifest.join(pl.read_parquet(run / "dataset/labels.parquet"), on="image_id").select("path", "label").iter_rows())
            last = max((run / "assignments").iterdir(), key=lambda path: int(path.name.split("=")[1]))
            of = manifest.join(pl.read_parquet(last / "part-0.parquet"), on="image_id").select("path", "cluster")
            of = of.with_columns(label=pl.col("path").replace_strict(labels, default=None)).drop_nulls("label")
            purity = of.group_by("cluster", "label").len().group_by("cluster").agg(pl.col("len").max())["len"].sum() / len(of)

            def show(name, said, bars):
                m = said["metrics"]
                accuracy = f"{m['accuracy']:.4f}    {purity - bars[0]:.3f}"
                print(f"{source.name:<11} {name:<16} {purity:.4f}  {accuracy}  {m['ece']:.4f} {bars[1]:.2f}  "
                      f"{m['error_at_90']:.4f}         {said['abstained'] / said['images']:.3f}      {m['coverage_at_2']:.3f}   {said['method']}", flush=True)

            rows = list(csv.DictReader(call("names", "run", "ask", "-n", "100000").splitlines()))
            rows = [row for row in rows if "medoid" in row["why"]]
            with open(pathlib.Path(folder) / "names.csv", "w", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(["what", "category"])
                writer.writerows([row["what"], labels[row["image"].removeprefix("dataset/")]] for row in rows)
            call("names", "run", "import", "names.csv", "--author", "bench")
            show(f"{len(rows)} medoids", json.loads(call("categorize", "run", "--json")), (0.005, 0.03))
            for seed in range(1, args.seeds + 1):
                words = ["run", "--from-labels", "--per-class", "5", "--set", f"run.seed={seed}", "--out", "trial", "--json"]
                show(f"5 a class, {seed}", json.loads(call("categorize", *words)), (0.02, 0.05))


if __name__ == "__main__":
    main()
