"""Cars on a course: how they move, and what their sensors read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autodrive.track import Array, Track, wrapped

WHEELBASE = 2.7  # Meters.
MAX_STEERING = 0.5  # Radians at the front wheels.
MAX_BRAKING = 6.0  # m/s^2; what the brakes can do, not what is comfortable.
MAX_ACCELERATION = 3.0

BEAMS = 64
MAX_RANGE = 30.0  # Meters.
# From right to left; 0 is straight ahead. The lidar stands above the rear axle, which is the car's
# reference point.
BEAM_ANGLES = np.linspace(-0.75 * np.pi, 0.75 * np.pi, BEAMS)
# A straight beam inside the course cannot reach a wall that is farther along the center line.
_WALL_WINDOW = 39.0
_WALL_STEP = 3  # Points of the center line per segment of wall that the lidar sees.

RANGE_NOISE = 0.03  # Meters, one standard deviation.
DROPPED_BEAMS = 0.01  # Share of beams that come back without a reading.
SPEED_NOISE = 0.05  # m/s.
STEERING_NOISE = 0.004  # Radians.


@dataclass(frozen=True)
class Command:
    """What the actuators do from the next frame on."""

    steering: float
    acceleration: float


class Simulator:
    """Cars that do not see each other on one course; axis 0 of every array is the car.

    A command takes effect with the next frame, at whatever moment of this frame it was ready
    (logical execution time). So a drive depends on its seed, and not on how quick the answers are,
    as long as they are in time.

    Args:
        track: The course.
        along: [m] meters: where on the lap each car starts, at rest.
        rng: Draws the sensors' noise.
    """

    def __init__(self, track: Track, along: Array, rng: np.random.Generator) -> None:
        self.track = track
        self._rng = rng
        position, heading, _ = track.at(along)
        self.pose = np.column_stack([position, heading])  # x, y, heading
        self.speed = np.zeros(len(along))
        self.steering = np.zeros(len(along))
        self._acceleration = np.zeros(len(along))

    def sense(self) -> tuple[Array, Array]:
        """Returns scans [m, BEAMS] and odometry [m, 2] (speed, steering), with noise.

        A beam reads infinity if nothing is in its range, and NaN if it was lost.
        """
        ranges = lidar(self.track, self.pose)
        seen = np.isfinite(ranges)
        ranges[seen] += self._rng.normal(0, RANGE_NOISE, int(seen.sum()))
        ranges[self._rng.random(ranges.shape) < DROPPED_BEAMS] = np.nan
        odometry = np.column_stack([self.speed, self.steering])
        noise = self._rng.normal(0, (SPEED_NOISE, STEERING_NOISE), odometry.shape)
        return ranges, odometry + noise

    def step(self, seconds: float) -> None:
        """Moves the cars by the kinematic bicycle model, with the commands in effect."""
        turn = self.speed * np.tan(self.steering) / WHEELBASE * seconds
        way = np.maximum(0, self.speed + self._acceleration * seconds / 2) * seconds
        middle = self.pose[:, 2] + turn / 2
        self.pose[:, 0] += way * np.cos(middle)
        self.pose[:, 1] += way * np.sin(middle)
        self.pose[:, 2] = wrapped(self.pose[:, 2] + turn)
        self.speed = np.maximum(0, self.speed + self._acceleration * seconds)

    def actuate(self, commands: list[Command]) -> None:
        """Puts one command per car in effect."""
        steering = [command.steering for command in commands]
        acceleration = [command.acceleration for command in commands]
        self.steering = np.clip(steering, -MAX_STEERING, MAX_STEERING)
        self._acceleration = np.clip(acceleration, -MAX_BRAKING, MAX_ACCELERATION)


def lidar(track: Track, pose: Array) -> Array:
    """Returns the distance to the nearest wall along each beam, [m, BEAMS].

    Args:
        track: The course.
        pose: [m, 3] x, y, heading. Cars must be between the walls.
    """
    along, _ = track.locate(pose[:, :2])
    reach = int(_WALL_WINDOW / track.spacing)
    offsets = np.arange(-reach, reach + 1, _WALL_STEP)
    # Always the same points, or the walls would move with the car.
    first = np.round(along / track.spacing).astype(int) // _WALL_STEP * _WALL_STEP
    index = (first[:, None] + offsets) % len(track.centre)
    points = track.walls[:, index].transpose(1, 0, 2, 3) - pose[:, None, None, :2]  # [m, 2, k, 2]
    start, edge = points[:, :, :-1], np.diff(points, axis=2)
    shape = (len(pose), 1, -1)
    px, py = (start[..., axis].reshape(shape).astype(np.float32) for axis in (0, 1))
    ex, ey = (edge[..., axis].reshape(shape).astype(np.float32) for axis in (0, 1))
    angle = (pose[:, 2, None] + BEAM_ANGLES)[:, :, None]
    dx, dy = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
    # origin + t d = p + u e, solved with cross products; a parallel wall divides by zero.
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = 1 / (dx * ey - dy * ex)
        t = (px * ey - py * ex) * scale
        u = (px * dy - py * dx) * scale
    hit = (t > 0) & (u >= 0) & (u <= 1) & (t < MAX_RANGE)
    nearest: Array = np.where(hit, t, np.float32(np.inf)).min(axis=2)
    return nearest
