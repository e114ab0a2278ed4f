from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import openvino as ov
import pytest
from onnx import TensorProto, helper, numpy_helper

from lepton.create import CreateError, Options, create_service, parse_input
from lepton.create.service import _write_facts


def linear(path: Path, *, external: str | None = None, rows: str | int = "N") -> Path:
    """Writes y = x W as ONNX, [rows, 3] to [rows, 2]."""
    weights = numpy_helper.from_array(np.ones((3, 2), np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [rows, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [rows, 2])],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    if external is None:
        onnx.save(model, path)
    else:
        onnx.save(model, path, save_as_external_data=True, location=external, size_threshold=0)
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return linear(tmp_path / "linear.onnx")


def contents(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def facts_of(repository: Path, name: str, version: str) -> dict[str, Any]:
    known = json.loads((repository / name / "lepton.json").read_text())
    return dict(known["versions"][version])


def test_service_is_a_model_repository_with_its_facts_and_report(
    model: Path, tmp_path: Path
) -> None:
    service = create_service(model, tmp_path / "out")
    assert (service.name, service.version) == ("linear", "1")
    assert contents(tmp_path / "out") == [
        "linear",
        "linear/1",
        "linear/1/model.onnx",
        "linear/lepton.json",
        "linear/report.html",
        "linear/report.md",
    ]
    facts = facts_of(tmp_path / "out", "linear", "1")
    assert facts["signature"] == {
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 3]}],
        "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1, 2]}],
    }
    assert facts["batches"] is True
    tuning = facts["tuning"]
    assert tuning["subject"]["engine"].startswith("openvino ")
    assert tuning["plan"]["tuned"] is True and tuning["plan"]["service_times"][0]["rows"] == "1"
    assert [run["batch"] for run in facts["latency"]] == [1, 2, 4, 8, 16, 32]
    assert all(0 < run["p50_us"] <= run["p99_us"] for run in facts["latency"])
    sha256sum = subprocess.run(["sha256sum", model], capture_output=True, text=True, check=True)
    assert facts["source"]["sha256"] == sha256sum.stdout.split()[0]


def test_report_tells_how_to_serve_and_call_it(model: Path, tmp_path: Path) -> None:
    report = create_service(model, tmp_path / "out").report.read_text()
    assert f"lepton serve {tmp_path / 'out'}" in report
    assert "client.inference(np.zeros((1, 3), np.float32))" in report
    assert '"shape":[1,3],"data":[0.0,0.0,0.0]' in report
    assert "| input | `x` | FP32 | [-1, 3] |" in report


def test_same_name_again_is_the_next_version(model: Path, tmp_path: Path) -> None:
    for expected in ("1", "2", "3"):
        assert create_service(model, tmp_path / "out", measure=False).version == expected
    known = json.loads((tmp_path / "out/linear/lepton.json").read_text())
    assert sorted(known["versions"]) == ["1", "2", "3"]
    assert "version 3" in (tmp_path / "out/linear/report.md").read_text()


