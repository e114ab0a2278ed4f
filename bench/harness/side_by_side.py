"""Two models on one server: how long the small one waits for the large one."""

import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from .open_load import Traffic, run_open
from .policies import write_repository
from .programs import Figures, Programs
from .server import Server
from .study import Calibration, OnStep

# A share of the model's own capacity; so few requests of the small one hardly wait for each other.
LARGE_LOAD = 0.5
SMALL_LOAD = 0.05
# For the small one's requests, in single-row times of the large one, beyond its own time: they can
# wait for one run of the large one, and not for a second.
SMALL_DEADLINE = 1.5


@dataclass(frozen=True)
class Neighbour:
    """A model that was measured by itself."""

    name: str
    versions: Path
    calibration: Calibration


@dataclass(frozen=True)
class PairResult:
    """The small model's latencies, in microseconds."""

    large: str
    small: str
    alone_p99: float
    beside_p99: float
    # One run of the large model, also at the 99th percentile.
    large_batch_p99: float
    answered: float  # Share of the small one's requests.

    @property
    def quotient(self) -> float:
        """At most 1 if it waits for no more than one batch of the large one."""
        return self.beside_p99 / (self.large_batch_p99 + self.alone_p99)


def measure_pair(
    programs: Programs,
    binary: Path,
    large: Neighbour,
    small: Neighbour,
    seconds: float,
    on_step: OnStep,
) -> PairResult:
    """The small model by itself, then beside the large one, at the same rate."""
    patient = small.calibration.single_seconds + SMALL_DEADLINE * large.calibration.single_seconds
    small_traffic = Traffic(small.name, patient, deadlines=(1,))
    large_traffic = Traffic(large.name, large.calibration.single_seconds)

    with tempfile.TemporaryDirectory(prefix="lepton-bench-") as folder:
        models = {each.name: each.versions for each in (large, small)}
        with Server(binary, write_repository(Path(folder), models)) as server:

            def run(traffic: Traffic, rate: float) -> Figures:
                figures = run_open(programs, server, traffic, rate, seconds, warmup=2, seed=1)
                return figures["total"]

            small_rate = SMALL_LOAD * small.calibration.capacity
            large_rate = LARGE_LOAD * large.calibration.capacity
            alone = run(small_traffic, small_rate)
            on_step(f"{small.name} alone", seconds + 2)
            # Both generators share a processor, and are idle most of the time.
            with ThreadPoolExecutor(1) as background:
                running = background.submit(run, large_traffic, large_rate)
                beside = run(small_traffic, small_rate)
                crowd = running.result()
            on_step(f"{small.name} beside {large.name}", seconds + 2)
    return PairResult(
        large.name,
        small.name,
        _p99(alone, "latency_us"),
        _p99(beside, "latency_us"),
        _p99(crowd, "server_compute_us"),
        beside["answered"] / beside["requests"],
    )


def _p99(figures: Figures, of: str) -> float:
    return float(figures[of]["p99"]) if figures[of] else float("nan")


def extremes(neighbours: Sequence[Neighbour]) -> tuple[Neighbour, Neighbour] | None:
    """The slowest and the quickest of them; nothing if there is only one."""
    if len(neighbours) < 2:
        return None
    ordered = sorted(neighbours, key=lambda each: each.calibration.single_seconds)
    return ordered[-1], ordered[0]
