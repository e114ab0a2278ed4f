"""What a caller may pass, checked before the binding sees it.

Each function returns the argument in the form that the binding takes. A wrong type raises TypeError
and a wrong value ValueError, both with the name of the argument, what it must be and what came.
"""

from __future__ import annotations

import math
import operator
import os
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from typing import SupportsFloat, SupportsIndex, TypeVar

Kind = TypeVar("Kind")

# Longer than any program runs; the binding counts nanoseconds in 64 bits.
_LONGEST_SECONDS = 1e9
_MAX_INT = 2**31 - 1
# The protocol's priorities have 32 bits.
MAX_PRIORITY = 2**32 - 1


def text(name: str, value: object) -> str:
    """Returns a str that can be sent: one without half a surrogate pair."""
    if not isinstance(value, str):
        raise _wrong_type(name, "a str", value)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name} cannot be written as UTF-8: {shown(value)}") from None
    return value


def optional_text(name: str, value: object) -> str | None:
    """Returns a str, or None."""
    return None if value is None else text(name, value)


def texts(name: str, value: object) -> list[str]:
    """Returns the elements of a sequence of str; a str alone is one element."""
    if isinstance(value, str):
        return [text(name, value)]
    if not isinstance(value, Iterable) or isinstance(value, (bytes, bytearray, Mapping)):
        raise _wrong_type(name, "a str or a list of them", value)
    return [
        item if type(item) is str and item.isascii() else text(f"{name}[{i}]", item)
        for i, item in enumerate(value)
    ]


def path(name: str, value: object) -> str:
    """Returns a path as a str."""
    if not isinstance(value, (str, bytes, os.PathLike)):
        raise _wrong_type(name, "a path", value)
    found = text(name, os.fsdecode(value))
    if "\0" in found:
        raise ValueError(f"{name} is not a path, for it holds a null character: {shown(found)}")
    return found


def paths(name: str, value: object) -> list[str]:
    """Returns the elements of a sequence of paths; a path alone is one element."""
    if isinstance(value, (str, bytes, os.PathLike)):
        return [path(name, value)]
    if not isinstance(value, Iterable) or isinstance(value, Mapping):
        raise _wrong_type(name, "a path or a list of them", value)
    return [path(f"{name}[{i}]", item) for i, item in enumerate(value)]


def flag(name: str, value: object) -> bool:
    """Returns a bool."""
    if not isinstance(value, bool):
        raise _wrong_type(name, "True or False", value)
    return value


def whole(name: str, value: object, low: int, high: int = _MAX_INT) -> int:
    """Returns an integer from `low` to `high`."""
    found = value if type(value) is int else _index(name, value)
    if not low <= found <= high:
        wanted = f"{low} or more" if found < low and high == _MAX_INT else f"from {low} to {high}"
        raise ValueError(f"{name} must be {wanted}, not {shown(value)}")
    return found


def number(name: str, value: object, low: float, high: float) -> float:
    """Returns a float from `low` to `high`."""
    found = _real(name, "a number", value)
    if not low <= found <= high:
        raise ValueError(f"{name} must be from {low:g} to {high:g}, not {shown(value)}")
    return found


def seconds(name: str, value: object, *, zero: bool = False) -> float:
    """Returns a time in seconds, above 0 unless `zero` is allowed; infinity is a long one."""
    found = _real(name, "a number of seconds", value)
    if not (found > 0 or (zero and found == 0)):
        least = "0 seconds or more" if zero else "more than 0 seconds"
        raise ValueError(f"{name} must be {least}, not {shown(value)}")
    return min(found, _LONGEST_SECONDS)


def one_of(name: str, value: object, choices: Sequence[str]) -> str:
    """Returns one of a few words."""
    if value not in choices or not isinstance(value, str):
        listed = f"{', '.join(choices[:-1])} or {choices[-1]}"
        kind = ValueError if isinstance(value, str) else TypeError
        raise kind(f"{name} must be {listed}, not {shown(value)}")
    return value


def instance(name: str, value: object, kind: type[Kind]) -> Kind | None:
    """Returns an object of a class, or None."""
    if value is not None and not isinstance(value, kind):
        home = "lepton.create" if kind.__module__.startswith("lepton.create") else "lepton"
        raise _wrong_type(name, f"{home}.{kind.__name__}(...) or None", value)
    return value


def variables(name: str, value: object) -> dict[str, str]:
    """Returns a dict of str."""
    if not isinstance(value, Mapping):
        raise _wrong_type(name, "a dict", value)
    return {text(f"a name of {name}", key): text(f"{name}[{key!r}]", value[key]) for key in value}


def parameters(value: object) -> dict[str, bool | int | float | str]:
    """Returns the parameters of a request, by name."""
    if not isinstance(value, Mapping):
        raise _wrong_type("parameters", "a dict", value)
    for name, item in value.items():
        text("a name in parameters", name)
        if not isinstance(item, (bool, int, float, str)):
            raise _wrong_type(f'parameter "{name}"', "a bool, int, float or str", item)
        if isinstance(item, str):
            text(f'parameter "{name}"', item)
    return dict(value)


def _index(name: str, value: object) -> int:
    try:
        if isinstance(value, bool) or not isinstance(value, SupportsIndex):
            raise TypeError
        return operator.index(value)
    except TypeError:  # An array's too.
        raise _wrong_type(name, "a whole number", value) from None


def _real(name: str, wanted: str, value: object) -> float:
    try:
        # Looking for a protocol takes microseconds, so what most are comes first.
        if type(value) is float or type(value) is int:
            return float(value)
        if isinstance(value, bool) or not isinstance(value, SupportsFloat):
            raise TypeError
        return float(value)
    except TypeError:  # An array's too.
        raise _wrong_type(name, wanted, value) from None
    except OverflowError:
        return math.inf if isinstance(value, int) and value > 0 else -math.inf


def _wrong_type(name: str, wanted: str, value: object) -> TypeError:
    kind = "" if value is None else f" of type {type(value).__name__}"
    return TypeError(f"{name} must be {wanted}, not {shown(value)}{kind}")


def shown(value: object) -> str:
    """Returns how an argument is shown, within a line."""
    return reprlib.repr(value)
