"""The closed loop in real time, and its result."""

from __future__ import annotations

import csv
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

import numpy as np

from autodrive.ai import AutodriveAI, Decision, Frame, Outcome
from autodrive.simulator import Command, Simulator
from autodrive.track import HALF_WIDTH

# Meters between the car's middle and a wall at which its side touches the wall.
HALF_CAR = 0.9


@dataclass(frozen=True)
class Moment:
    """One frame of a drive.

    Attributes:
        seconds: Since the drive began.
        x, y, heading, speed, steering: The car's true state, which no sensor knows.
        along: Meters driven along the center line.
        offset: Meters to the left of the center line.
        frame: What the car saw; None in a record that was read from a file.
    """

    seconds: float
    x: float
    y: float
    heading: float
    speed: float
    steering: float
    along: float
    offset: float
    frame: Frame | None
    decision: Decision


@dataclass(frozen=True)
class Drive:
    """A drive, frame by frame.

    Attributes:
        period: Seconds between two frames.
        deadline: Seconds that an answer may take.
        touched: Whether it ended at a wall.
    """

    moments: list[Moment]
    course_length: float
    period: float
    deadline: float
    touched: bool

    @classmethod
    def load(cls, path: Path, course_length: float, deadline: float) -> Self:
        """Reads what save(), or the C++ program, wrote; without what a file does not hold.

        Raises:
            ValueError: The file is not a drive's record.
        """
        moments = []
        with path.open(newline="") as file:
            try:
                for row in csv.DictReader(file):
                    latency = float(row.pop("latency_ms")) / 1e3
                    outcome = Outcome(row.pop("outcome"))
                    command = Command(float(row["steering"]), 0.0)
                    decision = Decision(command, np.empty((0, 2)), outcome, latency)
                    values = {name: float(value) for name, value in row.items()}
                    moments.append(Moment(**values, frame=None, decision=decision))
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(f"{path} is no record of a drive: {error}") from None
        if len(moments) < 2:
            raise ValueError(f"{path} is no record of a drive: {len(moments)} frames")
        period = moments[-1].seconds / (len(moments) - 1)
        touched = is_at_wall(moments[-1].offset)
        return cls(moments, course_length, period, deadline, touched)

    def save(self, path: Path) -> None:
        """Writes a line per frame, as the C++ program does."""
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            names = [field.name for field in fields(Moment)][:-2]
            writer.writerow([*names, "latency_ms", "outcome"])
            for moment in self.moments:
                values = [f"{getattr(moment, name):.4f}" for name in names]
                decision = moment.decision
                writer.writerow([*values, f"{decision.latency * 1e3:.4f}", decision.outcome])


def drive(
    ai: AutodriveAI,
    car: Simulator,
    *,
    laps: float,
    seconds: float,
    after_frame: Callable[[Moment, float], None] = lambda moment, until: None,
) -> Drive:
    """Drives one car in real time.

    The sensors' frames are due at fixed times, and stamped with these: if the program falls behind,
    the frame gets older, as it does in a car, and nothing is left out of the latencies.

    Args:
        ai: Drives the car.
        car: A simulator with one car.
        laps: Ends when the car has come this far,
        seconds: or after this time, at a wall, or at Ctrl-C once a frame has been driven.
        after_frame: Called in the time that is left until the moment (perf_counter) in its second
            argument, when the next frame is due.
    """
    moments: list[Moment] = []
    period, length = ai.period, car.track.length
    place, along, touched = _along(car), 0.0, False
    start = time.perf_counter() + period
    try:
        for number in itertools.count():
            ranges, odometry = car.sense()
            due = start + number * period
            time.sleep(max(0.0, due - time.perf_counter()))
            frame = Frame(due, ranges[0], float(odometry[0, 0]), float(odometry[0, 1]))
            decision = ai.decide(frame)
            x, y, heading = car.pose[0]
            offset = float(car.track.locate(car.pose[:, :2])[1][0])
            moments.append(
                Moment(
                    number * period, x, y, heading, car.speed[0], car.steering[0], along, offset,
                    frame, decision,
                )
            )  # fmt: skip
            car.step(period)
            car.actuate([decision.command])
            before, place = place, _along(car)
            along += (place - before + length / 2) % length - length / 2
            touched = is_at_wall(offset)
            after_frame(moments[-1], due + period)
            if along >= laps * length or (number + 1) * period >= seconds or touched:
                break
    except KeyboardInterrupt:
        if not moments:
            raise
    return Drive(moments, length, period, ai.deadline, touched)


def is_at_wall(offset: float) -> bool:
    """Returns whether a car this far off the center line touches a wall."""
    return abs(offset) > HALF_WIDTH - HALF_CAR


def _along(car: Simulator) -> float:
    return float(car.track.locate(car.pose[:, :2])[0][0])


@dataclass(frozen=True)
class Summary:
    """The figures of a drive.

    Attributes:
        outcomes: Number of frames by how they ended.
        latency_ms: From the frames' time stamps: p50, p99 and max.
        breakdown_ms: Where the time of the answered frames went, on average; see Decision.
        reason: The reason of the first frame that was not answered in time.
    """

    frames: int
    outcomes: dict[str, int]
    hit_rate: float
    longest_fallback: int
    latency_ms: dict[str, float]
    breakdown_ms: dict[str, float]
    cross_track_mean_m: float
    cross_track_max_m: float
    laps: float
    seconds: float
    touched: bool
    reason: str


def summarize(result: Drive) -> Summary:
    """Returns the figures of a drive with at least one frame."""
    decisions = [moment.decision for moment in result.moments]
    outcomes = {str(kind): sum(d.outcome is kind for d in decisions) for kind in Outcome}
    runs = itertools.groupby(decisions, key=lambda decision: decision.outcome is Outcome.IN_TIME)
    latency = np.array([decision.latency for decision in decisions]) * 1e3
    offsets = np.abs([moment.offset for moment in result.moments])
    p50, p99 = np.quantile(latency, [0.5, 0.99])
    return Summary(
        frames=len(decisions),
        outcomes=outcomes,
        hit_rate=outcomes[Outcome.IN_TIME] / len(decisions),
        longest_fallback=max((len(list(run)) for hit, run in runs if not hit), default=0),
        latency_ms={"p50": float(p50), "p99": float(p99), "max": float(latency.max())},
        breakdown_ms=_breakdown([d for d in decisions if d.outcome is Outcome.IN_TIME]),
        cross_track_mean_m=float(offsets.mean()),
        cross_track_max_m=float(offsets.max()),
        laps=result.moments[-1].along / result.course_length,
        seconds=len(decisions) * result.period,
        touched=result.touched,
        reason=next((decision.reason for decision in decisions if decision.reason), ""),
    )


def _breakdown(answered: list[Decision]) -> dict[str, float]:
    timed = [decision.timing_ms for decision in answered if decision.timing_ms]
    if not timed:
        return {}
    return {name: float(np.mean([timing[name] for timing in timed])) for name in timed[0]}
