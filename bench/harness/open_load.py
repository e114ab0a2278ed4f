"""Load that does not wait for answers: `lepton-bench` on the client's processor."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from .load_search import Attainment
from .programs import CLIENT_CPU, Figures, MeasurementError, Programs, run_json
from .server import Server

# In single-row times, for three classes of requests of equal share.
DEADLINES = (6, 14, 36)
BURST_LASTS = 100


@dataclass(frozen=True)
class Traffic:
    """What to send: to which model, how, and with which deadlines."""

    model: str
    single_seconds: float
    arrivals: str = "poisson"  # As lepton-bench names them.
    deadlines: tuple[float, ...] = DEADLINES

    def arguments(self, rate: float, seconds: float, warmup: float, seed: int) -> list[object]:
        classes = [
            f"name=within{times},share=1,deadline={times * self.single_seconds * 1e6:.0f}us"
            for times in self.deadlines
        ]
        return [
            "--model", self.model, "--rate", rate, "--arrivals", self.arrivals,
            *(["--burst-lasts", f"{BURST_LASTS * self.single_seconds:.3f}s"]
              if self.arrivals == "bursty" else []),
            *(word for each in classes for word in ("--class", each)),
            "--duration", f"{seconds:.3f}s", "--warmup", f"{warmup:.3f}s", "--seed", seed,
        ]  # fmt: skip


@dataclass
class Outcome:
    """The outcomes of some runs of the generator, all at the same rate."""

    requests: int = 0
    in_time: int = 0
    late: int = 0
    broken: int = 0  # Admitted, then answered with 504.
    failed: int = 0
    seconds: float = 0.0
    possible: float = 0.0  # Requests that the capacity is enough for; 0: not measured.
    refusal_p99_us: list[float] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def add(self, figures: Figures) -> None:
        total = figures["total"]
        errors = total["errors"]
        self.requests += total["requests"]
        self.in_time += total["in_time"]
        self.late += total["late"]
        # A request that cannot be admitted gets 429. A 504 is a broken promise, unless the deadline
        # is below the model's own time, which none is.
        self.broken += errors.get("deadline_exceeded", {}).get("count", 0)
        self.failed += total["failed"]
        self.seconds += figures["measured_s"]
        if total["refusal_since_sent_us"]:
            self.refusal_p99_us.append(total["refusal_since_sent_us"]["p99"])
        self.warnings += figures["warnings"]

    def merge(self, other: Self) -> None:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    @property
    def attainment(self) -> Attainment:
        return Attainment(self.in_time, self.requests)

    @property
    def goodput(self) -> float:
        """Requests in time, as a share of what was possible."""
        return self.in_time / self.possible if self.possible else 0.0

    @property
    def kept(self) -> float:
        """The share of the admitted requests that were in time."""
        admitted = self.in_time + self.late + self.broken
        return self.in_time / admitted if admitted else 1.0


def run_open(
    programs: Programs,
    server: Server,
    traffic: Traffic,
    rate: float,
    seconds: float,
    *,
    warmup: float,
    seed: int,
    attempts: int = 3,
) -> Figures:
    """One run, repeated if the generator could not keep up and sent less than it should.

    Raises MeasurementError when it never kept up.
    """
    for _ in range(attempts):
        figures = _bench(programs, server, traffic.arguments(rate, seconds, warmup, seed))
        if not figures["generator"]["fell_behind"]:
            return figures
    raise MeasurementError(f"{traffic.model}: {'; '.join(figures['warnings'])}")


def run_closed(
    programs: Programs, server: Server, model: str, concurrency: int, *, seconds: float
) -> Figures:
    """Runs some threads, each of which waits for its answer."""
    arguments = [
        "--model", model, "--concurrency", concurrency,
        "--duration", f"{seconds:.3f}s", "--warmup", "0.3s",
    ]  # fmt: skip
    return _bench(programs, server, arguments)


def _bench(programs: Programs, server: Server, arguments: Sequence[object]) -> Figures:
    program = programs.build / "bin/lepton-bench"
    return run_json(
        Path("/usr/bin/taskset"), "--cpu-list", CLIENT_CPU, program,
        "--url", f"http://{server.endpoint(unix=False)}", "--no-buckets", *arguments,
    )  # fmt: skip


def watch_memory(server: Server, work: Callable[[], Figures]) -> tuple[Figures, list[float]]:
    """Does the work, and meanwhile samples the server's resident memory twice a second, in MB."""
    seen: list[float] = []
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            seen.append(server.resident_kb() / 1024)
            time.sleep(0.5)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        figures = work()
    finally:
        done.set()
        watcher.join()
    return figures, seen
