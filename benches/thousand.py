"""A thousand epochs on a small set (as fig. 3 of the paper): does the run stay sound? Needs matplotlib for the curve.

    python3 benches/thousand.py [--epochs 1000] [--bin target/release] [--work runs/thousand]
                                [--out docs/study/thousand.png]

One network, one clustering, one view and a constant rate, as in the paper, on some three hundred synthetic images.
Labels are read for the curve alone.
"""
import argparse
import json
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
SETTINGS = [
    "ingest.rules=folders", "run.networks=1", "network.width=0.125", "network.input=32", "embed.views=1",

    "cluster.clusterings=1", "cluster.k=40", "sample.least=0", "train.schedule=constant", "compute.threads=1",
]
PANELS = {
    "purity": "purity", "balanced purity": "balanced_purity", "NMI with the labels": "nmi_labels",
    "NMI(t, t-1)": "nmi_previous", "loss": "loss", "share of the largest cluster": "largest_share",
}


def draw(rows: list[dict], out: pathlib.Path):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 3, figsize=(12, 5), layout="constrained")
    for axis, (title, field) in zip(axes.flat, PANELS.items()):
        points = [(int(row["pass"]), row[field]) for row in rows if row[field] is not None]
        axis.plot(*zip(*points), linewidth=0.6, color="#1b5e9b")
        axis.set_title(title, fontsize=9)
        axis.set_ylim(bottom=0, top=None if field in ("loss", "largest_share") else 1)
        axis.tick_params(labelsize=7)
        axis.grid(linewidth=0.3)
        axis.set_xlabel("epoch", fontsize=8)
    figure.savefig(out, dpi=110)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=1000)
    parser.add_argument("--bin", default=str(ROOT / "target/release"))
    parser.add_argument("--work", default=str(ROOT / "runs/thousand"))
    parser.add_argument("--out", default=str(ROOT / "docs/study/thousand.png"))
    options = parser.parse_args()
    program, work = pathlib.Path(options.bin) / "deepmcat", pathlib.Path(options.work)
    call = lambda *words: subprocess.run([program, *map(str, words)], check=True, stdout=subprocess.PIPE).stdout
    archive, run = work / "archive", work / "run"
    if not archive.is_dir():
        call("synth", archive, "--subjects", 12, "--format", "png", "-q")
    if not (run / "run.toml").is_file():
        sets = [word for change in SETTINGS for word in ("--set", change)]
        call("init", archive, "--run", run, "--preset", "small-data", "--set", f"run.epochs={options.epochs}", *sets, "-q")
    call("run", run)
    rows = [row for row in json.loads(call("status", run, "--json"))["metrics"] if row["pass"].isdigit()]
    for epoch in sorted({0, 9, 99, options.epochs - 1} & set(range(len(rows)))):
        print(epoch, *(f"{title} {rows[epoch][field]}" for title, field in PANELS.items()))
    draw(rows, pathlib.Path(options.out))


main()
