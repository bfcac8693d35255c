"""The study's figure, from its two tables. Needs matplotlib.

    python3 benches/study_figure.py [docs/study] [docs/study/study.png]

Above, epoch by epoch on augmented images, the mean over seeds: what the run itself shows. Below, what came of it: the
final pass over clean images at every k, beside raw pixels, the frozen encoder and the preset `quick` at the same k.
"""
import collections
import csv
import pathlib
import statistics
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

RECIPE = "small-data"
BASELINES = {"raw": "raw pixels", "encoder": "frozen encoder", "quick": "quick", RECIPE: "deepmcat"}
COLOURS = {"raw": "#bbbbbb", "encoder": "#e0b060", "quick": "#88aacc", RECIPE: "#1b5e9b"}


def mean(rows, field):
    values = [float(row[field]) for row in rows if row[field]]
    return statistics.fmean(values) if values else None


def grouped(rows, *fields):
    groups = collections.defaultdict(list)
    for row in rows:
        groups[tuple(row[field] for field in fields)].append(row)
    return groups


def curves(axes, epochs, sets, panels):
    by = grouped(epochs, "set", "epoch")
    for axis, (title, field) in zip(axes, panels):
        for number, name in enumerate(sets):
            points = [(int(epoch), mean(rows, field)) for (of, epoch), rows in by.items() if of == name]
            points = sorted(point for point in points if point[1] is not None)
            axis.plot(*zip(*points), color=f"C{number}", linewidth=1.2, label=name)
        axis.set_title(title, fontsize=9)
        axis.set_xlabel("epoch (networks one after another)", fontsize=8)
        axis.set_ylim(bottom=0, top=None if field == "seconds" else 1)


def bars(axis, results, sets, field, title):
    groups = grouped(results, "set", "k", "preset")
    places, names, left = [], [], 0.0
    for name in sets:
        for k in sorted({int(row["k"]) for row in results if row["set"] == name and row["preset"] == "raw"}, reverse=True):
            for number, preset in enumerate(BASELINES):
                rows = groups.get((name, str(k), preset), [])
                value = mean(rows, field)
                if value is None:
                    continue
                axis.bar(left + number, value, 0.9, color=COLOURS[preset])
                spread = [float(row[field]) for row in rows]
                if len(spread) > 1:
                    axis.vlines(left + number, min(spread), max(spread), color="black", linewidth=1)
            places.append(left + 1)
            names.append(str(k))
            left += 4
        axis.text(left - 9, 1.01, name, ha="center", va="bottom", fontsize=8)
        left += 2
    axis.set_xticks(places, names, fontsize=7)
    axis.set_ylim(0, 1)
    axis.set_yticks([0, 0.25, 0.5, 0.75, 0.9, 1.0])
    axis.grid(axis="y", linewidth=0.3)
    axis.set_axisbelow(True)
    axis.set_ylabel(title, fontsize=8)


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "docs/study")
    out = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else folder / "study.png"
    read = lambda name: list(csv.DictReader((folder / name).open()))
    results = read("results.csv")
    epochs = [row for row in read("epochs.csv") if row["preset"] == RECIPE]
    # Of runs of different length the longest of a set.
    longest = {name: max(int(row["epochs"]) for row in rows) for (name,), rows in grouped(epochs, "set").items()}
    epochs = [row for row in epochs if int(row["epochs"]) == longest[row["set"]]]
    results = [row for row in results if row["preset"] != RECIPE or int(row["epochs"]) == longest.get(row["set"])]
    sets = list(dict.fromkeys(row["set"] for row in epochs))
    figure = plt.figure(figsize=(12, 9.5), layout="constrained")
    grid = figure.add_gridspec(4, 3, height_ratios=[1, 1, 0.9, 0.9])
    axes = [figure.add_subplot(grid[row, column]) for row in (0, 1) for column in range(3)]
    panels = [
        ("purity", "purity"),
        ("balanced purity", "balanced_purity"),
        ("NMI with the labels", "nmi_labels"),
        ("NMI(t, t-1)", "nmi_previous"),
        ("ARI with the labels", "ari"),
        ("seconds an epoch", "seconds"),
    ]
    curves(axes, epochs, sets, panels)
    axes[0].legend(fontsize=7, loc="lower right")
    for axis in axes:
        axis.tick_params(labelsize=7)
        axis.grid(linewidth=0.3)
    for row, (field, title) in enumerate([("purity", "purity"), ("balanced_purity", "balanced purity")]):
        axis = figure.add_subplot(grid[2 + row, :])
        bars(axis, results, sets, field, title)
        axis.tick_params(axis="y", labelsize=7)
    axis.set_xlabel("clusters k of the final pass over clean images (line: lowest to highest seed)", fontsize=8)
    patches = [plt.Rectangle((0, 0), 1, 1, color=COLOURS[preset]) for preset in BASELINES]
    axis.legend(patches, BASELINES.values(), fontsize=8, loc="upper right", bbox_to_anchor=(1, -0.1), ncols=3)
    figure.savefig(out, dpi=110)


main()
