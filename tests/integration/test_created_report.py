"""The report on a service against the service itself: its examples run as they are printed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from lepton_server import ROOT
from onnx import TensorProto, helper, numpy_helper

from lepton.create import Options, create_service

pytestmark = pytest.mark.openvino

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
node = helper.make_node


def write(folder: Path, name: str, nodes: list, inputs: list, shape: list, **weights) -> Path:
    values = [helper.make_tensor_value_info(*one) for one in inputs]
    output = helper.make_tensor_value_info("y", FLOAT, shape)
    held = [numpy_helper.from_array(array, key) for key, array in weights.items()]
    graph = helper.make_graph(nodes, name, values, [output], held)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    made.ir_version = 8
    onnx.save(made, folder / f"{name}.onnx")
    return folder / f"{name}.onnx"


def pictures(folder: Path) -> Path:
    """A convolution whose kernel does not fit in an image of one pixel."""
    kernel = np.ones((2, 3, 16, 16), np.float32)
    nodes = [node("Conv", ["x", "w"], ["c"]), node("GlobalMaxPool", ["c"], ["y"])]
    inputs = [("x", FLOAT, ["batch", 3, "height", "width"])]
    return write(folder, "pictures", nodes, inputs, ["batch", 2, 1, 1], w=kernel)


def tokens(folder: Path) -> Path:
    """Looks up rows in a table of 50, averages them as a mask says, and scales them."""
    nodes = [
        node("Gather", ["table", "ids"], ["rows"]),
        node("Cast", ["attention_mask"], ["mask"], to=FLOAT),
        node("Unsqueeze", ["mask", "last"], ["column"]),
        node("Mul", ["rows", "column"], ["kept"]),
        node("ReduceSum", ["kept", "second"], ["sum"], keepdims=0),
        node("ReduceSum", ["column", "second"], ["count"], keepdims=0),
        node("Div", ["sum", "count"], ["mean"]),
        node("Mul", ["mean", "gain"], ["y"]),
    ]
    inputs = [("ids", INT64, ["batch", "seq"]), ("attention_mask", INT64, ["batch", "seq"])]
    inputs.append(("gain", FLOAT, []))
    table = np.ones((50, 4), np.float32)
    axes = {"last": np.array([2], np.int64), "second": np.array([1], np.int64)}
    return write(folder, "tokens", nodes, inputs, ["batch", 4], table=table, **axes)


def text(folder: Path) -> Path:
    return ROOT / "tests/data/strings.onnx"


@pytest.mark.parametrize("make", [pictures, tokens, text])
def test_examples_of_a_report_run_as_they_are_printed(start_server, tmp_path: Path, make) -> None:
    service = create_service(make(tmp_path), tmp_path / "service")
    report = service.report.read_text()
    server = start_server(tmp_path / "service").wait_until_ready()
    code = re.findall(r"```(\w*)\n(.*?)```", report, re.DOTALL)
    here = [(kind, lines.replace("127.0.0.1:8000", server.address)) for kind, lines in code]
    (python,) = (lines for kind, lines in here if kind == "python")
    done = subprocess.run(
        [sys.executable, "-c", python], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "nan" not in done.stdout
    curls = [lines for _, lines in here if lines.startswith("curl")]
    assert len(curls) == (0 if make is pictures else 1)
    for curl in curls:
        said = subprocess.run(["bash", "-c", curl], capture_output=True, timeout=60, check=True)
        assert json.loads(said.stdout)["model_name"] == service.name


def test_report_says_what_the_server_says_of_sharing(start_server, tmp_path: Path) -> None:
    mixed = [node("Softmax", ["x"], ["y"], axis=0)]
    write(tmp_path, "mixed", mixed, [("x", FLOAT, ["n", 3])], ["n", 3])
    for model in (pictures(tmp_path), tmp_path / "mixed.onnx"):
        create_service(model, tmp_path / "service")
    server = start_server(tmp_path / "service").wait_until_ready()
    for name, words in (("pictures", "Requests share runs"), ("mixed", "Each request runs alone")):
        facts = json.loads((tmp_path / "service" / name / "lepton.json").read_text())
        batching = server.get(f"/v2/models/{name}").json["parameters"]["batching"]
        assert facts["versions"]["1"]["batching"] == batching
        for report in ("report.md", "report.html"):
            assert words in (tmp_path / "service" / name / report).read_text()


def test_latency_is_of_the_shape_that_is_named(tmp_path: Path) -> None:
    model = pictures(tmp_path)
    made_up = create_service(model, tmp_path / "service")
    assert "one row is x [1, 3, 224, 224]" in made_up.report.read_text()
    np.savez(tmp_path / "real.npz", x=np.ones((2, 3, 40, 64), np.float32))
    options = Options(example=tmp_path / "real.npz")
    real = create_service(model, tmp_path / "service", options=options)
    assert real.facts["measured_shapes"] == {"x": [1, 3, 40, 64]}
    said = real.report.read_text()
    assert f"rows of {tmp_path / 'real.npz'}; one row is x [1, 3, 40, 64]" in said
    assert real.facts["latency"][0]["p50_us"] < made_up.facts["latency"][0]["p50_us"]
