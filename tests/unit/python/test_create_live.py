"""lepton.create_service(): of a path, and of models that a program holds."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from sklearn.linear_model import LogisticRegression

import lepton
from lepton.create import CreateError, Options

ROOT = Path(__file__).resolve().parents[3]
DIGITS = ROOT / "examples/digits/model.onnx"
IMAGES = np.linspace(0, 1, 3 * 64, dtype=np.float32).reshape(3, 1, 8, 8)


@pytest.mark.parametrize(
    "example",
    [
        None,
        IMAGES,
        (IMAGES,),
        {"image": IMAGES},
    ],
    ids=["none", "array", "tuple", "by name"],
)
def test_path_with_an_example_becomes_a_service(tmp_path: Path, example: object) -> None:
    made = lepton.create_service(
        str(DIGITS), str(tmp_path / "service"), "digits", example=example, measure=False
    )
    assert made.report.is_file()
    assert made.facts["check"]["inputs"] == ("random" if example is None else "example")


def test_example_may_be_a_file_without_names(tmp_path: Path) -> None:
    np.savez(tmp_path / "images.npz", IMAGES)
    made = lepton.create_service(
        DIGITS, tmp_path / "service", "digits", example=tmp_path / "images.npz", measure=False
    )
    assert made.facts["check"]["inputs"] == "example"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"example": {"picture": IMAGES}}, r'^example has arrays "?picture"?, the model takes'),
        ({"example": {"image": IMAGES.astype(np.float64)}}, "the model takes float32"),
        ({"example": [object()]}, "example is not an array of numbers or text"),
        ({"example": [[1, 2], [3]]}, "example is not an array"),
        ({"model": "no/such.onnx"}, r"no/such\.onnx does not exist"),
    ],
)
def test_what_cannot_be_is_said(tmp_path: Path, given: dict[str, Any], message: str) -> None:
    with pytest.raises(CreateError, match=message):
        lepton.create_service(**{"model": DIGITS, "output_path": tmp_path / "service", **given})
    assert not (tmp_path / "service").exists()


@pytest.mark.parametrize(
    "model", [None, 3, object(), dict, LogisticRegression, [], {}, np.zeros(3)]
)
def test_what_is_not_a_model_is_a_wrong_type(tmp_path: Path, model: object) -> None:
    with pytest.raises(TypeError, match=r"^model must be a path, a torch\.nn\.Module, "):
        lepton.create_service(model, tmp_path)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"output_path": None}, "output_path must be a path, not None"),
        ({"name": 3}, "name must be a str, not 3"),
        ({"options": {}}, r"options must be lepton\.create\.Options\(\.\.\.\) or None"),
    ],
)
def test_arguments_are_named(tmp_path: Path, given: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        lepton.create_service(**{"model": DIGITS, "output_path": tmp_path, **given})


def fitted() -> LogisticRegression:
    return LogisticRegression().fit(np.array([[0.0, 1, 2, 3], [3, 2, 1, 0]]), [0, 1])


def test_estimator_names_the_converter_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(CreateError, match=r"the LogisticRegression .*pip install skl2onnx"):
        lepton.create_service(fitted(), tmp_path / "service", example=np.zeros((2, 4)))
    with pytest.raises(CreateError, match="add example="):
        lepton.create_service(fitted(), tmp_path / "service")


def test_estimator_goes_through_the_converter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def to_onnx(model: object, rows: np.ndarray, options: object) -> onnx.ModelProto:
        seen.append((model, rows.dtype, rows.shape))
        return onnx.load(ROOT / "tests/data/scale.onnx")

    converter = types.ModuleType("skl2onnx")
    converter.to_onnx = to_onnx  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "skl2onnx", converter)
    model = fitted()
    rows = np.ones((3, 4), np.float64)
    made = lepton.create_service(
        model, tmp_path / "service", example=rows, options=Options(tolerance=0.1), measure=False
    )
    assert made.name == "LogisticRegression"
    assert seen == [(model, np.float32, (1, 4))]
