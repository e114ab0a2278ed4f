"""A drive as one picture: the course, what the planner saw, and strips over time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from autodrive.ai import Outcome
from autodrive.canvas import Canvas
from autodrive.colors import BLUE, FAINT, INK, QUIET, RED, REFERENCE, ROAD, SPEEDS, WALL
from autodrive.control import MAX_SPEED
from autodrive.drive import Drive, Moment, Summary
from autodrive.insets import Box, draw_breakdown, draw_scan, is_missed
from autodrive.track import HALF_WIDTH, Array, Track

Projection: TypeAlias = Callable[[object], Array]

WIDTH, HEIGHT = 1280, 1060
_MARGIN = 44
_MAP = (_MARGIN, 156, 790, 500)  # x, y, width, height.
_WIDE_MAP = (_MARGIN, 156, WIDTH - 2 * _MARGIN, 500)
_INSET = (890, 156, WIDTH - _MARGIN - 890, 330)
_BREAKDOWN_TOP = 540
_STRIPS_TOP = 742
_STRIP_LEFT, _STRIP_RIGHT = _MARGIN + 40, WIDTH - _MARGIN
_STRIP_HEIGHT, _STRIP_GAP = 70, 38
# The colors of the path begin here; everything slower looks the same.
_SLOW = 6.0


def picture(track: Track, result: Drive, summary: Summary, source: str) -> Canvas:
    """Draws the drive; `source` says in a few words where the planner ran."""
    hz = 1 / result.period
    canvas = Canvas(WIDTH, HEIGHT, f"A drive of {summary.laps:.2f} laps at {hz:g} Hz")
    canvas.text(_MARGIN, 50, "Autodrive", 26, INK, bold=True)
    canvas.text(
        _MARGIN,
        75,
        f"{summary.laps:.2f} laps of {track.length:.0f} m at {hz:g} frames a second, "
        f"each with a deadline of {result.deadline * 1e3:g} ms; {source}",
        14,
        QUIET,
    )
    _draw_figures(canvas, summary)
    shown = draw_scan(canvas, result.moments, _INSET)
    left, _, width, _ = _INSET
    shown = draw_breakdown(canvas, summary, (left, _BREAKDOWN_TOP, width)) or shown
    _draw_map(canvas, track, result.moments, _MAP if shown else _WIDE_MAP)
    _draw_strips(canvas, result)
    return canvas


def _draw_figures(canvas: Canvas, summary: Summary) -> None:
    missed = summary.frames - summary.outcomes[Outcome.IN_TIME]
    figures = (
        (f"{summary.hit_rate:.2%}", f"of {summary.frames} frames in time", missed > 0),
        (f"{missed}", f"fallbacks, at most {summary.longest_fallback} in a row", missed > 0),
        (f"{summary.latency_ms['p50']:.2f} ms", "latency, median", False),
        (f"{summary.latency_ms['p99']:.2f} ms", "latency, 99th percentile", False),
        (f"{summary.cross_track_mean_m:.2f} m", "off the centre line, mean", False),
        (f"{summary.cross_track_max_m:.2f} m", "off the centre line, most", summary.touched),
    )
    step = (WIDTH - 2 * _MARGIN) / len(figures)
    for number, (value, what, bad) in enumerate(figures):
        canvas.text(_MARGIN + number * step, 116, value, 22, RED if bad else INK, bold=True)
        canvas.text(_MARGIN + number * step, 136, what, 12.5, QUIET)


def _draw_map(canvas: Canvas, track: Track, moments: list[Moment], box: Box) -> None:
    project, scale = _projection(track, box)
    centre = project(track.centre)
    canvas.line(centre, WALL, 2 * HALF_WIDTH * scale + 3, closed=True)
    canvas.line(centre, ROAD, 2 * HALF_WIDTH * scale, closed=True)
    left, right = project(track.walls[:, 0])
    canvas.line(np.array([left, right]), INK, 2.5)
    outside = right + (right - left) / np.hypot(*(right - left)) * 24
    canvas.text(outside[0], outside[1] + 4, "start", 12, QUIET, anchor="middle")
    canvas.line(centre, REFERENCE, 1.2, closed=True, dash=(6.0, 5.0))
    _draw_path(canvas, project, moments)
    missed = any(is_missed(moment) for moment in moments)
    _draw_legend(canvas, box[0], box[1] + box[3] + 22, scale, missed)


def _projection(track: Track, box: Box) -> tuple[Projection, float]:
    """Returns a function from meters to pixels of the map, and the pixels of a meter."""
    left, top, width, height = box
    outline = track.walls.reshape(-1, 2)
    best = (0.0, np.eye(2), np.zeros(2))
    for angle in np.linspace(0, math.pi, 90, endpoint=False):
        turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        turned = outline @ turn.T
        low, high = turned.min(axis=0), turned.max(axis=0)
        fits = float(min((np.array([width, height]) - 8) / (high - low)))
        best = max(best, (fits, turn, (low + high) / 2), key=lambda candidate: candidate[0])
    scale, turn, middle = best

    def project(points: object) -> Array:
        away = (np.asarray(points) @ turn.T - middle) * scale
        return np.stack([left + width / 2 + away[..., 0], top + height / 2 - away[..., 1]], axis=-1)

    return project, scale


def _draw_path(canvas: Canvas, project: Projection, moments: list[Moment]) -> None:
    path = project([(moment.x, moment.y) for moment in moments])
    levels = [_level(moment.speed) for moment in moments]
    begin = 0
    for end in range(1, len(moments)):
        if end == len(moments) - 1 or levels[end] != levels[begin]:
            canvas.line(path[begin : end + 1], SPEEDS[levels[begin]], 3.4)
            begin = end
    for moment, (x, y) in zip(moments, path, strict=True):
        if is_missed(moment):
            canvas.circle(x, y, 4.5, "none", RED, 1.6)
    last = moments[-1]
    nose = project((last.x + math.cos(last.heading), last.y + math.sin(last.heading)))
    ahead = (nose - path[-1]) / np.hypot(*(nose - path[-1]))
    side = np.array([-ahead[1], ahead[0]])
    arrow = path[-1] + np.array([ahead * 13, ahead * -7 + side * 8, ahead * -7 - side * 8])
    canvas.area(arrow, INK)
    canvas.line(arrow, "#ffffff", 1.2, closed=True)


def _draw_legend(canvas: Canvas, x: float, y: float, scale: float, missed: bool) -> None:
    bar = 20 * scale
    canvas.line(np.array([[x, y], [x + bar, y]]), INK, 2)
    canvas.text(x + bar + 8, y + 4, "20 m", 12, QUIET)
    x += bar + 66
    canvas.line(np.array([[x, y], [x + 34, y]]), REFERENCE, 1.2, dash=(6.0, 5.0))
    canvas.text(x + 42, y + 4, "centre line", 12, QUIET)
    x += 132
    canvas.text(x, y + 4, f"driven at {_SLOW:g}", 12, QUIET)
    for number, color in enumerate(SPEEDS):
        piece = np.array([[x + 74 + number * 14, y], [x + 85 + number * 14, y]])
        canvas.line(piece, color, 5)
    x += 82 + len(SPEEDS) * 14
    canvas.text(x, y + 4, f"{MAX_SPEED:g} m/s", 12, QUIET)
    if missed:
        canvas.circle(x + 74, y, 4.5, "none", RED, 1.6)
        canvas.text(x + 86, y + 4, "frame without an answer in time", 12, QUIET)


def _draw_strips(canvas: Canvas, result: Drive) -> None:
    moments = result.moments
    seconds = np.array([moment.seconds for moment in moments])
    span = max(seconds[-1], result.period)
    x = _STRIP_LEFT + seconds / span * (_STRIP_RIGHT - _STRIP_LEFT)
    _draw_latency(canvas, _STRIPS_TOP, x, result)

    top = _STRIPS_TOP + _STRIP_HEIGHT + _STRIP_GAP
    offsets = np.array([moment.offset for moment in moments])
    most = _round_up(max(np.abs(offsets).max(), 0.1))
    to_y = _draw_axes(canvas, top, "Left (+) and right (-) of the centre line, m", (-most, 0, most))
    _draw_curve(canvas, x, [to_y(value) for value in offsets])

    top += _STRIP_HEIGHT + _STRIP_GAP
    to_y = _draw_axes(canvas, top, "Speed, m/s", (0, MAX_SPEED / 2, MAX_SPEED))
    _draw_curve(canvas, x, [to_y(moment.speed) for moment in moments])
    step = next(step for step in (0.5, 1, 2, 5, 10, 20, 60, 600, math.inf) if span / step <= 14)
    for tick in np.arange(0, span + 1e-9, step):
        at = _STRIP_LEFT + tick / span * (_STRIP_RIGHT - _STRIP_LEFT)
        label = f"{tick:g} s" if tick == 0 else f"{tick:g}"
        canvas.text(at, top + _STRIP_HEIGHT + 18, label, 12, QUIET, anchor="middle")


def _draw_latency(canvas: Canvas, top: float, x: Array, result: Drive) -> None:
    """Draws on a logarithmic scale: typical latencies and deadlines are decades apart."""
    deadline = result.deadline * 1e3
    latency = np.array([moment.decision.latency for moment in result.moments]) * 1e3
    low = math.floor(math.log10(min(latency.min(), deadline)))
    high = max(math.ceil(math.log10(max(latency.max(), deadline) * 1.05)), low + 1)
    title = f"Latency of each frame, from its time stamp to the command, ms; deadline {deadline:g}"
    ticks = tuple(float(decade) for decade in range(low, high + 1))
    to_y = _draw_axes(canvas, top, title, ticks, lambda decade: f"{10**decade:g}")
    at_deadline = to_y(math.log10(deadline))
    line = np.array([[_STRIP_LEFT, at_deadline], [_STRIP_RIGHT, at_deadline]])
    canvas.line(line, RED, 1.2, dash=(5.0, 4.0))
    points = np.column_stack([x, [to_y(math.log10(value)) for value in latency]])
    missed = np.array([is_missed(moment) for moment in result.moments])
    canvas.dots(points[~missed], 1.4, BLUE)
    canvas.dots(points[missed], 2.8, RED)


def _draw_axes(
    canvas: Canvas,
    top: float,
    title: str,
    ticks: Sequence[float],
    label: Callable[[float], str] = lambda value: f"{value:.3g}",
) -> Callable[[float], float]:
    """Draws a strip's grid; returns a function from a value to a row of pixels."""
    low, high = ticks[0], ticks[-1]

    def to_y(value: float) -> float:
        return top + _STRIP_HEIGHT * (high - value) / (high - low)

    canvas.text(_STRIP_LEFT, top - 11, title, 12.5, QUIET)
    for value in ticks:
        y = to_y(value)
        canvas.line(np.array([[_STRIP_LEFT, y], [_STRIP_RIGHT, y]]), FAINT, 1)
        canvas.text(_STRIP_LEFT - 8, y + 4, label(value), 12, QUIET, anchor="end")
    return to_y


def _draw_curve(canvas: Canvas, x: Array, y: Sequence[float]) -> None:
    if len(x) > 1:
        canvas.line(np.stack([x, y], axis=1), BLUE, 1.6)


def _level(speed: float) -> int:
    share = (speed - _SLOW) / (MAX_SPEED - _SLOW)
    return min(max(int(share * len(SPEEDS)), 0), len(SPEEDS) - 1)


def _round_up(value: float) -> float:
    """Returns the next of 1, 2, 4, 5, 10, 20, ... that is not less."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(power * step for step in (1, 2, 4, 5, 10) if power * step >= value * (1 - 1e-9))
