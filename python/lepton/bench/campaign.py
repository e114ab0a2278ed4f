"""Several points: loads one after the other, or a search, for one target or several."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from lepton.bench.errors import BenchError
from lepton.bench.options import Load, Target
from lepton.bench.result import Result
from lepton.bench.sweep import Step, Sweep

_FIRST_GUESS = Load(concurrency=1)


class Measure(Protocol):
    """Measures one point."""

    def __call__(self, target: Target, load: Load) -> Result:
        """Returns the result; raises BenchError."""
        ...


@dataclass(frozen=True)
class Point:
    """What was measured for a target under a load."""

    target: Target
    load: Load
    result: Result


@dataclass
class Campaign:
    """All measurements in their order, and the searches by target.

    Attributes:
        points: Those that were measured to their end.
        sweeps: By target.
        interrupted: Whether Ctrl-C ended it; what was measured until then stays.
    """

    points: list[Point] = field(default_factory=list)
    sweeps: dict[Target, Sweep] = field(default_factory=dict)
    interrupted: bool = False

    @contextmanager
    def until_interrupted(self) -> Iterator[None]:
        """Ends the block, and no more, at Ctrl-C."""
        try:
            yield
        except KeyboardInterrupt:
            self.interrupted = True

    def of(self, target: Target) -> list[Point]:
        """Returns the points of one target, by load."""
        points = [point for point in self.points if point.target == target]
        return sorted(points, key=lambda point: point.load.rate or point.load.concurrency or 0)

    def warnings(self) -> list[tuple[str, str]]:
        """Returns the generator's warnings, and the loads at which it gave them."""
        return [
            (str(point.load), said) for point in self.points for said in point.result["warnings"]
        ]

    def doubts(self, target: Target) -> bool:
        """Whether the generator warned at the loads between which a search found its limit."""
        steps = self.sweeps[target].steps
        passed = [step.rate for step in steps if step.passed]
        failed = [step.rate for step in steps if not step.passed]
        decisive = {*passed[-1:], *([min(failed)] if failed else [])}
        return self.sweeps[target].limited_by_generator or any(
            point.result["warnings"] for point in self.of(target) if point.load.rate in decisive
        )

    def to_json(self) -> dict[str, Any]:
        """Returns what --json prints."""
        return {
            **({"interrupted": True} if self.interrupted else {}),
            "points": [point.result for point in self.points],
            "sweeps": [
                {
                    "target": target.place,
                    "attainment": sweep.target,
                    "largest_rate": sweep.largest,
                    "limited_by_generator": sweep.limited_by_generator,
                    "steps": [vars(step) for step in sweep.steps],
                }
                for target, sweep in self.sweeps.items()
            ],
        }


def run_loads(targets: Sequence[Target], loads: Sequence[Load], measure: Measure) -> Campaign:
    """Measures each load of all targets before the next load.

    A change on the machine in the meantime then affects all targets alike.
    """
    campaign = Campaign()
    with campaign.until_interrupted():
        for load in loads:
            for target in targets:
                campaign.points.append(Point(target, load, measure(target, load)))
    return campaign


def run_sweeps(
    targets: Sequence[Target],
    start: float | None,
    attainment: float,
    measure: Measure,
    told: Callable[[Target, Step], None],
) -> Campaign:
    """Searches for the maximum load of each target, taking their steps in turns.

    Args:
        targets: One or more.
        start: The first rate; when None, half of what one caller alone gets.
        attainment: Share of the requests that must be in time.
        measure: Measures one point.
        told: Called after each step.

    Raises:
        BenchError: A target could not be measured.
    """
    campaign = Campaign()
    with campaign.until_interrupted():
        _sweep(campaign, targets, start, attainment, measure, told)
    return campaign


def _sweep(
    campaign: Campaign,
    targets: Sequence[Target],
    start: float | None,
    attainment: float,
    measure: Measure,
    told: Callable[[Target, Step], None],
) -> None:
    for target in targets:
        first = start if start is not None else _guess(measure(target, _FIRST_GUESS))
        campaign.sweeps[target] = Sweep(first, attainment)
    while any(sweep.next_rate() is not None for sweep in campaign.sweeps.values()):
        for target, sweep in campaign.sweeps.items():
            rate = sweep.next_rate()
            if rate is None:
                continue
            load = Load(rate=rate)
            result = measure(target, load)
            campaign.points.append(Point(target, load, result))
            step = sweep.record(
                result["total"]["attainment"],
                generator_failed=result["generator"]["fell_behind"],
            )
            told(target, step)


def _guess(alone: Result) -> float:
    rate = alone["total"]["answered_per_second"]
    if rate <= 0:
        errors = alone["total"]["errors"]
        said = next(iter(errors.values()))["example"] if errors else "it did not answer"
        raise BenchError(
            f"{alone['target']} answers no request, even one at a time ({said}); "
            "the deadline may be too short, or name a first load with --rate"
        )
    return rate / 2
