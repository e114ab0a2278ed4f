"""Times as people write them: 500us, 5ms, 1.5s."""

from __future__ import annotations

import math
import re

_UNITS = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0}
_YEAR = 365 * 24 * 3600.0


def parse_time(option: str, text: str) -> float:
    """Returns a time above 0 in seconds.

    Raises:
        ValueError: It is none; names the option.
    """
    found = re.fullmatch(r"\s*([0-9.eE+]+)\s*([a-zA-Zµ]*)\s*", text)
    try:
        number = float(found[1]) if found else math.nan
    except ValueError:
        number = math.nan
    if found is None or math.isnan(number):
        raise ValueError(f'{option} "{text}" is no time; write 500us, 5ms or 1.5s')
    if found[2] not in _UNITS:
        what = f'has the unknown unit "{found[2]}"' if found[2] else "has no unit"
        raise ValueError(
            f'{option} "{text}" {what}; write {number:g}us, {number:g}ms or {number:g}s'
        )
    seconds = number * _UNITS[found[2]]
    if not 0 < seconds <= _YEAR:
        raise ValueError(f'{option} "{text}" must be above 0 and at most a year')
    return seconds
