#!/usr/bin/env bash
# Converts the small model on one task, on two, and on two executor processes: all packs must have
# the same bytes. Then scores it on the first and the last of them: all figures of quality must be the same.
#   tools/master-test.sh [MASTER...]     default: local[1] local[2] local-cluster[2,1,1024]
# The first of them is left at KEEP_PACK where that is set.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
masters=("$@")
if [ "${#masters[@]}" -eq 0 ]; then
  masters=("local[1]" "local[2]" "local-cluster[2,1,1024]")
fi

"$root/quern" build
# Executors of a local-cluster take Spark from SPARK_HOME/jars; this program's jars are sent to them.
mkdir -p "$scratch/spark-home/jars"
for jar in "$root"/bench/target/lib/*.jar; do
  case "$(basename "$jar")" in
    quern-*) ;;
    *) ln -s "$jar" "$scratch/spark-home/jars/" ;;
  esac
done
export SPARK_HOME="$scratch/spark-home" SPARK_SCALA_VERSION=2.13

checksums() { (cd "$1" && find . -type f -print0 | sort -z | xargs -0 sha256sum); }

for i in "${!masters[@]}"; do
  pack="$scratch/pack-$i"
  echo "master-test: ${masters[$i]}" >&2
  "$root/quern" convert --model "$root/datasets/tiny-moe/model" --out "$pack" --bits 3 \
    --embedding-bits 4 --head-bits 8 --override experts.down@2-3=16 --chunk-mb 1 \
    --master "${masters[$i]}" >"$scratch/log" 2>&1 || { cat "$scratch/log" >&2; exit 1; }
  checksums "$pack" >"$scratch/sums-$i"
  if ! diff "$scratch/sums-0" "$scratch/sums-$i"; then
    echo "master-test: ${masters[$i]} made other bytes than ${masters[0]}" >&2
    exit 1
  fi
done

for i in 0 $((${#masters[@]} - 1)); do
  echo "master-test: evaluate on ${masters[$i]}" >&2
  "$root/quern" evaluate --model "$root/datasets/tiny-moe/model" --out "$scratch/report-$i" --bits 3 --no-rms --no-affine \
    --no-qjl --num-samples 4 --repetitions 1 --master "${masters[$i]}" >"$scratch/table" 2>"$scratch/log" ||
    { cat "$scratch/log" >&2; exit 1; }
  grep -E '^(original|turbo)' "$scratch/table" | cut -c1-100 >"$scratch/quality-$i" # speeds come after it
  if [ "$(wc -l <"$scratch/quality-$i")" -ne 2 ] || ! diff "$scratch/quality-0" "$scratch/quality-$i"; then
    echo "master-test: ${masters[$i]} scored otherwise than ${masters[0]}" >&2
    exit 1
  fi
done

if [ -n "${KEEP_PACK:-}" ]; then
  rm -rf "$KEEP_PACK"
  mkdir -p "$(dirname "$KEEP_PACK")"
  mv "$scratch/pack-0" "$KEEP_PACK"
fi
echo "master-test: the same $(wc -l <"$scratch/sums-0") files from ${masters[*]}"
