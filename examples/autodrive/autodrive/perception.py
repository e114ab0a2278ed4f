"""Turns the sensors' readings into the network's inputs."""

from __future__ import annotations

import numpy as np

from autodrive.simulator import MAX_RANGE, MAX_STEERING
from autodrive.track import Array

_SPEED_SCALE = 15.0


def network_inputs(ranges: Array, odometry: Array) -> dict[str, Array]:
    """Returns the inputs of the planner, float32 and of the order of 1.

    Args:
        ranges: [m, beams] meters; infinity if nothing is in range, NaN if a beam was lost.
        odometry: [m, 2] speed in m/s, steering in radians.
    """
    clipped = np.clip(ranges, 0, MAX_RANGE)  # NaN stays NaN.
    for lost, beams in zip(np.isnan(clipped), clipped, strict=True):
        if lost.any():
            # A lost beam saw about what its neighbors saw; an empty scan sees a wall everywhere.
            there = np.flatnonzero(~lost)
            beams[lost] = np.interp(np.flatnonzero(lost), there, beams[there]) if len(there) else 0
    return {
        "scan": (clipped / MAX_RANGE).astype(np.float32),
        "odometry": (odometry / (_SPEED_SCALE, MAX_STEERING)).astype(np.float32),
    }
