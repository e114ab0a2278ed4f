"""The course in a terminal, drawn with braille dots while the car drives."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from autodrive.ai import Outcome
from autodrive.drive import Moment
from autodrive.track import Array, Track

# The dots of a braille character, by row and column, as bits of its code point.
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
_STYLES = ("bright_black", "cyan", "bold green", "bold red")  # Walls, driven, planned, missed.
_WALL, _DRIVEN, _PLANNED, _MISSED = range(4)
_DRAW_SECONDS = 0.012  # Maximum time to draw once; drawing is skipped if less time is left.
_EVERY_SECONDS = 0.1


class View:
    """Shows the course, the car's way and the path that it plans, in the loop's spare time.

    Args:
        track: The course.
        console: Where to draw; nothing is drawn unless it is a capable terminal.
        deadline: Seconds that an answer may take.
    """

    def __init__(self, track: Track, console: Console, deadline: float) -> None:
        self._console = console
        self._deadline = deadline
        self._shown = console.is_terminal and not console.is_dumb_terminal
        width = min(console.width, 110)
        height = min(max(console.height - 5, 8), 34)
        walls = track.walls.reshape(-1, 2)
        low, high = walls.min(axis=0), walls.max(axis=0)
        # Dots are about as wide as high: a character is twice as high as wide, and has 4 x 2 of
        # them.
        self._scale = min((width * 2 - 1) / (high - low)[0], (height * 4 - 1) / (high - low)[1])
        self._corner = np.array([low[0], high[1]])
        self._size = ((high - low) * self._scale).astype(int) + 1
        self._drawn = np.full((-(-self._size[1] // 4) * 4, -(-self._size[0] // 2) * 2), -1)
        self._dot(walls, _WALL)
        self._live: Live | None = None
        self._frames = self._missed = 0
        self._next = 0.0

    def __enter__(self) -> Self:
        if self._shown:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.__enter__()
            # The overhead of drawing for the first time must not fall into the loop.
            self._live.update(_braille(self._drawn), refresh=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.__exit__(kind, value, traceback)

    def after_frame(self, moment: Moment, until: float) -> None:
        """Draws, if there is time for it before `until`."""
        if self._live is None:
            return
        missed = moment.decision.outcome is not Outcome.IN_TIME
        self._frames += 1
        self._missed += missed
        self._dot(np.array([[moment.x, moment.y]]), _MISSED if missed else _DRIVEN)
        now = time.perf_counter()
        if now < self._next or until - now < _DRAW_SECONDS:
            return
        self._next = now + _EVERY_SECONDS
        self._live.update(Group(self._course(moment), self._status(moment)), refresh=True)

    def _dot(self, points: Array, kind: int, drawn: Array | None = None) -> None:
        drawn = self._drawn if drawn is None else drawn
        place = (points - self._corner) * (self._scale, -self._scale)
        column, row = np.clip(place, 0, self._size - 1).astype(int).T
        drawn[row, column] = np.maximum(drawn[row, column], kind)

    def _course(self, moment: Moment) -> Text:
        drawn = self._drawn.copy()
        path = np.vstack([np.zeros(2), moment.decision.path])
        reach = np.linspace(0, len(path) - 1, 6 * len(path))
        x, y = (np.interp(reach, np.arange(len(path)), path[:, axis]) for axis in (0, 1))
        cos, sin = np.cos(moment.heading), np.sin(moment.heading)
        ahead = np.stack([moment.x + x * cos - y * sin, moment.y + x * sin + y * cos], axis=1)
        self._dot(ahead, _PLANNED, drawn)
        return _braille(drawn)

    def _status(self, moment: Moment) -> Text:
        decision = moment.decision
        late = decision.outcome is not Outcome.IN_TIME
        status = Text(no_wrap=True)
        status.append(f" {moment.seconds:5.1f} s  {moment.along:4.0f} m  {moment.speed:4.1f} m/s  ")
        status.append(f"{moment.offset:+.2f} m from the centre  ")
        status.append(f"{decision.latency * 1e3:5.2f} of {self._deadline * 1e3:g} ms  ")
        status.append(
            f"{decision.outcome}  missed {self._missed} of {self._frames}",
            "bold red" if late else "green",
        )
        return status


def _braille(drawn: Array) -> Text:
    """Returns dots as text: [rows, columns] of a kind each, negative for none."""
    rows, columns = drawn.shape
    cells = drawn.reshape(rows // 4, 4, columns // 2, 2).transpose(0, 2, 1, 3)
    codes = 0x2800 + (_DOTS * (cells >= 0)).sum(axis=(2, 3))
    kinds = cells.max(axis=(2, 3))
    text = Text(no_wrap=True)
    for row_codes, row_kinds in zip(codes, kinds, strict=True):
        # One span per sequence of one style: a span per character would take too long.
        edges = np.flatnonzero(np.diff(row_kinds)) + 1
        for run, kind in zip(np.split(row_codes, edges), row_kinds[np.r_[0, edges]], strict=True):
            text.append("".join(map(chr, run)), _STYLES[kind] if kind >= 0 else "")
        text.append("\n")
    return text
