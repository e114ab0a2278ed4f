"""Measures what deadlines the server keeps under load, against `fifo` at its best tuning.

    python bench/realtime.py [--quick] [--beyond RESULT] [--models transformer] [--arrivals poisson]

The server has processor 0, the generator processor 1; do nothing else on the machine meanwhile.
Needs the release build. Takes an hour and a half, --quick five minutes. Writes what it has after
each model, to bench/results/<date>-<processor>-realtime.json (--beyond: -realtime-beyond.json;
--quick: in build/bench) and a table beside it. Exits with 1 when a target is not reached and
--strict is given.
"""

import argparse
import dataclasses
import datetime
import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from harness.machine import ROOT, describe_machine, file_stem
from harness.programs import MeasurementError, Model, Programs
from harness.realtime_report import (
    STRONG_BATCHING,
    ModelResult,
    Result,
    realtime_markdown,
    rows_of_result,
)
from harness.report import print_table
from harness.rounds import count_allocations
from harness.scheduler_cost import scheduler_us_per_request
from harness.side_by_side import Neighbour, extremes, measure_pair
from harness.study import QUICK, Effort, Study
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

BENCH = Path(__file__).resolve().parent
MODELS = ("transformer", STRONG_BATCHING, "resnet50_96", "resnet50")
QUICK_MODELS = ("transformer", "resnet50_96")
ARRIVALS = ("poisson", "bursty")
# Only for the time left, until it is measured.
LIKELY_SECONDS = {"transformer": 0.005, STRONG_BATCHING: 0.005, "resnet50_96": 0.012}
LIKELY_SECONDS_OF_OTHERS = 0.06
# 16 rows take 2.4 times as long as one; a run spends its time spinning.
STRONG_BATCHING_MODEL = {
    "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}],
    "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1, 4]}],
    "delay": "busy",
    "delay_us": 4_537,
    "delay_us_per_row": 463,
}


def names(known: tuple[str, ...]) -> object:
    def parse(text: str) -> list[str]:
        chosen = text.split(",")
        if unknown := sorted(set(chosen) - set(known)):
            raise argparse.ArgumentTypeError(f"no {unknown[0]!r}, there are {', '.join(known)}")
        return chosen

    return parse


def earlier_result(text: str) -> dict[str, Any]:
    """The result of an earlier run."""
    try:
        result = json.loads(Path(text).read_text())
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{text} is no result: {error}") from error
    if not isinstance(result, dict) or "models" not in result:
        raise argparse.ArgumentTypeError(f"{text} is no result of this program")
    return result


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="about five minutes: less of all")
    parser.add_argument(
        "--beyond", type=earlier_result, metavar="RESULT",
        help="only what is left beyond the capacity, two to eight minutes for a model: no search "
        "for the largest load at 99 %%, fifo at the best settings of this result of an earlier run",
    )  # fmt: skip
    parser.add_argument("--models", type=names(MODELS), help=",".join(MODELS))
    parser.add_argument("--arrivals", type=names(ARRIVALS), help=",".join(ARRIVALS))
    parser.add_argument("--build", type=Path, default=ROOT / "build/release")
    parser.add_argument("--results", type=Path, help="folder (bench/results; quick: build/bench)")
    parser.add_argument("--strict", action="store_true", help="fail when a target is not reached")
    arguments = parser.parse_args()
    arguments.models = arguments.models or (QUICK_MODELS if arguments.quick else MODELS)
    arguments.arrivals = arguments.arrivals or (ARRIVALS[:1] if arguments.quick else ARRIVALS)
    return arguments


def write_models(folder: Path, chosen: list[str]) -> None:
    """Writes the model files unless they are there."""
    if STRONG_BATCHING in chosen:
        file = folder / STRONG_BATCHING / "1/model.fake"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(STRONG_BATCHING_MODEL))
    real = [name for name in (*chosen, "mlp") if name != STRONG_BATCHING]
    missing = [name for name in real if not (folder / name / "1/model.onnx").exists()]
    if missing:
        subprocess.run([sys.executable, BENCH / "models.py", folder, *missing], check=True)


