"""Two builds side by side: what a change costs on the path of every request.

    git worktree add ../before COMMIT && make -C ../before build
    make bench ARGS=--quick     # builds the load generator
    python bench/compare.py ../before/build/release build/release [--rounds 16] [--models mlp]

Both servers run at the same time on processor 0, and requests go to them in turns from processor 1,
so that each pair of figures comes from the same second; which goes first changes from round to
round. The load generator is the second build's. Prints the median over the rounds of new / old and
its interquartile range, and over all of it the geometric mean with its standard error: on a virtual
machine single figures scatter by a tenth. Do nothing else on the machine meanwhile.
"""

import argparse
import itertools
import json
import math
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from harness.machine import ROOT, describe_machine
from harness.programs import Model, Programs
from harness.rounds import VARIANTS, Variant
from harness.server import TUNED, Server
from rich.console import Console
from rich.progress import track
from rich.table import Table
from run import models_in

CONNECTIONS = (1, 16)


@dataclass(frozen=True)
class Pair:
    """The ratios new / old of one turn."""

    p50: float
    rate: float


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", type=Path, help="build folder of what was there before")
    parser.add_argument("new", type=Path, help="build folder of what changed")
    parser.add_argument("--rounds", type=int, default=16, help="repetitions (16)")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement (1)")
    parser.add_argument("--models", default="mlp", help="comma-separated: mlp, resnet50")
    parser.add_argument("--output", type=Path, help="write all figures as JSON to this file")
    return parser.parse_args()


def tuning_of(binary: Path) -> tuple[str, ...]:
    """The options that measure everything before the server is ready; older builds always do."""
    known = subprocess.run([binary, "serve", "--help"], capture_output=True, text=True).stdout
    return TUNED if TUNED[0] in known else ()


def measure(
    builds: tuple[Path, Path], model: Model, *, rounds: int, seconds: float
) -> dict[tuple[str, int], list[Pair]]:
    """All variants of the protocol on one model, by variant and connections."""
    programs = Programs(builds[1])
    pairs: dict[tuple[str, int], list[Pair]] = {}
    folder = model.file.parent.parent
    binaries = [build / "bin/lepton-server" for build in builds]
    with (
        Server(binaries[0], folder, options=tuning_of(binaries[0])) as old,
        Server(binaries[1], folder, options=tuning_of(binaries[1])) as new,
    ):

        def ask(server: Server, variant: Variant, connections: int) -> tuple[float, float]:
            figures = programs.load(
                server.endpoint(unix=variant.unix), variant.protocol, model, connections,
                server_pid=server.pid, seconds=seconds,
            )  # fmt: skip
            return figures["latency_us"]["p50"], figures["rate"]

        turns = list(itertools.product(range(rounds), VARIANTS, CONNECTIONS))
        for turn, variant, connections in track(turns, description=model.name):
            order = [old, new] if turn % 2 == 0 else [new, old]
            figures = {id(server): ask(server, variant, connections) for server in order}
            before, after = figures[id(old)], figures[id(new)]
            pairs.setdefault((variant.name, connections), []).append(
                Pair(after[0] / before[0], after[1] / before[1])
            )
    return pairs


def spread(values: list[float]) -> str:
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.3f}  ({low:.3f} to {high:.3f})"


def mean_of(ratios: list[float]) -> str:
    logarithms = [math.log(ratio) for ratio in ratios]
    error = statistics.stdev(logarithms) / math.sqrt(len(logarithms))
    return f"{math.exp(statistics.mean(logarithms)):.3f}  (+-{error:.3f})"


def main() -> int:
    arguments = parse_arguments()
    builds = (arguments.old.resolve(), arguments.new.resolve())
    table = Table("model", "protocol", "connections", "p50, new / old", "rate, new / old")
    figures = {"machine": describe_machine(), "rounds": arguments.rounds, "models": {}}
    for model in models_in(ROOT / "build/bench-models", arguments.models.split(","), quick=True):
        pairs = measure(builds, model, rounds=arguments.rounds, seconds=arguments.seconds)
        for (variant, connections), turns in pairs.items():
            p50s, rates = [pair.p50 for pair in turns], [pair.rate for pair in turns]
            table.add_row(model.name, variant, str(connections), spread(p50s), spread(rates))
            figures["models"][f"{model.name}, {variant}, {connections}"] = {
                "p50": p50s,
                "rate": rates,
            }
        everything = [pair for turns in pairs.values() for pair in turns]
        table.add_section()
        table.add_row(
            model.name, "all", "", mean_of([pair.p50 for pair in everything]),
            mean_of([pair.rate for pair in everything]), end_section=True,
        )  # fmt: skip
    Console().print(table)
    if arguments.output:
        arguments.output.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
