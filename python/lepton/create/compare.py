"""How far the served model is from the original."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lepton.create.facts import OutputCheck
from lepton.datatypes import Array

# What f32 arithmetic in another order may differ by, with a margin for deep models. A mistake in a
# conversion is larger by orders of magnitude.
TOLERANCE = 1e-3
# Of 16-bit floats, which hold two to three digits.
COARSE_TOLERANCE = 2e-2
# Outputs of smaller values are compared as if this were their largest.
_SMALLEST_SCALE = 1e-6


@dataclass
class Difference:
    """The largest differences of one output over all runs.

    Args:
        name: The output's.
        datatype: As it is served.
    """

    name: str
    datatype: str
    max_abs: float = 0.0
    max_rel: float = 0.0
    _rows: int = 0
    _same_top: int = 0
    _elements: int = 0
    _same: int = 0

    @property
    def exact(self) -> bool:
        """True for what is no float: elements are equal or not."""
        return self.datatype not in ("FP16", "BF16", "FP32", "FP64")

    @property
    def default_tolerance(self) -> float:
        """What is usual for the datatype."""
        return COARSE_TOLERANCE if self.datatype in ("FP16", "BF16") else TOLERANCE

    def add(self, served: Array, original: Array) -> None:
        """Takes another run's outputs, which have the same shape."""
        self._elements += served.size
        if self.exact:
            self._same += int((_plain(served) == _plain(original)).sum())
            if served.dtype.kind in "iub" and served.size:
                apart = np.abs(served.astype(np.float64) - original.astype(np.float64))
                self._grow(apart, original.astype(np.float64))
            return
        got, want = served.astype(np.float64), original.astype(np.float64)
        # What is no number, or infinite, must be the same in both.
        alike = (got == want) | (np.isnan(got) & np.isnan(want))
        with np.errstate(invalid="ignore"):
            apart = np.where(alike, 0.0, np.abs(got - want))
        apart = np.where(np.isnan(apart), np.inf, apart)
        self._grow(apart, want)
        if want.ndim >= 2 and want.shape[-1] >= 2:
            self._rows += want[..., 0].size
            self._same_top += int((got.argmax(-1) == want.argmax(-1)).sum())

    def result(self, tolerance: float | None) -> OutputCheck:
        """Returns what was found; None takes the datatype's tolerance."""
        bound = self.default_tolerance if tolerance is None else tolerance
        equal = self._same / self._elements if self.exact and self._elements else None
        passed = (1 - equal if equal is not None else self.max_rel) <= bound
        return {
            "name": self.name,
            "max_abs": self.max_abs if np.isfinite(self.max_abs) else None,
            "max_rel": self.max_rel if np.isfinite(self.max_rel) else None,
            "top1": self._same_top / self._rows if self._rows else None,
            "equal": equal,
            "passed": bool(passed),
        }

    def _grow(self, apart: Array, want: Array) -> None:
        if not apart.size:
            return
        finite = np.abs(want[np.isfinite(want)])
        scale = max(float(finite.max(initial=0.0)), _SMALLEST_SCALE)
        self.max_abs = max(self.max_abs, float(apart.max()))
        self.max_rel = max(self.max_rel, float(apart.max()) / scale)


def describe(outputs: Sequence[OutputCheck], tolerance: float) -> str:
    """Returns the figures of what did not pass, as a part of one line."""
    said = []
    for output in outputs:
        if output["passed"]:
            continue
        if output["equal"] is not None:
            said.append(f'"{output["name"]}" has {1 - output["equal"]:.3%} other elements')
            continue
        far = "a value that is no number" if output["max_rel"] is None else (
            f"{output['max_rel']:.3g} of its largest value ({output['max_abs']:.3g} absolute)"
        )  # fmt: skip
        top1 = "" if output["top1"] is None else f", top-1 agrees in {output['top1']:.0%}"
        said.append(f'"{output["name"]}" differs by {far}{top1}')
    return "; ".join(said) + f"; tolerance {tolerance:g}"


def _plain(array: Array) -> Array:
    """Returns strings as bytes, in whatever form they came."""
    if array.dtype.kind not in "SUO":
        return array
    plain = np.empty(array.shape, dtype=np.object_)
    plain.reshape(-1)[:] = [
        item.encode() if isinstance(item, str) else bytes(item) for item in array.reshape(-1)
    ]
    return plain
