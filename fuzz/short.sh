#!/usr/bin/env bash
# A short fuzz of every target, the same inputs every time; with a number, a campaign of so many seconds each. It
# needs the sanitizer's flags, which a stable compiler takes too when told so; a machine where they do not build says
# so, and the corpus of truncations and flipped bits in tests/conformance has run anyway.
set -euo pipefail
cd "$(dirname "$0")"
export RUSTC_BOOTSTRAP=1
export RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
  -Zsanitizer=address --cfg fuzzing"
target=x86_64-unknown-linux-gnu
built=${CARGO_TARGET_DIR:-target}/$target/release
# A lock that is behind the crate's is a defect of the tree, not of the machine.
cargo metadata --locked --format-version 1 >/dev/null || {
  echo "fuzz: Cargo.lock is not up to date: run cargo update -w in fuzz/" >&2
  exit 1
}
if ! cargo build --release --locked --target "$target" 2>fuzz-build.log; then
  tail -n 5 fuzz-build.log
  echo "FUZZING SKIPPED: the sanitizer build is not to be had here"
  rm -f fuzz-build.log
  exit 0
fi
rm -f fuzz-build.log
if [ "$#" -gt 0 ]; then
  # A campaign: so many seconds a target, going on from what earlier ones found.
  found=target/found
  few="-max_total_time=$1" many=$few
else
  # The check: the same inputs every time, so that it fails for the one who broke it.
  found=$(mktemp -d)
  trap 'rm -rf "$found"' EXIT
  few="-seed=1 -runs=100000" many="-seed=1 -runs=400000"
fi
one() {
  local name=$1 runs="$few -max_len=4096" own=corpus/$1
  [ "$name" != websocket ] || runs=$many own=
  mkdir -p "$found/$name"
  # Words on purpose: no path here has a space.
  # shellcheck disable=SC2086
  "$built/$name" $runs -verbosity=0 "$found/$name" $own >"$found/$name.log" 2>&1 ||
    { tail -n 40 "$found/$name.log"; echo "fuzz: $name failed"; return 1; }
}
export -f one
export found few many built
# Two at a time.
printf '%s\n' websocket decode tape checkpoint config | xargs -P 2 -I{} bash -c 'one {}'
echo "fuzzed: websocket, decode, tape, checkpoint and config, nothing found"
