"""Line charts over numbers, as SVG; the colors are CSS variables of the page."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from lepton.report.ticks import nice_ticks, tick_label

# The margins around the plot: ticks, unit, the axis' name.
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 44, 28, 40

COLORS = ("--blue", "--orange", "--teal", "--violet", "--rose", "--olive")


@dataclass(frozen=True)
class Size:
    """The size at which a chart is drawn; its letters have the same size in all."""

    width: int = 420
    height: int = 260

    @property
    def right(self) -> int:
        """The right end of the plot."""
        return self.width - _RIGHT

    @property
    def bottom(self) -> int:
        """The lower end of the plot."""
        return self.height - _BOTTOM

    def x(self, axis: Axis, value: float) -> float:
        """Returns the place of a value of the horizontal axis."""
        return _LEFT + (self.right - _LEFT) * axis.place(value)

    def y(self, axis: Axis, value: float) -> float:
        """Returns the place of a value of the vertical axis."""
        return _TOP + (self.bottom - _TOP) * (1 - axis.place(value))


@dataclass(frozen=True)
class Axis:
    """Maps values to places between 0 and 1.

    Attributes:
        name: What it shows, written at its end.
        place: Returns the place of a value.
        ticks: Values and their labels.
    """

    name: str
    place: Callable[[float], float]
    ticks: Sequence[tuple[float, str]]


@dataclass(frozen=True)
class Line:
    """A line through points, in the axes' values.

    Attributes:
        name: Shown in the legend.
        color: A CSS variable of the page.
        points: From left to right.
        told: Texts that the pointer shows, one per point; without them the points have no marks.
        dashed: True for what was not measured: a bound, a deadline. It is not in the legend.
    """

    name: str
    color: str
    points: Sequence[tuple[float, float]]
    told: Sequence[str] = ()
    dashed: bool = False


def linear(name: str, largest: float) -> Axis:
    """Returns an axis from 0 to `largest` or just above."""
    ticks = nice_ticks(largest)
    return Axis(name, lambda value: value / ticks[-1], [(tick, tick_label(tick)) for tick in ticks])


def logarithmic(name: str, smallest: float, largest: float, label: Callable[[float], str]) -> Axis:
    """Returns an axis with a tick at 1, 2 and 5 of each decade, or at 1 where there are many."""
    smallest = max(smallest, 1e-9)
    largest = max(largest, smallest)
    decades = range(math.floor(math.log10(smallest)), math.ceil(math.log10(largest)) + 1)
    factors = (1, 2, 5) if len(decades) <= 4 else (1,)
    values = [10.0**decade * factor for decade in decades for factor in factors]
    # From the last round value below all data to the first above.
    low = max((value for value in values if value <= smallest), default=values[0])
    high = min((value for value in values if value >= largest), default=values[-1])
    if high <= low:
        high = low * 10
    span = math.log10(high / low)
    return Axis(
        name,
        lambda value: math.log10(max(value, low) / low) / span,
        [(value, label(value)) for value in values if low <= value <= high],
    )


def percentiles(name: str, most: float) -> Axis:
    """Returns the axis of HdrHistogram's plots: each nine of a percentile is as wide as the next.

    Args:
        name: What the axis shows.
        most: The largest share below 1 that is shown.
    """
    nines = max(1, math.ceil(-math.log10(1 - most) - 1e-9))
    labels = ["0", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %", "99.9999 %"]
    ticks = [(1 - 10.0**-index, labels[index]) for index in range(min(nines, 6) + 1)]
    return Axis(name, lambda share: min(1.0, -math.log10(max(1 - share, 1e-12)) / nines), ticks)


def plot(title: str, x: Axis, y: Axis, lines: Sequence[Line], size: Size = Size()) -> str:
    """Returns the chart, and its legend where it has several lines."""
    parts = [
        f'<svg class="chart" viewBox="0 0 {size.width} {size.height}" role="img" '
        f'aria-label="{escape(title)}">',
        *_frame(x, y, size),
        *(mark for line in lines for mark in _draw(line, x, y, size)),
        "</svg>",
    ]
    named = [line for line in lines if not line.dashed]
    if len(named) > 1:
        items = "".join(
            f'<li><svg viewBox="0 0 10 10" aria-hidden="true"><circle cx="5" cy="5" r="4" '
            f'fill="var({line.color})"/></svg>{escape(line.name)}</li>'
            for line in named
        )
        parts.append(f'<ul class="legend">{items}</ul>')
    return "".join(parts)


def _frame(x: Axis, y: Axis, size: Size) -> list[str]:
    parts = []
    for value, label in y.ticks:
        at = size.y(y, value)
        parts.append(
            f'<line x1="{_LEFT}" x2="{size.right}" y1="{at:.1f}" y2="{at:.1f}" class="grid"/>'
            f'<text x="{_LEFT - 7}" y="{at + 4:.1f}" text-anchor="end">{escape(label)}</text>'
        )
    for value, label in x.ticks:
        at = size.x(x, value)
        parts.append(
            f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" y2="{size.bottom}" class="grid"/>'
            f'<text x="{at:.1f}" y="{size.bottom + 16}" text-anchor="middle">{escape(label)}</text>'
        )
    parts.append(
        f'<text x="{(_LEFT + size.right) / 2}" y="{size.height - 5}" text-anchor="middle">'
        f'{escape(x.name)}</text><text x="4" y="14">{escape(y.name)}</text>'
    )
    return parts


def _draw(line: Line, x: Axis, y: Axis, size: Size) -> list[str]:
    places = [(size.x(x, left), size.y(y, up)) for left, up in line.points]
    path = " ".join(f"{left:.1f},{up:.1f}" for left, up in places)
    style = 'stroke-dasharray="4 4" stroke-width="1.2"' if line.dashed else 'stroke-width="2"'
    marks = [
        f'<polyline points="{path}" fill="none" stroke="var({line.color})" {style} '
        f'stroke-linejoin="round"><title>{escape(line.name)}</title></polyline>'
    ]
    if not line.told:
        return marks
    for (left, up), told in zip(places, line.told, strict=True):
        # A wide invisible circle, so that the pointer need not hit the small one.
        marks.append(
            f'<g><title>{escape(told)}</title><circle cx="{left:.1f}" cy="{up:.1f}" r="10" '
            f'fill="transparent"/><circle cx="{left:.1f}" cy="{up:.1f}" r="3.2" '
            f'fill="var({line.color})"/></g>'
        )
    return marks
