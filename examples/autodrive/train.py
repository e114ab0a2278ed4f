"""Trains the planner of this folder and writes it as ONNX.

It imitates a driver who knows the course (autodrive/expert.py), using what the car's lidar and
odometry read. It is shown two kinds of situations:

- cars put anywhere on random courses, off the center line and askew, with the path back to it;
- situations that the network itself gets into when it drives, with what the expert would have
  done there (DAgger, Ross et al. 2011): otherwise small errors lead to where it was never
  shown anything.

Each is also shown mirrored. The courses for training, those for the held-out figures, and
course.csv, which run.py drives, are different. Runs in under a minute on one core:

    scan [N, 64], odometry [N, 2]  ->  dense 128, relu  ->  dense 128, relu  ->  path [N, 8, 2]

Run it from anywhere; it overwrites model.onnx, accuracy.json and course.csv beside it:

    pip install -r requirements.txt
    python train.py
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from autodrive.control import POINTS, PathFollower
from autodrive.expert import expert_path
from autodrive.perception import network_inputs
from autodrive.simulator import BEAMS, MAX_STEERING, WHEELBASE, Simulator
from autodrive.track import Array, Track
from onnx import TensorProto, helper, numpy_helper

COURSE = 24  # The seed of course.csv.
TRAINING = range(1000, 1032)
HELD_OUT = range(2000, 2008)
HIDDEN = 128
SEED = 30
HZ = 30


@dataclass
class Examples:
    """What the network sees, [n, BEAMS + 2], and the path it should plan, [n, POINTS * 2]."""

    seen: Array
    paths: Array

    def with_mirrored(self) -> Examples:
        """Returns these and the same with left and right exchanged."""
        seen = np.hstack([self.seen[:, BEAMS - 1 :: -1], self.seen[:, BEAMS:] * (1, -1)])
        paths = self.paths * np.tile([1, -1], POINTS)
        return Examples(np.vstack([self.seen, seen]), np.vstack([self.paths, paths]))


def joined(several: list[Examples]) -> Examples:
    """Returns all examples as one set."""
    return Examples(
        np.vstack([examples.seen for examples in several]).astype(np.float32),
        np.vstack([examples.paths for examples in several]).astype(np.float32),
    )


class Network:
    """Three dense layers that plan in meters.

    Args:
        rng: Draws the initial weights (He initialization).
    """

    def __init__(self, rng: np.random.Generator) -> None:
        sizes = [BEAMS + 2, HIDDEN, HIDDEN, POINTS * 2]
        self.weights: dict[str, Array] = {}
        for layer, (inputs, outputs) in enumerate(itertools.pairwise(sizes), 1):
            scale = np.sqrt(2 / inputs)
            weight = (rng.standard_normal((inputs, outputs)) * scale).astype(np.float32)
            self.weights[f"dense{layer}.weight"] = weight
            self.weights[f"dense{layer}.bias"] = np.zeros(outputs, np.float32)

    def forward(self, seen: Array) -> tuple[Array, Array, Array]:
        """Returns the paths, and the two hidden layers for backward()."""
        w = self.weights
        first = np.maximum(seen @ w["dense1.weight"] + w["dense1.bias"], 0)
        second = np.maximum(first @ w["dense2.weight"] + w["dense2.bias"], 0)
        return second @ w["dense3.weight"] + w["dense3.bias"], first, second

    def backward(self, seen: Array, first: Array, second: Array, d_out: Array) -> dict[str, Array]:
        """Returns the gradient of each of the weights, given that of the output."""
        d_second = (d_out @ self.weights["dense3.weight"].T) * (second > 0)
        d_first = (d_second @ self.weights["dense2.weight"].T) * (first > 0)
        grads = {}
        for layer, (x, d_y) in enumerate(
            ((seen, d_first), (first, d_second), (second, d_out)), start=1
        ):
            grads[f"dense{layer}.weight"] = x.T @ d_y
            grads[f"dense{layer}.bias"] = d_y.sum(axis=0)
        return grads

    def train(self, examples: Examples, epochs: int, rng: np.random.Generator) -> float:
        """Trains with Adam (Kingma and Ba 2015) and cosine decay; the last epoch's RMSE in meters.

        A point's error counts relative to how much that point varies; otherwise only the far ones
        would matter, while the car steers by the near ones.
        """
        importance = 1 / (examples.paths.std(axis=0) + 0.05)
        mean = {name: np.zeros_like(value) for name, value in self.weights.items()}
        square = {name: np.zeros_like(value) for name, value in self.weights.items()}
        batch = 256
        steps = epochs * (len(examples.seen) // batch)
        step, total = 0, 0.0
        for _ in range(epochs):
            total = 0.0
            order = rng.permutation(len(examples.seen))[: len(examples.seen) // batch * batch]
            for pick in order.reshape(-1, batch):
                paths, first, second = self.forward(examples.seen[pick])
                error = paths - examples.paths[pick]
                total += float((error**2).mean())
                step += 1
                rate = 2e-3 * 0.5 * (1 + np.cos(np.pi * step / steps))
                d_out = (error * importance**2 / batch).astype(np.float32)
                for name, grad in self.backward(examples.seen[pick], first, second, d_out).items():
                    mean[name] += 0.1 * (grad - mean[name])
                    square[name] += 0.001 * (grad * grad - square[name])
                    scale = np.sqrt(square[name] / (1 - 0.999**step)) + 1e-8
                    update = rate * mean[name] / (1 - 0.9**step) / scale
                    self.weights[name] -= update.astype(np.float32)
        return float(np.sqrt(total / (len(examples.seen) // batch)))


def anywhere(track: Track, count: int, rng: np.random.Generator) -> Examples:
    """Puts cars anywhere on the course: off the center line, askew, at any speed."""
    cars = Simulator(track, rng.uniform(0, track.length, count), rng)
    _, _, curvature = track.at(track.locate(cars.pose[:, :2])[0])
    offset = np.clip(rng.normal(0, 1.0, count), -2.8, 2.8)
    cars.pose[:, 0] -= offset * np.sin(cars.pose[:, 2])
    cars.pose[:, 1] += offset * np.cos(cars.pose[:, 2])
    cars.pose[:, 2] += np.clip(rng.normal(0, 0.15, count), -0.5, 0.5)
    cars.speed = rng.uniform(0, 14, count)
    steering = np.arctan(WHEELBASE * curvature) + rng.normal(0, 0.06, count)
    cars.steering = np.clip(steering, -MAX_STEERING, MAX_STEERING)
    return examples_of(cars)


def examples_of(cars: Simulator) -> Examples:
    """Returns what the cars see, and what the expert would do there."""
    inputs = network_inputs(*cars.sense())
    paths = expert_path(cars.track, cars.pose, cars.speed, cars.steering)
    return Examples(np.hstack(list(inputs.values())), paths.reshape(len(paths), -1))


def driven(
    network: Network, track: Track, cars: int, seconds: float, rng: np.random.Generator
) -> Iterator[tuple[Simulator, Examples]]:
    """Lets the network drive; yields the cars at each frame with what they see there."""
    fleet = Simulator(track, np.arange(cars) / cars * track.length, rng)
    followers = [PathFollower(1 / HZ) for _ in range(cars)]
    for _ in range(round(seconds * HZ)):
        examples = examples_of(fleet)
        yield fleet, examples
        paths = network.forward(examples.seen.astype(np.float32))[0].reshape(cars, POINTS, 2)
        speeds, angles = fleet.speed.copy(), fleet.steering.copy()
        fleet.step(1 / HZ)
        fleet.actuate([
            follower.follow(path, float(speed), float(angle))
            for follower, path, speed, angle in zip(followers, paths, speeds, angles, strict=True)
        ])  # fmt: skip


def to_onnx(network: Network) -> onnx.ModelProto:
    """Returns the network as ONNX, its batch axis open."""
    nodes = [
        helper.make_node("Concat", ["scan", "odometry"], ["seen"], axis=1),
        helper.make_node("Gemm", ["seen", "dense1.weight", "dense1.bias"], ["d1"]),
        helper.make_node("Relu", ["d1"], ["r1"]),
        helper.make_node("Gemm", ["r1", "dense2.weight", "dense2.bias"], ["d2"]),
        helper.make_node("Relu", ["d2"], ["r2"]),
        helper.make_node("Gemm", ["r2", "dense3.weight", "dense3.bias"], ["d3"]),
        helper.make_node("Reshape", ["d3", "shape"], ["path"]),
    ]
    constants = {**network.weights, "shape": np.array([-1, POINTS, 2], np.int64)}
    graph = helper.make_graph(
        nodes,
        "planner",
        [
            helper.make_tensor_value_info("scan", TensorProto.FLOAT, ["N", BEAMS]),
            helper.make_tensor_value_info("odometry", TensorProto.FLOAT, ["N", 2]),
        ],
        [helper.make_tensor_value_info("path", TensorProto.FLOAT, ["N", POINTS, 2])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", 13)],
        producer_name="lepton examples/autodrive",
    )
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model


def measure(network: Network, rng: np.random.Generator) -> dict[str, float | int]:
    """Returns the errors on courses that the network has not seen, of its paths and its driving."""
    tracks = [Track.random(seed) for seed in HELD_OUT]
    examples = joined([anywhere(track, 250, rng) for track in tracks])
    error = network.forward(examples.seen)[0] - examples.paths
    apart = np.hypot(*error.reshape(-1, POINTS, 2).transpose(2, 0, 1))
    offsets = [
        np.abs(track.locate(fleet.pose[:, :2])[1])
        for track in tracks
        for fleet, _ in driven(network, track, 4, 15, rng)
    ]
    return {
        "held_out_courses": len(tracks),
        "held_out_scans": len(examples.seen),
        "path_error_mean_m": round(float(apart.mean()), 3),
        "path_error_p95_m": round(float(np.quantile(apart, 0.95)), 3),
        "cross_track_mean_m": round(float(np.mean(offsets)), 3),
        "cross_track_max_m": round(float(np.max(offsets)), 3),
    }


def main() -> None:
    """Trains, measures and writes."""
    parser = argparse.ArgumentParser(description="Trains the planner.")
    parser.add_argument(
        "--output_path",
        type=Path,
        default=Path(__file__).parent,
        help="folder to write to (default: beside this script)",
    )
    output: Path = parser.parse_args().output_path
    rng = np.random.default_rng(SEED)
    tracks = [Track.random(seed) for seed in TRAINING]
    collected = [anywhere(track, 600, rng) for track in tracks]
    network = Network(rng)
    error = network.train(joined(collected).with_mirrored(), 15, rng)
    print(f"shown {len(tracks)} courses: RMSE {error:.3f} m", flush=True)
    for _ in range(2):
        for track in tracks[::2]:
            frames = [examples for _, examples in driven(network, track, 8, 8, rng)]
            collected.extend(frames[::6])
        error = network.train(joined(collected).with_mirrored(), 15, rng)
        print(f"shown where it drove itself to: RMSE {error:.3f} m", flush=True)

    summary = measure(network, np.random.default_rng(SEED + 1))
    print(json.dumps(summary, indent=2))
    output.mkdir(parents=True, exist_ok=True)
    onnx.save(to_onnx(network), output / "model.onnx")
    (output / "accuracy.json").write_text(json.dumps(summary, indent=2) + "\n")
    Track.random(COURSE).save(output / "course.csv")


if __name__ == "__main__":
    main()
