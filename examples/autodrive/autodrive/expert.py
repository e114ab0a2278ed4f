"""The driver that the network learns from. It knows the course; the network sees only a scan."""

from __future__ import annotations

import numpy as np

from autodrive.control import POINT_SPACING, POINTS
from autodrive.simulator import WHEELBASE
from autodrive.track import Array, Track, wrapped

_STEP = 0.5


def expert_path(track: Track, pose: Array, speed: Array, steering: Array) -> Array:
    """Returns paths from [m, 3] poses back to the center line and along it, [m, POINTS, 2].

    The offset from the center line is a quintic in the distance along it, with the car's offset,
    direction and curvature at the start and all of them zero at the end (Werling et al. 2010).
    Points are in the frame of the car, equally spaced along the path.
    """
    along, offset = track.locate(pose[:, :2])
    _, heading, curvature = track.at(along)
    error = np.clip(wrapped(pose[:, 2] - heading), -1, 1)
    slope = np.tan(error) * (1 - curvature * offset)
    bend = np.tan(steering) / WHEELBASE - curvature
    merge = 8 + 0.4 * speed
    # Longer than the path, which is shorter than the center line inside a bend.
    ahead = np.arange(0, POINTS * POINT_SPACING * 1.6, _STEP)
    u = np.minimum(ahead / merge[:, None], 1)
    offsets = (
        offset[:, None] * (1 - 10 * u**3 + 15 * u**4 - 6 * u**5)
        + (slope * merge)[:, None] * (u - 6 * u**3 + 8 * u**4 - 3 * u**5)
        + (bend * merge**2)[:, None] * (u**2 - 3 * u**3 + 3 * u**4 - u**5) / 2
    )
    centre, direction, _ = track.at(along[:, None] + ahead)
    x = centre[..., 0] - offsets * np.sin(direction) - pose[:, 0, None]
    y = centre[..., 1] + offsets * np.cos(direction) - pose[:, 1, None]
    cos, sin = np.cos(pose[:, 2, None]), np.sin(pose[:, 2, None])
    return _equally_spaced(x * cos + y * sin, y * cos - x * sin)


def _equally_spaced(x: Array, y: Array) -> Array:
    """Returns the first POINTS points that are POINT_SPACING apart along each [m, k] line."""
    lengths = np.cumsum(np.hypot(np.diff(x), np.diff(y)), axis=1)  # [m, k - 1], to the end of each
    wanted = POINT_SPACING * np.arange(1, POINTS + 1)
    piece = (lengths[:, None, :] < wanted[:, None]).sum(axis=2)  # [m, POINTS]
    piece = np.minimum(piece, lengths.shape[1] - 1)
    ends = np.take_along_axis(lengths, piece, axis=1)
    points = []
    for line in (x, y):
        before = np.take_along_axis(line, piece, axis=1)
        after = np.take_along_axis(line, piece + 1, axis=1)
        size = ends - np.where(piece > 0, np.take_along_axis(lengths, piece - 1, axis=1), 0)
        points.append(after - (ends - wanted) / size * (after - before))
    return np.stack(points, axis=2)
