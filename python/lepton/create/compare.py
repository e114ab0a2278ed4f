"""How far the served model is from the original."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lepton.create.facts import OutputCheck
from lepton.create.graph_facts import Arithmetic
from lepton.datatypes import Array

# The difference that another order of f32 arithmetic may cause, with a margin for deep models. A
# mistake in a conversion is larger by orders of magnitude.
TOLERANCE = 1e-3
# For 16-bit floats, which hold two to three digits.
COARSE_TOLERANCE = 2e-2
# Outputs with smaller values are compared as if this were their largest.
_SMALLEST_SCALE = 1e-6
# What rounding leaves of values that cancel out, as a share of the input's: 16 steps of f32.
_ROUNDING = 16 * 2.0**-23
# A difference counts as the original's own scatter up to this many times the scatter that was seen.
_SCATTERS = 4.0
# For models that round to few steps: how alike outputs must be, and in how many rows the same
# element must be the largest, where it is larger by more than the outputs differ.
_QUANTIZED_COSINE = 0.98
_QUANTIZED_TOP1 = 0.9
_QUANTIZED_TOLERANCE = 0.25
# A difference that is the original's own scatter leaves the direction of the output unchanged.
_SCATTERED_COSINE = 0.99
_QUANTIZED_STEPS = 2  # For integer outputs, which are the result of such rounding.


@dataclass
class Difference:
    """The largest differences of one output over all runs.

    Args:
        name: The output's name.
        datatype: The served datatype.
        arithmetic: How the model computes.
    """

    name: str
    datatype: str
    arithmetic: Arithmetic = "plain"
    max_abs: float = 0.0
    max_rel: float = 0.0
    cosine: float = 1.0
    scatter: float = 0.0
    shapes: tuple[list[int], list[int]] | None = None
    numbers: bool = False
    _rounding: float = 0.0
    _scattered: int = 0
    _rows: int = 0
    _same_top: int = 0
    _clear: int = 0
    _same_clear: int = 0
    _elements: int = 0
    _same: int = 0

    @property
    def exact(self) -> bool:
        """True for outputs that are not floats: their elements are equal or not."""
        return self.datatype not in ("FP16", "BF16", "FP32", "FP64")

    @property
    def default_tolerance(self) -> float:
        """The usual tolerance for the datatype and the arithmetic."""
        coarse = self.datatype in ("FP16", "BF16") or self.arithmetic == "half"
        return COARSE_TOLERANCE if coarse and not self.exact else TOLERANCE

    def add(self, served: Array, original: Array, scale: float = 0.0) -> None:
        """Adds the outputs of one run.

        Args:
            served: The served model's output.
            original: The original's output.
            scale: The largest value of the inputs.
        """
        if served.shape != original.shape:
            self.shapes = self.shapes or (list(served.shape), list(original.shape))
            return
        self._elements += served.size
        self._rounding = max(self._rounding, scale * _ROUNDING)
        if self.exact:
            self.numbers = True
            self._same += int((_plain(served) == _plain(original)).sum())
            if served.dtype.kind in "iub" and served.size:
                got, want = served.astype(np.float64), original.astype(np.float64)
                self._grow(np.abs(got - want), want)
            return
        got, want = served.astype(np.float64), original.astype(np.float64)
        self.numbers = self.numbers or not want.size or bool(np.isfinite(want).any())
        apart = _apart(got, want)
        self._grow(apart, want)
        self.cosine = min(self.cosine, _cosine(got, want))
        if want.ndim >= 2 and want.shape[-1] >= 2:
            self._count_tops(got, want, apart)

    def add_scatter(self, other: Array, original: Array) -> None:
        """Adds the original's outputs of nearly the same run, which show how much it scatters."""
        if other.shape != original.shape or other.dtype.kind not in "fiub":
            return
        apart = _apart(other.astype(np.float64), original.astype(np.float64))
        apart = apart[np.isfinite(apart)]
        self.scatter = max(self.scatter, float(apart.max(initial=0.0)))
        self._scattered = max(self._scattered, int((apart > 0).sum()))

    def result(self, tolerance: float | None) -> OutputCheck:
        """Returns the result; None stands for the default tolerance of datatype and arithmetic."""
        equal = self._same / self._elements if self.exact and self._elements else None
        found: OutputCheck = {
            "name": self.name,
            "max_abs": self.max_abs if np.isfinite(self.max_abs) else None,
            "max_rel": self.max_rel if np.isfinite(self.max_rel) else None,
            "top1": self._same_top / self._rows if self._rows else None,
            "equal": equal,
            "passed": self._passes(tolerance, equal),
            "cosine": self.cosine if self._has_cosine else None,
            "scatter": self.scatter or None,
        }
        if self.shapes is not None:
            found["shapes"] = list(self.shapes)
        return found

    @property
    def _has_cosine(self) -> bool:
        return not self.exact and self._elements > 1 and math.isfinite(self.cosine)

    def _passes(self, tolerance: float | None, equal: float | None) -> bool:
        if self.shapes is not None:
            return False
        bound = self.default_tolerance if tolerance is None else tolerance
        if (1 - equal if equal is not None else self.max_rel) <= bound:
            return True
        if tolerance is not None or not math.isfinite(self.max_abs):
            return False  # The user's value counts as it is.
        if self.exact:
            few = self.arithmetic == "quantized" and 0 < self.max_abs <= _QUANTIZED_STEPS
            scattered = 0 < self._elements - self._same <= 2 * self._scattered
            return few or (scattered and self.max_abs <= _SCATTERS * self.scatter)
        if self.max_abs <= self._rounding:
            return True
        if self.max_abs <= _SCATTERS * self.scatter and self.cosine >= _SCATTERED_COSINE:
            return True
        return self.arithmetic == "quantized" and (
            self.cosine >= _QUANTIZED_COSINE
            and self._same_clear >= _QUANTIZED_TOP1 * self._clear
            and self.max_rel <= _QUANTIZED_TOLERANCE
        )

    def _count_tops(self, got: Array, want: Array, apart: Array) -> None:
        """Counts rows whose largest element is in the same place."""
        same = got.argmax(-1) == want.argmax(-1)
        self._rows += same.size
        self._same_top += int(same.sum())
        two = np.sort(want, axis=-1)[..., -2:]
        clear = two[..., 1] - two[..., 0] > 2 * np.minimum(apart.max(-1), np.abs(two[..., 1]) / 8)
        self._clear += int(clear.sum())
        self._same_clear += int((same & clear).sum())

    def _grow(self, apart: Array, want: Array) -> None:
        if not apart.size:
            return
        finite = np.abs(want[np.isfinite(want)])
        scale = max(float(finite.max(initial=0.0)), _SMALLEST_SCALE)
        self.max_abs = max(self.max_abs, float(apart.max()))
        self.max_rel = max(self.max_rel, float(apart.max()) / scale)