def test_simultaneous_creates_each_get_a_version(model: Path, tmp_path: Path) -> None:
    versions: list[str] = []
    threads = [
        threading.Thread(
            target=lambda: versions.append(
                create_service(model, tmp_path / "out", measure=False).version
            )
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(versions) == ["1", "2", "3", "4"]
    assert all((tmp_path / "out/linear" / v / "model.onnx").is_file() for v in versions)
    known = json.loads((tmp_path / "out/linear/lepton.json").read_text())
    assert sorted(known["versions"]) == ["1", "2", "3", "4"]


def test_model_without_batch_axis_is_measured_as_it_is(tmp_path: Path) -> None:
    service = create_service(linear(tmp_path / "fixed.onnx", rows=4), tmp_path / "out")
    assert service.facts["batches"] is False
    assert [run["batch"] for run in service.facts["latency"]] == [1]


def test_external_weights_of_onnx_come_along(tmp_path: Path) -> None:
    model = linear(tmp_path / "big.onnx", external="big.weights")
    create_service(model, tmp_path / "out", measure=False)
    assert (tmp_path / "out/big/1/big.weights").is_file()
    assert facts_of(tmp_path / "out", "big", "1")["source"]["files"] == [
        "big.weights",
        "model.onnx",
    ]


def test_missing_external_weights_are_named(tmp_path: Path) -> None:
    model = linear(tmp_path / "big.onnx", external="big.weights")
    (tmp_path / "big.weights").unlink()
    with pytest.raises(CreateError, match=r"big\.weights, which does not exist"):
        create_service(model, tmp_path / "out")


def test_weights_outside_the_folder_of_the_model_are_refused(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    model = linear(tmp_path / "inside/big.onnx", external="aaaaaaaaaa")
    (tmp_path / "inside/aaaaaaaaaa").rename(tmp_path / "aaaaaaa")
    data = model.read_bytes()
    assert data.count(b"aaaaaaaaaa") == 1
    model.write_bytes(data.replace(b"aaaaaaaaaa", b"../aaaaaaa"))
    with pytest.raises(CreateError, match="outside its folder"):
        create_service(model, tmp_path / "out")


def test_location_in_metadata_is_no_file(model: Path, tmp_path: Path) -> None:
    made = onnx.load(model)
    helper.set_model_props(made, {"location": "Berlin"})
    onnx.save(made, model)
    create_service(model, tmp_path / "out", measure=False)
    assert contents(tmp_path / "out/linear/1") == ["model.onnx"]


def graph_of(path: Path, nodes: list, inputs: list, outputs: list) -> Path:
    """Writes an ONNX model; inputs and outputs are name, type and shape."""
    infos = [[helper.make_tensor_value_info(*one) for one in some] for some in (inputs, outputs)]
    made = helper.make_model(
        helper.make_graph(nodes, "g", *infos), opset_imports=[helper.make_opsetid("", 15)]
    )
    made.ir_version = 8
    onnx.save(made, path)
    return path


def test_scalar_input_is_one(tmp_path: Path) -> None:
    float_ = TensorProto.FLOAT
    gain = graph_of(
        tmp_path / "gain.onnx",
        [helper.make_node("Mul", ["x", "gain"], ["y"])],
        [("x", float_, ["n", 3]), ("gain", float_, [])],
        [("y", float_, ["n", 3])],
    )
    facts = create_service(gain, tmp_path / "out").facts
    assert [one["shape"] for one in facts["signature"]["inputs"]] == [[-1, 3], []]
    assert facts["measured_shapes"]["gain"] == []


def test_input_that_is_used_for_nothing_stays_one(tmp_path: Path) -> None:
    unused = graph_of(
        tmp_path / "unused.onnx",
        [helper.make_node("Relu", ["x"], ["y"])],
        [("x", TensorProto.FLOAT, ["n", 3]), ("token_type_ids", TensorProto.INT64, ["n", 3])],
        [("y", TensorProto.FLOAT, ["n", 3])],
    )
    facts = create_service(unused, tmp_path / "out", measure=False).facts
    names = [one["name"] for one in facts["signature"]["inputs"]]
    assert names == ["x", "token_type_ids"]


def test_name_that_openvino_loses_is_that_of_the_file(tmp_path: Path) -> None:
    dropout = graph_of(
        tmp_path / "dropout.onnx",
        [helper.make_node("Dropout", ["x"], ["y"]), helper.make_node("Relu", ["x"], ["z"])],
        [("x", TensorProto.FLOAT, [1, 3])],
        [("y", TensorProto.FLOAT, [1, 3]), ("z", TensorProto.FLOAT, [1, 3])],
    )
    facts = create_service(dropout, tmp_path / "out", measure=False).facts
    assert [one["name"] for one in facts["signature"]["inputs"]] == ["x"]
    assert [one["name"] for one in facts["signature"]["outputs"]] == ["y", "z"]


def test_input_option_narrows_what_the_file_takes(tmp_path: Path) -> None:
    options = Options(inputs=(parse_input("x:f32[4,3]"),))
    service = create_service(linear(tmp_path / "a.onnx"), tmp_path / "out", options=options)
    assert service.facts["signature"]["inputs"][0]["shape"] == [4, 3]
    assert service.facts["signature"]["outputs"] == [
        {"name": "y", "datatype": "FP32", "shape": [4, 2]}
    ]
    assert service.facts["converted"] is True
    assert contents(tmp_path / "out/a/1") == ["model.bin", "model.xml"]


def test_input_option_that_says_what_the_file_says_changes_nothing(tmp_path: Path) -> None:
    options = Options(inputs=(parse_input("x:f32[batch,3]"),), ranges={"x": (0, 1)})
    model = linear(tmp_path / "a.onnx")
    service = create_service(model, tmp_path / "out", options=options, measure=False)
    assert service.facts["converted"] is False
    assert contents(tmp_path / "out/a/1") == ["model.onnx"]
    assert service.facts["options"] == {"input": ["x:f32[batch,3]"], "range": ["x=0:1"]}


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (Options(inputs=(parse_input("z:f32[1,3]"),)), r'names "z", .* takes x'),
        (Options(inputs=(parse_input("x:f32[1,4]"),)), r"says x:f32\[1,4\], .* takes x:f32\[N,3\]"),
        (Options(inputs=(parse_input("x:i32[1,3]"),)), r"says x:i32"),
        (Options(ranges={"z": (0, 1)}), r'--range names input "z"'),
    ],
)
def test_option_that_contradicts_the_file_is_refused(
    model: Path, tmp_path: Path, options: Options, reason: str
) -> None:
    with pytest.raises(CreateError, match=reason):
        create_service(model, tmp_path / "out", options=options, measure=False)
    assert not (tmp_path / "out").exists()


def test_input_without_a_shape_is_to_be_said_and_then_served(tmp_path: Path) -> None:
    relu = graph_of(
        tmp_path / "relu.onnx",
        [helper.make_node("Relu", ["x"], ["y"])],
        [("x", TensorProto.FLOAT, None)],
        [("y", TensorProto.FLOAT, None)],
    )
    with pytest.raises(CreateError, match=r'shape of input "x": add --input x:f32\[batch'):
        create_service(relu, tmp_path / "out", measure=False)
    options = Options(inputs=(parse_input("x:f32[batch,3]"),))
    facts = create_service(relu, tmp_path / "out", options=options, measure=False).facts
    assert facts["signature"]["outputs"] == [{"name": "y", "datatype": "FP32", "shape": [-1, 3]}]
    np.savez(tmp_path / "x.npz", x=np.ones((2, 5), np.float32))
    options = Options(example=tmp_path / "x.npz")
    facts = create_service(relu, tmp_path / "out", options=options, measure=False).facts
    assert facts["signature"]["inputs"][0]["shape"] == [-1, 5]


def test_double_precision_is_warned_of(tmp_path: Path) -> None:
    double = graph_of(
        tmp_path / "double.onnx",
        [helper.make_node("Relu", ["x"], ["y"])],
        [("x", TensorProto.DOUBLE, ["n", 3])],
        [("y", TensorProto.DOUBLE, ["n", 3])],
    )
    notes = create_service(double, tmp_path / "out", measure=False).facts["notes"]
    assert any("64-bit floats" in note and "32 bits" in note for note in notes)


def test_openvino_ir_brings_its_weights(model: Path, tmp_path: Path) -> None:
    ov.save_model(ov.Core().read_model(model), tmp_path / "ir.xml")
    create_service(tmp_path / "ir.xml", tmp_path / "out", "ir", measure=False)
    assert contents(tmp_path / "out/ir/1") == ["model.bin", "model.xml"]


def test_name_is_that_of_the_folder_where_the_file_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "My Net").mkdir()
    service = create_service(
        linear(tmp_path / "My Net/model.onnx"), tmp_path / "out", measure=False
    )
    assert service.name == "My_Net"


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden", "a b", "-x"])
def test_name_that_is_no_folder_and_no_url_is_refused(
    model: Path, tmp_path: Path, name: str
) -> None:
    with pytest.raises(CreateError, match="name"):
        create_service(model, tmp_path / "out", name)
    assert not (tmp_path / "out").exists()


