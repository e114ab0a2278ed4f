"""Writes one small model in each format that is not ONNX, with the framework that it belongs to.

y = relu(x W + b), x [rows, 4], W [4, 3] of 0, 1, 2, ... through 10, b = (0.5, -0.5, 0). The
frameworks are large, so the models are committed and this is run by hand, each part where its
framework is:

    pip install tensorflow-cpu==2.21.0 && python make_models.py tensorflow
    pip install paddlepaddle==3.3.1 && python make_models.py paddle
"""

import os
import shutil
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
WEIGHTS = (np.arange(12, dtype=np.float32) / 10).reshape(4, 3)
BIAS = np.array([0.5, -0.5, 0], np.float32)


def make_tensorflow() -> None:
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    class Linear(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weights = tf.Variable(WEIGHTS)
            self.bias = tf.Variable(BIAS)

        @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
        def __call__(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"y": tf.nn.relu(tf.matmul(x, self.weights) + self.bias)}

    module = Linear()
    function = module.__call__.get_concrete_function()
    saved = HERE / "saved_model"
    shutil.rmtree(saved, ignore_errors=True)
    tf.saved_model.save(module, str(saved), signatures=function)
    frozen = convert_variables_to_constants_v2(function)
    (HERE / "frozen.pb").write_bytes(frozen.graph.as_graph_def().SerializeToString())
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], module)
    (HERE / "lite.tflite").write_bytes(converter.convert())


def make_paddle() -> None:
    # Paddle 3 writes another format unless told otherwise.
    os.environ["FLAGS_enable_pir_api"] = "0"  # noqa: SIM112 - Paddle's name
    import paddle

    layer = paddle.nn.Linear(4, 3)
    layer.weight.set_value(WEIGHTS)
    layer.bias.set_value(BIAS)
    network = paddle.nn.Sequential(layer, paddle.nn.ReLU())
    network.eval()
    spec = [paddle.static.InputSpec([None, 4], "float32", name="x")]
    paddle.jit.save(network, str(HERE / "paddle"), input_spec=spec)


if __name__ == "__main__":
    {"tensorflow": make_tensorflow, "paddle": make_paddle}[sys.argv[1]]()
