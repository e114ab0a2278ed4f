"""Writes the benchmark's models as a repository: OUT_DIR/<name>/1/model.onnx.

`mlp` is 128-256-256-10 with a dynamic batch: so small that the server's own cost shows. `resnet50`
has the topology of ResNet-50 v1.5 (He et al. 2016, https://arxiv.org/abs/1512.03385; stride in the
3x3, https://catalog.ngc.nvidia.com/orgs/nvidia/resources/resnet_50_v1_5_for_pytorch) with batch
normalization folded into the convolutions, as exporters leave it. The weights are random, from a
fixed seed, and scaled so that the outputs stay finite; nothing here knows a cat from a dog.
`resnet50_96` is the same for images of 96 pixels. `transformer` is an encoder of 6 layers, width
384, 6 heads, with the normalization before each part (Xiong et al. 2020,
https://arxiv.org/abs/2002.04745), for 16 tokens: about as large as the smaller sentence encoders.

    python bench/models.py OUT_DIR [mlp resnet50 resnet50_96 transformer]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8


class GraphBuilder:
    """Collects nodes and weights; each method adds one layer and returns its output's name."""

    def __init__(self, seed: int) -> None:
        """Starts an empty graph whose weights follow from `seed`."""
        self.random = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def add(self, op: str, inputs: list[str], output: str = "", **attributes: object) -> str:
        """Appends a node."""
        output = output or f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [output], **attributes))
        return output

    def weight(self, name: str, values: np.ndarray) -> str:
        """Appends a constant."""
        self.weights.append(numpy_helper.from_array(values.astype(np.float32), name))
        return name

    def integers(self, values: list[int]) -> str:
        """Appends a constant of axes or extents."""
        name = f"integers_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.array(values, dtype=np.int64), name))
        return name

    def scalar(self, value: float) -> str:
        """Appends a constant without axes."""
        return self.weight(f"scalar_{len(self.weights)}", np.array(value))

    def dense(self, x: str, fan_in: int, fan_out: int, output: str = "") -> str:
        """[N, fan_in] -> [N, fan_out], Xavier-initialized."""
        bound = np.sqrt(6.0 / (fan_in + fan_out))
        layer = f"dense_{len(self.nodes)}"
        w = self.weight(f"{layer}_w", self.random.uniform(-bound, bound, (fan_in, fan_out)))
        b = self.weight(f"{layer}_b", self.random.uniform(-0.1, 0.1, fan_out))
        return self.add("Gemm", [x, w, b], output)

    def project(self, x: str, fan_in: int, fan_out: int) -> str:
        """[N, T, fan_in] -> [N, T, fan_out], Xavier-initialized."""
        bound = np.sqrt(6.0 / (fan_in + fan_out))
        layer = f"project_{len(self.nodes)}"
        w = self.weight(f"{layer}_w", self.random.uniform(-bound, bound, (fan_in, fan_out)))
        b = self.weight(f"{layer}_b", self.random.uniform(-0.02, 0.02, fan_out))
        return self.add("Add", [self.add("MatMul", [x, w]), b])

    def normalize(self, x: str, width: int, output: str = "") -> str:
        """[N, T, width] -> the same, each token by itself."""
        layer = f"normalize_{len(self.nodes)}"
        scale = self.weight(f"{layer}_scale", np.ones(width))
        bias = self.weight(f"{layer}_bias", np.zeros(width))
        return self.add("LayerNormalization", [x, scale, bias], output, axis=-1)

    def conv(self, x: str, channels: tuple[int, int], kernel: int, *, stride: int = 1) -> str:
        """[N, channels[0], H, W] -> [N, channels[1], H/stride, W/stride]."""
        fan_in, fan_out = channels
        area = kernel * kernel
        bound = np.sqrt(6.0 / (area * (fan_in + fan_out)))
        layer = f"conv_{len(self.nodes)}"
        shape = (fan_out, fan_in, kernel, kernel)
        w = self.weight(f"{layer}_w", self.random.uniform(-bound, bound, shape))
        b = self.weight(f"{layer}_b", self.random.uniform(-0.05, 0.05, fan_out))
        return self.add(
            "Conv",
            [x, w, b],
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=[kernel // 2] * 4,
        )

    def relu(self, x: str) -> str:
        """The usual non-linearity."""
        return self.add("Relu", [x])

    def model(
        self,
        name: str,
        inputs: list[object],
        outputs: list[object],
        *,
        takes: int = TensorProto.FLOAT,
    ) -> onnx.ModelProto:
        """Closes the graph and checks it."""
        graph = helper.make_graph(
            self.nodes,
            name,
            [helper.make_tensor_value_info(n, takes, s) for n, s in inputs],
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs],
            self.weights,
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="lepton-bench"
        )
        model.ir_version = IR_VERSION
        onnx.checker.check_model(model)
        return model


