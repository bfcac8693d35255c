"""Makes what people install out of what was built: one folder that works wherever it lies.

    python3 scripts/dist.py                    target/dist/deepmcat-VERSION-linux-x86_64.tar.gz
    python3 scripts/dist.py --install PREFIX   the same files below PREFIX
    python3 scripts/dist.py --profile debug    of a development build, for tests

    bin/                 the programs; they find each other, and their libraries by a relative path
    lib/deepmcat/        libtorch, ONNX Runtime and the encoder
    share/deepmcat/      presets and class rules to read; the programs have them built in
    share/man, share/bash-completion, share/zsh, share/fish
    share/doc/deepmcat/  README, CHANGELOG, licences, also those of everything that is in here
"""
import argparse
import gzip
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile

import wheels

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIBTORCH = ROOT / ".libtorch" / "cpu"
ENCODER = ROOT / ".encoder"
# Texts that name a licence, in a package's own folder or that of the code it brings with it.
LICENCE = re.compile(r"(licen[sc]e|copying|notice|unlicense)", re.IGNORECASE)


def cargo(*arguments):
    output = subprocess.run(["cargo", *arguments], cwd=ROOT, capture_output=True, text=True)
    if output.returncode:
        wheels.fail(f"cargo {arguments[0]} failed: {output.stderr.strip()}", "make build first")
    return output.stdout


def metadata(features):
    words = ["metadata", "--format-version", "1", "--locked", "--filter-platform", "x86_64-unknown-linux-gnu"]
    return json.loads(cargo(*words, *(["--features", features] if features else [])))


def programs(found):
    """Names of the workspace's programs."""
    own = set(found["workspace_members"])
    targets = [target for package in found["packages"] if package["id"] in own for target in package["targets"]]
    names = sorted({target["name"] for target in targets if "bin" in target["kind"]})
    return [name for name in names if name.startswith("deepmcat")]


def third_parties(found):
    """Packages that end up in the programs, with the texts of their licences."""
    packages = {package["id"]: package for package in found["packages"]}
    nodes = {node["id"]: node for node in found["resolve"]["nodes"]}
    todo, seen = list(found["workspace_members"]), set()
    while todo:
        one = todo.pop()
        if one not in seen:
            seen.add(one)
            todo += [dep["pkg"] for dep in nodes[one]["deps"] if any(kind["kind"] is None for kind in dep["dep_kinds"])]
    own = set(found["workspace_members"])
    return sorted((packages[one] for one in seen - own), key=lambda package: (package["name"], package["version"]))


def licence_texts(folder, depth=3):
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if len(inside.parts) <= depth and path.is_file() and LICENCE.match(path.name) and path.suffix not in (".rs", ".py", ".sh"):
            yield path.read_text(errors="replace").strip()


def third_party_page(found):
    """One page: what is in here, under which licence, and each text once."""
    texts, lines = {}, []
    for package in third_parties(found):
        name = f"{package['name']} {package['version']}"
        lines.append(f"{name}: {package['license'] or 'see its text'} ({package['repository'] or 'no address'})")
        for text in licence_texts(pathlib.Path(package["manifest_path"]).parent):
            texts.setdefault(text, []).append(name)
    for folder, what in [(LIBTORCH, "libtorch"), (ENCODER, "encoder")]:
        own = sorted((folder / "licences").glob("*")) if (folder / "licences").is_dir() else []
        if not own:
            wheels.fail(f"{folder.name}: the licences of what is in it are not there", f"rm -r {folder.relative_to(ROOT)} && make setup")
        for path in own:
            package = path.name.split("--")[0]
            if f"{package}: see its text" not in lines:
                lines.append(f"{package}: see its text")
            texts.setdefault(path.read_text(errors="replace").strip(), []).append(package)
    parts = [f"deepmcat contains:\n\n" + "\n".join(lines)]
    parts += [f"Licence of {', '.join(sorted(set(names)))}:\n\n{text}" for text, names in texts.items()]
    return ("\n\n" + 78 * "=" + "\n\n").join(parts) + "\n"


