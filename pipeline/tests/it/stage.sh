#!/bin/bash
# Stands in for every stage in tests of the runner: writes the files that the runner expects, made of the settings of
# its job and of what it reads. Files beside it say what else it does: hold-STAGE (wait), fail-STAGE (exit code), forget-STAGE (write
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

part=0 job= content=$name table= inputs=() outputs=()
while [ $# -gt 0 ]; do
    case $1 in
        --job) job=$2 && shift ;;
        --shard) part=${2%/*} && shift ;;
        --threads) shift ;;
    esac
    shift
done
run=${job%/nodes/*}
while read -r line; do
    case $line in
        '['*']') table=$line ;;
        *'"'*'"'*)
            path=${line#*\"} path=${path%%\"*}
            case $path in /*) ;; *) path=$run/$path ;; esac
            case $table in
                '[inputs]') inputs+=("$path") ;;
                '[outputs]') outputs+=("$path") ;;
            esac
            ;;
    esac
done < "$job"
for path in "${inputs[@]}"; do
    case $name:$path in
        ingest:*) content+=$(cat "$path"/*.png 2> /dev/null) ;;
        *:*/dataset) content+=$(cat "$path/manifest.parquet") ;;
        *) content+=$(cat "$path"/*) ;;
    esac
done
case $name in
    ingest) rules=$(grep '^rules = ' "$job") ;;
    cluster) content+=$(grep '^k = ' "$job") ;;
    sample) content+=$(grep '^uniform = ' "$job") ;;
    train) content+=$(grep '^rate = ' "$job") ;;
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
