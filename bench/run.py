"""Measures Lepton against the network's floor and the engine's limit, in one pinned run.

    python bench/run.py [--quick] [--rounds 5] [--models mlp,resnet50]

The server has processor 0, the client processor 1; do nothing else on the machine meanwhile. Needs
the release build with LEPTON_DEVELOPER_MODE. Prints a table of ratios with their targets, and
writes all figures to bench/results/<date>-<processor>.json (--quick: build/bench) and a table
beside it. Exits with 1 when a target is not reached and --strict is given.
"""

import argparse
import dataclasses
import datetime
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

from harness.machine import ROOT, describe_machine, file_stem
from harness.programs import MeasurementError, Model, Programs
from harness.report import markdown, print_table
from harness.rounds import Round, count_allocations, measure_round, steps_per_round
from harness.targets import absolutes_of, client_bound, rows_of
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

BENCH = Path(__file__).resolve().parent


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="about a minute: less of everything")
    parser.add_argument("--rounds", type=int, help="repetitions (5; quick: 2)")
    parser.add_argument("--models", default="mlp,resnet50", help="comma-separated (quick: mlp)")
    parser.add_argument("--build", type=Path, default=ROOT / "build/release")
    parser.add_argument("--results", type=Path, help="folder (bench/results; quick: build/bench)")
    parser.add_argument("--strict", action="store_true", help="fail when a target is not reached")
    return parser.parse_args()


def models_in(folder: Path, names: list[str], *, quick: bool) -> list[Model]:
    """Writes the model files unless they are there."""
    missing = [name for name in names if not (folder / name / "1/model.onnx").exists()]
    if missing:
        subprocess.run([sys.executable, BENCH / "models.py", folder, *missing], check=True)
    known = {
        "mlp": Model(
            "mlp", folder / "mlp/1/model.onnx", "input:FP32:1x128", 40,
            seconds=0.4 if quick else 1.5, warmup=0.2,
        ),
        "resnet50": Model(
            "resnet50", folder / "resnet50/1/model.onnx", "input:FP32:1x3x224x224", 4000,
            seconds=1.5 if quick else 3, warmup=1.5, requests_at_16=32 if quick else 64,
        ),
    }  # fmt: skip
    return [known[name] for name in names]


def measure(
    programs: Programs, binary: Path, models: list[Model], rounds: int, console: Console
) -> dict[str, list[Round]]:
    """All rounds of all models; the models take turns."""
    measured: dict[str, list[Round]] = {model.name: [] for model in models}
    columns = (
        TextColumn("{task.description:<44}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    )  # fmt: skip
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=rounds * len(models) * steps_per_round())
        for turn in range(rounds):
            for model in models:

                def on_step(what: str, label: str = f"{turn + 1}: {model.name}") -> None:
                    progress.update(task, advance=1, description=f"{label}: {what}")

                measured[model.name].append(
                    measure_round(
                        programs, binary, model, turn, seconds=model.seconds, on_step=on_step
                    )
                )
    return measured


def main() -> int:
    arguments = parse_arguments()
    console = Console(stderr=True)
    if (os.cpu_count() or 1) < 2:
        console.print("bench: server and client need a processor each; this machine has one")
        return 2
    names = ["mlp"] if arguments.quick else arguments.models.split(",")
    rounds = arguments.rounds or (2 if arguments.quick else 5)
    programs = Programs(arguments.build)
    binary = arguments.build / "bin/lepton-server"
    machine = describe_machine()
    if float(machine["idle_before"].rstrip("%")) < 95:
        console.print(
            f"bench: only {machine['idle_before']} of the processors' time is idle; "
            "what else runs here spoils the figures", markup=False, soft_wrap=True,
        )  # fmt: skip
    try:
        models = models_in(ROOT / "build/bench-models", names, quick=arguments.quick)
        measured = measure(programs, binary, models, rounds, console)
        by_variant, engine = count_allocations(programs, binary, models[0])
    except (MeasurementError, subprocess.CalledProcessError, OSError) as error:
        console.print(f"bench: {error}", markup=False)
        return 2

    rows = [row for name, each in measured.items() for row in rows_of(name, each)]
    # The width of an output file is unknown.
    print_table(Console() if sys.stdout.isatty() else Console(width=110), rows)
    for name, each in measured.items():
        for run in client_bound(each):
            console.print(f"bench: {name}: the client was the limit: {run}", markup=False)
    command = shlex.join(["python", "bench/run.py", *sys.argv[1:]])
    allocations = {**by_variant, "in-process": engine}
    result = {
        "machine": machine,
        "command": command,
        "ratios": [
            {**dataclasses.asdict(row), "median": row.median, "reached": row.reached}
            for row in rows
        ],
        "allocations_per_request": allocations,
        "rounds": {name: [dataclasses.asdict(r) for r in each] for name, each in measured.items()},
    }
    results = arguments.results or (ROOT / "build/bench" if arguments.quick else BENCH / "results")
    stem = results / file_stem(machine, datetime.date.today().isoformat())
    results.mkdir(parents=True, exist_ok=True)
    stem.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
    absolutes = {name: absolutes_of(each) for name, each in measured.items()}
    text = markdown(machine, command, rows, absolutes, allocations)
    stem.with_suffix(".md").write_text(text)
    console.print(f"written: {stem}.json and {stem}.md", markup=False, soft_wrap=True)
    return 1 if arguments.strict and any(row.reached is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
