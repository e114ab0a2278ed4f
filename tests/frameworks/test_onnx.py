"""ONNX models, compared with ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import openvino
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    quantize_dynamic,
    quantize_static,
)

from lepton.create import CreateError, Options
from lepton.create import onnx as onnx_module
from lepton.create.check import compare, mismatch
from lepton.create.framework import Job
from lepton.create.openvino_model import OpenVinoModel
from lepton.create.samples import Feed

ROOT = Path(__file__).parents[2]


def test_model_was_compared_with_onnx_runtime(create) -> None:
    service = create(ROOT / "examples/digits/model.onnx")
    check = service.facts["check"]
    assert check["against"] == f"onnxruntime {onnxruntime.__version__}"
    assert check["outputs"][0]["max_rel"] < 1e-4
    assert service.facts["versions"]["onnxruntime"] == onnxruntime.__version__


def test_example_is_what_is_compared(create, tmp_path: Path) -> None:
    held_out = np.load(ROOT / "examples/digits/heldout.npz")
    images = held_out["images"][:7, np.newaxis].astype(np.float32) / 16
    np.savez(tmp_path / "images.npz", image=images)
    service = create(ROOT / "examples/digits/model.onnx", example=tmp_path / "images.npz")
    check = service.facts["check"]
    assert (check["inputs"], check["batches"]) == ("example", [1, 2, 5, 7])
    assert check["outputs"][0]["top1"] == 1.0


def test_strings_are_compared_as_they_are(create) -> None:
    check = create(ROOT / "tests/data/strings.onnx").facts["check"]
    assert check["outputs"][0]["equal"] == 1.0


def test_unknown_operator_is_named(create, tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Frobnicate", ["x"], ["y"], domain="my.ops")],
        "odd",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3])],
    )
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("my.ops", 1)]
    onnx.save(helper.make_model(graph, opset_imports=imports), tmp_path / "odd.onnx")
    with pytest.raises(CreateError, match=r"no conversion for the operators my\.ops\.Frobnicate"):
        create(tmp_path / "odd.onnx")


def test_what_onnx_runtime_cannot_take_is_served_unchecked_and_said(create) -> None:
    check = create(ROOT / "tests/data/datatypes.onnx").facts["check"]
    assert check["against"] is None
    assert "bfloat16" in check["skipped"]


FLOAT, INT64, INT32 = TensorProto.FLOAT, TensorProto.INT64, TensorProto.INT32
node = helper.make_node


def write(path: Path, nodes: list, inputs: list, outputs: list, **weights: np.ndarray) -> Path:
    values = [[helper.make_tensor_value_info(*one) for one in some] for some in (inputs, outputs)]
    held = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "g", *values, held)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    made.ir_version = 8
    onnx.save(made, path)
    return path


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def classifier(path: Path) -> Path:
    nodes = [
        node("Conv", ["x", "a"], ["c"]),
        node("Relu", ["c"], ["r"]),
        node("GlobalAveragePool", ["r"], ["p"]),
        node("Reshape", ["p", "flat"], ["f"]),
        node("MatMul", ["f", "b"], ["y"]),
    ]
    flat = np.array([0, -1], np.int64)
    inputs = [("x", FLOAT, ["n", 3, 32, 32])]
    return write(path, nodes, inputs, [("y", FLOAT, ["n", 10])],
                 a=noise(16, 3, 5, 5), b=noise(16, 10), flat=flat)  # fmt: skip


class Images(CalibrationDataReader):
    def __init__(self) -> None:
        self.left = iter([{"x": noise(2, 3, 32, 32)}] * 3)

    def get_next(self) -> dict | None:
        return next(self.left, None)


@pytest.mark.parametrize("how", ["dynamic", "static"])
def test_quantized_model_is_judged_by_agreement(create, tmp_path: Path, how: str) -> None:
    model, made = classifier(tmp_path / "net.onnx"), tmp_path / "quantized.onnx"
    if how == "dynamic":
        quantize_dynamic(model, made)
    else:
        quantize_static(model, made, Images(), quant_format=QuantFormat.QDQ)
    check = create(made).facts["check"]
    assert check["arithmetic"] == "quantized"
    assert check["passed"]
    assert check["outputs"][0]["cosine"] > 0.98


def test_half_precision_inside_has_a_wider_default(create, tmp_path: Path) -> None:
    nodes = [
        node("Cast", ["x"], ["h"], to=TensorProto.FLOAT16),
        node("MatMul", ["h", "w"], ["z"]),
        node("Cast", ["z"], ["y"], to=FLOAT),
    ]
    weights = noise(256, 16).astype(np.float16)
    model = write(tmp_path / "half.onnx", nodes, [("x", FLOAT, ["n", 256])],
                  [("y", FLOAT, ["n", 16])], w=weights)  # fmt: skip
    check = create(model).facts["check"]
    assert (check["arithmetic"], check["tolerance"], check["passed"]) == ("half", 0.02, True)


def test_what_cancels_out_is_compared_by_the_scale_of_the_input(create, tmp_path: Path) -> None:
    nodes = [
        node("ReduceMean", ["x"], ["m"], axes=[1]),
        node("Sub", ["x", "m"], ["d"]),
        node("ReduceMean", ["d"], ["y"], axes=[1]),
    ]
    outputs = [("y", FLOAT, ["n", 1])]
    model = write(tmp_path / "zero.onnx", nodes, [("x", FLOAT, ["n", 4096])], outputs)
    assert create(model).facts["check"]["passed"]


def test_size_that_the_engine_refuses_is_passed_over_and_told(create, tmp_path: Path) -> None:
    # ONNX Runtime accepts windows larger than what they slide over; OpenVINO does not.
    nodes = [node("MaxPool", ["x"], ["y"], kernel_shape=[9], ceil_mode=1)]
    model = write(tmp_path / "pool.onnx", nodes, [("x", FLOAT, ["n", 4, "steps"])],
                  [("y", FLOAT, ["n", 4, "m"])])  # fmt: skip
    facts = create(model).facts
    assert facts["measured_shapes"]["x"][2] >= 9
    session = onnxruntime.InferenceSession(model)
    takes = []
    for size in (8, 32):
        try:
            session.run(None, {"x": noise(1, 4, size)})
            takes.append(size)
        except onnxruntime.capi.onnxruntime_pybind11_state.RuntimeException:
            pass
    assert bool(facts["notes"]) == (8 in takes)


def test_integers_stay_within_the_tables_that_the_graph_names(create, tmp_path: Path) -> None:
    nodes = [
        node("Gather", ["words", "ids"], ["w"]),
        node("Gather", ["kinds", "token_type_ids"], ["t"]),
        node("Add", ["w", "t"], ["y"]),
    ]
    shape = ["batch", "seq"]
    model = write(tmp_path / "tokens.onnx", nodes,
                  [("ids", INT64, shape), ("token_type_ids", INT64, shape)],
                  [("y", FLOAT, [*shape, 4])], words=noise(1000, 4), kinds=noise(2, 4))  # fmt: skip
    check = create(model).facts["check"]
    assert (check["passed"], check["batches"]) == (True, [1, 2, 5])
    narrow = create(model, ranges={"ids": (0, 3)}).facts
    assert narrow["check"]["passed"]
    with pytest.raises(CreateError, match=r'"ids" is 5000 to 6000, .* has 1000 rows'):
        create(model, ranges={"ids": (5000, 6000)})


def test_advice_about_an_example_is_that_of_the_format(create, tmp_path: Path) -> None:
    nodes = [node("GatherElements", ["x", "i"], ["y"], axis=1)]
    model = write(tmp_path / "pick.onnx", nodes, [("x", FLOAT, ["n", 6]), ("i", INT64, ["n", 2])],
                  [("y", FLOAT, ["n", 2])])  # fmt: skip
    np.savez(tmp_path / "far.npz", x=noise(2, 6), i=np.full((2, 2), 9, np.int64))
    with pytest.raises(CreateError, match=r"does not run in onnxruntime .*: correct it$") as raised:
        create(model, example=tmp_path / "far.npz")
    assert "--module" not in str(raised.value)
    assert create(model).facts["check"]["passed"]


def test_engine_that_answers_otherwise_is_found_by_unlike_lengths(create, tmp_path: Path) -> None:
    nodes = [
        node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
        node("LSTM", ["t", "w", "r", "", "x_lengths"], ["", "h"], hidden_size=8),
    ]
    model = write(tmp_path / "lstm.onnx", nodes,
                  [("x", FLOAT, ["n", "t", 4]), ("x_lengths", INT32, ["n"])],
                  [("h", FLOAT, [1, "n", 8])], w=noise(1, 32, 4), r=noise(1, 32, 8))  # fmt: skip
    session = onnxruntime.InferenceSession(model)
    rows = {"x": noise(2, 8, 4), "x_lengths": np.array([8, 5], np.int32)}
    (wanted,) = session.run(None, rows)
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    alike = np.allclose(compiled(rows)[0], wanted, atol=1e-4)
    if alike:
        assert create(model).facts["check"]["passed"]
    else:
        with pytest.raises(CreateError, match=r"top-1 agrees in \S+, \"h\" differs by"):
            create(model)


def test_output_of_another_shape_is_written_only_with_leave(create, tmp_path: Path) -> None:
    path = write(tmp_path / "net.onnx", [node("Relu", ["x"], ["y"])], [("x", FLOAT, ["n", 3])],
                 [("y", FLOAT, ["n", 3])])  # fmt: skip
    original = onnx_module.load(Job(path, "ONNX", Options(), tmp_path))
    run = original.run
    original.run = lambda inputs: {"y": run(inputs)["y"][:, :2]}
    served = OpenVinoModel(path)
    served.compile()
    check = compare(served, original, Feed(served.specs()), Options(), [])
    assert not check["passed"]
    assert check["outputs"][0]["shapes"] == [[1, 3], [1, 2]]
    assert "[1, 3], the original [1, 2]" in mismatch(check)


def test_name_of_an_input_that_openvino_loses_is_served(create, ask, tmp_path: Path) -> None:
    nodes = [node("Dropout", ["x"], ["y"]), node("Relu", ["x"], ["z"])]
    outputs = [("y", FLOAT, [1, 3]), ("z", FLOAT, [1, 3])]
    model = write(tmp_path / "dropout.onnx", nodes, [("x", FLOAT, [1, 3])], outputs)
    answer = ask(create(model), {"x": np.array([[1, -2, 3]], np.float32)})
    assert answer["z"].tolist() == [[1, 0, 3]]
    assert answer["y"].tolist() == [[1, -2, 3]]
