"""Each model format, from the file that its framework wrote to an answer over the network."""

import shutil
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from lepton_server import ROOT

from lepton import LeptonAI
from lepton.create import create_service

pytestmark = pytest.mark.openvino

FORMATS = ROOT / "tests/data/formats"
# The values that tests/data/formats/make_models.py wrote into them.
WEIGHTS = (np.arange(12, dtype=np.float32) / 10).reshape(4, 3)
BIAS = np.array([0.5, -0.5, 0], np.float32)
ROW = np.array([[1, -2, 3, -4]], np.float32)
EXPECTED = np.maximum(ROW @ WEIGHTS + BIAS, 0)


def answer_of(server) -> np.ndarray:
    with LeptonAI(server.url) as client:
        result = client.inference(ROW)
    assert isinstance(result, np.ndarray)
    return result


@pytest.mark.parametrize(
    ("file", "platform"),
    [
        ("saved_model", "openvino_tensorflow"),
        ("frozen.pb", "openvino_tensorflow"),
        ("lite.tflite", "openvino_tflite"),
        ("paddle.pdmodel", "openvino_paddle"),
    ],
)
def test_service_from_each_format_answers(
    start_server, tmp_path: Path, file: str, platform: str
) -> None:
    service = create_service(FORMATS / file, tmp_path / "service", "linear", measure=False)
    server = start_server(tmp_path / "service").wait_until_ready()
    metadata = server.get("/v2/models/linear").json
    assert metadata["platform"] == platform
    assert metadata["inputs"] == service.facts["signature"]["inputs"]
    assert metadata["outputs"] == service.facts["signature"]["outputs"]
    np.testing.assert_allclose(answer_of(server), EXPECTED, rtol=1e-6)


def test_openvino_ir_answers_with_the_weights_beside_it(start_server, tmp_path: Path) -> None:
    model = ov.Core().read_model(FORMATS / "frozen.pb")
    ov.save_model(model, tmp_path / "linear.xml", compress_to_fp16=False)
    create_service(tmp_path / "linear.xml", tmp_path / "service", measure=False)
    server = start_server(tmp_path / "service").wait_until_ready()
    assert server.get("/v2/models/linear").json["platform"] == "openvino_ir"
    np.testing.assert_allclose(answer_of(server), EXPECTED, rtol=1e-6)


def test_format_is_told_by_the_file_without_create(start_server, tmp_path: Path) -> None:
    version = tmp_path / "repository/linear/1"
    shutil.copytree(FORMATS / "saved_model", version / "model.savedmodel")
    server = start_server(tmp_path / "repository").wait_until_ready()
    np.testing.assert_allclose(answer_of(server), EXPECTED, rtol=1e-6)