def scale_of(inputs: Mapping[str, Array]) -> float:
    """Returns the largest value of the inputs that are floats; 1 at least."""
    scales = [
        float(np.abs(array[np.isfinite(array)]).max(initial=0.0))
        for array in inputs.values()
        if array.dtype.kind == "f"
    ]
    return max(scales, default=0.0) or 1.0


def describe(outputs: Sequence[OutputCheck], tolerance: float) -> str:
    """Returns the figures of the outputs that did not pass, as a part of one line."""
    said = []
    for output in outputs:
        if output["passed"]:
            continue
        name, shapes = output["name"], output.get("shapes")
        if shapes:
            said.append(f'"{name}" has shape {shapes[0]}, the original {shapes[1]}')
            continue
        if output["equal"] is not None:
            far = "" if output["max_abs"] is None else f", by {output['max_abs']:g} at most"
            said.append(f'"{name}" has {1 - output["equal"]:.3%} different elements{far}')
            continue
        far = "a value that is not a number" if output["max_rel"] is None else (
            f"{output['max_rel']:.3g} of its largest value ({output['max_abs']:.3g} absolute)"
        )  # fmt: skip
        cosine = output.get("cosine")
        alike = "" if cosine is None else f", cosine {cosine:.5f}"
        top1 = "" if output["top1"] is None else f"top-1 agrees in {output['top1']:.0%}, "
        scatter = output.get("scatter")
        itself = "" if not scatter else f", the original from itself by {scatter:.3g}"
        said.append(f'{top1}"{name}" differs by {far}{alike}{itself}')
    return "; ".join(said) + f"; tolerance {tolerance:g}"


def _apart(got: Array, want: Array) -> Array:
    # NaN and infinities must be the same in both.
    alike = (got == want) | (np.isnan(got) & np.isnan(want))
    with np.errstate(invalid="ignore"):
        apart = np.where(alike, 0.0, np.abs(got - want))
    return np.where(np.isnan(apart), np.inf, apart)


def _cosine(got: Array, want: Array) -> float:
    """Returns the cosine of the angle between two outputs, over elements finite in both."""
    both = np.isfinite(got) & np.isfinite(want)
    a, b = got[both].ravel(), want[both].ravel()
    lengths = float(np.linalg.norm(a)) * float(np.linalg.norm(b))
    if not lengths:
        return 1.0 if not a.any() and not b.any() else 0.0
    return float(min(1.0, np.dot(a, b) / lengths))


def _plain(array: Array) -> Array:
    """Returns strings as bytes, whatever their type."""
    if array.dtype.kind not in "SUO":
        return array
    plain = np.empty(array.shape, dtype=np.object_)
    plain.reshape(-1)[:] = [
        item.encode() if isinstance(item, str) else bytes(item) for item in array.reshape(-1)
    ]
    return plain
