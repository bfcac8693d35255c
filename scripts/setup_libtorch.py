"""Puts libtorch (the C++ library of PyTorch) into .libtorch/, from PyPI wheels checked by hash.

    python3 scripts/setup_libtorch.py            CPU build, about 425 MB on disk
    python3 scripts/setup_libtorch.py --cuda     the full CUDA build with NVIDIA's libraries

Python is used here only: nothing of it is linked or needed when deepmcat runs.  Does nothing if the
wanted build is there already, or if LIBTORCH names a libtorch of your own.
"""
import argparse
import os
import pathlib
import shutil
import sys
import tempfile
import zipfile

import wheels

ROOT = pathlib.Path(__file__).resolve().parent.parent / ".libtorch"
INSTEAD = "point LIBTORCH at a libtorch 2.13 of your own"

# requirement, sha256 of the wheel
TORCH = ("torch==2.13.0", "60fcdcb2f3876e21146cb4524ef06397d727ca9ad5f020818547e25075fe3cb7")
RUNTIME = ("nvidia-cuda-runtime==13.0.96", "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548")
CUPTI = ("nvidia-cuda-cupti==13.0.85", "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8")
# libtorch_cpu.so of the PyPI wheel names these two, even where there is no GPU
CPU_LIBRARIES = {
    TORCH: ["torch/lib/libc10.so", "torch/lib/libtorch_cpu.so", "torch/lib/libgomp.so.1"],
    RUNTIME: ["nvidia/cu13/lib/libcudart.so.13"],
    CUPTI: ["nvidia/cu13/lib/libcupti.so.13"],
}


def cpu(target: pathlib.Path, scratch: pathlib.Path):
    for requirement, members in CPU_LIBRARIES.items():
        wheel = wheels.download(*requirement, scratch, INSTEAD)
        with zipfile.ZipFile(wheel) as archive:
            for member in members:
                copy(archive, member, target / "lib" / pathlib.PurePosixPath(member).name)
            for member in archive.namelist():
                if member.startswith("torch/include/") and not member.endswith("/"):
                    copy(archive, member, target / member.removeprefix("torch/"))
        wheels.licences(wheel, target / "licences")
        wheel.unlink()
    (target / "lib" / "libtorch.so").symlink_to("libtorch_cpu.so")
    (target / "lib" / "libgomp.so").symlink_to("libgomp.so.1")


def copy(archive: zipfile.ZipFile, member: str, path: pathlib.Path):
    path.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(member) as source, open(path, "wb") as sink:
        shutil.copyfileobj(source, sink, 1 << 20)


def cuda(target: pathlib.Path, scratch: pathlib.Path):
    """The whole wheel with NVIDIA's libraries, whose places it finds by relative run paths."""
    wheel = wheels.download(*TORCH, scratch, INSTEAD)
    arguments = ["install", "--quiet", "--no-compile", *wheels.ANY_PYTHON, "--target", str(target / "site"), str(wheel)]
    wheels.pip(*arguments, what="the CUDA libraries, which take 4.5 GB", instead=INSTEAD)
    for part in ("lib", "include"):
        (target / part).symlink_to(pathlib.Path("site") / "torch" / part)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cuda", action="store_true", help="the CUDA build instead of the CPU build")
    arguments = parser.parse_args()
    if own := os.environ.get("LIBTORCH"):
        print(f"LIBTORCH is set: using {own}")
        return
    if sys.platform != "linux" or os.uname().machine != "x86_64":
        wheels.fail("ready-made libtorch is fetched for Linux on x86-64 only", INSTEAD)
    # One name whichever build: .cargo/config.toml points LIBTORCH at it.
    target = ROOT / "current"
    wanted = ROOT / ("cuda" if arguments.cuda else "cpu")
    ROOT.mkdir(exist_ok=True)
    if not wanted.exists():
        with tempfile.TemporaryDirectory(dir=ROOT, prefix=".fetch-") as scratch:
            scratch = pathlib.Path(scratch)
            built = scratch / "built"
            built.mkdir()
            (cuda if arguments.cuda else cpu)(built, scratch)
            built.rename(wanted)
        print(f"libtorch is in {wanted.relative_to(ROOT.parent)}")
    if not (target.is_symlink() and os.readlink(target) == wanted.name):
        link = ROOT / ".current"
        link.unlink(missing_ok=True)
        link.symlink_to(wanted.name)
        link.replace(target)


if __name__ == "__main__":
    main()
