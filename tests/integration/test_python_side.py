"""The Python side against the real server: the output of `lepton create`, client, README."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from lepton_server import BINARY, ROOT

from lepton import InvalidInput, LeptonAI, ModelNotFound
from lepton.create import create_service

pytestmark = pytest.mark.openvino

DIGITS = ROOT / "examples/digits"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service of the digits model."""
    folder = tmp_path_factory.mktemp("created") / "service"
    create_service(DIGITS / "model.onnx", folder, "digits")
    return folder


@pytest.fixture
def digits(start_server, service: Path):
    return start_server(service).wait_until_ready()


def held_out() -> tuple[np.ndarray, np.ndarray]:
    data = np.load(DIGITS / "heldout.npz")
    return data["images"][:, np.newaxis].astype(np.float32) / 16, data["labels"]


def test_accuracy_through_the_server_is_that_of_the_engine_itself(digits) -> None:
    images, labels = held_out()
    with LeptonAI(digits.url) as client:
        served = client.inference(images)
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = ov.Core().compile_model(DIGITS / "model.onnx", "CPU", settings)
    assert np.allclose(served, compiled(images)[0], atol=1e-5)
    right = int((served.argmax(axis=1) == labels).sum())
    assert right == json.loads((DIGITS / "accuracy.json").read_text())["right"]


@pytest.mark.parametrize("scheme", ["", "http://", "grpc://"])
def test_address_alone_is_enough_where_there_is_one_model(digits, scheme: str) -> None:
    images, _ = held_out()
    with LeptonAI(f"{scheme}{digits.address}") as client:
        assert client.models() == ["digits"]
        assert client.inference(images[:2]).shape == (2, 10)


def test_one_image_at_a_time_gives_the_same_answers_as_a_batch(digits) -> None:
    images, _ = held_out()
    with LeptonAI(digits.url) as client:
        together = client.inference(images[:16])
        alone = np.concatenate([client.inference(images[i : i + 1]) for i in range(16)])
    assert np.allclose(together, alone, atol=1e-6)


def test_signature_that_create_wrote_is_that_of_the_server(digits, service: Path) -> None:
    facts = json.loads((service / "digits/lepton.json").read_text())["versions"]["1"]
    metadata = digits.get("/v2/models/digits").json
    assert facts["signature"]["inputs"] == metadata["inputs"]
    assert facts["signature"]["outputs"] == metadata["outputs"]


# The engine refuses to copy strings, which OpenVINO 2026.4 does not do safely.
MODELS = sorted(
    set((ROOT / "tests/data").glob("*.onnx")) - {ROOT / "tests/data/copied_strings.onnx"}
)


@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.stem)
def test_create_and_server_name_the_tensors_of_each_model_alike(
    start_server, tmp_path: Path, model: Path
) -> None:
    facts = create_service(model, tmp_path / "service", measure=False).facts
    server = start_server(tmp_path / "service").wait_until_ready()
    metadata = server.get(f"/v2/models/{model.stem}").json
    assert facts["signature"]["inputs"] == metadata["inputs"]
    assert facts["signature"]["outputs"] == metadata["outputs"]


def test_next_version_is_what_a_new_server_serves(start_server, tmp_path: Path) -> None:
    for _ in range(2):
        create_service(DIGITS / "model.onnx", tmp_path / "service", measure=False)
    server = start_server(tmp_path / "service").wait_until_ready()
    with LeptonAI(server.url, model="digits") as client:
        assert client.infer(np.zeros((1, 1, 8, 8), np.float32)).model_version == "2"


def test_answer_says_where_the_time_went(digits) -> None:
    with LeptonAI(digits.url) as client:
        timing = client.infer(np.zeros((1, 1, 8, 8), np.float32)).timing_ms
    assert set(timing) == {"net", "queue", "input", "compute", "output"}
    assert timing["compute"] > 0


def test_errors_of_the_server_arrive_as_exceptions(digits) -> None:
    with (
        LeptonAI(digits.url, model="nothing") as client,
        pytest.raises(ModelNotFound, match="nothing"),
    ):
        client.inference([1.0])
    with LeptonAI(digits.url) as client, pytest.raises(InvalidInput, match="image"):
        client.inference(np.zeros((1, 1, 9, 9), np.float32))


def test_curl_line_of_the_report_works(digits, service: Path) -> None:
    report = (service / "digits/report.md").read_text()
    (line,) = re.findall(r"^curl .*$", report, re.MULTILINE)
    done = subprocess.run(
        ["bash", "-c", line.replace("http://127.0.0.1:8000", digits.url)],
        capture_output=True,
        check=True,
        timeout=30,
    )
    assert json.loads(done.stdout)["outputs"][0]["shape"] == [1, 10]


def test_demo_ends_after_the_answers() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lepton", "demo", "--once", "--port", "0"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "HTTP" in done.stdout
    assert "gRPC" in done.stdout
    for place in re.findall(r"(?<!\S)@?(/\S+)", done.stdout):  # All of it still exists.
        assert Path(place.rstrip(")")).exists()
    assert "curl" not in done.stdout


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_example_can_be_trained_again(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, DIGITS / "train.py", "--output_path", tmp_path],
        # Its matrices are small: threads that wait for each other cost more than they gain.
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        check=True,
    )
    accuracy = json.loads((tmp_path / "accuracy.json").read_text())["accuracy"]
    # Another processor adds in another order: the weights differ, but are as good.
    assert accuracy >= 0.97
    images = np.load(tmp_path / "heldout.npz")["images"]
    assert np.array_equal(images, np.load(DIGITS / "heldout.npz")["images"])


def test_every_option_of_the_server_is_in_the_reference() -> None:
    said = subprocess.run([BINARY, "serve", "--help"], capture_output=True, text=True, check=True)
    options = set(re.findall(r"^\s+(?:-\w,)?(--[a-z-]+)", said.stdout, re.MULTILINE)) - {"--help"}
    assert len(options) > 10
    page = (ROOT / "docs/reference/cli.md").read_text()
    assert not [option for option in options if f"`{option}" not in page]


def test_every_metric_is_in_the_reference(digits) -> None:
    with LeptonAI(digits.url) as client:
        client.inference(np.zeros((1, 1, 8, 8), np.float32))
    served = set(re.findall(r"^# TYPE (\S+)", digits.get("/metrics").body.decode(), re.MULTILINE))
    page = (ROOT / "docs/reference/metrics.md").read_text()
    documented = set(re.findall(r"^\| `([a-z_]+)`", page, re.MULTILINE))
    assert served == documented
