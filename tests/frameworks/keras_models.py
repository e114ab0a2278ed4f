"""Writes the Keras models of the tests, with inputs and Keras's answers to them.

    python tests/frameworks/keras_models.py FOLDER

A program of its own, because TensorFlow and PyTorch do not live in one process: both bring LLVM.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
import numpy as np
from keras import layers


def write(folder: Path, name: str, model: keras.Model, *suffixes: str) -> None:
    """Saves a model and its answers to three rows."""
    rng = np.random.default_rng(0)
    given = {}
    for tensor in model.inputs:
        shape = (3, *tensor.shape[1:])
        noise = rng.standard_normal(shape) if "float" in tensor.dtype else rng.integers(0, 9, shape)
        given[tensor.name] = noise.astype(tensor.dtype)
    answer = model(given if len(given) > 1 else next(iter(given.values())), training=False)
    outputs = answer if isinstance(answer, dict) else {"output_0": answer}
    np.savez(folder / f"{name}-inputs.npz", **given)
    np.savez(folder / f"{name}-outputs.npz", **{k: np.asarray(v) for k, v in outputs.items()})
    for suffix in suffixes:
        model.save(folder / f"{name}{suffix}")


def main() -> None:
    folder = Path(sys.argv[1])
    keras.utils.set_random_seed(0)
    mlp = keras.Sequential(
        [
            keras.Input((8,), name="features"),
            layers.Dense(32, activation="relu"),
            layers.BatchNormalization(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    write(folder, "mlp", mlp, ".keras", ".h5")
    mlp.save_weights(folder / "mlp.weights.h5")
    cnn = keras.Sequential(
        [
            keras.Input((16, 16, 3), name="image"),
            layers.Conv2D(8, 3, padding="same"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(4),
        ]
    )
    write(folder, "cnn", cnn, ".keras")
    values = keras.Input((4,), name="values")
    counts = keras.Input((4,), name="counts", dtype="int32")
    total = values + keras.ops.cast(counts, "float32")
    two = keras.Model({"counts": counts, "values": values}, {"sum": total, "double": values * 2.0})
    write(folder, "two", two, ".keras")
    augmented = keras.Sequential(
        [
            keras.Input((8, 8, 3), name="image"),
            layers.RandomFlip(),
            layers.RandomRotation(0.5),
            layers.GaussianNoise(0.9),
            layers.Conv2D(2, 3),
            layers.Dropout(0.5),
        ]
    )
    write(folder, "augmented", augmented, ".keras")
    code = keras.Sequential([keras.Input((2,), name="x"), layers.Lambda(lambda x: x * 3.0)])
    write(folder, "code", code, ".keras", ".h5")
    keras.Sequential([layers.Dense(3)]).save(folder / "open.keras")
    whole = (folder / "mlp.h5").read_bytes()
    (folder / "cut.h5").write_bytes(whole[: len(whole) // 2])


if __name__ == "__main__":
    main()
