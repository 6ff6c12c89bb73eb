#!/usr/bin/env bash
# A short fuzz of every target: enough to catch a careless change, not a campaign. Needs the sanitizer's flags, which
# a stable compiler takes too when told so; a machine where they do not build says so, and the corpus of truncations
# and flipped bits in tests/frames.rs has run anyway.
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:-10}
export RUSTC_BOOTSTRAP=1
export RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
  -Zsanitizer=address --cfg fuzzing"
target=x86_64-unknown-linux-gnu
if ! cargo build --release --locked --target "$target" 2>fuzz-build.log; then
  tail -n 5 fuzz-build.log
  echo "FUZZING SKIPPED: the sanitizer build is not to be had here"
  rm -f fuzz-build.log
  exit 0
fi
rm -f fuzz-build.log
mkdir -p target/found
"target/$target/release/websocket" -max_total_time="$seconds" -verbosity=0 target/found
"target/$target/release/decode" -max_total_time="$seconds" -max_len=4096 -verbosity=0 target/found corpus/decode
echo "fuzzed: websocket and decode, ${seconds} s each, nothing found"
