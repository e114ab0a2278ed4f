"""What is in files: configurations, repositories with more than models, sockets, the cache."""

from __future__ import annotations

import random
import shutil
import socket
import threading
import time
from pathlib import Path

import grpc
import numpy as np
import onnx
import pytest
from fake_models import identity, two_in_two_out, write_model
from google.protobuf import json_format, text_format
from lepton_server import ROOT, Answer, LeptonServer
from onnx import TensorProto, helper, numpy_helper
from tritonclient.grpc import model_config_pb2, service_pb2, service_pb2_grpc

DIGITS = ROOT / "examples/digits/model.onnx"


def digits(folder: Path, config: str = "") -> None:
    (folder / "1").mkdir(parents=True)
    shutil.copy(DIGITS, folder / "1/model.onnx")
    if config:
        (folder / "config.pbtxt").write_text(config)


QUEUE = "dynamic_batching { default_queue_policy { max_queue_size: 7 } }"
BOTH = """input [ { name: "a" data_type: TYPE_INT32 dims: [ 2 ] }, { name: "b" dims: [ 3 ] } ]
    output [ { name: "c" dims: [ 2 ] label_filename: "labels.txt" } ]"""
WARM_UP = """model_warmup { name: "w" batch_size: %d count: 2
    inputs { key: "x" value { data_type: TYPE_FP32 dims: [ %s ] random_data: true } } }"""
CHOSEN = """version_policy { all { } } instance_group { count: 2 } parameters {
    key: "pad_to" value { string_value: "4,8" } } parameters {
    key: "weight" value { string_value: "2.5" } }"""

QUEUES = """max_batch_size: 4 dynamic_batching { preferred_batch_size: [ 2, 4 ]
    max_queue_delay_microseconds: 50 priority_levels: 3 default_priority_level: 2
    default_queue_policy { timeout_action: DELAY default_timeout_microseconds: 900000
                           allow_timeout_override: true max_queue_size: 9 }
    priority_queue_policy { key: 1 value { max_queue_size: 0 } } }"""


def parameter(name: str, value: str) -> str:
    return f'parameters {{ key: "{name}" value {{ string_value: "{value}" }} }}'


# By the name of a kind of configuration: the model, and the content of its config.pbtxt.
CONFIGURATIONS = {
    "measured": (identity(), ""),
    "bounded": (identity(), f"max_batch_size: 8 {QUEUE}"),
    "no_batch": (identity(), "max_batch_size: 0"),
    "shared_word": (identity(), f"{parameter('max_batch_size', '8')} {QUEUE}"),
    "measured_rows": (
        identity(),
        'max_batch_size: 8 input { name: "x" dims: [ 4 ] }' + parameter("max_batch_size", "auto"),
    ),
    "fixed": (identity(shape=[2, 3]), ""),
    "strings": (identity("BYTES", [-1, -1]), "max_batch_size: 4"),
    "two_inputs": (two_in_two_out(), f"max_batch_size: 4 {BOTH}"),
    "warm": (identity(), "max_batch_size: 4 " + WARM_UP % (2, "4")),
    "warm_measured": (identity(), WARM_UP % (1, "2, 4")),
    "queues": (identity(), QUEUES + parameter("policy", "fifo")),
    "fixed_queues": (
        identity(shape=[2, 3]),
        "dynamic_batching { default_queue_policy { default_timeout_microseconds: 900000 } }",
    ),
    "chosen": (identity(shape=[-1, -1]), CHOSEN),
}
# Settings for which another measurement may find other values.
MEASURED = {"threads", "batch_sizes", "max_batch_size", "batching"}


def comparable(answer: dict) -> dict:
    tuned = answer["parameters"]["settings_tuned"]["string_value"].split(",")
    for name in MEASURED:
        if name in tuned or name.startswith("batch"):
            del answer["parameters"][name]
    return answer


