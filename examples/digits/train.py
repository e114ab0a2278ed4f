"""Trains the digit classifier of this folder and writes it as ONNX.

The images are the 1797 handwritten digits that scikit-learn ships (8 x 8, from the UCI repository).
They are in the order in which they were collected, person by person, so the last 500 are mostly by
people whose hand the network has not seen: these are held out. A random split would put each
person's digits on both sides and report a better figure than a new writer gets.

The network is small enough to be trained here with nothing but numpy, in seconds:

    image [N, 1, 8, 8]  ->  conv 3x3, 16  ->  relu
                        ->  conv 3x3, 32  ->  relu  ->  max 2x2
                        ->  dense 64      ->  relu  ->  dense 10  ->  softmax

Run it from anywhere; it overwrites model.onnx, heldout.npz and accuracy.json beside it:

    pip install -r requirements.txt
    python train.py
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits

Array: TypeAlias = npt.NDArray[np.float32]
Labels: TypeAlias = npt.NDArray[np.int64]

HELD_OUT = 500
SEED = 20


class Network:
    """The weights, and how to run them forward and backward.

    Args:
        rng: Draws the initial weights (He initialization).
    """

    def __init__(self, rng: np.random.Generator) -> None:
        def he(*shape: int) -> Array:
            fan_in = int(np.prod(shape[1:]))
            return (rng.standard_normal(shape) * np.sqrt(2 / fan_in)).astype(np.float32)

        self.weights: dict[str, Array] = {
            "conv1.weight": he(16, 1, 3, 3),
            "conv1.bias": np.zeros(16, np.float32),
            "conv2.weight": he(32, 16, 3, 3),
            "conv2.bias": np.zeros(32, np.float32),
            "dense1.weight": he(64, 32 * 4 * 4),
            "dense1.bias": np.zeros(64, np.float32),
            "dense2.weight": he(10, 64),
            "dense2.bias": np.zeros(10, np.float32),
        }

    def forward(self, images: Array, keep: Array | None = None) -> tuple[Array, dict[str, Array]]:
        """Returns the probabilities of `images` and the intermediate values that backward() needs.

        Args:
            images: [n, 1, 8, 8], 0 to 1.
            keep: [n, 64], dropout's mask for the hidden layer; None when not training.
        """
        w = self.weights
        seen: dict[str, Array] = {}
        seen["patches1"] = patches(images)
        act1 = relu(seen["patches1"] @ w["conv1.weight"].reshape(16, -1).T + w["conv1.bias"])
        seen["act1"] = act1  # [n, 8, 8, 16]
        seen["patches2"] = patches(act1.transpose(0, 3, 1, 2))
        act2 = relu(seen["patches2"] @ w["conv2.weight"].reshape(32, -1).T + w["conv2.bias"])
        seen["act2"] = act2  # [n, 8, 8, 32]
        pooled = blocks(act2).max(axis=(2, 4))  # [n, 4, 4, 32]
        seen["pooled"] = pooled
        flat = pooled.transpose(0, 3, 1, 2).reshape(len(images), -1)
        seen["flat"] = flat
        hidden = relu(flat @ w["dense1.weight"].T + w["dense1.bias"])
        if keep is not None:
            hidden = hidden * keep
        seen["hidden"] = hidden
        logits = hidden @ w["dense2.weight"].T + w["dense2.bias"]
        exps = np.exp(logits - logits.max(axis=1, keepdims=True))
        return exps / exps.sum(axis=1, keepdims=True), seen

    def backward(
        self, probabilities: Array, labels: Labels, seen: dict[str, Array], keep: Array
    ) -> dict[str, Array]:
        """Returns the gradient of the mean cross entropy for each of the weights."""
        w, n = self.weights, len(labels)
        grads: dict[str, Array] = {}
        d_logits = probabilities.copy()
        d_logits[np.arange(n), labels] -= 1
        d_logits /= n
        grads["dense2.weight"] = d_logits.T @ seen["hidden"]
        grads["dense2.bias"] = d_logits.sum(axis=0)
        d_hidden = (d_logits @ w["dense2.weight"]) * keep * (seen["hidden"] > 0)
        grads["dense1.weight"] = d_hidden.T @ seen["flat"]
        grads["dense1.bias"] = d_hidden.sum(axis=0)
        d_pooled = (d_hidden @ w["dense1.weight"]).reshape(n, 32, 4, 4).transpose(0, 2, 3, 1)
        winners = blocks(seen["act2"]) == seen["pooled"][:, :, None, :, None, :]
        d_act2 = (winners * d_pooled[:, :, None, :, None, :]).reshape(n, 8, 8, 32)
        d_act2 = d_act2 * (seen["act2"] > 0)
        flat_patches2 = seen["patches2"].reshape(-1, 16 * 9)
        grads["conv2.weight"] = (d_act2.reshape(-1, 32).T @ flat_patches2).reshape(32, 16, 3, 3)
        grads["conv2.bias"] = d_act2.sum(axis=(0, 1, 2))
        # The way back through a 3x3 convolution is a 3x3 convolution with the rotated kernel.
        turned = w["conv2.weight"][:, :, ::-1, ::-1].transpose(1, 0, 2, 3).reshape(16, -1)
        d_act1 = (patches(d_act2.transpose(0, 3, 1, 2)) @ turned.T) * (seen["act1"] > 0)
        flat_patches1 = seen["patches1"].reshape(-1, 9)
        grads["conv1.weight"] = (d_act1.reshape(-1, 16).T @ flat_patches1).reshape(16, 1, 3, 3)
        grads["conv1.bias"] = d_act1.sum(axis=(0, 1, 2))
        return grads


def relu(x: Array) -> Array:
    """Returns the positive part of `x`."""
    return np.maximum(x, np.float32(0))


def patches(x: Array) -> Array:
    """Returns the 3x3 surroundings of each pixel: [n, c, h, w] -> [n, h, w, c * 9]."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    n, c, h, w = x.shape
    return np.ascontiguousarray(windows.transpose(0, 2, 3, 1, 4, 5)).reshape(n, h, w, c * 9)


