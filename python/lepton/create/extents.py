"""Chooses sizes for the open extents of made-up inputs."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence

from lepton.create.options import InputSpec

# Sizes to try one after the other, by what an axis seems to count. Sequences are short, images are
# larger and often must be multiples of 32, sound has thousands of samples a second.
_CANDIDATES = {
    "steps": (8, 32, 224, 1, 512, 16000),
    "pixels": (224, 320, 640, 256, 32, 64, 48, 512, 8, 1),
    "samples": (16000, 512, 15600, 32000, 48000, 160000, 8),
}
_SOUND = re.compile(r"audio|wave|speech|pcm|signal|samples|input_values")
_TIME = re.compile(r"seq|len|time|frame|step|token")
_CHANNELS = (1, 3, 4)
# For all inputs together: 5 images of 1024 pixels.
_MOST_ELEMENTS = 1 << 24
_BATCH = re.compile(r"batch|^n$", re.IGNORECASE)

Sizes = Mapping[str, int]


class Extents:
    """The open extents of some inputs; those with one name are the same in each input.

    Args:
        specs: The inputs. Open extents of one kind without a name are the same too.
        batched: Whether the first axis of each counts rows.
        by_name: Whether an axis called a batch counts rows if the first axes do not.
    """

    def __init__(self, specs: Sequence[InputSpec], batched: bool, by_name: bool = True) -> None:
        self._specs = list(specs)
        self._batched = batched
        self.rows = self._name_of_rows() if by_name and not batched else None
        self._candidates: dict[str, tuple[int, ...]] = {}
        for spec in specs:
            for axis, extent in enumerate(spec.shape):
                if extent == -1 and not self._counts_rows(spec, axis):
                    candidates = _CANDIDATES[_kind(spec, axis)]
                    self._candidates.setdefault(self._name(spec, axis), candidates)

    @property
    def attempts(self) -> int:
        """The number of sizes to try."""
        return max(map(len, self._candidates.values()), default=1)

    def attempt(self, number: int) -> dict[str, int]:
        """Returns the sizes of one attempt, by the name of each extent."""
        sizes = {
            name: candidates[min(number, len(candidates) - 1)]
            for name, candidates in self._candidates.items()
            if _terms(name) is None
        }
        for name, candidates in self._candidates.items():
            if name not in sizes:  # As in "past + 1".
                value = _value(name, sizes)
                sizes[name] = (
                    candidates[min(number, len(candidates) - 1)] if value is None else value
                )
        return sizes

    def shape(self, spec: InputSpec, rows: int, sizes: Sizes) -> list[int]:
        """Returns the shape of an input, with a size for each open extent."""
        return [
            extent if extent != -1
            else rows if self._counts_rows(spec, axis)
            else sizes[self._name(spec, axis)]
            for axis, extent in enumerate(spec.shape)
        ]  # fmt: skip

    def bounded(self, rows: int, sizes: Sizes) -> bool:
        """Whether the inputs of some sizes are no larger than necessary, or than is reasonable."""
        least = dict.fromkeys(sizes, 1)
        elements, needed = (
            sum(math.prod(self.shape(spec, rows, which)) for spec in self._specs)
            for which in (sizes, least)
        )
        return elements <= max(needed, _MOST_ELEMENTS)

    def longest(self, spec: InputSpec, sizes: Sizes) -> int:
        """Returns the extent that a length in `spec` may count: the steps of another input."""
        others = [other for other in self._specs if other.name != spec.name]
        steps = [sizes[self._name(other, axis)] for other in others
                 for axis, extent in enumerate(other.shape)
                 if extent == -1 and not self._counts_rows(other, axis)]  # fmt: skip
        fixed = [other.shape[1] for other in others if len(other.shape) > 1]
        return max(steps or fixed, default=0)

    def told(self, sizes: Sizes) -> str:
        """Returns the sizes for a person: "height 224, width 224"."""
        if len(set(sizes.values())) == 1:
            return str(next(iter(sizes.values())))
        return ", ".join(
            f"{name if _is_word(name) else 'others'} {size}" for name, size in sizes.items()
        )

    def _name(self, spec: InputSpec, axis: int) -> str:
        return (spec.dims[axis] if spec.dims else "") or f"[{_kind(spec, axis)}]"

    def _counts_rows(self, spec: InputSpec, axis: int) -> bool:
        if self._batched:
            return axis == 0
        return self.rows is not None and bool(spec.dims) and spec.dims[axis] == self.rows

    def _name_of_rows(self) -> str | None:
        """Returns the name of an axis that counts rows without being each input's first."""
        for spec in self._specs:
            for dim, extent in zip(spec.dims, spec.shape, strict=False):
                if extent == -1 and _BATCH.search(dim):
                    return dim
        return None


def _kind(spec: InputSpec, axis: int) -> str:
    """Returns what an axis seems to count, a key of _CANDIDATES."""
    rank, dim = len(spec.shape), spec.dims[axis].lower() if spec.dims else ""
    if _TIME.search(dim):
        return "steps"
    if (rank >= 4 and "INT" not in spec.datatype) or (spec.datatype == "UINT8" and rank >= 3):
        channels_last = spec.shape[-1] in _CHANNELS and spec.shape[1] not in _CHANNELS
        spatial = range(rank - 3, rank - 1) if channels_last or rank == 3 else range(2, rank)
        pictured = channels_last or spec.shape[1] in _CHANNELS
        if axis in spatial and (pictured or all(spec.shape[one] == -1 for one in spatial)):
            return "pixels"
    is_float = spec.datatype.startswith(("FP", "BF"))
    if is_float and axis == rank - 1 and rank <= 3 and _SOUND.search(f"{spec.name} {dim}".lower()):
        return "samples"
    return "steps"


def _is_word(name: str) -> bool:
    return not name.startswith("[")


_OPERATORS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Div: operator.floordiv,
}


def _terms(name: str) -> ast.expr | None:
    """Returns the expression to compute if a name is a sum or the like of others, else None."""
    try:
        body = ast.parse(name, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return body if isinstance(body, ast.BinOp) else None


def _value(name: str, sizes: Sizes) -> int | None:
    def compute(term: ast.expr) -> int:
        if isinstance(term, ast.Name):
            return sizes[term.id]
        if isinstance(term, ast.Constant) and isinstance(term.value, int):
            return term.value
        if isinstance(term, ast.BinOp) and type(term.op) in _OPERATORS:
            return _OPERATORS[type(term.op)](compute(term.left), compute(term.right))
        raise KeyError(name)

    terms = _terms(name)
    try:
        value = compute(terms) if terms is not None else 0
    except (KeyError, ZeroDivisionError, RecursionError):
        return None
    return value if 0 < value < 1 << 20 else None
