"""Turns a planned path into steering and acceleration."""

from __future__ import annotations

import math

import numpy as np

from autodrive.simulator import MAX_BRAKING, MAX_STEERING, WHEELBASE, Command
from autodrive.track import Array, wrapped

POINTS = 8  # Points of a planned path.
POINT_SPACING = 3.0  # Meters along the path between points; the first is this far ahead.

MAX_SPEED = 14.0  # m/s.
MAX_SIDEWAYS = 4.0  # m/s^2, in bends.
BRAKING = 4.5  # m/s^2, for planning the speed; the brakes can do a little more.
STOP_BEFORE_END = 2.0  # Meters of path that are left when the car stands.
ACCELERATION = 2.5
SPEED_RESPONSE = 0.3  # Seconds in which a difference in speed is made up.
STEERING_RATE = 1.2  # Radians per second.

_ALONG = POINT_SPACING * np.arange(1, POINTS + 1)
_CUBIC = np.stack([_ALONG, _ALONG**2, _ALONG**3], axis=1)
# Least squares as a matrix: applied to a path's points, it gives the cubic closest to them.
_SMOOTHING = _CUBIC @ np.linalg.pinv(_CUBIC)


def smooth(path: Array) -> Array:
    """Returns the points of the cubic in the distance along the path that starts at the car."""
    return np.asarray(_SMOOTHING @ path)


class PathFollower:
    """Follows the last path that it was given, as far as it reaches.

    The path is kept in the frame of the car, meters ahead and to the left. A command is for the
    next frame, so the path is seen from where the car will be then. Without a new path the car goes
    on along the last one, moved by dead reckoning. Since it drives no faster than it could stop
    within the path that it has, it slows down by itself, and stands before the path ends.

    Args:
        period: Seconds between two frames.
    """

    def __init__(self, period: float) -> None:
        self._period = period
        self._steering = 0.0
        self.path: Array = np.empty((0, 2))

    def follow(self, path: Array | None, speed: float, steering: float) -> Command:
        """Returns the command for the next frame.

        Args:
            path: [POINTS, 2] as planned from this frame; None if there is none.
            speed: m/s, from the odometry.
            steering: Radians, from the odometry.
        """
        if path is not None:
            self.path = smooth(path)
        self.path = self._seen_from_next_frame(speed, steering)
        if len(self.path) == 0:
            return Command(self._steering, -BRAKING)
        most = STEERING_RATE * self._period
        wanted = max(-MAX_STEERING, min(MAX_STEERING, pure_pursuit(self.path, speed)))
        self._steering += max(-most, min(most, wanted - self._steering))
        acceleration = (speed_limit(self.path) - speed) / SPEED_RESPONSE
        return Command(self._steering, max(-MAX_BRAKING, min(ACCELERATION, acceleration)))

    def _seen_from_next_frame(self, speed: float, steering: float) -> Array:
        way = speed * self._period
        turn = way * math.tan(steering) / WHEELBASE
        cos, sin = math.cos(turn), math.sin(turn)
        moved = self.path - way * np.array([math.cos(turn / 2), math.sin(turn / 2)])
        moved = moved @ np.array([[cos, -sin], [sin, cos]])
        passed = 0
        while passed < len(moved) and moved[passed, 0] <= 0:
            passed += 1
        return np.asarray(moved[passed:])


def pure_pursuit(path: Array, speed: float) -> float:
    """Returns the steering of the arc that leads to a point ahead on the path (Coulter 1992)."""
    lookahead = min(max(2.0 + 0.3 * speed, 3.0), 8.0)
    points = np.vstack([np.zeros(2), path])
    along = _distance_along(points)
    x = float(np.interp(lookahead, along, points[:, 0]))
    y = float(np.interp(lookahead, along, points[:, 1]))
    return math.atan2(2 * WHEELBASE * y, x * x + y * y)


def speed_limit(path: Array) -> float:
    """Returns the speed from which the car can brake for each bend, and for the path's end."""
    points = np.vstack([np.zeros(2), path])
    along = _distance_along(points)
    steps = np.diff(points, axis=0)
    turns = np.abs(wrapped(np.diff(np.arctan2(steps[:, 1], steps[:, 0]))))
    squares = [MAX_SPEED**2, 2 * BRAKING * max(0.0, along[-1] - STOP_BEFORE_END)]
    if len(turns) > 0:
        curvature = np.maximum(turns / ((along[2:] - along[:-2]) / 2), 1e-4)
        squares.append(float((MAX_SIDEWAYS / curvature + 2 * BRAKING * along[1:-1]).min()))
    return math.sqrt(min(squares))


def _distance_along(points: Array) -> Array:
    return np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
