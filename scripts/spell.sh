#!/usr/bin/env bash
# Words of the pages that neither aspell nor docs/words.txt knows, with their page. Code is left out. Fails if there is one.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v aspell >/dev/null || ! aspell dicts | grep -qx en_GB; then
  echo "spelling is not checked: no aspell with English; hint: Debian: apt install aspell aspell-en"
  exit 0
fi

# Prose alone: no blocks of code, no `code`, no target of a link, no HTML comment, no address.
prose() {
  awk '/^ *```/ { inside = !inside; next } !inside' "$1" \
    | sed -E 's/`[^`]*`//g; s/\]\([^)]*\)/]/g; s/<!--.*-->//g; s#https?://[^ )]*##g; s#[a-z0-9_.-]+(/[a-zA-Z0-9_.-]+)+##g; s/\{\{[^}]*\}\}//g'
}

found=0
for page in README.md ARCHITECTURE.md CHANGELOG.md CONTRIBUTING.md docs/*.md docs/*/*.md; do
  words=$(prose "$page" | aspell --lang=en_GB --ignore=2 list | sort -u | grep -vxFf docs/words.txt || true)
  if [[ -n $words ]]; then
    found=1
    printf '%s: %s\n' "$page" "$(paste -sd' ' <<<"$words")"
  fi
done
if ((found)); then
  echo "hint: correct them, or add a word that is right to docs/words.txt (a word a line, sorted)"
  exit 1
fi
echo "no misspelled words"
