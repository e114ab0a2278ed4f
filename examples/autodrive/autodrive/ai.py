"""The AI that drives: sensors in, a command out, a served network in between."""

from __future__ import annotations

import enum
import time
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from autodrive.control import POINT_SPACING, POINTS, PathFollower
from autodrive.perception import network_inputs
from autodrive.simulator import BEAMS, Command
from autodrive.track import Array
from lepton import Answer, DeadlineExceeded, LeptonError

_WARM_UPS = 20


class Planner(Protocol):
    """What plans a path: `lepton.LeptonAI`, on a server or in-process."""

    def infer(self, inputs: dict[str, Array], *, timeout: float | None = None) -> Answer:
        """Runs the model once, in `timeout` seconds or not at all."""


class Outcome(enum.StrEnum):
    """How a frame ended; all but the first fall back on the last path."""

    IN_TIME = "in time"
    LATE = "late"  # No answer within the deadline, or one after it.
    REFUSED = "refused"  # The server refused, or is not there.
    IMPLAUSIBLE = "implausible"  # An answer that no car should follow.


@dataclass(frozen=True)
class Frame:
    """The sensors' readings at one moment.

    Attributes:
        stamp: The time, in seconds of time.perf_counter().
        ranges: [BEAMS] meters; infinity where nothing is in range, NaN where a beam was lost.
        speed: m/s, from the odometry.
        steering: Radians, from the odometry.
    """

    stamp: float
    ranges: Array
    speed: float
    steering: float


@dataclass(frozen=True)
class Decision:
    """The AI's decision on a frame.

    Attributes:
        path: [k, 2] meters, as followed, in the frame of the car at the next frame.
        latency: Seconds from the frame's time stamp to the command.
        timing_ms: Where the time of an answer went, in order: `prepare` from the time stamp to the
            call, `call` the client and the wire, then the server's own account, and `steer` from
            the answer to the command. Empty if there was no answer.
        reason: Why the frame was not answered in time; empty if it was.
    """

    command: Command
    path: Array
    outcome: Outcome
    latency: float
    timing_ms: dict[str, float] = field(default_factory=dict)
    reason: str = ""


class AutodriveAI:
    """Turns frames into commands, each within a deadline.

    A frame without a usable answer in time is a fallback: the car follows the last path that it
    has, and slows down as that comes to its end (see PathFollower). Not thread-safe.

    Args:
        planner: Runs the network.
        period: Seconds between two frames.
        deadline: Seconds from a frame's time stamp until its answer is of no use. The planner is
            told how many are left, so a server does not start what would come too late.

    Example:
        >>> with LeptonAI("http://127.0.0.1:8000", model="planner") as client:
        ...     ai = AutodriveAI(client, period=1 / 30, deadline=0.020)
        ...     ai.warm_up()
        ...     decision = ai.decide(Frame(time.perf_counter(), ranges, speed, steering))
    """

    def __init__(self, planner: Planner, *, period: float, deadline: float) -> None:
        self._planner = planner
        self.period = period
        self.deadline = deadline
        self._follower = PathFollower(period)

    def warm_up(self) -> None:
        """Opens the connection and runs everything once before the first frame counts.

        Raises:
            LeptonError: The planner does not answer, even without a deadline.
        """
        inputs = network_inputs(np.full((1, BEAMS), np.inf), np.zeros((1, 2)))
        for _ in range(_WARM_UPS):
            self._planner.infer(inputs)

    def decide(self, frame: Frame) -> Decision:
        """Returns the command for `frame`; takes no longer than the deadline, and never raises."""
        inputs = network_inputs(frame.ranges[None], np.array([[frame.speed, frame.steering]]))
        asked = time.perf_counter()
        path, outcome, server_ms, reason = self._ask(inputs, frame.stamp + self.deadline - asked)
        answered = time.perf_counter()
        if outcome is Outcome.IN_TIME and answered > frame.stamp + self.deadline:
            path, outcome, reason = None, Outcome.LATE, "the answer came after the deadline"
        command = self._follower.follow(path, frame.speed, frame.steering)
        end = time.perf_counter()
        timing_ms: dict[str, float] = {}
        if server_ms:
            called_ms = (answered - asked) * 1e3 - sum(server_ms.values())
            timing_ms = {"prepare": (asked - frame.stamp) * 1e3, "call": called_ms, **server_ms}
            timing_ms["steer"] = (end - answered) * 1e3
        latency = end - frame.stamp
        return Decision(command, self._follower.path, outcome, latency, timing_ms, reason)

    def _ask(
        self, inputs: dict[str, Array], seconds: float
    ) -> tuple[Array | None, Outcome, dict[str, float], str]:
        if seconds <= 0:
            return None, Outcome.LATE, {}, "the deadline passed before the frame was sent"
        try:
            answer = self._planner.infer(inputs, timeout=seconds)
        except DeadlineExceeded as error:
            return None, Outcome.LATE, {}, str(error)
        except LeptonError as error:
            return None, Outcome.REFUSED, {}, str(error)
        path = answer.outputs.get("path")
        if path is None or not is_plausible(path[0]):
            return None, Outcome.IMPLAUSIBLE, answer.timing_ms, "the answer is no path to follow"
        return path[0].astype(np.float64), Outcome.IN_TIME, answer.timing_ms, ""


def is_plausible(path: Array) -> bool:
    """Returns whether the path is usable: it starts ahead of the car, and has no jumps."""
    if path.shape != (POINTS, 2) or not np.isfinite(path).all() or path[0, 0] <= 0:
        return False
    steps = np.hypot(*np.diff(np.vstack([np.zeros(2), path]), axis=0).T)
    return bool((steps > 0.3 * POINT_SPACING).all() and (steps < 2 * POINT_SPACING).all())
