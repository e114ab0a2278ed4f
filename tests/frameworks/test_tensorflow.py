"""TensorFlow and Keras models, each from its framework to an answer over the network."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from lepton.create import CreateError

HERE = Path(__file__).parent
FORMATS = HERE.parent / "data/formats"
# The values that tests/data/formats/make_models.py wrote into them.
WEIGHTS = (np.arange(12, dtype=np.float32) / 10).reshape(4, 3)
BIAS = np.array([0.5, -0.5, 0], np.float32)
ROWS = np.array([[1, -2, 3, -4], [0.5, 0.25, -1, 2]], np.float32)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keras")
    subprocess.run(
        [sys.executable, HERE / "keras_models.py", folder],
        check=True,
        capture_output=True,
        timeout=100,
    )
    return folder


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("mlp.keras", "Keras"),
        ("mlp.h5", "Keras HDF5"),
        ("cnn.keras", "Keras"),
        ("two.keras", "Keras"),
        ("augmented.keras", "Keras"),
    ],
)
def test_served_answers_are_those_of_keras(create, ask, models: Path, file: str, name: str) -> None:
    service = create(models / file)
    facts = service.facts
    given = dict(np.load(models / f"{service.name}-inputs.npz"))
    expected = dict(np.load(models / f"{service.name}-outputs.npz"))
    assert facts["format"] == name
    assert facts["converted"] is True
    assert {one["name"]: one["shape"] for one in facts["signature"]["inputs"]} == {
        key: [-1, *array.shape[1:]] for key, array in given.items()
    }
    assert facts["check"]["against"].startswith(f"keras {version('keras')} on tensorflow ")
    assert facts["check"]["batches"] == [1, 2, 5]
    served = ask(service, given)
    assert set(served) == set(expected)
    for key, wanted in expected.items():
        np.testing.assert_allclose(served[key], wanted, atol=1e-5)


@pytest.mark.parametrize("file", ["saved_model", "frozen.pb", "lite.tflite"])
def test_model_that_is_served_as_it_is_was_compared_with_tensorflow(create, ask, file: str) -> None:
    service = create(FORMATS / file)
    facts = service.facts
    assert facts["converted"] is False
    assert facts["check"]["against"].startswith("tensorflow 2.")
    assert facts["check"]["passed"]
    (name,) = (tensor["name"] for tensor in facts["signature"]["inputs"])
    (served,) = ask(service, {name: ROWS}).values()
    np.testing.assert_allclose(served, np.maximum(ROWS @ WEIGHTS + BIAS, 0), rtol=1e-5)


@pytest.mark.parametrize("file", ["inside8.tflite", "whole8.tflite"])
def test_quantized_lite_model_is_judged_as_such(create, models: Path, file: str) -> None:
    check = create(models / file).facts["check"]
    assert check["against"].startswith("tensorflow 2.")
    assert (check["arithmetic"], check["passed"]) == ("quantized", True)


def test_sound_is_long_enough_for_what_slides_over_it(create, models: Path) -> None:
    facts = create(models / "sound.tflite").facts
    assert facts["check"]["against"].startswith("tensorflow 2.")
    assert facts["measured_shapes"] == {"waveform": [16000]}


def test_code_in_a_keras_file_is_run_with_leave_only(create, ask, models: Path) -> None:
    for file in ("code.keras", "code.h5"):
        with pytest.raises(CreateError, match=r"Python code \(a Lambda layer\).* --trust-pickle"):
            create(models / file)
    service = create(models / "code.keras", trust_pickle=True)
    (served,) = ask(service, {"x": np.array([[1, 2]], np.float32)}).values()
    assert served.tolist() == [[3, 6]]


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("mlp.weights.h5", r"holds weights without their model: .*model\.save"),
        ("open.keras", "does not say the shapes of its inputs: build it"),
        ("cut.h5", r"cut\.h5 cannot be loaded by Keras"),
    ],
)
def test_what_is_wrong_is_said_on_one_line(
    create, models: Path, tmp_path: Path, file: str, reason: str
) -> None:
    with pytest.raises(CreateError, match=reason) as raised:
        create(models / file)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "service").exists()
