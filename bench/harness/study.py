"""The load that one model bears under each policy, on the real server: knees, overload, memory."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, median
from typing import Any

from .disturbance import Disturbance
from .load_search import Attainment, KneeSearch, Survivors, find_knees, successive_halving
from .open_load import Outcome, Traffic, run_closed, run_open, watch_memory
from .policies import DEADLINE, DELAYS, MAX_BATCHES, Policy, fifo, fifo_tunings, write_repository
from .programs import SERVER_CPU, Programs
from .server import Server

OVERLOADS = (1.2, 2.0)
FLOOD = 10.0
# Loads near which the knees are expected; they only say where the search begins.
LIKELY_KNEE = {"poisson": 0.8, "bursty": 0.5}
# A share of the own policy's load; again only a start.
LIKELY_FIFO = 0.75
# A chunk must hold several bursts, or its load differs from the one that was asked for.
BURSTY_CHUNKS = 2

OnStep = Callable[[str, float], None]  # The step that was done, and the seconds that it took.


@dataclass(frozen=True)
class Effort:
    """How long to measure. A chunk is counted in single-row times, within bounds in seconds."""

    chunk_runs: float = 300
    chunk_seconds: tuple[float, float] = (2, 8)
    most_chunks: int = 4
    finalists: int = 2
    max_batches: tuple[int, ...] = MAX_BATCHES
    delays: tuple[float, ...] = DELAYS
    calibrations: int = 3
    flood_seconds: float = 60

    def chunk(self, single_seconds: float, arrivals: str = "poisson") -> float:
        """The length of one chunk, in seconds."""
        least, most = self.chunk_seconds
        seconds = min(max(self.chunk_runs * single_seconds, least), most)
        return seconds * (BURSTY_CHUNKS if arrivals == "bursty" else 1)

    def warmup(self, single_seconds: float) -> float:
        return min(max(50 * single_seconds, 0.5), 3.0)

    def expected_chunks(self, search: bool) -> int:
        """The approximate number of chunks for one kind of arrivals; for the time left."""
        tunings = (len(self.max_batches) - 1) * len(self.delays) + 1
        halving = tunings * 1.8
        finals = (1 + self.finalists) * 4.5 * (1 + self.most_chunks) / 2
        overloads = 2.5 * len(OVERLOADS) * self.most_chunks  # One pace for every two.
        return round(overloads + (4 + halving + finals if search else 0))

    def expected_seconds(
        self, single_seconds: float, arrivals: Iterable[str], search: bool = True
    ) -> float:
        """The approximate time for a model."""
        starts = 10 + 1000 * single_seconds
        chunks = sum(
            self.chunk(single_seconds, each) + self.warmup(single_seconds) for each in arrivals
        )
        return starts + self.expected_chunks(search) * chunks + self.flood_seconds


QUICK = Effort(
    chunk_runs=200,
    chunk_seconds=(1.5, 3),
    most_chunks=2,
    finalists=1,
    max_batches=(1, 2, 16),
    delays=(0.0, 1.0),
    calibrations=1,
    flood_seconds=10,
)


@dataclass(frozen=True)
class Calibration:
    """The base of which loads and deadlines are fractions."""

    single_seconds: float
    rates: dict[int, float]  # In rows per second, by batch size.
    untuned_rate: float  # Rows per second of the own policy, with clients for the largest batch.

    @property
    def capacity(self) -> float:
        """Rows per second."""
        return max(self.rates.values())

    @property
    def best_rows(self) -> int:
        """The batch size of the capacity."""
        return max(self.rates, key=self.rates.__getitem__)


@dataclass
class PolicyResult:
    """One policy under one kind of arrivals."""

    knee: float | None  # None: not searched for.
    points: dict[str, Attainment]  # By load.
    overload: dict[float, Outcome] = field(default_factory=dict)


@dataclass
class ArrivalsResult:
    """All policies under one kind of arrivals."""

    deadline: PolicyResult
    best_fifo: str
    fifo: dict[str, PolicyResult]  # The finalists.
    elimination: Survivors | None  # None: the best was known.
    requests: int
    seconds: float
    # Share of the server's processor that something else took: one value per chunk.
    disturbances: list[float]
    paces: list[float]  # The machine's pace during the overload, relative to the calibration.

    @property
    def best(self) -> PolicyResult:
        return self.fifo[self.best_fifo]


@dataclass
class FloodResult:
    """Ten times what fits."""

    outcome: Outcome
    resident_mb: list[float]

    @property
    def growth(self) -> float:
        """Memory at the end / that after the start, each averaged over a sixth of the time."""
        sixth = max(1, len(self.resident_mb) // 6)
        settled = self.resident_mb[2:] or self.resident_mb
        return fmean(settled[-sixth:]) / fmean(settled[:sixth])


class Study:
    """One model and its servers: one for each policy, from its first measurement to its last.

    An idle server costs only memory; all of them share one processor. Use it in a `with`.
    """

    def __init__(
        self,
        programs: Programs,
        binary: Path,
        model: str,
        versions: Path,
        effort: Effort,
        on_step: OnStep,
    ) -> None:
        self._programs = programs
        self._binary = binary
        self._model = model
        self._versions = versions
        self._effort = effort
        self._on_step = on_step
        self._stack = ExitStack()
        self._servers: dict[Policy, tuple[Server, ExitStack]] = {}
        self._folder = Path(
            self._stack.enter_context(tempfile.TemporaryDirectory(prefix="lepton-bench-"))
        )

    def __enter__(self) -> Study:
        return self

    def __exit__(self, *_: object) -> None:
        for policy in list(self._servers):
            self._stop(policy)
        self._stack.close()

    def server(self, policy: Policy) -> Server:
        """The policy's server; starts it if it does not run."""
        if policy not in self._servers:
            stack = ExitStack()
            folder = stack.enter_context(tempfile.TemporaryDirectory(dir=self._folder))
            repository = write_repository(
                Path(folder), {self._model: self._versions}, policy.config
            )
            started = time.monotonic()
            server = stack.enter_context(Server(self._binary, repository))
            self._servers[policy] = (server, stack)
            self._on_step(f"start {policy.name}", time.monotonic() - started)
        return self._servers[policy][0]

    def _stop(self, policy: Policy) -> None:
        if policy in self._servers:
            self._servers.pop(policy)[1].close()

    def _keep_only(self, kept: list[Policy]) -> None:
        for policy in set(self._servers) - set(kept):
            self._stop(policy)

    def calibrate(self) -> Calibration:
        """Measures the single-row time, and the capacity by batch size, both through the server.

        Twice as many clients as rows in a batch keep batches of that size full.
        """
        single: list[float] = []
        untuned: list[float] = []
        rates: dict[int, list[float]] = {}
        guess = self._closed(DEADLINE, 1, 1.0)["latency_since_sent_us"]["p50"] / 1e6
        seconds = self._effort.chunk(guess) / 2
        most = max(self._effort.max_batches)
        for _ in range(self._effort.calibrations):
            figures = self._closed(DEADLINE, 1, seconds)
            single.append(figures["latency_since_sent_us"]["p50"] / 1e6)
            untuned.append(self._full_rate(DEADLINE, most, guess))
            for rows in self._effort.max_batches:
                rate = self._full_rate(fifo(rows, 0, guess), rows, guess)
                rates.setdefault(rows, []).append(rate)
        by_rows = {rows: median(each) for rows, each in rates.items()}
        return Calibration(median(single), by_rows, median(untuned))

    def _closed(self, policy: Policy, concurrency: int, seconds: float) -> dict[str, Any]:
        server = self.server(policy)
        started = time.monotonic()
        figures = run_closed(self._programs, server, self._model, concurrency, seconds=seconds)
        self._on_step(f"{concurrency} clients", time.monotonic() - started)
        return figures["total"]

    def _full_rate(self, policy: Policy, rows: int, single: float) -> float:
        """Rows per second with full batches: twice as many clients as rows in one."""
        seconds = max(self._effort.chunk(single) / 2, 8 * rows * single)
        return self._closed(policy, 2 * rows, seconds)["answered_per_second"]

    def _pace(self, calibration: Calibration) -> float:
        """The machine's speed, as a share of what it was when the capacity was measured."""
        rate = self._full_rate(
            self._pace_maker(calibration), calibration.best_rows, calibration.single_seconds
        )
        return rate / calibration.capacity

    def _pace_maker(self, calibration: Calibration) -> Policy:
        """The server that the capacity was measured with."""
        return fifo(calibration.best_rows, 0, calibration.single_seconds)

    def compare(
        self, calibration: Calibration, arrivals: str, known_best: str | None = None
    ) -> ArrivalsResult:
        """The knee of each policy, and what remains of it beyond the capacity.

        `known_best` names the best setting of `fifo`; no knee is then searched for.
        """
        effort = self._effort
        single = calibration.single_seconds
        traffic = Traffic(self._model, single, arrivals)
        tunings = (
            fifo_tunings(single, effort.max_batches, effort.delays)
            if known_best is None
            else fifo_tunings(single)  # It may come from a run that tried more of them.
        )
        policies = {each.name: each for each in (DEADLINE, *tunings)}
        count = Outcome()
        disturbances: list[float] = []
        started = time.monotonic()

        def run(name: str, load: float, chunk: int) -> Outcome:
            server = self.server(policies[name])
            begun = time.monotonic()
            disturbance = Disturbance(SERVER_CPU, server.pid)
            outcome = Outcome()
            outcome.add(
                run_open(
                    self._programs, server, traffic, load * calibration.capacity,
                    effort.chunk(single, arrivals), warmup=effort.warmup(single), seed=chunk + 1,
                )
            )  # fmt: skip
            disturbances.append(disturbance.share())
            count.merge(outcome)
            seen = f"{name}, load {load:.3f}: {outcome.attainment.share:.3f}"
            self._on_step(seen, time.monotonic() - begun)
            return outcome

        def measure(name: str, load: float, chunk: int) -> Attainment:
            return run(name, load, chunk).attainment

        elimination = None
        if known_best is None:
            elimination, results = self._search(calibration, arrivals, policies, measure)
        else:
            results = {name: PolicyResult(None, {}) for name in (DEADLINE.name, known_best)}
        own = results.pop(DEADLINE.name)
        best = max(results, key=lambda name: results[name].knee or 0)
        paces = []
        for overload in OVERLOADS:
            for chunk in range(effort.most_chunks):
                pace = self._pace(calibration)
                paces.append(pace)
                for name, result in ((DEADLINE.name, own), (best, results[best])):
                    outcome = run(name, overload * pace, chunk)
                    outcome.possible = pace * calibration.capacity * outcome.seconds
                    result.overload.setdefault(overload, Outcome()).merge(outcome)
        seconds = time.monotonic() - started
        return ArrivalsResult(
            own, best, results, elimination, count.requests, seconds, disturbances, paces
        )

    def _search(
        self,
        calibration: Calibration,
        arrivals: str,
        policies: dict[str, Policy],
        measure: Callable[[str, float, int], Attainment],
    ) -> tuple[Survivors, dict[str, PolicyResult]]:
        """Finds the best settings of `fifo`, and the knees of those and of the own policy."""
        effort = self._effort
        pilot = KneeSearch(LIKELY_KNEE[arrivals], step=0.1, most_chunks=1)
        find_knees({DEADLINE.name: pilot}, measure)
        elimination = successive_halving(
            [name for name in policies if name != DEADLINE.name],
            LIKELY_FIFO * max(pilot.knee, 0.1),
            effort.finalists,
            measure,
            effort.most_chunks,
        )
        kept = (policies[name] for name in elimination.names)
        self._keep_only([DEADLINE, self._pace_maker(calibration), *kept])
        searches = {DEADLINE.name: KneeSearch(pilot.knee, most_chunks=effort.most_chunks)} | {
            name: KneeSearch(elimination.load, most_chunks=effort.most_chunks)
            for name in elimination.names
        }
        find_knees(searches, measure)
        return elimination, {
            name: PolicyResult(
                search.knee,
                {f"{at * search.step:.3f}": seen for at, seen in sorted(search.points.items())},
            )
            for name, search in searches.items()
        }

    def flood(self, calibration: Calibration) -> FloodResult:
        """Measures ten times the capacity, on the own policy."""
        single = calibration.single_seconds
        server = self.server(DEADLINE)
        started = time.monotonic()
        pace = self._pace(calibration)
        outcome = Outcome()
        figures, resident = watch_memory(
            server,
            lambda: run_open(
                self._programs, server, Traffic(self._model, single),
                FLOOD * pace * calibration.capacity, self._effort.flood_seconds, warmup=0, seed=1,
            ),
        )  # fmt: skip
        outcome.add(figures)
        outcome.possible = pace * calibration.capacity * outcome.seconds
        self._on_step("10 x load", time.monotonic() - started)
        return FloodResult(outcome, resident)