def test_truncated_model_leaves_nothing_behind(model: Path, tmp_path: Path) -> None:
    model.write_bytes(model.read_bytes()[:40])
    with pytest.raises(CreateError, match=r"linear\.onnx cannot be read"):
        create_service(model, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_failure_leaves_the_versions_before_as_they_were(model: Path, tmp_path: Path) -> None:
    create_service(model, tmp_path / "out", measure=False)
    before = contents(tmp_path / "out")
    model.write_bytes(b"not a model")
    with pytest.raises(CreateError):
        create_service(model, tmp_path / "out", measure=False)
    assert contents(tmp_path / "out") == before


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("none.onnx", None, "does not exist"),
        ("empty.onnx", b"", "is empty"),
        ("model.h5", b"x", r'called "\.h5" but its content is not of Keras'),
        ("model.pt", b"x" * 100, r'called "\.pt" but its content is not of PyTorch'),
        ("model.weights", b"x", r'extension "\.weights", expected \.pt, '),
        ("garbage.onnx", b"garbage", "cannot be read"),
        ("garbage.xml", b"<net", "cannot be read"),
        ("garbage.tflite", b"\x00" * 64, "content is not of TensorFlow"),
        ("garbage.pb", b"garbage", "cannot be read"),
    ],
)
def test_bad_file_is_one_line_and_exit_code_2(
    tmp_path: Path, file: str, content: bytes | None, reason: str
) -> None:
    if content is not None:
        (tmp_path / file).write_bytes(content)
    command = [sys.executable, "-m", "lepton", "create", "--output_path", str(tmp_path / "out")]
    done = subprocess.run(
        [*command, "--model_path", str(tmp_path / file)],
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert file in done.stderr
    assert re.search(reason, done.stderr)


def test_check_that_dies_is_an_error_and_not_the_end(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dying = tmp_path / "python"
    dying.write_text("#!/bin/sh\nkill -SEGV $$\n")
    dying.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(dying))
    with pytest.raises(CreateError, match=r"linear\.onnx ended the process .* with SIGSEGV"):
        create_service(model, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_folder_that_is_no_saved_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(CreateError, match=r"without saved_model\.pb"):
        create_service(tmp_path / "folder", tmp_path / "out")


def test_output_path_that_is_a_file_is_refused(model: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(CreateError, match="is a file"):
        create_service(model, tmp_path / "out")


def test_foreign_facts_are_not_overwritten(model: Path, tmp_path: Path) -> None:
    (tmp_path / "out/linear").mkdir(parents=True)
    (tmp_path / "out/linear/lepton.json").write_text("[]")
    with pytest.raises(CreateError, match=r"lepton\.json is not what"):
        create_service(model, tmp_path / "out")
    assert contents(tmp_path / "out") == ["linear", "linear/lepton.json"]


def test_labels_are_written_beside_the_model_and_the_users_stay(
    model: Path, tmp_path: Path
) -> None:
    service = create_service(model, tmp_path / "out", measure=False)
    folder = tmp_path / "out/linear"
    assert not (folder / "labels.txt").exists()
    for labels in (["bad", "very\ngood"], ["other"]):
        _write_facts(folder, "linear", "1", {**service.facts, "labels": labels})  # type: ignore
        assert (folder / "labels.txt").read_text() == "bad\nvery good\n"