def test_answer_of_the_server_is_a_configuration(start_server, tmp_path: Path) -> None:
    for name, (made, config) in CONFIGURATIONS.items():
        write_model(tmp_path / "a", name, made, config=config)
    first = start_server(tmp_path / "a").wait_until_ready()
    answers = {name: first.get(f"/v2/models/{name}/config") for name in CONFIGURATIONS}
    messages = {}
    with grpc.insecure_channel(first.address) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        for name in CONFIGURATIONS:
            request = service_pb2.ModelConfigRequest(name=name)
            messages[name] = stub.ModelConfig(request).config
    forms = {"json": {}, "json_as_text": {}, "grpc": {}, "grpc_with_short_lists": {}}
    for name, answer in answers.items():
        assert answer.status == 200, (name, answer.body)
        by_json = json_format.Parse(answer.body, model_config_pb2.ModelConfig())
        forms["json"][name] = answer.body.decode()
        forms["json_as_text"][name] = text_format.MessageToString(by_json)
        forms["grpc"][name] = text_format.MessageToString(messages[name])
        forms["grpc_with_short_lists"][name] = text_format.MessageToString(
            messages[name], use_short_repeated_primitives=True
        )
    for form, texts in forms.items():
        for name, text in texts.items():
            write_model(tmp_path / form, name, CONFIGURATIONS[name][0], config=text)
        second = start_server(tmp_path / form).wait_until_ready()
        for name, answer in answers.items():
            again = second.get(f"/v2/models/{name}/config")
            assert again.status == 200, (form, name, again.body)
            assert comparable(again.json) == comparable(answer.json), (form, name)
        second.stop()


@pytest.mark.openvino
def test_change_of_the_batch_size_leaves_what_the_file_says_of_shapes(
    start_server, tmp_path: Path
) -> None:
    image = 'input { name: "image" dims: [ %s 1, 8, 8 ] }'
    digits(tmp_path / "models/rows", "max_batch_size: 4 " + image % "")
    digits(tmp_path / "models/whole", image % "-1,")
    server = start_server(tmp_path / "models").wait_until_ready()
    for name in ("rows", "whole"):
        for size in (16, "auto", 0, 4):
            changed = server.admin.post(
                f"/v2/models/{name}/config", {"max_batch_size": size, "save": True}
            )
            assert changed.status == 200, (name, size, changed.body)
            dims = changed.json["input"][0]["dims"]
            assert dims[-3:] == [1, 8, 8] and len(dims) == (3 if size in (16, 4) else 4)
    server.stop()
    again = start_server(tmp_path / "models").wait_until_ready()
    for name in ("rows", "whole"):
        answer = again.get(f"/v2/models/{name}/config").json
        assert answer["max_batch_size"] == 4 and answer["input"][0]["dims"] == [1, 8, 8]


def test_configuration_nested_without_end_is_an_error_of_its_model(start_server, tmp_path) -> None:
    write_model(tmp_path, "good", identity())
    for name, level in {"a": "a { ", "b": "input { ", "c": "a: [ ", "d": '{"a":'}.items():
        write_model(tmp_path, name, identity())
        (tmp_path / name / "config.pbtxt").write_text(level * 100_000)
    server = start_server(tmp_path, "--strict-readiness", "false").wait_until_ready()
    assert server.get("/v2/models/good/ready").status == 200
    for name in "abcd":
        answer = server.get(f"/v2/models/{name}")
        assert answer.status != 200
        assert "nested deeper than 64 messages" in answer.error


def test_repository_may_hold_more_than_models(start_server, tmp_path: Path) -> None:
    write_model(tmp_path, "good", identity())
    write_model(tmp_path, "2024", identity())
    for name in ("lost+found", "docs", "20240101", ".git"):
        (tmp_path / name).mkdir()
    (tmp_path / "readme.txt").write_text("x")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "gone").symlink_to("nowhere")
    server = start_server(tmp_path).wait_until_ready()
    assert server.get("/v2/health/ready").status == 200
    for name in ("good", "2024"):
        assert server.get(f"/v2/models/{name}/ready").status == 200
    assert "not_a_model" in server.log and "lost+found" in server.log


def test_socket_of_a_live_server_is_not_taken(start_server, tmp_path: Path) -> None:
    write_model(tmp_path / "models", "a", identity())
    path = tmp_path / "s"
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(path))
    dead.close()
    first = start_server(tmp_path / "models", unix_socket=path).wait_until_ready()
    second = start_server(tmp_path / "models", unix_socket=path)
    assert second.process.wait(30) == 1
    assert "in use by a running process" in second.log
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(path))
        client.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: h\r\n\r\n")
        assert b"200" in client.recv(100)
    # A file that another process has put there in the meantime stays.
    path.unlink()
    path.write_text("another's")
    assert first.stop() == 0
    assert path.read_text() == "another's"


