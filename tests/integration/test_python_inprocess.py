"""An in-process server, through Python."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from fake_models import identity, write_model
from lepton_server import ROOT

from lepton import (
    DeadlineExceeded,
    InvalidInput,
    LeptonAI,
    ModelNotFound,
    Overloaded,
    Server,
    Unavailable,
)
from lepton.create import create_service

DIGITS = ROOT / "examples/digits"
ROW = np.array([[1, 2, 3, 4]], np.float32)


@pytest.fixture(scope="module")
def local(zoo: Path):
    with Server(zoo) as server:
        yield server


def test_models_of_a_folder_run_in_this_process(local: Server) -> None:
    assert "four" in local.models()
    answer = local.infer(ROW + 1, model="plus_one", id="mine")
    assert np.array_equal(answer.outputs["y"], ROW + 2)
    assert (answer.model_name, answer.model_version, answer.id) == ("plus_one", "1", "mine")
    assert set(answer.timing_ms) == {"net", "queue", "input", "compute", "output"}


def test_the_slowest_calls_are_told_with_their_stations(local: Server) -> None:
    local.infer(ROW, model="plus_one", id="looked at")
    calls = local.slow_requests("plus_one")["slowest"]
    (call,) = [each for each in calls if each["id"] == "looked at"]
    assert call["protocol"] == "in_process"
    assert 0 < call["stretches_us"]["compute"] < call["total_us"]
    assert len(local.slow_requests(limit=1)["slowest"]) == 1
    with pytest.raises(ValueError, match="limit must be 1 or more"):
        local.slow_requests(limit=0)
    assert 'lepton_request_seconds_count{model="plus_one"' in local.metrics()


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=np.int64).reshape(2, 3),
        np.array([["a", "b"], ["c", "caf\u00e9"]], dtype=object),
        np.array([[1.5, np.inf]], np.float16),
    ],
    ids=["int64", "bytes", "fp16"],
)
def test_datatypes_are_those_of_the_server(local: Server, array: np.ndarray) -> None:
    kind = {"i": "int64", "O": "bytes", "f": "fp16"}[array.dtype.kind]
    answer = local.infer(array, model=f"identity_{kind}").outputs["y"]
    expected = array if kind != "bytes" else [[b"a", b"b"], [b"c", "caf\u00e9".encode()]]
    assert np.array_equal(answer, expected)


def test_several_inputs_outputs_and_choice_of_them(local: Server) -> None:
    tensors = {"a": [[1, 2]], "b": [[1, 2, 3]]}
    assert list(local.infer(tensors, model="pair").outputs) == ["c", "d"]
    assert list(local.infer(tensors, model="pair", outputs=["d"]).outputs) == ["d"]


def test_outputs_do_not_change_with_the_next_run(local: Server) -> None:
    first = local.infer(ROW, model="four").outputs["y"]
    local.infer(ROW * 5, model="four")
    assert np.array_equal(first, ROW)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        ({"inputs": [[1, 2]], "model": "four"}, InvalidInput, r"\[1,2\].*\[-1,4\]"),
        ({"inputs": {"z": [1]}, "model": "four"}, InvalidInput, 'no input "z"; it has: x'),
        ({"inputs": ROW > 1, "model": "identity_int8"}, None, ""),
        ({"inputs": ROW, "model": "identity_int8"}, InvalidInput, "takes INT8"),
        ({"inputs": ROW, "model": "nothing"}, ModelNotFound, "nothing"),
        ({"inputs": ROW}, InvalidInput, "name one: model="),
    ],
)
def test_call_that_does_not_fit_is_refused_in_one_line(
    local: Server, call: dict[str, object], error: type[Exception] | None, message: str
) -> None:
    if error is None:
        assert local.infer(**call)
        return
    with pytest.raises(error, match=message) as caught:
        local.infer(**call)
    assert "\n" not in str(caught.value)


def test_threads_share_a_busy_model_and_other_threads_run(local: Server) -> None:
    wrong: list[int] = []

    def ask(number: int) -> None:
        for i in range(5):
            value = np.full((1, 4), number * 10 + i, np.float32)
            if not np.array_equal(local.infer(value, model="slow_batches").outputs["y"], value):
                wrong.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    start, turns = time.monotonic(), 0
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        turns += 1
        time.sleep(0.001)
    assert not wrong
    # 30 calls of 20 ms each, one after the other, would take 600 ms.
    assert time.monotonic() - start < 0.5
    assert turns > 30


def test_call_that_cannot_meet_its_deadline_does_not_wait_for_the_run_before_it(
    local: Server,
) -> None:
    local.model("slow")
    busy = threading.Thread(
        target=local.infer, args=(np.zeros((150, 4), np.float32),), kwargs={"model": "slow"}
    )
    busy.start()
    time.sleep(0.05)  # Its run takes 300 ms.
    start = time.monotonic()
    # At once if the run's end was foreseen, else at the deadline.
    with pytest.raises((DeadlineExceeded, Overloaded)):
        local.infer(ROW, model="slow", timeout=0.05)
    assert time.monotonic() - start < 0.15
    busy.join()


def test_full_queue_refuses(tmp_path: Path) -> None:
    config = "dynamic_batching { default_queue_policy { max_queue_size: 1 } }"
    write_model(tmp_path, "one", identity(delay_us_per_row=100_000), config=config)
    with Server(tmp_path) as server:
        answers = server.infer_many([ROW] * 4, concurrency=4)
        with pytest.raises(Overloaded, match="queue"):
            list(answers)


def test_stream_comes_in_order(local: Server) -> None:
    inputs = (np.full((1, 4), i, np.float32) for i in range(50))
    answers = local.infer_many(inputs, model="plus_one", concurrency=5)
    assert [float(answer.outputs["y"][0, 0]) for answer in answers] == list(range(1, 51))


def test_model_that_is_unloaded_between_calls_says_so(tmp_path: Path) -> None:
    write_model(tmp_path, "a", identity())
    write_model(tmp_path, "b", identity())
    with Server(tmp_path, "a") as server:
        server.infer(ROW)
        server.unload("a")
        with pytest.raises(Unavailable, match='model "a" is unloaded'):
            server.infer(ROW)
        assert server.models() == ["b"]
        server.load("a")
        assert np.array_equal(server.inference(ROW), ROW)
        with pytest.raises(ModelNotFound, match="nothing"):
            server.unload("nothing")


def test_new_version_with_another_signature_is_noticed(tmp_path: Path) -> None:
    write_model(tmp_path, "m", identity())
    with Server(tmp_path) as server:
        assert server.inference(ROW).dtype == np.float32
        write_model(tmp_path, "m", identity("INT32"), version=2)
        server.load("m")
        # The first call finds out, the next one knows.
        with pytest.raises(InvalidInput, match="INT32"):
            server.inference([[1, 2, 3, 4]])
        assert server.inference([[1, 2, 3, 4]]).dtype == np.int32


@pytest.mark.parametrize(
    ("folder", "message"),
    [("missing", "missing does not exist"), ("empty", "empty"), ("broken", "model.fake")],
)
def test_folder_that_is_no_service_is_named(tmp_path: Path, folder: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    write_model(tmp_path / "broken", "m", "no json")
    with pytest.raises(InvalidInput, match=message) as caught:
        Server(tmp_path / folder)
    assert "\n" not in str(caught.value)


def test_without_strict_readiness_it_opens_without_the_models_that_do_not_load(
    tmp_path: Path,
) -> None:
    write_model(tmp_path, "broken", "no json")
    with pytest.raises(InvalidInput, match=r"model\.fake"):
        Server(tmp_path, strict_readiness=False)  # No model is left.
    write_model(tmp_path, "four", identity())
    with pytest.raises(InvalidInput, match=r"model\.fake"):
        Server(tmp_path)
    with Server(tmp_path, "four", strict_readiness=False) as server:
        assert server.models() == ["four"]
        assert np.array_equal(server.inference(ROW), ROW)
        with pytest.raises(Unavailable, match=r"failed to load: .*model\.fake"):
            server.infer(ROW, model="broken")


def test_option_that_cannot_be_is_refused(zoo: Path) -> None:
    with pytest.raises(ValueError, match="cores must be 0 or more"):
        Server(zoo, cores=-1)
    with pytest.raises(ValueError, match="log_level must be trace, "):
        Server(zoo, log_level="loud")
    with pytest.raises(ValueError, match="url and service"):
        LeptonAI("http://127.0.0.1", service=zoo)
    with pytest.raises(InvalidInput, match="no service folder"):
        Server([])


def test_closed_server_says_so_and_close_waits_for_calls(tmp_path: Path) -> None:
    write_model(tmp_path, "m", identity(delay_us_per_row=100_000))
    server = Server(tmp_path)
    server.model()
    closer = threading.Timer(0.02, server.close)
    closer.start()
    assert np.array_equal(server.inference(ROW), ROW)
    closer.join()
    server.close()
    with pytest.raises(Unavailable, match="the server is closed; make another one"):
        server.inference(ROW)


def run_python(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-u", "-c", textwrap.dedent(code), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_forked_process_is_told_to_make_a_server_of_its_own(zoo: Path) -> None:
    code = """
        import os, sys
        from lepton import LeptonAI, LeptonError
        ai = LeptonAI(service=sys.argv[1], model="slow")
        ai.inference([[1, 2, 3, 4]])
        list(ai.infer_many([[[1, 2, 3, 4]]] * 3))
        if os.fork() == 0:
            try:
                ai.inference([[1, 2, 3, 4]])
            except LeptonError as error:
                print(error)
            sys.exit()
        os.wait()
        print(ai.inference([[1, 2, 3, 4]]).tolist())
    """
    done = run_python(code, zoo)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "the server was made before this process was forked; make one after the fork",
        "[[1.0, 2.0, 3.0, 4.0]]",
    ]


def test_interpreter_ends_in_peace_with_an_open_server(zoo: Path) -> None:
    code = """
        import sys
        from lepton import Server
        server = Server(sys.argv[1], "slow_batches")
        answers = server.infer_many([[[1, 2, 3, 4]]] * 10)
        print(next(answers).outputs["y"].shape)
    """
    done = run_python(code, zoo)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "(1, 4)\n")


@pytest.mark.openvino
def test_digits_are_read_as_well_as_by_the_engine_itself(tmp_path: Path) -> None:
    create_service(DIGITS / "model.onnx", tmp_path / "service", "digits", measure=False)
    data = np.load(DIGITS / "heldout.npz")
    images = data["images"][:, np.newaxis].astype(np.float32) / 16
    with LeptonAI(service=tmp_path / "service") as ai:
        here = ai.inference(images)
        one = ai.inference(images[:1])
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = ov.Core().compile_model(DIGITS / "model.onnx", "CPU", settings)
    assert np.allclose(here, compiled(images)[0], atol=1e-5)
    assert np.allclose(one, here[:1], atol=1e-6)
    right = int((here.argmax(axis=1) == data["labels"]).sum())
    assert right == json.loads((DIGITS / "accuracy.json").read_text())["right"]


def test_service_folder_may_go_once_it_is_loaded(tmp_path: Path) -> None:
    write_model(tmp_path / "service", "m", identity())
    with Server(tmp_path / "service") as server:
        shutil.rmtree(tmp_path / "service")
        assert np.array_equal(server.inference(ROW), ROW)
