#!/usr/bin/env bash
# Runs the tests, suite by suite; a suite that fails does not keep the next from running. Reports
# are JUnit files in build/reports, from which the totals at the end are counted.
#
#   scripts/test.sh all          everything but conformance and onnx
#   scripts/test.sh fast         unit and integration, without what is marked slow
#   scripts/test.sh SUITE...     unit python integration robustness fuzz differential frameworks asan
#                                tsan install conformance onnx
set -uo pipefail
cd "$(dirname "$0")/.."
bin=$PWD/.venv/bin
reports=$PWD/build/reports
jobs=$(nproc)
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1  # As in the Makefile.

# Builds a preset's targets; a failure counts as one failed test of that suite.
build() {
    local preset=$1
    shift
    [ -f "build/$preset/build.ninja" ] || cmake --preset "$preset" >/dev/null || return
    cmake --build "build/$preset" ${1:+--target "$@"}
}

# The programs of tests/unit in a build tree.
test_programs() {
    ninja -C "build/$1" -t targets all | sed -nE 's/^([a-z_]+_test): phony$/\1/p'
}

unit_tests() {  # preset report [ctest options]
    local preset=$1 report=$2
    shift 2
    ctest --test-dir "build/$preset" --parallel "$jobs" --output-on-failure --no-tests=error \
        --output-junit "$reports/$report.xml" "$@" >"$reports/$report.log" 2>&1
    local code=$?
    if [ $code -ne 0 ]; then cat "$reports/$report.log"; else tail -4 "$reports/$report.log"; fi
    return $code
}

python_tests() {  # report folder [pytest options]
    local report=$1 folder=$2
    shift 2
    "$bin/python" -m pytest "$folder" --junitxml "$reports/$report.xml" "$@"
}

suite_unit() { build release && unit_tests release unit; }
suite_python() { make --no-print-directory build && python_tests python tests/unit "$@"; }
suite_integration() { make --no-print-directory build && build release && python_tests integration tests/integration "$@"; }
suite_robustness() {
    make --no-print-directory build && build release lepton_engine_fake &&
        python_tests robustness tests/robustness "$@"
}
suite_fuzz() { tests/fuzz/run.sh 20 "$reports/fuzz.xml"; }
suite_differential() { make --no-print-directory build && python_tests differential tests/differential "$@"; }

# A sanitizer's build of the tests and the server: unit tests, then the real server. Neither runs
# models with OpenVINO: it opens libraries in a way that ASan refuses, and its threads are not
# instrumented for TSan.
sanitized() {  # preset [names of tests to leave out]
    local preset=$1 code=0
    [ -f "build/$preset/build.ninja" ] || cmake --preset "$preset" >/dev/null || return
    local programs
    mapfile -t programs < <(test_programs "$preset")
    build "$preset" "${programs[@]}" lepton-server lepton-bench lepton_engine_fake \
        client_against_server || return
    unit_tests "$preset" "$preset" "${@:2}" || code=1
    # The Python client of these tests is the release build's.
    make --no-print-directory build || return
    LEPTON_SERVER=$PWD/build/$preset/bin/lepton-server \
        python_tests "$preset-integration" tests/integration -m "not slow and not openvino" || code=1
    return $code
}

suite_asan() {
    # A finding of UBSan ends the test, as one of ASan does; leaks are searched for at each exit.
    export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
    sanitized asan
}

suite_tsan() {
    export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:suppressions=$PWD/tests/support/tsan_suppressions.txt
    sanitized tsan --exclude-regex 'OpenVino|OpenVINO|openvino'
}

# Torch, TensorFlow and the like have an environment of their own, whose first installation takes
# minutes and gigabytes.
frameworks_gb=12
suite_frameworks() {
    local free
    free=$(df --output=avail --block-size=1G . | tail -1)
    if [ ! -f .venv-frameworks/.installed-frameworks ] && [ "$free" -lt $frameworks_gb ]; then
        local why="the frameworks need $frameworks_gb GB of disk for their first installation, there are $free GB"
        echo "!!! frameworks: SKIPPED, nothing of it was tested: $why" >&2
        printf '<testsuites><testsuite name="frameworks"><testcase name="frameworks">%s</testcase></testsuite></testsuites>\n' \
            "<skipped message=\"$why\"/>" >"$reports/frameworks.xml"
        return 0
    fi
    scripts/setup.sh frameworks && make --no-print-directory build || return
    .venv-frameworks/bin/python -m pytest tests/frameworks \
        --junitxml "$reports/frameworks.xml" --timeout 300 "$@"
}

suite_install() { python_tests install tests/install --timeout 900; }

suite_conformance() {
    scripts/setup.sh conformance && make --no-print-directory build &&
        tests/conformance/run.sh "$reports"
}

# The back-end tests of the onnx package.
suite_onnx() {
    make --no-print-directory build &&
        "$bin/python" tests/conformance/onnx_backend/run.py "$reports" "$@"
}

run_suite() {
    local suite=$1 start=$SECONDS code
    shift
    rm -f "$reports/$suite.xml"
    echo "== $suite"
    "suite_$suite" "$@"
    code=$?
    # The suite ended before it could report, for example because it did not build.
    [ $code -ne 0 ] && [ ! -s "$reports/$suite.xml" ] && touch "$reports/$suite.failed"
    echo "== $suite: $([ $code -eq 0 ] && echo passed || echo FAILED) in $((SECONDS - start)) s"
    return $code
}

case ${1:-} in
    all)
        fresh=1
        set -- unit python integration robustness fuzz differential frameworks asan tsan install
        ;;
    fast)
        fresh=1
        set -- unit python integration
        pytest_options=(-m "not slow")
        ;;
    "")
        sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
        exit 2
        ;;
esac

scripts/setup.sh test || exit
[ -n "${fresh:-}" ] && rm -rf "$reports"
mkdir -p "$reports"
failed=()
for suite in "$@"; do
    declare -F "suite_$suite" >/dev/null || { echo "test: no suite \"$suite\"" >&2; exit 2; }
    options=()
    case $suite in python | integration) options=("${pytest_options[@]}") ;; esac
    run_suite "$suite" "${options[@]}" || failed+=("$suite")
done
[ ${#failed[@]} -gt 0 ] && echo "failed: ${failed[*]}"
"$bin/python" tools/count_tests.py "$reports" || exit
[ ${#failed[@]} -eq 0 ]
