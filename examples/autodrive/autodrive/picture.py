"""A drive as one picture: the course from above, and strips of what happened over time."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from autodrive.ai import Outcome
from autodrive.canvas import Canvas
from autodrive.control import MAX_SPEED
from autodrive.drive import Drive, Moment, Summary
from autodrive.track import HALF_WIDTH, Array, Track

WIDTH, HEIGHT = 1280, 1010
_MARGIN = 44
_INK, _QUIET, _FAINT = "#1f1e1c", "#6b6963", "#dcdad4"
_ROAD, _WALL = "#f1efea", "#bdbab2"
_BLUE, _RED = "#2a78d6", "#d63a39"
# Speed from standing to MAX_SPEED, light to dark.
_SPEEDS = ("#b5d4f4", "#85b7eb", "#5598e0", "#2a78d6", "#185fa5", "#0c447c", "#042c53")
_MAP = (_MARGIN, 150, WIDTH - 2 * _MARGIN, 480)  # x, y, width, height.
_STRIP_LEFT, _STRIP_RIGHT = _MARGIN + 48, WIDTH - _MARGIN
_STRIP_HEIGHT, _STRIP_GAP = 72, 38


def picture(track: Track, result: Drive, summary: Summary, source: str) -> Canvas:
    """Draws the drive; `source` says in a few words who planned it."""
    hz = 1 / result.period
    canvas = Canvas(WIDTH, HEIGHT, f"A drive of {summary.laps:.2f} laps at {hz:g} Hz")
    canvas.text(_MARGIN, 48, "Autodrive", 26, _INK, bold=True)
    canvas.text(
        _MARGIN,
        72,
        f"{summary.laps:.2f} laps of {track.length:.0f} m at {hz:g} frames a second, "
        f"each with a deadline of {result.deadline * 1e3:g} ms · {source}",
        14,
        _QUIET,
    )
    _figures(canvas, summary)
    _map(canvas, track, result.moments)
    _strips(canvas, result, summary)
    return canvas


def _figures(canvas: Canvas, summary: Summary) -> None:
    missed = summary.frames - summary.outcomes[Outcome.IN_TIME]
    figures = (
        (f"{summary.hit_rate:.2%}", f"of {summary.frames} frames in time", missed > 0),
        (f"{missed}", f"fallbacks, at most {summary.longest_fallback} in a row", missed > 0),
        (f"{summary.latency_ms['p50']:.2f} ms", "latency, median", False),
        (f"{summary.latency_ms['p99']:.2f} ms", "99th percentile", False),
        (f"{summary.cross_track_mean_m:.2f} m", "from the centre, mean", False),
        (f"{summary.cross_track_max_m:.2f} m", "from the centre, at most", summary.touched),
    )
    step = (WIDTH - 2 * _MARGIN) / len(figures)
    for number, (value, what, bad) in enumerate(figures):
        canvas.text(_MARGIN + number * step, 112, value, 22, _RED if bad else _INK, bold=True)
        canvas.text(_MARGIN + number * step, 131, what, 12.5, _QUIET)


def _map(canvas: Canvas, track: Track, moments: list[Moment]) -> None:
    left, top, width, height = _MAP
    outline = track.walls.reshape(-1, 2)
    # Lying down, because the picture is wider than high.
    turn = _flattest(outline)
    turned = outline @ turn.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    scale = min((width - 40) / (high - low)[0], (height - 30) / (high - low)[1])
    middle = (low + high) / 2

    def place(points: Array) -> Array:
        away = (np.asarray(points) @ turn.T - middle) * scale
        return np.stack([left + width / 2 + away[:, 0], top + height / 2 - away[:, 1]], axis=1)

    centre = place(track.centre)
    canvas.line(centre, _WALL, 2 * HALF_WIDTH * scale + 3, closed=True)
    canvas.line(centre, _ROAD, 2 * HALF_WIDTH * scale, closed=True)
    start = place(track.walls[:, 0])
    canvas.line(start, _INK, 2.5)
    canvas.line(centre, "#8f8c84", 1.2, closed=True, dash=(6.0, 5.0))
    _driven_path(canvas, place, moments)
    side = start[1] + (start[1] - start[0]) * 0.35
    canvas.text(side[0], side[1] + 4, "start", 12, _QUIET, anchor="middle")
    _map_legend(canvas, left, top + height, scale, any(_missed(moment) for moment in moments))


def _flattest(points: Array) -> Array:
    """Returns the rotation after which the points are least high."""

    def rotation(angle: float) -> Array:
        return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])

    angles = np.linspace(0, math.pi, 90, endpoint=False)
    return min((rotation(angle) for angle in angles), key=lambda r: float(np.ptp(points @ r.T[:, 1])))


def _driven_path(canvas: Canvas, place: object, moments: list[Moment]) -> None:
    assert callable(place)
    path = place([(moment.x, moment.y) for moment in moments])
    levels = [_level(moment.speed) for moment in moments]
    begin = 0
    for end in range(1, len(moments)):
        if end == len(moments) - 1 or levels[end] != levels[begin]:
            canvas.line(path[begin : end + 1], _SPEEDS[levels[begin]], 3.2)
            begin = end
    for moment, (x, y) in zip(moments, path, strict=True):
        if _missed(moment):
            canvas.circle(x, y, 4.5, "none", _RED, 1.6)
    last = moments[-1]
    nose = place([(last.x + math.cos(last.heading), last.y + math.sin(last.heading))])[0]
    ahead = (nose - path[-1]) / np.hypot(*(nose - path[-1]))
    side = np.array([-ahead[1], ahead[0]])
    tip = path[-1]
    arrow = np.array([tip + ahead * 13, tip - ahead * 7 + side * 8, tip - ahead * 7 - side * 8])
    canvas.area(arrow, _INK)
    canvas.line(arrow, "#ffffff", 1.2, closed=True)


def _map_legend(canvas: Canvas, left: float, bottom: float, scale: float, missed: bool) -> None:
    y = bottom - 4
    bar = 50 * scale
    canvas.line(np.array([[left, y], [left + bar, y]]), _INK, 2)
    canvas.text(left + bar + 8, y + 4, "50 m", 12, _QUIET)
    x = left + bar + 66
    canvas.line(np.array([[x, y], [x + 34, y]]), "#8f8c84", 1.2, dash=(6.0, 5.0))
    canvas.text(x + 42, y + 4, "reference", 12, _QUIET)
    x += 122
    canvas.text(x, y + 4, "driven at  0", 12, _QUIET)
    for number, color in enumerate(_SPEEDS):
        piece = np.array([[x + 76 + number * 16, y], [x + 90 + number * 16, y]])
        canvas.line(piece, color, 5)
    canvas.text(x + 84 + len(_SPEEDS) * 16, y + 4, f"{MAX_SPEED:g} m/s", 12, _QUIET)
    if missed:
        x += 84 + len(_SPEEDS) * 16 + 70
        canvas.circle(x, y, 4.5, "none", _RED, 1.6)
        canvas.text(x + 12, y + 4, "frame without an answer in time", 12, _QUIET)


def _strips(canvas: Canvas, result: Drive, summary: Summary) -> None:
    moments = result.moments
    seconds = np.array([moment.seconds for moment in moments])
    span = max(seconds[-1], result.period)
    x = _STRIP_LEFT + seconds / span * (_STRIP_RIGHT - _STRIP_LEFT)
    top = _MAP[1] + _MAP[3] + 46

    deadline = result.deadline * 1e3
    latency = np.array([moment.decision.latency for moment in moments]) * 1e3
    # Room for the deadline, unless every answer is so quick that nothing else could be seen.
    highest = deadline * 1.25 if latency.max() > deadline / 12 else _round_up(latency.max() * 1.3)
    title = f"Latency from the frame's time stamp, ms; deadline {deadline:g} ms"
    if summary.breakdown_ms:
        parts = " + ".join(f"{name} {ms * 1e3:.0f}" for name, ms in summary.breakdown_ms.items())
        title += f" · on average, µs: {parts}"
    to_y = _axes(canvas, top, title, (0.0, highest))
    if highest > deadline:
        line = np.array([[_STRIP_LEFT, to_y(deadline)], [_STRIP_RIGHT, to_y(deadline)]])
        canvas.line(line, _RED, 1.2, dash=(5.0, 4.0))
    for moment, at, value in zip(moments, x, latency, strict=True):
        late = _missed(moment)
        y = to_y(min(value, highest))
        canvas.circle(at, y, 2.6 if late else 1.3, _RED if late else _BLUE)

    top += _STRIP_HEIGHT + _STRIP_GAP
    offsets = np.array([moment.offset for moment in moments])
    most = _round_up(np.abs(offsets).max() * 1.1)
    to_y = _axes(canvas, top, "Left (+) and right (-) of the centre line, m", (-most, most))
    _curve(canvas, x, [to_y(value) for value in offsets])

    top += _STRIP_HEIGHT + _STRIP_GAP
    to_y = _axes(canvas, top, "Speed, m/s", (0.0, MAX_SPEED))
    _curve(canvas, x, [to_y(moment.speed) for moment in moments])
    step = next(step for step in (0.5, 1, 2, 5, 10, 20, 60, 600, math.inf) if span / step <= 14)
    for tick in np.arange(0, span + 1e-9, step):
        at = _STRIP_LEFT + tick / span * (_STRIP_RIGHT - _STRIP_LEFT)
        label = f"{tick:g} s" if tick == 0 else f"{tick:g}"
        canvas.text(at, top + _STRIP_HEIGHT + 18, label, 12, _QUIET, anchor="middle")


class _Scale:
    """Turns a value into a pixel's row."""

    def __init__(self, top: float, low: float, high: float) -> None:
        self._top, self._low, self._high = top, low, high

    def __call__(self, value: float) -> float:
        share = (value - self._low) / (self._high - self._low)
        return self._top + _STRIP_HEIGHT * (1 - share)


