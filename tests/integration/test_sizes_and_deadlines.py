"""Deadlines for a model whose first axis does not count rows, with requests of various sizes."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from lepton import Client, DeadlineExceeded

pytestmark = pytest.mark.openvino

SMALL, LARGE = 4, 40_000
WIDTH = 64


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`spread`: a few products, then the mean over axis 0 is subtracted, so that rows interact."""
    weights = np.random.default_rng(0).standard_normal((WIDTH, WIDTH)).astype(np.float32) / 8
    nodes = [
        helper.make_node("MatMul", ["x" if i == 0 else f"h{i}", "w"], [f"h{i + 1}"])
        for i in range(12)
    ]
    nodes += [
        helper.make_node("ReduceMean", ["h12"], ["mean"], axes=[0], keepdims=1),
        helper.make_node("Sub", ["h12", "mean"], ["y"]),
    ]
    shape = ["N", WIDTH]
    graph = helper.make_graph(
        nodes,
        "spread",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    folder = tmp_path_factory.mktemp("sizes")
    (folder / "spread/1").mkdir(parents=True)
    onnx.save(model, folder / "spread/1/model.onnx")
    return folder


def seconds_of(client: Client, rows: int) -> float:
    begin = time.perf_counter()
    client.infer(np.ones((rows, WIDTH), np.float32), timeout=60)
    return time.perf_counter() - begin


def test_each_size_is_judged_by_what_it_takes(start_server, repository: Path) -> None:
    server = start_server(repository).wait_until_ready()
    with Client(server.url, "spread") as client:
        large = sorted(seconds_of(client, LARGE) for _ in range(6))[1]
        # After large ones, a small one is answered in a fraction of their time, and not refused.
        timeout = large / 2
        for _ in range(20):
            client.infer(np.ones((SMALL, WIDTH), np.float32), timeout=timeout)
        for _ in range(40):
            seconds_of(client, SMALL)
        # After small ones, a request that takes longer than it may is refused at once, and not run.
        for _ in range(5):
            begin = time.perf_counter()
            with pytest.raises(DeadlineExceeded, match="needs about"):
                client.infer(np.ones((LARGE, WIDTH), np.float32), timeout=large / 4)
            assert time.perf_counter() - begin < large
        client.infer(np.ones((LARGE, WIDTH), np.float32), timeout=large * 20)
