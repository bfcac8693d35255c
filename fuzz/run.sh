#!/usr/bin/env bash
# Fuzzes ingest on a stable compiler: fuzz/run.sh [SECONDS [TARGET...]]; findings lie in target/fuzz/TARGET-findings.
# Seeds are the regression fixtures and, where it is there, the shared archive of real and broken files.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-600}
targets=("${@:2}")
[[ ${#targets[@]} -gt 0 ]] || targets=(dicom nifti zip picture)
shared=${DEEPMCAT_SHARED:-../shared}/data
work=target/fuzz
mkdir -p $work

# The coverage counters that cargo-fuzz would ask a nightly compiler for, without the sanitizers.
coverage=(-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
  -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 --cfg fuzzing)
host=$(rustc -vV | sed -n 's/^host: //p')
# With --target, build scripts and macros are built without counters.
RUSTFLAGS="${coverage[*]}" cargo build --release --manifest-path fuzz/Cargo.toml --target-dir $work --target "$host"

seed() { # files below 64 KiB whose name or folder fits a target
  find stages/ingest/fixtures/fuzz "$shared" -type f -size -64k -path "$1" 2>/dev/null | head -500
}
status=0
for target in "${targets[@]}"; do
  corpus=$work/$target-corpus findings=$work/$target-findings
  mkdir -p "$corpus" "$findings"
  case $target in
    dicom) patterns=('*dicom-fixtures*' '*fuzz/dicom*') ;;
    nifti) patterns=('*nifti-fixtures*' '*fuzz/nifti*') ;;
    zip) patterns=('*fuzz/zip*') ;;
    picture) patterns=('*medical-mnist*/*0000*' '*fuzz/picture*') ;;
  esac
  if [[ $target == zip ]]; then # two small files a zip, stored and deflated
    python3 - "$shared" "$corpus" <<'PYTHON'
import pathlib, sys, zipfile
small = sorted(p for p in pathlib.Path(sys.argv[1]).rglob("*") if p.is_file() and p.stat().st_size < 12000)[:200]
for n, pair in enumerate(zip(small[::2], small[1::2])):
    with zipfile.ZipFile(f"{sys.argv[2]}/seed-{n}", "w", zipfile.ZIP_DEFLATED if n % 2 else zipfile.ZIP_STORED) as archive:
        for name, path in zip(("a.dcm", "b/manifest.cvs"), pair):
            archive.write(path, name)
for n, header in enumerate(sorted(pathlib.Path(sys.argv[1]).rglob("*.hdr"))[:20]):  # pairs
    voxels = header.with_suffix(".img")
    if voxels.exists() and voxels.stat().st_size < 60000:
        with zipfile.ZipFile(f"{sys.argv[2]}/pair-{n}", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(header, "a.hdr")
            archive.write(voxels, "a.img")
PYTHON
  fi
  for pattern in "${patterns[@]}"; do
    while read -r file; do cp "$file" "$corpus/$(sha1sum <"$file" | cut -c1-16)"; done < <(seed "$pattern")
  done
  echo "== $target: $(ls "$corpus" | wc -l) seeds, $seconds s"
  "$work/$host/release/$target" "$corpus" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=1024 -max_len=65536 \
    -artifact_prefix="$findings/" -print_final_stats=1 2>"$work/$target.log" || status=1
  grep -E 'stat::|SUMMARY|ERROR' "$work/$target.log" || tail -n 3 "$work/$target.log"
done
ls $work/*-findings/* 2>/dev/null && echo "findings: see above" || echo "no finding"
exit $status
