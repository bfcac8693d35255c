"""Wrong headers planted in a synthetic archive, and those that `headers` lists.

    python3 benches/headers.py [--programs target/release] [--subjects 97] [--share 0.02] [--preset quick] [--seed 0]

Needs polars.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile

import polars as pl


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", default="target/release")
    parser.add_argument("--subjects", default="97")
    parser.add_argument("--share", default="0.02")
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--seed", default="0")
    args = parser.parse_args()
    program = pathlib.Path(args.programs).resolve() / "deepmcat"
    with tempfile.TemporaryDirectory() as folder:
        call = lambda *words: subprocess.run([program, *words], check=True, cwd=folder, capture_output=True, text=True).stdout
        root = pathlib.Path(folder) / "run"
        facts = json.loads(call("synth", "archive", "--subjects", args.subjects, "--format", "dicom", "--mislabel", args.share, "--seed", args.seed, "--json"))
        planted = {one["series_uid"] for one in facts["mislabelled"]}
        call("init", "archive", "--run", "run", "--preset", args.preset, "--set", "cluster.k=104")
        call("run", "run")
        sources = pl.read_parquet(root / "dataset/sources.parquet").drop_nulls("image_id")
        manifest = pl.read_parquet(root / "dataset/manifest.parquet")
        call("headers", "run", "--csv", "list.csv")
        uids = dict(manifest.join(sources, on="image_id").select("series", "series_uid").iter_rows())
        listed = [uids[series] for series in pl.read_parquet(root / "contradictions/part-0.parquet")["series"]]
        right = sum(uid in planted for uid in listed)
        print(f"{len(uids)} series, {len(planted)} with a wrong header; {len(listed)} listed, {right} of them wrong: precision "
              f"{right / max(len(listed), 1):.3f}, recall {right / len(planted):.3f}")


if __name__ == "__main__":
    main()
