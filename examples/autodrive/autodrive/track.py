"""Closed courses between two walls, and a car's place on one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]

SPACING = 0.5  # Approximate meters between the points of a center line.
HALF_WIDTH = 4.0  # Meters from the center line to either wall.
_TIGHTEST_RADIUS = 11.0
_BETWEEN_CENTRES = 2 * HALF_WIDTH + 3.0


@dataclass(frozen=True)
class Track:
    """A closed course, driven counter-clockwise.

    Attributes:
        centre: [n, 2] meters, equally spaced; the last point is followed by the first.
    """

    centre: Array

    @classmethod
    def random(cls, seed: int) -> Self:
        """Draws courses until one has no bend that is too tight and no two parts too close."""
        rng = np.random.default_rng(seed)
        while True:
            knots = int(rng.integers(11, 16))
            angles = (np.arange(knots) + rng.uniform(-0.3, 0.3, knots)) * 2 * np.pi / knots
            radii = rng.uniform(18, 100, knots)
            control = radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
            track = cls(_equally_spaced(_closed_spline(control)))
            if track._is_drivable():
                return track

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads what save() wrote.

        Raises:
            ValueError: It cannot be read, or is not a course.
        """
        try:
            centre = np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2)
        except (OSError, ValueError) as error:
            raise ValueError(f"course {path} cannot be read: {error}") from None
        if centre.shape[1] != 2 or len(centre) < 16:
            raise ValueError(f"course {path} is {centre.shape}, expected at least 16 rows of x, y")
        return cls(centre)

    def save(self, path: Path) -> None:
        """Writes the center line, for the C++ program and for inspection."""
        np.savetxt(path, self.centre, fmt="%.3f", delimiter=",", header="x_m,y_m", comments="")

    @cached_property
    def spacing(self) -> float:
        """Meters between two points of the center line."""
        return float(np.hypot(*(np.roll(self.centre, -1, axis=0) - self.centre).T).mean())

    @property
    def length(self) -> float:
        """Meters of one lap along the center line."""
        return self.spacing * len(self.centre)

    @cached_property
    def heading(self) -> Array:
        """[n] radians, the direction of the center line at its points."""
        ahead = np.roll(self.centre, -1, axis=0) - np.roll(self.centre, 1, axis=0)
        return np.asarray(np.arctan2(ahead[:, 1], ahead[:, 0]))

    @cached_property
    def curvature(self) -> Array:
        """[n] 1/m, positive to the left."""
        turned = wrapped(np.roll(self.heading, -1) - np.roll(self.heading, 1))
        return np.asarray(turned / (2 * self.spacing))

    @cached_property
    def walls(self) -> Array:
        """[2, n, 2]: the left wall and the right one, point by point beside the center line."""
        normal = np.stack([-np.sin(self.heading), np.cos(self.heading)], axis=1)
        return np.stack([self.centre + HALF_WIDTH * normal, self.centre - HALF_WIDTH * normal])

    def locate(self, points: Array) -> tuple[Array, Array]:
        """Projects [m, 2] points onto the center line.

        Returns:
            How far along the lap each is, and how far to the left of the center line, in meters.
        """
        apart = points[:, None, :] - self.centre
        nearest = np.argmin(np.einsum("mnd,mnd->mn", apart, apart), axis=1)
        away = points - self.centre[nearest]
        cos, sin = np.cos(self.heading[nearest]), np.sin(self.heading[nearest])
        along = away[:, 0] * cos + away[:, 1] * sin
        return (
            (nearest * self.spacing + along) % self.length,
            away[:, 1] * cos - away[:, 0] * sin,
        )

    def at(self, along: Array) -> tuple[Array, Array, Array]:
        """Returns position [..., 2], heading and curvature of the center line at `along` meters."""
        place = along / self.spacing
        before = np.floor(place).astype(int)
        share = place - before
        i, j = before % len(self.centre), (before + 1) % len(self.centre)
        position = self.centre[i] + share[..., None] * (self.centre[j] - self.centre[i])
        heading = self.heading[i] + share * wrapped(self.heading[j] - self.heading[i])
        curvature = self.curvature[i] + share * (self.curvature[j] - self.curvature[i])
        return position, heading, curvature

    def _is_drivable(self) -> bool:
        if np.abs(self.curvature).max() > 1 / _TIGHTEST_RADIUS:
            return False
        some = self.centre[::6]
        apart = np.linalg.norm(some[:, None] - some, axis=2)
        steps = np.abs(np.arange(len(some))[:, None] - np.arange(len(some)))
        steps = np.minimum(steps, len(some) - steps)
        return bool(apart[steps * 6 * self.spacing > 30].min() > _BETWEEN_CENTRES)


def wrapped(angle: Array) -> Array:
    """Returns the equivalent angle between -pi and pi."""
    return (angle + np.pi) % (2 * np.pi) - np.pi


def _closed_spline(control: Array, pieces: int = 64) -> Array:
    """Returns points of the closed uniform cubic B-spline of `control` [k, 2]."""
    t = np.arange(pieces)[:, None, None] / pieces
    weights = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
    points = sum(w / 6 * np.roll(control, 1 - i, axis=0) for i, w in enumerate(weights))
    return np.asarray(points).transpose(1, 0, 2).reshape(-1, 2)


def _equally_spaced(points: Array) -> Array:
    """Returns points of the same closed line, equally spaced along it."""
    closed = np.vstack([points, points[:1]])
    along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    places = np.linspace(0, along[-1], round(along[-1] / SPACING), endpoint=False)
    return np.stack([np.interp(places, along, closed[:, axis]) for axis in (0, 1)], axis=1)
