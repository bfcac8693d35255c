#!/usr/bin/env bash
# Tries the archive of `make dist` on a bare Debian without Rust, Python, C++ compiler or network:
#   scripts/try_dist.sh ARCHIVE [BARE]
# BARE is a folder that debootstrap filled; without it one is made (root, debootstrap and Debian's packages are needed).
set -euo pipefail
archive=$(realpath "$1")
bare=${2:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [[ -z $bare ]]; then
  bare=$work/bare
  debootstrap --variant=minbase bookworm "$bare" >"$work/debootstrap.log" || { tail -5 "$work/debootstrap.log"; exit 1; }
fi
rm -rf "$bare/opt/deepmcat" "$bare/try"
mkdir -p "$bare/opt/deepmcat" "$bare/try"
tar -xzf "$archive" -C "$bare/opt/deepmcat" --strip-components=1

# What a newcomer does.
cat >"$bare/try/steps" <<'STEPS'
set -euo pipefail
cd "$HOME"
export PATH=/opt/deepmcat/bin:$PATH
for absent in python3 cargo cc; do
  if command -v "$absent" >/dev/null; then echo "$absent is here: this is no bare machine"; exit 1; fi
done
deepmcat --version
deepmcat doctor
deepmcat synth archive --subjects 12 --format dicom
deepmcat init archive --run quick --preset quick --set cluster.k=13 --set ingest.rules=ukbb
deepmcat run quick
deepmcat categorize quick --from-labels
deepmcat apply quick archive --out applied
deepmcat init archive --run trained --preset ci
deepmcat run trained
test -s quick/report.html -a -s trained/report.html -a -s applied/series.csv
STEPS
# A bare machine has /proc, by which programs find what lies beside them.
inside="mount -t proc proc '$bare/proc' && exec chroot '$bare' /usr/bin/env -i HOME=/try TERM=dumb /bin/bash /try/steps"
unshare --mount --pid --fork --net /bin/bash -c "$inside"
echo "ok: $(basename "$archive") works on a bare Debian without a network"