class Measurement:
    """Measures all models in turn, with a bar that shows the time left."""

    def __init__(self, arguments: argparse.Namespace, folder: Path, progress: Progress) -> None:
        self._arguments = arguments
        self._folder = folder
        self._effort = QUICK if arguments.quick else Effort()
        self._earlier = arguments.beyond
        self._programs = Programs(arguments.build)
        self._binary = arguments.build / "bin/lepton-server"
        self._progress = progress
        self._expected = {name: self._expect(name) for name in arguments.models}
        self._task = progress.add_task("", total=sum(self._expected.values()))

    def _expect(self, name: str, single_seconds: float = 0) -> float:
        likely = single_seconds or LIKELY_SECONDS.get(name, LIKELY_SECONDS_OF_OTHERS)
        return self._effort.expected_seconds(
            likely, self._arguments.arrivals, search=self._earlier is None
        )

    def _known_best(self, name: str, arrivals: str) -> str | None:
        if self._earlier is None:
            return None
        try:
            return str(self._earlier["models"][name]["arrivals"][arrivals]["best_fifo"])
        except KeyError:
            raise MeasurementError(
                f"the earlier result has no {arrivals} arrivals of it; choose what it has with "
                "--models and --arrivals"
            ) from None

    def measure(self, name: str) -> ModelResult:
        def on_step(what: str, seconds: float) -> None:
            self._progress.update(self._task, advance=seconds, description=f"{name}: {what}")

        best = {each: self._known_best(name, each) for each in self._arguments.arrivals}
        before = self._progress.tasks[self._task].completed
        versions = self._folder / name
        with Study(self._programs, self._binary, name, versions, self._effort, on_step) as study:
            result = ModelResult(study.calibrate())
            self._expected[name] = self._expect(name, result.calibration.single_seconds)
            self._progress.update(self._task, total=sum(self._expected.values()))
            for arrivals, known in best.items():
                result.arrivals[arrivals] = study.compare(result.calibration, arrivals, known)
            result.flood = study.flood(result.calibration)
        self._expected[name] = self._progress.tasks[self._task].completed - before
        self._progress.update(self._task, total=sum(self._expected.values()))
        return result

    def measure_rest(self, result: Result) -> None:
        """The part of the result that does not belong to one model."""
        real = [
            Neighbour(name, self._folder / name, seen.calibration)
            for name, seen in result.models.items()
            if name != STRONG_BATCHING
        ]
        if pair := extremes(real):
            seconds = self._effort.flood_seconds
            result.pair = measure_pair(
                self._programs, self._binary, *pair, seconds,
                lambda what, _: self._progress.update(self._task, description=what),
            )  # fmt: skip
        self._progress.update(self._task, description="the scheduler alone")
        result.scheduler_us = scheduler_us_per_request(self._programs)
        mlp = Model("mlp", self._folder / "mlp/1/model.onnx", "input:FP32:1x128", 40)
        by_variant, engine = count_allocations(self._programs, self._binary, mlp)
        result.allocations = max(by_variant.values()) - engine


def write(stem: Path, machine: dict[str, str], result: Result) -> None:
    command = shlex.join(["python", "bench/realtime.py", *sys.argv[1:]])
    rows = rows_of_result(result)
    figures = {
        "machine": machine,
        "command": command,
        "targets": [
            {**dataclasses.asdict(row), "median": row.median, "reached": row.reached}
            for row in rows
        ],
        **dataclasses.asdict(result),
    }
    stem.parent.mkdir(parents=True, exist_ok=True)
    stem.with_suffix(".json").write_text(json.dumps(figures, indent=1) + "\n")
    stem.with_suffix(".md").write_text(realtime_markdown(machine, command, result))


def main() -> int:
    arguments = parse_arguments()
    # So that the servers end with this program.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    console = Console(stderr=True)
    if (os.cpu_count() or 1) < 2:
        console.print("bench: server and generator need a processor each; this machine has one")
        return 2
    machine = describe_machine()
    if float(machine["idle_before"].rstrip("%")) < 95:
        console.print(
            f"bench: only {machine['idle_before']} of the processors' time is idle; "
            "what else runs here spoils the figures", markup=False, soft_wrap=True,
        )  # fmt: skip
    results = arguments.results or (ROOT / "build/bench" if arguments.quick else BENCH / "results")
    stem = results / f"{file_stem(machine, datetime.date.today().isoformat())}-realtime"
    if arguments.beyond:
        stem = stem.with_name(f"{stem.name}-beyond")
    folder = ROOT / "build/bench-models"
    result = Result()
    failed = False
    columns = (
        TextColumn("{task.description:<52}", markup=False), BarColumn(), TimeElapsedColumn(),
        TextColumn("left"), TimeRemainingColumn(elapsed_when_finished=False),
    )  # fmt: skip
    try:
        write_models(folder, arguments.models)
        with Progress(*columns, console=console, speed_estimate_period=600) as progress:
            measurement = Measurement(arguments, folder, progress)
            for name in arguments.models:
                try:
                    result.models[name] = measurement.measure(name)
                except MeasurementError as error:
                    failed = True
                    console.print(f"bench: {name}: {error}", markup=False)
                write(stem, machine, result)
            measurement.measure_rest(result)
            write(stem, machine, result)
    except (MeasurementError, subprocess.CalledProcessError, OSError) as error:
        console.print(f"bench: {error}", markup=False)
        return 2

    rows = rows_of_result(result)
    print_table(Console() if sys.stdout.isatty() else Console(width=110), rows)
    console.print(f"written: {stem}.json and {stem}.md", markup=False, soft_wrap=True)
    if failed:
        return 2
    return 1 if arguments.strict and any(row.reached is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
