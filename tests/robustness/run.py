"""Runs all attacks beside a healthy client, and prints what it and the server's memory saw.

    python tests/robustness/run.py [--short] [--only WORD] [--seconds N]

Writes build/robustness.json and build/robustness.md as well. Exits with 1 if something did not
hold.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from attacks import ATTACKS
from harness import MEMORY_BUDGET_MB, Arena, Outcome
from shared import ROOT

SECONDS, SHORT_SECONDS = 8, 0.8
# The limits; in the short form a machine that is busy with other things gets more time.
MOST_P99_MS, SHORT_MOST_P99_MS = 10, 500

COLUMNS: list[tuple[str, int, Callable[[Outcome], object]]] = [
    ("attack", 30, lambda row: row.attack),
    ("inputs", 9, lambda row: row.inputs),
    ("failed", 6, lambda row: sum(row.failures.values())),
    ("p99 ms", 7, lambda row: f"{row.p99_ms:.1f}"),
    ("before", 6, lambda row: row.before_mb),
    ("peak", 5, lambda row: row.peak_mb),
    ("after", 5, lambda row: row.after_mb),
]


def line(cells: list[object]) -> str:
    name, *rest = (str(cell) for cell in cells)
    widths = [width for _, width, _ in COLUMNS]
    return " ".join(
        [name.ljust(widths[0]), *(c.rjust(w) for c, w in zip(rest, widths[1:], strict=True))]
    )


def markdown(outcomes: list[Outcome]) -> str:
    rows = [[name for name, _, _ in COLUMNS], ["---"] + ["--:"] * (len(COLUMNS) - 1)]
    rows += [[str(value(outcome)) for _, _, value in COLUMNS] for outcome in outcomes]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="less than a second for each")
    parser.add_argument("--only", default="", help="attacks with this in their names")
    parser.add_argument("--seconds", type=float, help="for each attack")
    options = parser.parse_args()
    seconds = options.seconds or (SHORT_SECONDS if options.short else SECONDS)
    most_p99_ms = SHORT_MOST_P99_MS if options.short else MOST_P99_MS
    print(f"A healthy client beside each attack; memory in MB, {MEMORY_BUDGET_MB} are the budget.")
    print(line([name for name, _, _ in COLUMNS]))
    outcomes, failed = [], 0
    with tempfile.TemporaryDirectory() as folder, Arena(Path(folder)) as arena:
        for attack in ATTACKS:
            if options.only not in attack.name:
                continue
            outcome = arena.run(attack, seconds)
            outcomes.append(outcome)
            print(line([value(outcome) for _, _, value in COLUMNS]), flush=True)
            for fault in outcome.faults(most_p99_ms):
                print(f"    {fault}", flush=True)
                failed += 1
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    rows = [outcome.as_json() for outcome in outcomes]
    (build / "robustness.json").write_text(json.dumps(rows, indent=1) + "\n")
    (build / "robustness.md").write_text(markdown(outcomes))
    inputs = sum(outcome.inputs for outcome in outcomes)
    print(f"{len(outcomes)} attacks, {inputs} inputs, {failed} faults; build/robustness.md")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
