"""Ingest against Python on the same files: nibabel + Pillow and pydicom + Pillow, both on all cores.

    python3 benches/ingest_peers.py [DEEPMCAT [FOLDER]]     default: target/release/deepmcat, target/ingest-bench

needs nibabel, pydicom, numpy and pillow. Archives are made once by `deepmcat synth` below FOLDER. The peers do what
a careful user's script does: read of a 4-D volume the first frame alone, of DICOM headers without pixels and five
tags, choose the first frame of each position, window by percentiles, write 8-bit PNGs. They write no tables. Each is
run three times by turns with ours, the fastest run counts; files are in the page cache for both.
"""
import collections
import gzip
import itertools
import multiprocessing
import os
import pathlib
import shutil
import subprocess
import sys
import time

import nibabel
import numpy as np
import pydicom
from PIL import Image

program = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "target/release/deepmcat").resolve()
folder = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else "target/ingest-bench")
RUNS = 3
runs = itertools.count()
ARCHIVES = {
    "nifti-cine": ["--format", "nifti", "--frames", "50", "--classes", "SA", "--subjects", "48", "--size", "192"],
    "dicom-cine": ["--format", "dicom", "--frames", "50", "--classes", "SA", "--subjects", "12", "--size", "192"],
    "nifti-single": ["--format", "nifti", "--subjects", "150", "--size", "192"],
    "dicom-single": ["--format", "dicom", "--subjects", "150", "--size", "192"],
}
TAGS = ["SeriesInstanceUID", "ImagePositionPatient", "TriggerTime", "InstanceNumber", "Rows", "Columns"]


def save(values, path):
    low, high = np.percentile(values, [0.5, 99.5])
    grey = np.clip((values - low) / max(high - low, 1e-9), 0, 1) * 255 + 0.5
    Image.fromarray(grey.astype(np.uint8)).save(path)


def nifti_file(job):
    path, out = job
    data = nibabel.load(path).dataobj
    frame = np.asarray(data[..., 0] if len(data.shape) == 4 else data[...])
    for slice in range(frame.shape[2]):
        save(frame[:, :, slice].T, f"{out}_{slice}.png")
    return frame.shape[2]


def dicom_header(path):
    data = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=TAGS)
    order = (float(data.get("TriggerTime") or 0), int(data.get("InstanceNumber") or 0))
    return (data.SeriesInstanceUID, tuple(data.get("ImagePositionPatient") or ())), order, path


def dicom_file(job):
    path, out = job
    save(pydicom.dcmread(path).pixel_array, f"{out}.png")
    return 1


def python(archive, out):
    out.mkdir()
    files = sorted(path for path in archive.rglob("*") if path.is_file())
    with multiprocessing.Pool(os.cpu_count()) as pool:
        if files[0].name.endswith(".nii.gz"):
            return sum(pool.imap_unordered(nifti_file, [(path, out / str(n)) for n, path in enumerate(files)], chunksize=8))
        first = {}
        for group, order, path in pool.imap_unordered(dicom_header, files, chunksize=64):
            first[group] = min(first.get(group, (order, path)), (order, path))
        jobs = [(path, out / str(n)) for n, (_, path) in enumerate(first.values())]
        return sum(pool.imap_unordered(dicom_file, jobs, chunksize=16))


def ours(archive, out):
    subprocess.run([program, "ingest", archive, "--out", out, "--set", "ingest.rules=none", "-q"], check=True)
    return len(list((out / "images").rglob("*.png")))


def timed(work, archive):
    """Each run writes to a folder of its own: ext4 creates files slowly for seconds after others were deleted."""
    out = folder / "out" / str(next(runs))
    start = time.perf_counter()
    images = work(archive, out)
    return time.perf_counter() - start, images


def compare(name, archive):
    seconds, images = collections.defaultdict(list), {}
    for _ in range(RUNS):
        for work in (ours, python):
            took, images[work.__name__] = timed(work, archive)
            seconds[work.__name__].append(took)
    assert images["ours"] == images["python"], images
    files = sum(path.is_file() for path in archive.rglob("*"))
    best = {who: min(times) for who, times in seconds.items()}
    print(f"{name:<14}{files:>8}{images['ours']:>8}{best['ours']:>10.3f}{best['python']:>10.3f}{best['python'] / best['ours']:>8.1f}x")


def first_frames(archive):
    """The same volumes cut to their first frame, as compressed as they are."""
    cut = folder / "nifti-first"
    if not cut.exists():
        for path in archive.rglob("*.nii.gz"):
            volume = nibabel.load(path)
            target = cut / path.relative_to(archive)
            target.parent.mkdir(parents=True, exist_ok=True)
            frame = nibabel.Nifti1Image(np.asarray(volume.dataobj[..., 0]), volume.affine, dtype=volume.get_data_dtype())
            target.write_bytes(gzip.compress(frame.to_bytes(), 6))
    return cut


def main():
    for name, arguments in ARCHIVES.items():
        if not (folder / name).exists():
            subprocess.run([program, "synth", folder / name, "-q", *arguments], check=True)
    (folder / "out").mkdir()
    print(f"{os.cpu_count()} cores, fastest of {RUNS} runs, seconds")
    print(f"{'archive':<14}{'files':>8}{'images':>8}{'deepmcat':>10}{'python':>10}{'faster':>9}")
    for name in ARCHIVES:
        compare(name, folder / name)
    whole, first = folder / "nifti-cine", first_frames(folder / "nifti-cine")
    times = {path: min(timed(ours, path)[0] for _ in range(RUNS)) for path in (whole, first, whole, first)}
    print(f"50 frames {times[whole]:.3f} s, the first frame alone {times[first]:.3f} s: {times[whole] / times[first]:.2f} times")


if __name__ == "__main__":
    try:
        main()
    finally:
        shutil.rmtree(folder / "out")
