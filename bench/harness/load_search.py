"""Finds the maximum load of a policy, and the policies with the highest, in few measurements.

A load is measured in chunks, each with its own seed: the first chunk of every policy has the same
arrivals, and so has the second. Chunks of different policies take turns, so that whatever else the
machine does meets all alike, and a load is left as soon as its verdict is clear.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

GOAL = 0.99  # Share of all requests in time; refused ones were not.


@dataclass
class Attainment:
    """How many requests were in time."""

    in_time: int = 0
    requests: int = 0

    def add(self, other: Attainment) -> None:
        self.in_time += other.in_time
        self.requests += other.requests

    @property
    def share(self) -> float:
        return self.in_time / self.requests if self.requests else 0.0

    def reaches(self, goal: float) -> bool:
        return self.share >= goal

    def is_clear(self, goal: float, errors: float = 2.0) -> bool:
        """Whether the goal is outside of the interval that so few requests leave open.

        The interval is Wilson's, of `errors` standard errors; deadlines are missed in clusters, so
        that it is narrower than the true one.
        """
        if self.requests == 0:
            return False
        n, p, z2 = self.requests, self.share, errors * errors
        center = (p + z2 / (2 * n)) / (1 + z2 / n)
        width = errors / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
        return not center - width <= goal <= center + width


# Measures one policy at one load; the chunk's number is the seed.
Measure = Callable[[str, float, int], Attainment]


@dataclass
class KneeSearch:
    """The largest load at which the goal is reached: strides until it lies between two loads, then
    bisection down to one step.
    """

    start: float
    step: float = 0.025
    most_chunks: int = 4
    goal: float = GOAL
    points: dict[int, Attainment] = field(default_factory=dict)  # By load in steps.

    def __post_init__(self) -> None:
        self._at = max(1, round(self.start / self.step))
        self._stride = 2
        self._chunk = 0
        self._reached = 0  # No load at all is in time.
        self._missed: int | None = None

    @property
    def done(self) -> bool:
        return self._missed is not None and self._missed - self._reached <= 1

    @property
    def load(self) -> float:
        """The load to measure next."""
        return self._at * self.step

    @property
    def chunk(self) -> int:
        """The chunk to measure next."""
        return self._chunk

    def record(self, seen: Attainment) -> None:
        """Takes in the result for `load` and `chunk`."""
        point = self.points.setdefault(self._at, Attainment())
        point.add(seen)
        self._chunk += 1
        if self._chunk < self.most_chunks and not point.is_clear(self.goal):
            return
        self._chunk = 0
        if point.reaches(self.goal):
            self._reached = self._at
        else:
            self._missed = self._at
        self._move()

    def _move(self) -> None:
        if self._missed is None:
            self._at += self._stride
        elif self._reached == 0:
            self._at = max(self._at - self._stride, 1) if self._missed > 1 else 1
        else:
            self._at = (self._reached + self._missed) // 2
        self._stride *= 2

    @property
    def knee(self) -> float:
        """The load at which the goal would just be reached, between the two nearest loads."""
        assert self.done
        assert self._missed is not None
        below = self.points[self._reached].share if self._reached else 1.0
        above = self.points[self._missed].share
        part = (below - self.goal) / (below - above) if below > above else 0.0
        return (self._reached + part) * self.step

    @property
    def requests(self) -> int:
        return sum(point.requests for point in self.points.values())


def find_knees(searches: Mapping[str, KneeSearch], measure: Measure) -> None:
    """Runs all searches to their ends; they take turns chunk by chunk."""
    while pending := [(name, search) for name, search in searches.items() if not search.done]:
        for name, search in pending:
            search.record(measure(name, search.load, search.chunk))


@dataclass(frozen=True)
class Rung:
    """One round of the elimination."""

    load: float
    shares: dict[str, float]
    requests: dict[str, int]


@dataclass(frozen=True)
class Survivors:
    """The best policies, the best first, with the load near which and how that was seen."""

    names: list[str]
    load: float
    rungs: list[Rung]


MOST_RUNGS = 9
KEPT = 3  # One in this many survives a round.
# When even the best misses this many, the order tells who collapses least, not who bears most.
FAR_OFF = 0.93


def successive_halving(
    names: Iterable[str], start: float, finalists: int, measure: Measure, most_chunks: int = 4
) -> Survivors:
    """Finds the best few of many: all get little time, the better third twice as much, and so on.

    The load follows the best: up while several reach the goal, so that none of those is dropped,
    and down while none comes near it. (Jamieson and Talwalkar 2016, arXiv:1502.07943)
    """
    alive = list(names)
    load, chunks, factor = start, 1, 1.2
    rungs: list[Rung] = []
    while len(alive) > finalists and len(rungs) < MOST_RUNGS:
        seen = {name: Attainment() for name in alive}
        for chunk in range(chunks):
            for name in alive:
                seen[name].add(measure(name, load, chunk))
        rungs.append(
            Rung(
                load,
                {name: each.share for name, each in seen.items()},
                {name: each.requests for name, each in seen.items()},
            )
        )
        alive.sort(key=lambda name: seen[name].share, reverse=True)
        best = seen[alive[0]].share
        if best >= FAR_OFF:
            reach = sum(each.reaches(GOAL) for each in seen.values())
            third = math.ceil(len(alive) / KEPT)
            if reach <= third:
                chunks = min(2 * chunks, most_chunks)
            alive = alive[: max(finalists, reach, third)]
        if best >= GOAL:
            load *= factor
        elif best < FAR_OFF:
            load /= factor
            factor = math.sqrt(factor)
    return Survivors(alive[:finalists], load, rungs)
