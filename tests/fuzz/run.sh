#!/usr/bin/env bash
# Builds the fuzzers and runs each for a while: `make fuzz`, `make fuzz SECONDS_EACH=600`. Inputs that
# find something new are kept in build/fuzz/corpus, those that crash in build/fuzz/crashes.
set -uo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-60}
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
scripts/setup.sh fuzz || exit
[ -f build/fuzz/build.ninja ] || cmake --preset fuzz >/dev/null || exit
cmake --build --preset fuzz || exit
mkdir -p build/fuzz/crashes
failed=()
for corpus in tests/fuzz/corpus/*_fuzz; do
    name=${corpus##*/}
    mkdir -p "build/fuzz/corpus/$name"
    echo "== $name, $seconds s"
    "build/fuzz/fuzz/$name" -max_total_time="$seconds" -artifact_prefix="build/fuzz/crashes/$name-" \
        -print_final_stats=1 "build/fuzz/corpus/$name" "$corpus" >"build/fuzz/$name.log" 2>&1 ||
        failed+=("$name")
    grep -E "stat::number_of_executed_units|^SUMMARY" "build/fuzz/$name.log"
done
[ ${#failed[@]} -eq 0 ] && exit
echo "fuzz: failed: ${failed[*]}; see build/fuzz/crashes and build/fuzz/*.log" >&2
exit 1
