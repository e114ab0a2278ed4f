#!/usr/bin/env bash
# Builds the fuzzers and runs each for a while, two at once:
#
#   tests/fuzz/run.sh SECONDS [REPORT.xml]
#
# Inputs that find something new are kept in build/fuzz/corpus and start the next run; inputs that
# crash are in build/fuzz/crashes. The report is JUnit.
set -uo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-60}
report=${2:-}
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
scripts/setup.sh fuzz || exit
[ -f build/fuzz/build.ninja ] || cmake --preset fuzz >/dev/null || exit
cmake --build --preset fuzz || exit
mkdir -p build/fuzz/crashes

fuzz() {  # name seconds; FAILED is what another process reads of it
    local name=$1 log=build/fuzz/$1.log program=build/fuzz/fuzz/$1
    mkdir -p "build/fuzz/corpus/$name"
    set -- "-max_total_time=$2" "-artifact_prefix=build/fuzz/crashes/$name-" -print_final_stats=1 \
        -rss_limit_mb=2048 -timeout=10 "build/fuzz/corpus/$name" "tests/fuzz/corpus/$name"
    if [ -f "tests/fuzz/$name.py" ]; then
        timeout 3600 .venv/bin/python "tests/fuzz/$name.py" "$@" >"$log" 2>&1
    else
        "$program" "$@" >"$log" 2>&1
    fi || echo FAILED >>"$log"
    grep -aE "^(SUMMARY|FAILED)|executed_units" "$log" | sed "s/^/$name: /"
}
export -f fuzz
cd tests/fuzz && names=(*_fuzz.cc *_fuzz.py) && cd ../..
printf '%s\n' "${names[@]%.*}" | xargs -P 2 -I{} bash -c "fuzz {} $seconds"

failed=()
inputs=0
cases=
for name in "${names[@]%.*}"; do
    log=build/fuzz/$name.log
    count=$(sed -nE 's/^stat::number_of_executed_units: *//p' "$log")
    inputs=$((inputs + ${count:-0}))
    if grep -qx FAILED "$log"; then
        failed+=("$name")
        cases+="<testcase classname=\"fuzz\" name=\"$name\"><failure message=\"see $log\"/></testcase>"
    else
        cases+="<testcase classname=\"fuzz\" name=\"$name\"/>"
    fi
done
[ -n "$report" ] && echo "<testsuites><testsuite name=\"fuzz\">$cases</testsuite></testsuites>" >"$report"
echo "fuzz: $inputs inputs, ${#names[@]} fuzzers, ${#failed[@]} failed"
[ ${#failed[@]} -eq 0 ] && exit
echo "fuzz: failed: ${failed[*]}; see build/fuzz/crashes and build/fuzz/*.log" >&2
exit 1
