"""The search for the maximum load at which enough requests are answered in time."""

from __future__ import annotations

from dataclasses import dataclass

_LOWEST_RATE = 0.1  # Per second; below that no measurement ends in reasonable time.
_HIGHEST_RATE = 1e7


@dataclass(frozen=True)
class Step:
    """One measured load."""

    rate: float
    attainment: float
    passed: bool


class Sweep:
    """Doubles the load until it is too much, then halves the interval.

    If the start is too much already, it is halved first. All steps use one seed: their requests
    come at the same times, stretched, so that only the load differs.

    Ask `next_rate()`, measure, `record()`, until it returns None.

    Args:
        start: The first rate, requests a second.
        target: Share of the requests that must be in time.
        precision: Distance between the two sides of the limit, as a share of the rate.
    """

    def __init__(self, start: float, target: float, precision: float = 0.05) -> None:
        self.target = target
        self.steps: list[Step] = []
        self._next: float | None = start
        self._precision = precision
        self._good: float | None = None
        self._bad: float | None = None
        self._limited = False

    @property
    def largest(self) -> float | None:
        """The largest rate that passed; None if none did."""
        return self._good

    @property
    def limited_by_generator(self) -> bool:
        """Whether the search ended because no larger load could be sent."""
        return self._limited

    def next_rate(self) -> float | None:
        """Returns the load to measure next, or None at the end."""
        return self._next

    def record(self, attainment: float, *, generator_failed: bool = False) -> Step:
        """Records the result for next_rate()'s load; returns it with the verdict.

        Args:
            attainment: Share of the requests that were answered in time.
            generator_failed: Whether the load could not be sent: it then counts as too much.
        """
        rate = self._next
        assert rate is not None
        passed = attainment >= self.target and not generator_failed
        self._limited = self._limited or generator_failed
        self.steps.append(Step(rate, attainment, passed))
        if passed:
            self._good = rate
        else:
            self._bad = rate
        self._next = self._choose()
        return self.steps[-1]

    def _choose(self) -> float | None:
        if self._bad is None:
            assert self._good is not None
            return None if 2 * self._good > _HIGHEST_RATE else 2 * self._good
        if self._good is None:
            return None if self._bad / 2 < _LOWEST_RATE else self._bad / 2
        if self._bad <= self._good * (1 + self._precision):
            return None
        return (self._good + self._bad) / 2
