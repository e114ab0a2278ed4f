"""Measures the clients against a bare socket loop, each other, and tritonclient.

    python bench/clients.py [--quick] [--rounds 9]

The server has processor 0, the client processor 1; do nothing else on the machine meanwhile. Needs
the release build with LEPTON_DEVELOPER_MODE and lepton installed in this Python. Prints a table of
ratios with their targets, and writes all figures to bench/results/<date>-<processor>-clients.json
(--quick: build/bench) and a table beside it. Exits with 1 when a target is not reached and --strict
is given.
"""

import argparse
import dataclasses
import datetime
import json
import shlex
import sys
from pathlib import Path

from harness.clients import (
    CLIENTS,
    ClientRound,
    absolutes_of_clients,
    measure_clients,
    rows_of_clients,
)
from harness.machine import ROOT, describe_machine, file_stem
from harness.programs import MeasurementError, Programs
from harness.report import clients_markdown, print_table
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from run import BENCH, models_in


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="half a minute: less of everything")
    parser.add_argument("--rounds", type=int, help="repetitions (9; quick: 3)")
    parser.add_argument("--build", type=Path, default=ROOT / "build/release")
    parser.add_argument("--results", type=Path, help="folder (bench/results; quick: build/bench)")
    parser.add_argument("--strict", action="store_true", help="fail when a target is not reached")
    # An option of bench/run.py, so that both take the same arguments.
    parser.add_argument("--models", help=argparse.SUPPRESS)
    return parser.parse_args()


def measure(arguments: argparse.Namespace, console: Console) -> list[ClientRound]:
    """All rounds."""
    programs = Programs(arguments.build)
    binary = arguments.build / "bin/lepton-server"
    [model] = models_in(ROOT / "build/bench-models", ["mlp"], quick=True)
    count = arguments.rounds or (3 if arguments.quick else 9)
    columns = (
        TextColumn("{task.description:<32}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    )  # fmt: skip
    rounds = []
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=count * len(CLIENTS))
        for turn in range(count):
            rounds.append(
                measure_clients(
                    programs, binary, model, turn,
                    seconds=0.4 if arguments.quick else 1,
                    on_step=lambda what: progress.update(task, advance=1, description=what),
                )
            )  # fmt: skip
    return rounds


def main() -> int:
    arguments = parse_arguments()
    console = Console(stderr=True)
    machine = describe_machine()
    try:
        rounds = measure(arguments, console)
    except (MeasurementError, OSError) as error:
        console.print(f"bench: {error}", markup=False)
        return 2
    rows = rows_of_clients(rounds)
    # The width of an output file is unknown.
    print_table(Console() if sys.stdout.isatty() else Console(width=110), rows)
    command = shlex.join(["python", "bench/clients.py", *sys.argv[1:]])
    result = {
        "machine": machine,
        "command": command,
        "ratios": [
            {**dataclasses.asdict(row), "median": row.median, "reached": row.reached}
            for row in rows
        ],
        "rounds": rounds,
    }
    results = arguments.results or (ROOT / "build/bench" if arguments.quick else BENCH / "results")
    results.mkdir(parents=True, exist_ok=True)
    stem = results / (file_stem(machine, datetime.date.today().isoformat()) + "-clients")
    stem.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
    text = clients_markdown(machine, command, rows, absolutes_of_clients(rounds))
    stem.with_suffix(".md").write_text(text)
    console.print(f"written: {stem}.json and {stem}.md", markup=False, soft_wrap=True)
    return 1 if arguments.strict and any(row.reached is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
