"""Charts of a report as inline SVG: colors are the page's CSS variables, no script is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from lepton.report.ticks import nice_ticks, tick_label

_WIDTH, _HEIGHT = 420, 250
# The margins around the plot: ticks, legend, the axis' name.
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 12, 34, 40
_PLOT_WIDTH, _PLOT_HEIGHT = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM


@dataclass(frozen=True)
class Series:
    """The values of a series over the chart's categories.

    Attributes:
        name: Shown in the legend.
        color: A CSS variable of the page, e.g. "--blue".
        values: One per category.
        told: Texts that the pointer shows, one per value.
    """

    name: str
    color: str
    values: Sequence[float]
    told: Sequence[str]


def lines(title: str, axis: str, unit: str, categories: Sequence[str], data: list[Series]) -> str:
    """Returns a chart with a line for each series."""
    top, frame = _frame(title, axis, unit, categories, data)
    marks = []
    for series in data:
        points = [
            (_x(index, len(categories)), _y(value, top))
            for index, value in enumerate(series.values)
        ]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        marks.append(
            f'<polyline points="{path}" fill="none" stroke="var({series.color})" '
            'stroke-width="2" stroke-linejoin="round"/>'
        )
        for (x, y), told in zip(points, series.told, strict=True):
            # A wide invisible circle, so that the pointer need not hit the small one.
            marks.append(
                f'<g><title>{escape(told)}</title><circle cx="{x:.1f}" cy="{y:.1f}" r="12" '
                f'fill="transparent"/><circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" '
                f'fill="var({series.color})"/></g>'
            )
    return frame.format(marks="".join(marks))


def bars(title: str, axis: str, unit: str, categories: Sequence[str], series: Series) -> str:
    """Returns a chart with a bar for each category."""
    top, frame = _frame(title, axis, unit, categories, [series])
    width = min(36.0, _PLOT_WIDTH / len(categories) * 0.6)
    marks = []
    for index, (value, told) in enumerate(zip(series.values, series.told, strict=True)):
        x, y = _x(index, len(categories)) - width / 2, _y(value, top)
        marks.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
            f'height="{_TOP + _PLOT_HEIGHT - y:.1f}" rx="2" fill="var({series.color})">'
            f"<title>{escape(told)}</title></rect>"
        )
    return frame.format(marks="".join(marks))


def _x(index: int, count: int) -> float:
    return _LEFT + _PLOT_WIDTH * (index + 0.5) / count


def _y(value: float, top: float) -> float:
    return _TOP + _PLOT_HEIGHT * (1 - value / top)


def _frame(
    title: str, axis: str, unit: str, categories: Sequence[str], data: list[Series]
) -> tuple[float, str]:
    """Returns the axis' end, and the chart with {marks} in the place of the data."""
    ticks = nice_ticks(max(value for series in data for value in series.values))
    parts = [
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{escape(title)}">'
    ]
    for tick in ticks:
        y = _y(tick, ticks[-1])
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>'
            f'<text x="{_LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">{tick_label(tick)}</text>'
        )
    for index, category in enumerate(categories):
        parts.append(
            f'<text x="{_x(index, len(categories)):.1f}" y="{_TOP + _PLOT_HEIGHT + 17}" '
            f'text-anchor="middle">{escape(category)}</text>'
        )
    parts.append(
        f'<text x="{_LEFT + _PLOT_WIDTH / 2}" y="{_HEIGHT - 5}" text-anchor="middle" '
        f'class="axis">{escape(axis)}</text><text x="{_LEFT - 7}" y="14" text-anchor="end" '
        f'class="axis">{escape(unit)}</text>'
    )
    if len(data) > 1:
        for index, series in enumerate(reversed(data)):
            x = _WIDTH - _RIGHT - 58 * (index + 1) + 8
            parts.append(
                f'<circle cx="{x}" cy="10" r="4" fill="var({series.color})"/>'
                f'<text x="{x + 9}" y="14">{escape(series.name)}</text>'
            )
    head = "".join(parts).replace("{", "{{").replace("}", "}}")
    return ticks[-1], head + "{marks}</svg>"
