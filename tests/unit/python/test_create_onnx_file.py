"""What is read from an ONNX file without the onnx package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from lepton.create.onnx_file import external_files, graph_inputs


def saved(path: Path, nodes: list, inputs: list, weights: list, **props: str) -> Path:
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "g", inputs, [output], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    helper.set_model_props(model, props)
    onnx.save(model, path)
    return path


def outside(name: str, location: str) -> TensorProto:
    tensor = numpy_helper.from_array(np.ones(3, np.float32), name)
    onnx.external_data_helper.set_external_data(tensor, location)
    tensor.ClearField("raw_data")
    return tensor


X = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, "?", None])


def test_location_in_metadata_is_no_file(tmp_path: Path) -> None:
    relu = helper.make_node("Relu", ["x"], ["y"])
    model = saved(tmp_path / "a.onnx", [relu], [X], [], location="Berlin", author="me")
    assert external_files(model) == []


def test_files_are_found_wherever_tensors_are(tmp_path: Path) -> None:
    constant = helper.make_node("Constant", [], ["c"], value=outside("c", "c.bin"))
    inner = helper.make_graph(
        [helper.make_node("Constant", [], ["d"], value=outside("d", "d.bin"))],
        "inner",
        [],
        [helper.make_tensor_value_info("d", TensorProto.FLOAT, [3])],
        [outside("e", "e.bin")],
    )
    branch = helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner)
    weights = [outside("w", "w.bin"), outside("v", "w.bin")]
    model = saved(tmp_path / "a.onnx", [constant, branch], [X], weights)
    assert external_files(model) == ["c.bin", "d.bin", "e.bin", "w.bin"]


def test_inputs_are_those_that_are_no_weights_in_the_words_of_the_file(tmp_path: Path) -> None:
    weight = numpy_helper.from_array(np.ones(3, np.float32), "w")
    inputs = [
        X,
        helper.make_tensor_value_info("w", TensorProto.FLOAT, [3]),
        helper.make_tensor_value_info("n", TensorProto.INT64, []),
        helper.make_tensor_value_info("m", TensorProto.BOOL, ["a + 1"]),
    ]
    model = saved(tmp_path / "a.onnx", [helper.make_node("Relu", ["x"], ["y"])], inputs, [weight])
    assert [str(spec) for spec in graph_inputs(model) or []] == [
        "x:f32[batch,3,-1,-1]",
        "n:i64[]",
        "m:bool[a + 1]",
    ]


def test_input_without_a_shape_is_not_made_up(tmp_path: Path) -> None:
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, None)]
    model = saved(tmp_path / "a.onnx", [helper.make_node("Relu", ["x"], ["y"])], inputs, [])
    assert graph_inputs(model) is None


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9])
def test_damaged_file_is_no_exception(tmp_path: Path, kept: float) -> None:
    relu = helper.make_node("Relu", ["x"], ["y"])
    model = saved(tmp_path / "a.onnx", [relu], [X], [outside("w", "w.bin")])
    data = model.read_bytes()
    for content in (data[: int(len(data) * kept)], bytes(range(256)) * 4, b"\xff" * 64):
        model.write_bytes(content)
        assert isinstance(external_files(model), list)
        graph_inputs(model)
