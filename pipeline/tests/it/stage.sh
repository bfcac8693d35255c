#!/bin/bash
# Stands in for every stage in tests of the runner: writes the files that the runner expects, made of its settings and of
# what it reads. Files beside it say what else it does: hold-STAGE (wait), fail-STAGE (exit code), forget-STAGE (write
# nothing), libtorch (the version that deepmcat-device tells).
here=${0%/*} name=${0##*/deepmcat-}
if [ "$name" = device ]; then
    echo "{\"libtorch\": \"$(cat "$here/libtorch")\"}"
    exit
fi
if [ "$DEEPMCAT_PARENT_WATCH" = wait ]; then
    read -r || exit 143
fi
echo "$name $*" >> "$here/calls"
while [ -e "$here/hold-$name" ]; do
    : > "$here/held-$name"
    read -r -t 0.01
    [ $? = 1 ] && exit 143 # the runner is gone
done
if [ -e "$here/fail-$name" ]; then
    echo "error: told to fail"
    exit "$(cat "$here/fail-$name")"
fi
[ -e "$here/forget-$name" ] && exit 0

part=0 config= content=$name outputs=()
while [ $# -gt 0 ]; do
    case $name:$1 in
        *:--config) config=$2 && shift ;;
        *:--out | cluster:--assignments | cluster:--clusters | train:--training | train:--next-features)
            outputs+=("$2") && shift ;;
        *:--shard) part=${2%/*} && shift ;;
        *:--dataset) content+=$(cat "$2/manifest.parquet") && shift ;;
        *:--init | *:--raw | *:--clean | *:--fresh) ;;
        ingest:*) content+=$(cat "$1"/*.png 2> /dev/null) ;;
        *) [ -d "$2" ] && content+=$(cat "$2"/*) ; shift ;;
    esac
    shift
done
case $name in
    ingest) rules=$(grep '^rules = ' "$config") ;;
    cluster) content+=$(grep '^k = ' "$config") ;;
    sample) content+=$(grep '^uniform = ' "$config") ;;
    train) content+=$(grep '^rate = ' "$config") ;;
esac
content=$(echo "$content" | cksum)

for out in "${outputs[@]}"; do
    mkdir -p "$out"
    case $out in
        */dataset)
            for table in manifest sources rejects; do echo "$content" > "$out/$table.parquet"; done
            echo "$content $rules" > "$out/labels.parquet"
            ;;
        */metrics*) cp "$here/metrics.parquet" "$out/part-0.parquet" ;;
        */training*) cp "$here/training.parquet" "$out/part-0.parquet" ;;
        *features* | */pixels) echo "$content" > "$out/part-$part.arrow" ;;
        *) echo "$content" > "$out/part-$part.parquet" ;;
    esac
done
