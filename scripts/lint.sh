#!/usr/bin/env bash
# Checks the form of everything: `make lint`. With --fix, formats in place instead: `make format`.
# Every check runs, even after one has failed; the exit code is 1 if any did.
set -uo pipefail
cd "$(dirname "$0")/.."
bin=.venv/bin

mapfile -t cpp < <(git ls-files --cached --others --exclude-standard '*.h' '*.cc')
if [ "${1:-}" = --fix ]; then
    "$bin/clang-format" -i "${cpp[@]}"
    "$bin/ruff" check --quiet --fix .
    "$bin/ruff" format --quiet .
    exit
fi

failed=()
check() {
    local name=$1
    shift
    "$@" && echo "lint: $name ok" || failed+=("$name")
}
check clang-format "$bin/clang-format" --dry-run --Werror "${cpp[@]}"
check includes "$bin/python" tools/check_includes.py
check sleeps tools/check_sleeps.sh
check ruff "$bin/ruff" check --quiet .
check ruff-format "$bin/ruff" format --quiet --check .
check mypy "$bin/mypy"
check clang-tidy "$bin/python" tools/run_tidy.py --build build/release

if [ ${#failed[@]} -gt 0 ]; then
    echo "lint: failed: ${failed[*]} (make format mends the form of the text)" >&2
    exit 1
fi