def _axes(canvas: Canvas, top: float, title: str, limits: tuple[float, float]) -> _Scale:
    to_y = _Scale(top, *limits)
    canvas.text(_STRIP_LEFT, top - 10, title, 12.5, _QUIET)
    for value in (limits[0], (limits[0] + limits[1]) / 2, limits[1]):
        y = to_y(value)
        canvas.line(np.array([[_STRIP_LEFT, y], [_STRIP_RIGHT, y]]), _FAINT, 1)
        canvas.text(_STRIP_LEFT - 8, y + 4, f"{value:.3g}", 12, _QUIET, anchor="end")
    return to_y


def _curve(canvas: Canvas, x: Array, y: Sequence[float]) -> None:
    if len(x) > 1:
        canvas.line(np.stack([x, y], axis=1), _BLUE, 1.6)


def _level(speed: float) -> int:
    return min(int(speed / MAX_SPEED * len(_SPEEDS)), len(_SPEEDS) - 1)


def _missed(moment: Moment) -> bool:
    return moment.decision.outcome is not Outcome.IN_TIME


def _round_up(value: float) -> float:
    """Returns the next of 1, 2, 4, 5, 10, 20, ... that is no less."""
    power = 10.0 ** math.floor(math.log10(max(value, 1e-3)))
    return next(power * step for step in (1, 2, 4, 5, 10) if power * step >= value * (1 - 1e-9))
