#!/usr/bin/env bash
# Kills a conversion with kill -9 at random moments, resumes it, and compares the pack with one that
# was left alone.
#   tools/crash-test.sh [KILLS] [SEED]     default: 3 kills, seed 1
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
kills=${1:-3}
RANDOM=${2:-1}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

"$root/quern" build

convert() {
  exec "$root/quern" convert --model "$root/datasets/tiny-moe/model" --out "$1" --bits 3 \
    --embedding-bits 4 --chunk-mb 1
}

checksums() { (cd "$1" && find . -type f -print0 | sort -z | xargs -0 sha256sum); }

now() { echo $(($(date +%s%N) / 1000000)); }

# Waits until a conversion of pack $1 by process $2 has finished a file (or has ended).
await_first_file() {
  while kill -0 "$2" 2>/dev/null; do
    if [ -n "$(find "$1" -newer "$scratch/begin" \( -name '*.chunk' -o -name '*.qexp' \) -print -quit 2>/dev/null)" ]; then
      return 0
    fi
    sleep 0.02
  done
}

# The time from the first file to the end bounds the random moments.
touch "$scratch/begin"
(convert "$scratch/undisturbed") >"$scratch/log" 2>&1 &
process=$!
await_first_file "$scratch/undisturbed" "$process"
begin=$(now)
wait "$process" || { cat "$scratch/log" >&2; exit 1; }
working=$((($(now) - begin) * 2 / 3 + 200))
checksums "$scratch/undisturbed" >"$scratch/expected"

# A kill counts if the pack was unfinished.
killed=0
round=0
while [ "$killed" -lt "$kills" ] && [ "$round" -lt $((5 * kills)) ]; do
  round=$((round + 1))
  pack="$scratch/pack-$round"
  # One to three kills of the same pack, then a run to the end.
  for _ in $(seq $((1 + RANDOM % 3))); do
    [ "$killed" -lt "$kills" ] || break
    touch "$scratch/begin"
    (convert "$pack") >"$scratch/log" 2>&1 &
    process=$!
    await_first_file "$pack" "$process"
    millis=$(((RANDOM * 32768 + RANDOM) % working))
    sleep "$(printf '%d.%03d' $((millis / 1000)) $((millis % 1000)))"
    kill -9 "$process" 2>/dev/null || true
    wait "$process" 2>/dev/null || true
    if [ ! -e "$pack/quern.json" ]; then
      if "$root/quern" verify "$pack" >/dev/null 2>&1; then
        echo "crash-test: an unfinished pack verifies" >&2
        exit 1
      fi
      killed=$((killed + 1))
      chunks=$(find "$pack" -name '*.chunk' | wc -l)
      files=$(find "$pack" -name '*.qexp' | wc -l)
      echo "crash-test: kill $killed, $millis ms after the first file: $chunks chunks, $files expert files"
    fi
  done
  (convert "$pack") >"$scratch/log" 2>&1 || { cat "$scratch/log" >&2; exit 1; }
  checksums "$pack" >"$scratch/actual"
  if ! diff "$scratch/expected" "$scratch/actual"; then
    echo "crash-test: the resumed pack differs" >&2
    exit 1
  fi
  rm -rf "$pack"
done
if [ "$killed" -lt "$kills" ]; then
  echo "crash-test: $killed kills met an unfinished pack, expected $kills: conversions end too soon here" >&2
  exit 1
fi
echo "crash-test: $killed kills, $round packs, all equal to the undisturbed one"