def make_mlp() -> onnx.ModelProto:
    """input [N, 128] -> output [N, 10]."""
    build = GraphBuilder(seed=1)
    x = build.relu(build.dense("input", 128, 256))
    x = build.relu(build.dense(x, 256, 256))
    build.dense(x, 256, 10, "output")
    return build.model("mlp", [("input", ["N", 128])], [("output", ["N", 10])])


def bottleneck(build: GraphBuilder, x: str, fan_in: int, width: int, stride: int) -> str:
    """The 1x1, 3x3, 1x1 block with a shortcut, 4 * width channels out."""
    fan_out = 4 * width
    shortcut = x
    if stride != 1 or fan_in != fan_out:
        shortcut = build.conv(x, (fan_in, fan_out), 1, stride=stride)
    y = build.relu(build.conv(x, (fan_in, width), 1))
    y = build.relu(build.conv(y, (width, width), 3, stride=stride))
    y = build.conv(y, (width, fan_out), 1)
    return build.relu(build.add("Add", [y, shortcut]))


def make_resnet50(pixels: int = 224) -> onnx.ModelProto:
    """input [N, 3, pixels, pixels] -> output [N, 1000], as probabilities' logits."""
    build = GraphBuilder(seed=2)
    x = build.relu(build.conv("input", (3, 64), 7, stride=2))
    x = build.add("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    channels = 64
    for width, blocks, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for block in range(blocks):
            x = bottleneck(build, x, channels, width, stride if block == 0 else 1)
            channels = 4 * width
    x = build.add("GlobalAveragePool", [x])
    x = build.add("Flatten", [x], axis=1)
    build.dense(x, channels, 1000, "output")
    return build.model("resnet50", [("input", ["N", 3, pixels, pixels])], [("output", ["N", 1000])])


TOKENS = 16
WIDTH = 384
HEADS = 6


def attend(build: GraphBuilder, x: str) -> str:
    """Multi-head self-attention, [N, TOKENS, WIDTH] -> the same."""
    apart = build.integers([0, TOKENS, HEADS, WIDTH // HEADS])

    def heads(order: list[int]) -> str:
        y = build.add("Reshape", [build.project(x, WIDTH, WIDTH), apart])
        return build.add("Transpose", [y], perm=order)

    query, key, value = heads([0, 2, 1, 3]), heads([0, 2, 3, 1]), heads([0, 2, 1, 3])
    scale = build.scalar((WIDTH // HEADS) ** -0.5)
    scores = build.add("Mul", [build.add("MatMul", [query, key]), scale])
    y = build.add("MatMul", [build.add("Softmax", [scores], axis=-1), value])
    y = build.add("Transpose", [y], perm=[0, 2, 1, 3])
    y = build.add("Reshape", [y, build.integers([0, TOKENS, WIDTH])])
    return build.project(y, WIDTH, WIDTH)


def gelu(build: GraphBuilder, x: str) -> str:
    """x / 2 * (1 + erf(x / sqrt(2))), as exporters write it."""
    erf = build.add("Erf", [build.add("Div", [x, build.scalar(2**0.5)])])
    return build.add(
        "Mul", [build.add("Mul", [x, build.add("Add", [erf, build.scalar(1)])]), build.scalar(0.5)]
    )


def make_transformer(layers: int = 6, words: int = 1000) -> onnx.ModelProto:
    """ids [N, TOKENS] int64 -> output [N, TOKENS, WIDTH]."""
    build = GraphBuilder(seed=3)
    table = build.weight("words", build.random.normal(0, 1, (words, WIDTH)))
    places = build.weight("places", build.random.normal(0, 1, (TOKENS, WIDTH)))
    x = build.add("Add", [build.add("Gather", [table, "ids"], axis=0), places])
    for _ in range(layers):
        x = build.add("Add", [x, attend(build, build.normalize(x, WIDTH))])
        y = gelu(build, build.project(build.normalize(x, WIDTH), WIDTH, 4 * WIDTH))
        x = build.add("Add", [x, build.project(y, 4 * WIDTH, WIDTH)])
    build.normalize(x, WIDTH, "output")
    inputs, outputs = [("ids", ["N", TOKENS])], [("output", ["N", TOKENS, WIDTH])]
    return build.model("transformer", inputs, outputs, takes=TensorProto.INT64)


MODELS: dict[str, Callable[[], onnx.ModelProto]] = {
    "mlp": make_mlp,
    "resnet50": make_resnet50,
    "resnet50_96": lambda: make_resnet50(96),
    "transformer": make_transformer,
}


def main() -> None:
    """Writes the models that the command line names, all of them by default."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out_dir", type=Path)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(MODELS)}")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.names) - set(MODELS))
    if unknown:
        parser.error(f"no model {unknown[0]!r}, there are {', '.join(MODELS)}")
    for name in arguments.names or MODELS:
        folder = arguments.out_dir / name / "1"
        folder.mkdir(parents=True, exist_ok=True)
        onnx.save(MODELS[name](), folder / "model.onnx")
        print(folder / "model.onnx")


if __name__ == "__main__":
    main()
