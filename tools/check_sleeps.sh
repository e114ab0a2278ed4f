#!/usr/bin/env bash
# Fails where a unit test sleeps: it waits too long on a fast machine and not long enough on a slow
# one. A wait on a condition variable without a predicate, and a loop that yields, are sleeps too.
# What other threads do is waited for with eventually() of tests/support/eventually.h.
#
#     tools/check_sleeps.sh
set -uo pipefail
cd "$(dirname "$0")/.."

sleep='\b(sleep_for|sleep_until|usleep|nanosleep|sleep|this_thread::yield)\('
unconditional='\.wait_(for|until)\(lock[^,]*,[^,]*\);'
if git grep --untracked -nE "$sleep|$unconditional" -- tests/unit; then
    echo "check_sleeps: unit tests wait for conditions (tests/support/eventually.h) and do not sleep" >&2
    exit 1
fi