def blocks(x: Array) -> Array:
    """Views [n, 8, 8, c] as 2x2 blocks: [n, 4, 2, 4, 2, c]."""
    return x.reshape(len(x), 4, 2, 4, 2, -1)


def shifted(images: Array, rng: np.random.Generator) -> Array:
    """Returns `images` moved by up to one pixel each way, so that position is not learned."""
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    moved = np.empty_like(images)
    for i, (row, column) in enumerate(rng.integers(0, 3, size=(len(images), 2))):
        moved[i] = padded[i, :, row : row + 8, column : column + 8]
    return moved


def train(images: Array, labels: Labels, epochs: int = 60, batch: int = 64) -> Network:
    """Trains with Adam (Kingma and Ba 2015), cosine decay and dropout of one half."""
    rng = np.random.default_rng(SEED)
    network = Network(rng)
    mean = {name: np.zeros_like(value) for name, value in network.weights.items()}
    square = {name: np.zeros_like(value) for name, value in network.weights.items()}
    steps = epochs * (len(images) // batch)
    step = 0
    for epoch in range(epochs):
        order = rng.permutation(len(images))
        losses = []
        for start in range(0, len(images) - batch + 1, batch):
            pick = order[start : start + batch]
            keep = ((rng.random((batch, 64)) < 0.5) * 2).astype(np.float32)
            probabilities, seen = network.forward(shifted(images[pick], rng), keep)
            losses.append(-np.log(probabilities[np.arange(batch), labels[pick]] + 1e-9).mean())
            step += 1
            rate = 2e-3 * 0.5 * (1 + np.cos(np.pi * step / steps))
            for name, grad in network.backward(probabilities, labels[pick], seen, keep).items():
                mean[name] = 0.9 * mean[name] + 0.1 * grad
                square[name] = 0.999 * square[name] + 0.001 * grad * grad
                unbiased = mean[name] / (1 - 0.9**step)
                scale = np.sqrt(square[name] / (1 - 0.999**step)) + 1e-8
                network.weights[name] -= (rate * unbiased / scale).astype(np.float32)
        if (epoch + 1) % 10 == 0:
            print(f"epoch {epoch + 1:2d} of {epochs}: loss {np.mean(losses):.4f}", flush=True)
    return network


def to_onnx(network: Network) -> onnx.ModelProto:
    """Returns the network as ONNX, its batch axis open."""
    nodes = [
        helper.make_node(
            "Conv", ["image", "conv1.weight", "conv1.bias"], ["c1"], pads=[1, 1, 1, 1]
        ),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("Conv", ["r1", "conv2.weight", "conv2.bias"], ["c2"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c2"], ["r2"]),
        helper.make_node("MaxPool", ["r2"], ["pooled"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "dense1.weight", "dense1.bias"], ["d1"], transB=1),
        helper.make_node("Relu", ["d1"], ["hidden"]),
        helper.make_node("Gemm", ["hidden", "dense2.weight", "dense2.bias"], ["d2"], transB=1),
        helper.make_node("Softmax", ["d2"], ["probabilities"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 1, 8, 8])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 10])],
        [numpy_helper.from_array(value, name) for name, value in network.weights.items()],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 13)], producer_name="lepton examples/digits"
    )
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model


def main() -> None:
    """Trains, measures and writes."""
    parser = argparse.ArgumentParser(description="Trains the digit classifier.")
    parser.add_argument(
        "--output_path",
        type=Path,
        default=Path(__file__).parent,
        help="folder to write to (default: beside this script)",
    )
    output: Path = parser.parse_args().output_path
    digits = load_digits()
    images: Array = (digits.images / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    labels: Labels = digits.target.astype(np.int64)
    network = train(images[:-HELD_OUT], labels[:-HELD_OUT])

    held_out, truth = images[-HELD_OUT:], labels[-HELD_OUT:]
    probabilities, _ = network.forward(held_out)
    right = int((probabilities.argmax(axis=1) == truth).sum())
    print(f"held out: {right} of {HELD_OUT} right ({right / HELD_OUT:.1%})")

    output.mkdir(parents=True, exist_ok=True)
    onnx.save(to_onnx(network), output / "model.onnx")
    # The pixels as in the data set, 0 to 16; divide by 16 for the model.
    np.savez_compressed(
        output / "heldout.npz",
        images=digits.images[-HELD_OUT:].astype(np.uint8),
        labels=truth.astype(np.uint8),
    )
    summary = {"held_out_images": HELD_OUT, "right": right, "accuracy": right / HELD_OUT}
    (output / "accuracy.json").write_text(json.dumps(summary, indent=2) + "\n")


if __name__ == "__main__":
    main()
