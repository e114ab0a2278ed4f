"""The two insets of the picture: what the planner saw, and where the time went."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from autodrive.ai import Outcome
from autodrive.canvas import Canvas
from autodrive.colors import FAINT, GREEN, INK, PARTS, QUIET, ROAD
from autodrive.drive import Moment, Summary
from autodrive.simulator import BEAM_ANGLES, BEAMS, MAX_RANGE
from autodrive.track import Array

Box: TypeAlias = tuple[int, int, int, int]  # x, y, width, height.

# The outline of the car around its rear axle: meters ahead and to the left.
_BODY = np.array([[3.4, 0.9], [3.4, -0.9], [-0.8, -0.9], [-0.8, 0.9]])


def is_missed(moment: Moment) -> bool:
    """Returns whether the frame had no usable answer in time."""
    return moment.decision.outcome is not Outcome.IN_TIME


def draw_scan(canvas: Canvas, moments: list[Moment], box: Box) -> bool:
    """Draws the scan of the frame whose path bends most, and that path; False without one."""
    seen = [
        moment
        for moment in moments
        if moment.frame is not None and not is_missed(moment) and len(moment.decision.path) > 0
    ]
    if not seen:
        return False
    moment = max(seen, key=lambda moment: float(np.abs(moment.decision.path[-1, 1])))
    assert moment.frame is not None
    left, top, width, height = box
    ranges = np.where(np.isnan(moment.frame.ranges), 0, moment.frame.ranges)
    reach = np.minimum(ranges, MAX_RANGE)
    ends = np.stack([reach * np.cos(BEAM_ANGLES), reach * np.sin(BEAM_ANGLES)], axis=1)
    path = np.vstack([np.zeros(2), moment.decision.path])
    everything = np.vstack([ends, path, _BODY])
    low, high = everything.min(axis=0), everything.max(axis=0)
    # Ahead is up, and the left is on the left.
    scale = min((height - 40) / (high - low)[0], (width - 10) / (high - low)[1])

    def project(points: Array) -> Array:
        away = (np.asarray(points) - (low + high) / 2) * scale
        x, y = left + width / 2 - away[..., 1], top + height / 2 + 14 - away[..., 0]
        return np.stack([x, y], axis=-1)

    car, tips = project(np.zeros(2)), project(ends)
    canvas.area(np.vstack([car, tips[reach > 0]]), ROAD)
    for tip in tips[reach > 0]:
        canvas.line(np.array([car, tip]), FAINT, 0.8)
    canvas.dots(tips[(ranges > 0) & (ranges < MAX_RANGE)], 2.4, INK)
    points = project(path)
    canvas.line(points, GREEN, 2.6)
    for x, y in points[1:]:
        canvas.circle(x, y, 3.6, "#ffffff", GREEN, 2)
    canvas.area(project(_BODY), INK)
    title = f"What the planner saw after {moment.seconds:.1f} s, at {moment.speed:.1f} m/s"
    canvas.text(left, top + 8, title, 14, INK, bold=True)
    y = top + height + 14
    canvas.circle(left + 4, y, 2.4, INK)
    canvas.text(left + 14, y + 4, f"{BEAMS} beams of lidar", 12, QUIET)
    canvas.line(np.array([[left + 136, y], [left + 164, y]]), GREEN, 2.6)
    canvas.circle(left + 150, y, 3.6, "#ffffff", GREEN, 2)
    canvas.text(left + 174, y + 4, "the path that it answered", 12, QUIET)
    return True


def draw_breakdown(canvas: Canvas, summary: Summary, place: tuple[int, int, int]) -> bool:
    """Draws a bar of where the time of an answered frame went; False without answers."""
    left, top, width = place
    if not summary.breakdown_ms:
        return False
    parts = [max(ms, 0.0) for ms in summary.breakdown_ms.values()]
    total = sum(parts)
    canvas.text(left, top, f"Where {total:.2f} ms went, on average", 14, INK, bold=True)
    x = float(left)
    for part, color in zip(parts, PARTS, strict=True):
        end = x + width * part / total
        canvas.area(_rectangle(x, top + 14, end, top + 34), color)
        x = end
    column = width / 3
    for number, (name, part, color) in enumerate(
        zip(summary.breakdown_ms, parts, PARTS, strict=True)
    ):
        x, y = left + number % 3 * column, top + 56 + number // 3 * 22
        canvas.area(_rectangle(x, y - 9, x + 10, y + 1), color)
        canvas.text(x + 16, y, f"{name} {part * 1e3:.0f} µs", 12, QUIET)
    return True


def _rectangle(left: float, top: float, right: float, bottom: float) -> Array:
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