def man_page(name, version, text):
    """A page in section 1 out of a program's help."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    lines = ["\\&" + line if line.startswith((".", "'")) else line for line in escaped.strip().splitlines()]
    first = lines[0].rstrip(".")
    return (f'.TH {name.upper()} 1 "" "deepmcat {version}"\n.SH NAME\n{name} \\- {first}\n'
            ".SH DESCRIPTION\n.nf\n" + "\n".join(lines) + "\n.fi\n")


def fill(folder, built, found, version):
    def put(source, target, mode=0o644):
        target = folder / target
        target.parent.mkdir(parents=True, exist_ok=True)
        # A program that runs keeps its old file.
        target.unlink(missing_ok=True)
        shutil.copyfile(source, target)
        target.chmod(mode)

    def write(target, text):
        target = folder / target
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    names = programs(found)
    for name in names:
        if not (built / name).is_file():
            wheels.fail(f"{name} is not built", "make build")
        put(built / name, f"bin/{name}", 0o755)
    libraries = [path for path in (LIBTORCH / "lib").iterdir() if not path.is_symlink()]
    for path in libraries + list(ENCODER.glob("*.so")) + list(ENCODER.glob("*.onnx")):
        put(path, f"lib/deepmcat/{path.name}", 0o755 if ".so" in path.name else 0o644)
    for kind in ("presets", "rules"):
        for path in sorted((ROOT / "data" / kind).glob("*.toml")):
            put(path, f"share/deepmcat/{kind}/{path.name}")
    for name in ("README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"):
        put(ROOT / name, f"share/doc/deepmcat/{name}")
    write("share/doc/deepmcat/THIRD-PARTY.txt", third_party_page(found))

    program = folder / "bin" / "deepmcat"
    help_of = lambda *words: subprocess.run([*words, "--help"], capture_output=True, text=True, check=True).stdout
    for name in names:
        write(f"share/man/man1/{name}.1", man_page(name, version, help_of(folder / "bin" / name)))
    completions = {"bash": "bash-completion/completions/deepmcat", "zsh": "zsh/site-functions/_deepmcat",
                   "fish": "fish/vendor_completions.d/deepmcat.fish"}
    for shell, path in completions.items():
        text = subprocess.run([program, "completions", shell], capture_output=True, text=True, check=True).stdout
        write(f"share/{path}", text)
    return len(names)


def pack(folder, archive):
    """The same bytes from the same files: no time, no user."""
    def plain(entry):
        entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname = 0, 0, 0, "", ""
        return entry

    with open(archive, "wb") as sink, gzip.GzipFile("", "wb", 6, sink, mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as tar:
        for path in sorted(folder.rglob("*")):
            if not path.is_dir():
                tar.add(path, pathlib.PurePath(folder.name) / path.relative_to(folder), filter=plain)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--install", metavar="PREFIX", type=pathlib.Path)
    parser.add_argument("--profile", default="release", choices=["release", "debug"])
    parser.add_argument("--features", default="", help="those of the build, for the licences of what they add")
    args = parser.parse_args()
    found = metadata(args.features)
    version = next(package["version"] for package in found["packages"] if package["name"] == "deepmcat")
    built = ROOT / "target" / args.profile
    if args.install:
        count = fill(args.install, built, found, version)
        print(f"{count} programs are in {args.install / 'bin'}")
        if str(args.install / "bin") not in os.environ.get("PATH", "").split(":"):
            print(f"to call them by name: export PATH={args.install / 'bin'}:$PATH")
        return
    folder = ROOT / "target" / "dist" / f"deepmcat-{version}-linux-x86_64"
    shutil.rmtree(folder, ignore_errors=True)
    fill(folder, built, found, version)
    archive = folder.with_name(folder.name + ".tar.gz")
    pack(folder, archive)
    print(f"{archive.relative_to(ROOT)}: {archive.stat().st_size / 1e6:.0f} MB")


if __name__ == "__main__":
    sys.exit(main())
