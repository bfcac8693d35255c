"""The README's picture: a row of images for each of the largest clusters of a run's result.

    python3 docs/make_picture.py RUN docs/clusters.png        needs polars, pillow
"""
import pathlib
import sys

import polars as pl
from PIL import Image, ImageDraw

run, out = pathlib.Path(sys.argv[1]), sys.argv[2]
TILE, COLUMNS, ROWS = 64, 10, 14

last = max((run / "assignments").iterdir(), key=lambda folder: int(folder.name.split("=")[1]))
rows = pl.read_parquet(last / "*.parquet").join(pl.read_parquet(run / "dataset/manifest.parquet"), on="image_id")
rows = rows.join(pl.read_parquet(run / "dataset/labels.parquet"), on="image_id", how="left")
# One cluster of each majority class: the largest. Labels choose what is shown and colour nothing.
majority = (
    rows.group_by("cluster", "label").len().sort("len", "label", descending=[True, False]).group_by("cluster", maintain_order=True).first()
)
sizes = rows.group_by("cluster").len(name="size")
shown = majority.join(sizes, on="cluster").sort("size", "cluster", descending=[True, False]).unique("label", keep="first", maintain_order=True).head(ROWS)
sheet = Image.new("L", (150 + COLUMNS * TILE, len(shown) * TILE), 255)
draw = ImageDraw.Draw(sheet)
for row, (cluster, label, count, size) in enumerate(shown.select("cluster", "label", "len", "size").rows()):
    draw.text((4, row * TILE + 18), f"cluster {cluster}\n{count} of {size}: {label}", fill=0)
    members = rows.filter(pl.col("cluster") == cluster).sort("key")["path"]
    step = max(1, len(members) // COLUMNS)
    for column, path in enumerate(members[::step][:COLUMNS]):
        image = Image.open(run / "dataset" / path).convert("L").resize((TILE - 2, TILE - 2))
        sheet.paste(image, (150 + column * TILE, row * TILE))
sheet.save(out, optimize=True)
