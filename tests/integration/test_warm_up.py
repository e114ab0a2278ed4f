"""What config.pbtxt declares for the warm-up of a model, with models that refuse made-up inputs."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import tritonclient.grpc
from onnx import TensorProto, helper, numpy_helper

from lepton import Server

pytestmark = pytest.mark.openvino

TYPICAL = """
model_warmup {
  name: "typical"
  count: 2
  inputs { key: "x" value { data_type: TYPE_FP32 dims: 12 random_data: true } }
  inputs { key: "shape" value { data_type: TYPE_INT64 dims: 2 input_data_file: "shape.bin" } }
}
model_warmup {
  inputs { key: "x" value { data_type: TYPE_FP32 dims: 12 zero_data: true } }
  inputs { key: "shape" value { data_type: TYPE_INT64 dims: 2 input_data_file: "wide.bin" } }
}
"""
# In rows of 17: none of the made-up extents is a multiple of it.
OPEN = """
model_warmup { inputs { key: "x" value {
  data_type: TYPE_FP32 dims: [ %s ] random_data: true } } %s }
"""


def save(folder: Path, nodes, inputs, outputs, initializers=()) -> None:
    graph = helper.make_graph(nodes, "g", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    folder.mkdir(parents=True)
    onnx.save(model, folder / "model.onnx")


def write_reshaping(repository: Path, name: str, config: str) -> Path:
    """Answers `x` in the shape that another input holds, which made-up numbers do not."""
    save(
        repository / name / "1",
        [helper.make_node("Reshape", ["x", "shape"], ["y"])],
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [12]),
            helper.make_tensor_value_info("shape", TensorProto.INT64, [2]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, None])],
    )
    warm_up = repository / name / "warmup"
    warm_up.mkdir()
    np.array([3, 4], np.int64).tofile(warm_up / "shape.bin")
    np.array([2, 6], np.int64).tofile(warm_up / "wide.bin")
    (repository / name / "config.pbtxt").write_text(config)
    return repository / name


def write_open(repository: Path, name: str, config: str) -> None:
    """Takes rows of a multiple of 17 numbers."""
    save(
        repository / name / "1",
        [
            helper.make_node("Reshape", ["x", "parts"], ["r"]),
            helper.make_node("Relu", ["r"], ["y"]),
        ],
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", "m"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 17, "k"])],
        [numpy_helper.from_array(np.array([0, 17, -1], np.int64), "parts")],
    )
    (repository / name / "config.pbtxt").write_text(config)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("warm-up")
    write_reshaping(folder, "made_up", "")
    write_reshaping(folder, "declared", TYPICAL)
    write_open(folder, "open_made_up", "")
    write_open(folder, "open_declared", OPEN % ("3, 34", ""))
    write_open(folder, "open_rows", "max_batch_size: 4" + OPEN % ("17", "batch_size: 3"))
    return folder


def parameters(server, model: str) -> dict:
    return server.get(f"/v2/models/{model}").json["parameters"]


@pytest.mark.parametrize("tuning", ["first", "later", "never"])
def test_declared_inputs_are_tried_where_made_up_ones_are_refused(
    start_server, repository: Path, tuning: str, tmp_path: Path
) -> None:
    cache = {"LEPTON_TUNING": tuning, "XDG_CACHE_HOME": str(tmp_path)}
    # The second start uses the first one's results.
    for origin in ("measured at start" if tuning == "first" else "as it was tried", "recorded in"):
        server = start_server(repository, environment=cache).wait_until_ready()
        for model in ("made_up", "open_made_up"):
            assert parameters(server, model)["warm_up"].startswith("skipped")
        for model in ("declared", "open_declared", "open_rows"):
            assert parameters(server, model)["warm_up"] == "done"
            if tuning != "later":
                assert parameters(server, model)["tuning"].startswith(origin)
        # The declaration tells what the model takes, and so that its rows are independent.
        assert parameters(server, "open_made_up")["batching"].startswith("no, ")
        assert parameters(server, "open_declared")["batching"] == "yes"
        assert parameters(server, "open_rows")["batching"] == "yes"
        request = {"inputs": [
            {"name": "x", "datatype": "FP32", "shape": [12], "data": list(range(12))},
            {"name": "shape", "datatype": "INT64", "shape": [2], "data": [4, 3]},
        ]}  # fmt: skip
        answer = server.infer("declared", request)
        assert answer.status == 200, answer.body
        assert answer.json["outputs"][0]["shape"] == [4, 3]
        assert server.stop() == 0


def test_another_content_of_a_file_is_measured_again(start_server, tmp_path: Path) -> None:
    model = write_reshaping(tmp_path / "models", "m", TYPICAL)
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache")}

    def origin() -> str:
        server = start_server(tmp_path / "models", environment=cache).wait_until_ready()
        told = parameters(server, "m")["tuning"]
        server.stop()
        return told

    assert origin() == "measured at start"
    assert origin().startswith("recorded in")
    np.array([6, 2], np.int64).tofile(model / "warmup/shape.bin")
    assert origin() == "measured at start"


def test_configuration_tells_it(start_server, repository: Path) -> None:
    server = start_server(repository / "declared").wait_until_ready()
    config = server.get("/v2/models/declared/config").json
    assert [sample["name"] for sample in config["model_warmup"]] == ["typical", ""]
    assert config["model_warmup"][0]["count"] == 2
    assert config["model_warmup"][0]["inputs"] == {
        "shape": {"data_type": "TYPE_INT64", "dims": [2], "input_data_file": "shape.bin"},
        "x": {"data_type": "TYPE_FP32", "dims": [12], "random_data": True},
    }
    assert config["parameters"]["batching"]["string_value"].startswith("no, ")
    with tritonclient.grpc.InferenceServerClient(server.address) as client:
        samples = client.get_model_config("declared").config.model_warmup
        assert samples[0].inputs["shape"].input_data_file == "shape.bin"
        assert samples[1].inputs["x"].zero_data


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (TYPICAL.replace("shape.bin", "../secret"), 'input_data_file "../secret", which is not a'),
        (TYPICAL.replace("shape.bin", "long.bin"), 'long.bin has 24'),
        (TYPICAL.replace("shape.bin", "bad.bin"), " fails, at shape x [12], shape [2]: "),
        (TYPICAL.replace("dims: 12", "dims: 11"), 'input "x" has shape [11], the model\'s has'),
        (TYPICAL.replace("TYPE_FP32", "TYPE_INT32"), 'input "x" is INT32, the model\'s has'),
        (TYPICAL.replace('key: "x"', 'key: "z"'), 'input "z" is not an input of the model'),
    ],
)  # fmt: skip
def test_sample_that_is_wrong_is_an_error_of_the_model(
    start_server, tmp_path: Path, config: str, words: str
) -> None:
    model = write_reshaping(tmp_path, "m", config)
    np.array([3, 4, 5], np.int64).tofile(model / "warmup/long.bin")
    np.array([5, 5], np.int64).tofile(model / "warmup/bad.bin")
    np.array([3, 4], np.int64).tofile(model / "secret")
    write_reshaping(tmp_path, "good", TYPICAL)
    server = start_server(tmp_path, "--strict-readiness", "false").wait_until_ready()
    (failed,) = json.loads(server.ready_file.read_text())["failed"]
    assert failed["model"] == "m"
    assert 'warm-up sample "typical"' in failed["reason"]
    assert words in failed["reason"]


def test_file_that_changes_is_a_reason_to_load_again(tmp_path: Path) -> None:
    model = write_reshaping(tmp_path, "m", TYPICAL)
    with Server(tmp_path) as server:
        (model / "warmup/shape.bin").write_bytes(b"short")
        server.load("m")
        request = {"x": np.zeros(12, np.float32), "shape": np.array([3, 4])}
        assert server.infer(request).outputs["y"].shape == (3, 4)  # The old one serves.
