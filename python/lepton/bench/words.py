"""Formats figures for the table and the report."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lepton.bench.result import Times


def time(us: float | None) -> str:
    """Returns a time with three digits, in the unit that makes it short."""
    if us is None:
        return "-"
    for factor, unit in ((1e6, "s"), (1e3, "ms")):
        if us >= factor:
            return f"{_three_digits(us / factor)} {unit}"
    return f"{_three_digits(us)} µs"


def of(times: Times | None, name: str) -> str:
    """Returns one figure of a summary."""
    return "-" if times is None else time(times[name])


def rate(per_second: float) -> str:
    """Returns a rate without its unit."""
    return f"{per_second:,.0f}" if per_second >= 100 else _three_digits(per_second)


def percent(share: float) -> str:
    """Returns a share, where 100 % means all: 99.996 % is not rounded up."""
    if share == 1:
        return "100 %"
    return f"{int(share * 10_000) / 100:.2f} %"


def warnings(said: Sequence[tuple[str, str]]) -> list[str]:
    """Returns one sentence for warnings that differ only in their figures.

    Args:
        said: Loads, with the warning at each.
    """
    kinds: dict[str, list[str]] = {}
    for load, warning in said:
        kinds.setdefault(re.sub(r"[\d.]+", "#", warning), []).append(f"at {load}: {warning}")
    return [
        texts[0]
        + (
            f" (similar at {len(texts) - 1} other {'point' if len(texts) == 2 else 'points'})"
            if len(texts) > 1
            else ""
        )
        for texts in kinds.values()
    ]


def count(number: int) -> str:
    """Returns a count, or an empty text for zero."""
    return f"{number:,}" if number else "-"


def _three_digits(value: float) -> str:
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
