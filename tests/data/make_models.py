"""Writes the small ONNX models of the unit tests beside this file.

python tests/data/make_models.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).parent
Tensor = tuple[str, int, list[object]]

# Every datatype that the protocol has a word for.
DATATYPES = {
    "bool": TensorProto.BOOL,
    "uint8": TensorProto.UINT8,
    "uint16": TensorProto.UINT16,
    "uint32": TensorProto.UINT32,
    "uint64": TensorProto.UINT64,
    "int8": TensorProto.INT8,
    "int16": TensorProto.INT16,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "fp16": TensorProto.FLOAT16,
    "bf16": TensorProto.BFLOAT16,
    "fp32": TensorProto.FLOAT,
    "fp64": TensorProto.DOUBLE,
}


def save(
    name: str,
    nodes: list[onnx.NodeProto],
    inputs: list[Tensor],
    outputs: list[Tensor],
    weights: dict[str, np.ndarray] | None = None,
) -> None:
    """Checks the model and writes it."""
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info(*tensor) for tensor in inputs],
        [helper.make_tensor_value_info(*tensor) for tensor in outputs],
        [numpy_helper.from_array(values, key) for key, values in (weights or {}).items()],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="lepton-tests"
    )
    model.ir_version = 8
    onnx.checker.check_model(model)
    onnx.save(model, HERE / f"{name}.onnx")


def main() -> None:
    """Writes all of them."""
    node = helper.make_node
    floats = TensorProto.FLOAT
    # y = 2 x + 1, row by row.
    save(
        "scale",
        [node("Mul", ["x", "two"], ["doubled"]), node("Add", ["doubled", "one"], ["y"])],
        [("x", floats, ["N", 4])],
        [("y", floats, ["N", 4])],
        {"two": np.array(2, np.float32), "one": np.array(1, np.float32)},
    )
    # y = x - mean of all rows: what a row gets depends on the others.
    save(
        "centered",
        [node("ReduceMean", ["x"], ["mean"], axes=[0]), node("Sub", ["x", "mean"], ["y"])],
        [("x", floats, ["N", 4])],
        [("y", floats, ["N", 4])],
    )
    # Sum over a sequence of any length.
    save(
        "sequence",
        [
            node("Cast", ["ids"], ["numbers"], to=floats),
            node("ReduceSum", ["numbers", "axes"], ["sum"], keepdims=1),
        ],
        [("ids", TensorProto.INT64, ["N", "S"])],
        [("sum", floats, ["N", 1])],
        {"axes": np.array([1], np.int64)},
    )
    # A shape that is all fixed, and no batch axis; inputs and outputs out of alphabetic order.
    save(
        "fixed",
        [node("Add", ["b", "a"], ["sum"]), node("Sub", ["b", "a"], ["difference"])],
        [("b", floats, [2, 3]), ("a", floats, [2, 3])],
        [("sum", floats, [2, 3]), ("difference", floats, [2, 3])],
    )
    # Copies of tensors of each datatype. Reshape, because Identity would be optimized away.
    save(
        "datatypes",
        [node("Reshape", [f"{n}_in", "shape"], [f"{n}_out"]) for n in DATATYPES],
        [(f"{n}_in", t, ["N", 2]) for n, t in DATATYPES.items()],
        [(f"{n}_out", t, ["N", 2]) for n, t in DATATYPES.items()],
        {"shape": np.array([-1, 2], np.int64)},
    )
    # The columns of each row in the other order.
    save(
        "strings",
        [node("Gather", ["text", "order"], ["swapped"], axis=1)],
        [("text", TensorProto.STRING, ["N", 2])],
        [("swapped", TensorProto.STRING, ["N", 2])],
        {"order": np.array([1, 0], np.int64)},
    )
    save(
        "copied_strings",
        [node("Identity", ["text"], ["copy"])],
        [("text", TensorProto.STRING, ["N", 2])],
        [("copy", TensorProto.STRING, ["N", 2])],
    )


if __name__ == "__main__":
    main()
