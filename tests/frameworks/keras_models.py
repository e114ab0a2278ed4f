"""Writes the Keras models of the tests, with inputs and Keras's answers to them.

    python tests/frameworks/keras_models.py FOLDER

A program of its own, because TensorFlow and PyTorch cannot share a process: both bring LLVM.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
import numpy as np
import tensorflow as tf
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


def write_lite(folder: Path) -> None:
    """Writes TensorFlow Lite models: one for sound, and one quantized in two ways."""
    rng = np.random.default_rng(0)
    kernel = tf.constant(rng.standard_normal((3, 3, 3, 8)).astype(np.float32) / 3)
    classes = tf.constant(rng.standard_normal((8, 4)).astype(np.float32) * 3)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="waveform")])
    def sound(waveform):
        return tf.reduce_mean(tf.signal.frame(waveform, 15600, 7800), axis=1)

    @tf.function(input_signature=[tf.TensorSpec([1, 16, 16, 3], tf.float32, name="image")])
    def image(image):
        features = tf.nn.relu(tf.nn.conv2d(image, kernel, 1, "SAME"))
        return tf.nn.softmax(tf.matmul(tf.reduce_mean(features, [1, 2]), classes))

    def samples():
        for _ in range(16):
            yield [rng.standard_normal((1, 16, 16, 3)).astype(np.float32)]

    def converter(function):
        return tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()])

    (folder / "sound.tflite").write_bytes(converter(sound).convert())
    inside = converter(image)
    inside.optimizations = [tf.lite.Optimize.DEFAULT]
    inside.representative_dataset = samples
    (folder / "inside8.tflite").write_bytes(inside.convert())
    inside.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    inside.inference_input_type = inside.inference_output_type = tf.uint8
    (folder / "whole8.tflite").write_bytes(inside.convert())


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
    write_lite(folder)
    whole = (folder / "mlp.h5").read_bytes()
    (folder / "cut.h5").write_bytes(whole[: len(whole) // 2])


if __name__ == "__main__":
    main()
