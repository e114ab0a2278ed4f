"""Requests of different extents, padded to a common one where config.pbtxt allows it."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from fake_models import identity, write_model
from openvino import opset13 as ops

from lepton import Client

PAD_TO_8 = 'parameters { key: "pad_to" value { string_value: "8,16" } }'
EXTENTS = (1, 5, 8, 3, 7, 2, 12, 17)


def masked_sum() -> ov.Model:
    """Doubles every element; sums the elements of a row that the mask does not hide."""
    x = ops.parameter([-1, -1], np.float32)
    mask = ops.parameter([-1, -1], np.float32)
    doubled = ops.multiply(x, ops.constant(np.float32(2)))
    total = ops.reduce_sum(ops.multiply(x, mask), ops.constant([1]), keep_dims=True)
    for node, name in ((x, "x"), (mask, "mask"), (doubled, "doubled"), (total, "total")):
        node.output(0).set_names({name})
    return ov.Model([doubled, total], [x, mask], "masked_sum")


@pytest.mark.openvino
def test_every_request_gets_the_answer_to_its_own_extent(start_server, tmp_path: Path) -> None:
    folder = tmp_path / "masked_sum" / "1"
    folder.mkdir(parents=True)
    ov.save_model(masked_sum(), folder / "model.xml", compress_to_fp16=False)
    (folder.parent / "config.pbtxt").write_text(PAD_TO_8)
    server = start_server(tmp_path).wait_until_ready()

    def ask(extent: int) -> None:
        x = np.arange(1, 2 * extent + 1, dtype=np.float32).reshape(2, extent)
        answer = client.infer({"x": x, "mask": np.ones_like(x)}).outputs
        np.testing.assert_array_equal(answer["doubled"], 2 * x)
        np.testing.assert_allclose(answer["total"], x.sum(axis=1, keepdims=True), rtol=1e-6)

    with Client(server.url) as client, ThreadPoolExecutor(8) as threads:
        list(threads.map(ask, EXTENTS * 20))


def runs_of(server) -> float:
    """The number of calls to the engine."""
    return server.metrics()['nv_inference_exec_count{model="open",version="1"}']


@pytest.mark.parametrize("padded", [True, False])
def test_requests_of_different_extents_share_runs_only_when_padded(
    start_server, tmp_path: Path, padded: bool
) -> None:
    model = identity(shape=[-1, -1], delay_us=50_000)
    write_model(tmp_path, "open", model, config=PAD_TO_8 if padded else None)
    server = start_server(tmp_path).wait_until_ready()
    extents = list(range(1, 9))

    def ask(extent: int) -> None:
        x = np.arange(extent, dtype=np.float32).reshape(1, extent)
        np.testing.assert_array_equal(client.infer({"x": x}).outputs["y"], x)

    before = runs_of(server)
    with Client(server.url) as client, ThreadPoolExecutor(len(extents)) as threads:
        list(threads.map(ask, extents))
    runs = runs_of(server) - before
    if padded:
        assert runs < len(extents)
    else:
        assert runs == len(extents)


def test_padding_of_a_model_that_cannot_be_padded_says_why(start_server, tmp_path: Path) -> None:
    write_model(tmp_path, "text", identity("BYTES", [-1, -1]), config=PAD_TO_8)
    write_model(tmp_path, "good", identity())
    server = start_server(tmp_path).wait_for_port()
    server.wait_for_model("good")
    give_up = time.monotonic() + 20
    while "model_failed" not in server.log:
        assert time.monotonic() < give_up, server.log
        time.sleep(0.01)
    assert "pad_to" in server.log and "BYTES, which cannot be padded" in server.log
