"""ONNX models, compared with ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from lepton.create import CreateError

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
