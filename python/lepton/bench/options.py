"""The options of a measurement, and the arguments for the generator."""

from __future__ import annotations

from dataclasses import dataclass

from lepton.bench.errors import BenchError


@dataclass(frozen=True)
class Target:
    """The target: a URL, or a service folder that the generator runs itself."""

    place: str
    in_process: bool = False

    def arguments(self) -> list[str]:
        """Returns the generator's arguments."""
        return ["--service" if self.in_process else "--url", self.place]


@dataclass(frozen=True)
class Load:
    """One point: a number of requests a second, or of threads that wait for their answers."""

    rate: float | None = None
    concurrency: int | None = None

    def arguments(self) -> list[str]:
        """Returns the generator's arguments; none for a trace at its own rate."""
        if self.rate is not None:
            return ["--rate", f"{self.rate:.6g}"]
        return [] if self.concurrency is None else ["--concurrency", str(self.concurrency)]

    def __str__(self) -> str:
        if self.rate is not None:
            return f"{self.rate:,.4g}/s" if self.rate < 1000 else f"{self.rate:,.0f}/s"
        return "trace" if self.concurrency is None else f"{self.concurrency} at once"


def parse_rates(text: str) -> list[float]:
    """Returns the rates of "100,200,400"."""
    return [_number("--rate", part) for part in text.split(",")]


def parse_concurrencies(text: str) -> list[int]:
    """Returns the thread counts of "1,4,16"."""
    values = [_number("--concurrency", part) for part in text.split(",")]
    for value in values:
        if value != int(value):
            raise BenchError(
                f"--concurrency {value:g} is not a whole number of threads", bad_input=True
            )
    return [int(value) for value in values]


def _number(flag: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise BenchError(
            f'{flag} "{text}" is not a number; write one, or several as 100,200,400', bad_input=True
        ) from None
    if not 0 < value <= 1e7:
        raise BenchError(f"{flag} must be above 0 and at most 1e7, not {text}", bad_input=True)
    return value