def weighty(folder: Path) -> None:
    """A product with a matrix: the cache entry is mostly weights."""
    folder.mkdir(parents=True)
    weights = np.random.default_rng(1).standard_normal((256, 256)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "weighty",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 256])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 256])],
        [numpy_helper.from_array(weights, "w")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    made.ir_version = 8
    onnx.save(made, folder / "model.onnx")


@pytest.mark.openvino
def test_damaged_file_of_the_cache_is_not_believed(start_server, tmp_path: Path) -> None:
    weighty(tmp_path / "models/m/1")
    cache = tmp_path / "cache"
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 256], "data": [0.5] * 256}

    def answer() -> list[float]:
        server: LeptonServer = start_server(tmp_path / "models", "--cache-dir", cache)
        given = server.wait_until_ready().infer("m", {"inputs": [tensor]}).json
        assert server.stop() == 0
        return given["outputs"][0]["data"]

    expected = answer()
    blobs = list(cache.glob("*.blob"))
    assert blobs
    for blob in blobs:
        blob.chmod(0o600)
        content = bytearray(blob.read_bytes())
        for at in range(len(content) // 4, len(content) // 2, 7):
            content[at] ^= 0x40
        blob.write_bytes(content)
    assert answer() == expected


SIZE = 512
WEIGHTY_ROW = {
    "inputs": [{"name": "x", "datatype": "FP32", "shape": [1, SIZE], "data": [0.5] * SIZE}]
}


def with_weights_beside(folder: Path, form: str, seed: int) -> Path:
    """A model whose weights are a file of their own and whose answer is those weights."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = np.random.default_rng(seed).standard_normal((8, SIZE, SIZE)).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", [f"h{i}" if i else "x", f"w{i}"], [f"h{i + 1}"])
        for i in range(8)
    ]
    graph = helper.make_graph(
        nodes,
        "weighty",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", SIZE])],
        [helper.make_tensor_value_info("h8", TensorProto.FLOAT, ["rows", SIZE])],
        [numpy_helper.from_array(weights[i] / SIZE, f"w{i}") for i in range(8)],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    made.ir_version = 8
    if form == "onnx":
        (folder / "model.onnx.data").unlink(missing_ok=True)
        onnx.save(
            made, folder / "model.onnx", save_as_external_data=True, location="model.onnx.data"
        )
        return folder / "model.onnx.data"
    openvino = pytest.importorskip("openvino")
    onnx.save(made, folder / "source.onnx")
    openvino.save_model(
        openvino.convert_model(folder / "source.onnx"), folder / "model.xml", compress_to_fp16=False
    )
    (folder / "source.onnx").unlink()
    return folder / "model.bin"


@pytest.mark.openvino
@pytest.mark.parametrize("form", ["onnx", "ir"])
def test_weights_that_change_do_not_end_the_server(start_server, tmp_path: Path, form: str) -> None:
    models = tmp_path / "models"
    weights = with_weights_beside(models / "damaged/1", form, 1)
    other = with_weights_beside(tmp_path / "other", form, 2).read_bytes()
    digits(models / "digits")
    sound = weights.read_bytes()
    server = start_server(models, "--cache-dir", tmp_path / "cache").wait_until_ready()
    images = {"name": "image", "datatype": "FP32", "shape": [1, 1, 8, 8], "data": [0.5] * 64}

    def answer() -> list[float]:
        given = server.infer("damaged", WEIGHTY_ROW)
        assert given.status == 200, given.body
        return given.json["outputs"][0]["data"]

    def reload(instances: int) -> Answer:
        changed = server.admin.post("/v2/models/damaged/config", {"instances": instances})
        assert server.infer("digits", {"inputs": [images]}).status == 200
        return changed

    # A mapped file that is truncated ends its reader.
    mapped = Path(f"/proc/{server.process.pid}/maps").read_text()
    assert str(tmp_path) not in mapped
    expected = answer()
    for content in (b"", sound[: len(sound) // 2], other):
        with weights.open("r+b") as file:
            file.truncate(0)
            file.write(content)
        assert answer() == expected
        changed = reload(2)
        if content == other:
            assert changed.status == 200
            assert answer() != expected
        else:
            assert changed.status >= 400 and weights.parent.name in changed.error
            assert answer() == expected
    # The same while it is read.
    stop = threading.Event()

    def toggle() -> None:
        wait = random.Random(3)
        while not stop.is_set():
            with weights.open("r+b") as file:
                file.truncate(wait.choice([0, len(sound) // 3]))
                time.sleep(wait.random() * 0.02)
                file.seek(0)
                file.write(sound)
            time.sleep(wait.random() * 0.05)

    thread = threading.Thread(target=toggle)
    thread.start()
    for turn in range(20):
        reload(1 + turn % 2)
        assert server.infer("damaged", WEIGHTY_ROW).status == 200
    stop.set()
    thread.join()
    assert reload(3).status == 200
    assert answer() == expected
    server.is_well()
