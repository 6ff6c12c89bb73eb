#!/usr/bin/env bash
# Instruction counts of the hot functions, against a recorded baseline of this compiler.
#
#   bench/guard.sh check     fails when a case needs over 2 % more than recorded
#   bench/guard.sh record    writes the baseline
#
# Counted by callgrind on the AVX2 road (valgrind knows no AVX-512). The baseline is bench/record/guard-<rustc>.txt: another
# compiler makes other code, so it gets a file of its own. Without valgrind, or without a baseline, nothing is judged,
# and it says so.
set -euo pipefail
cd "$(dirname "$0")/.."
mode=${1:-check}
case $mode in check | record) ;; *) echo "usage: bench/guard.sh check|record" >&2; exit 2 ;; esac

if ! command -v valgrind >/dev/null 2>&1; then
  echo "!! guard: SKIPPED, valgrind is not installed: nobody counts instructions here"
  exit 0
fi
rustc=$(rustc --version | cut -d' ' -f2)
record=bench/record/guard-$rustc.txt
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

built=$(cargo build --release --locked -p isotherm-guard --message-format=json 2>"$work/build" |
  grep -o '"executable":"[^"]*/guard"' | tail -1 | cut -d'"' -f4) || true
[ -n "$built" ] || { cat "$work/build" >&2; echo "guard: does not build" >&2; exit 1; }

# CASE: instructions an input, in hundredths, inside the counted functions.
count() {
  local out=$work/$1
  valgrind --tool=callgrind --callgrind-out-file="$out.callgrind" --collect-atstart=no \
    --toggle-collect='guard_counted_*' "$built" "$1" >"$out.said" 2>"$out.grind" ||
    { cat "$out.said" "$out.grind" >&2; return 1; }
  grep -q '^scanner avx2$' "$out.said" || { echo "guard: $1 ran without AVX2" >&2; return 1; }
  local all inputs
  all=$(sed -n 's/^\(summary\|totals\): *\([0-9]*\).*/\2/p' "$out.callgrind" | tail -1)
  inputs=$(sed -n "s/^$1 inputs \([0-9]*\)$/\1/p" "$out.said")
  [ "${all:-0}" -gt 0 ] && [ "${inputs:-0}" -gt 0 ] ||
    { echo "guard: $1 counted nothing" >&2; return 1; }
  echo "$1 $((all * 100 / inputs))"
}

cases=$(sed -n '/^const CASES/,/^];/s/^.*"\([a-z-]*\)",.*/\1/p' bench/guard/main.rs)
[ -n "$cases" ] || { echo "guard: no case in bench/guard/main.rs" >&2; exit 1; }
# Two at a time: counts do not care for company.
export -f count
export work built
for case in $cases; do echo "$case"; done | xargs -P 2 -I{} bash -c 'count {}' >"$work/unsorted"
sort "$work/unsorted" >"$work/counts"
[ "$(wc -l <"$work/counts")" = "$(wc -w <<<"$cases")" ] || { echo "guard: a case is missing" >&2; exit 1; }

if [ "$mode" = record ]; then
  mkdir -p bench/record
  { echo "# instructions an input x 100, rustc $rustc, callgrind, release, AVX2; written by bench/guard.sh record"
    cat "$work/counts"; } >"$record"
  cat "$record"
  exit 0
fi
if [ ! -f "$record" ]; then
  echo "!! guard: NOTHING TO COMPARE WITH: no $record; counts of this build:"
  awk '{ printf "%-22s %10.2f instructions an input\n", $1, $2 / 100 }' "$work/counts"
  exit 0
fi
awk -v record="$record" '
  /^#/ { next }
  FNR == NR { base[$1] = $2; next }
  {
    seen[$1] = 1
    if (!($1 in base)) { printf "%-22s %10.2f  not recorded yet\n", $1, $2 / 100; stale = 1; next }
    change = ($2 - base[$1]) * 100 / base[$1]
    word = "ok"
    if (change > 2) { word = "MORE THAN RECORDED"; bad = 1 }
    else if (change < -2) { word = "less: record it"; stale = 1 }
    printf "%-22s %10.2f  recorded %10.2f  %+6.2f %%  %s\n", $1, $2 / 100, base[$1] / 100, change, word
  }
  END {
    for (name in base) if (!(name in seen)) { printf "%-22s recorded, and not counted\n", name; bad = 1 }
    if (stale) print "guard: record again: bench/guard.sh record"
    if (bad) { print "guard: over " record; exit 1 }
  }' "$record" "$work/counts"
