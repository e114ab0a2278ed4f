"""The Python client against the real server, over each of its transports."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from fake_models import identity, write_model
from lepton_server import LeptonServer

from lepton import (
    Client,
    DeadlineExceeded,
    HedgeOptions,
    InvalidInput,
    LeptonAI,
    ModelNotFound,
    Unavailable,
)

NUMBERS = {
    "bool": np.bool_, "uint8": np.uint8, "uint16": np.uint16, "uint32": np.uint32,
    "uint64": np.uint64, "int8": np.int8, "int16": np.int16, "int32": np.int32,
    "int64": np.int64, "fp16": np.float16, "bf16": np.float32, "fp32": np.float32,
    "fp64": np.float64,
}  # fmt: skip


@pytest.fixture(params=["http", "grpc", "unix", "grpc+unix"])
def client(request: pytest.FixtureRequest, server: LeptonServer):
    scheme = request.param
    where = f":{server.unix_socket}" if "unix" in scheme else f"://{server.address}"
    with Client(scheme + where) as client:
        yield client


@pytest.fixture
def http(server: LeptonServer):
    with Client(server.url) as client:
        yield client


class OnlyDlpack:
    """A tensor like torch's: no buffer protocol, only DLPack."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array

    def __dlpack__(self, **options: object) -> object:
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._array.__dlpack_device__()


@pytest.mark.parametrize("name", NUMBERS)
def test_every_number_comes_back_as_it_was_sent(client: Client, name: str) -> None:
    array = np.array([[0, 1, 2], [3, 4, 5]]).astype(NUMBERS[name])
    answer = client.infer(array, model=f"identity_{name}").outputs["y"]
    assert answer.dtype == array.dtype
    assert np.array_equal(answer, array)


def test_texts_come_back_as_bytes(client: Client) -> None:
    answer = client.infer([["a", b"\x00b"], ["", "caf\u00e9"]], model="identity_bytes")
    assert answer.outputs["y"].tolist() == [[b"a", b"\0b"], [b"", "caf\u00e9".encode()]]


def test_no_rows_and_one_scalar_are_tensors_too(client: Client) -> None:
    assert client.infer(7, model="identity_int32").outputs["y"].tolist() == [[7]]
    with pytest.raises(InvalidInput, match="no rows"):
        client.infer(np.zeros((0, 4), np.float32), model="four")


def test_several_inputs_and_outputs_go_by_name(client: Client) -> None:
    tensors = {"b": np.ones((1, 3), np.float32), "a": np.array([[1, 2]], np.int32)}
    answer = client.infer(tensors, model="pair")
    assert list(answer.outputs) == ["c", "d"]
    assert answer.outputs["c"].tolist() == [[1, 2]]
    only = client.infer(tensors, model="pair", outputs=["d"], id="one", parameters={"color": "red"})
    assert list(only.outputs) == ["d"]
    assert (only.id, only.model_name, only.model_version) == ("one", "pair", "1")


def test_answer_says_where_its_time_went(client: Client) -> None:
    timing = client.infer(np.zeros((1, 4), np.float32), model="slow").timing_ms
    assert set(timing) == {"net", "queue", "input", "compute", "output"}
    assert timing["compute"] >= 2


def test_outputs_outlive_answer_and_client_and_may_be_written_to(server: LeptonServer) -> None:
    with Client(server.url, "four") as client:
        output = client.infer(np.full((1000, 4), 3, np.float32)).outputs["y"]
        for _ in range(10):
            client.infer(np.zeros((1000, 4), np.float32))
    assert (output == 3).all()
    output += 1
    assert output.flags.aligned
    assert np.from_dlpack(output)[0, 0] == 4


@pytest.mark.parametrize(
    "tensor",
    [
        np.arange(8, dtype=np.float32).reshape(2, 4),
        np.arange(16, dtype=np.float32).reshape(2, 8)[:, ::2] / 2,
        np.asfortranarray(np.arange(8, dtype=np.float32).reshape(2, 4)),
        np.arange(8, dtype=">f4").reshape(2, 4),
        np.arange(8).reshape(2, 4),
        memoryview(np.arange(8, dtype=np.float32)).cast("B").cast("f", (2, 4)),
        OnlyDlpack(np.arange(8, dtype=np.float32).reshape(2, 4)),
        np.arange(8).reshape(2, 4).tolist(),
        tuple(np.arange(8, dtype=np.float32).reshape(2, 4)),
    ],
    ids=["wire", "gaps", "fortran", "big-endian", "int64", "buffer", "dlpack", "lists", "tuple"],
)
def test_tensors_of_every_form_are_taken(http: Client, tensor: object) -> None:
    answer = http.infer(tensor, model="four")
    assert answer.outputs["y"].tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (np.zeros((1, 5), np.float32), r"\[1,5\].*\[-1,4\]"),
        (np.zeros((1, 4), np.complex64), r'input "x" takes FP32'),
        ({"z": [[1, 2, 3, 4]]}, 'no input "z"; it has: x'),
        ({}, 'dict of inputs is empty; model "four" takes: x'),
        ({3: [1]}, 'no input "3"'),
        ("text", "could not convert"),
        (None, "takes FP32"),
        ([[1, 2], [3]], "inhomogeneous"),
    ],
)
def test_input_that_does_not_fit_is_refused_in_one_line(
    http: Client, inputs: object, message: str
) -> None:
    with pytest.raises(InvalidInput, match=message) as caught:
        http.infer(inputs, model="four")
    assert "\n" not in str(caught.value)
    assert http.infer([[1, 2, 3, 4]], model="four").outputs["y"].tolist() == [[1, 2, 3, 4]]


def test_bytes_element_that_is_no_text_is_refused(http: Client) -> None:
    with pytest.raises(InvalidInput, match="neither bytes nor str"):
        http.infer([["a", 1]], model="identity_bytes")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"priority": -1}, ValueError),
        ({"parameters": {"a": [1]}}, TypeError),
        ({"outputs": ["nothing"]}, InvalidInput),
        ({"outputs": [1]}, TypeError),
        ({"timeout": 0}, ValueError),
    ],
)
def test_option_that_cannot_be_is_refused(
    http: Client, options: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        http.infer([[1, 2, 3, 4]], model="four", **options)


def test_unknown_model_and_version_are_named(client: Client) -> None:
    with pytest.raises(ModelNotFound, match="nothing"):
        client.infer([1], model="nothing")
    with pytest.raises(ModelNotFound, match="99"):
        client.infer([1], model="four", version="99")


def test_model_says_what_it_takes(client: Client) -> None:
    model = client.model("pair")
    assert [(t.name, t.datatype, t.shape) for t in model.inputs] == [
        ("a", "INT32", (-1, 2)),
        ("b", "FP32", (-1, 3)),
    ]
    assert model.versions == ("1",)
    assert repr(model.outputs[0]) == "TensorSpec(c INT32[-1,2])"


def test_server_tells_whether_it_is_well(client: Client) -> None:
    assert client.live()
    assert client.ready()
    assert client.model_ready("four")


def test_deadline_ends_a_call_that_takes_too_long(client: Client) -> None:
    start = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        client.infer(np.zeros((200, 4), np.float32), model="slow", timeout=0.05)
    assert time.monotonic() - start < 0.35


def test_other_threads_run_while_a_call_waits(http: Client) -> None:
    started, counted = threading.Event(), 0

    def wait() -> None:
        http.model("slow")
        started.set()
        http.infer(np.zeros((100, 4), np.float32), model="slow")  # 200 ms.

    thread = threading.Thread(target=wait)
    thread.start()
    started.wait()
    while thread.is_alive():
        counted += 1
        time.sleep(0.001)
    assert counted > 50


def test_ctrl_c_interrupts_a_call_that_waits(server: LeptonServer) -> None:
    code = """
        import sys, numpy as np
        from lepton import Client
        client = Client(sys.argv[1], "slow")
        client.model()
        print("ready", flush=True)
        client.infer(np.zeros((2000, 4), np.float32))  # 4 s.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), server.url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.1)
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=10)
    assert time.monotonic() - start < 3
    assert said.rstrip().endswith("KeyboardInterrupt")


def test_ctrl_c_is_seen_where_another_thread_has_the_signal(server: LeptonServer) -> None:
    code = """
        import signal, sys, threading, time, numpy as np
        from lepton import Client
        client = Client(sys.argv[1], "slow")
        client.model()
        def press():
            time.sleep(0.3)
            signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        threading.Thread(target=press).start()
        start = time.monotonic()
        try:
            client.infer(np.zeros((2000, 4), np.float32))  # 4 s.
        except KeyboardInterrupt:
            print(time.monotonic() - start)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), server.url],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert 0.3 < float(done.stdout) < 3, done.stderr


def test_answers_of_a_stream_come_in_order(http: Client) -> None:
    inputs = (np.full((1 + i % 3, 4), i, np.float32) for i in range(100))
    answers = http.infer_many(inputs, model="plus_one", concurrency=7)
    assert [float(answer.outputs["y"][0, 0]) for answer in answers] == list(range(1, 101))
    assert http.statistics()["connections_opened"] <= 9


def test_stream_takes_no_more_than_it_has_in_flight(http: Client) -> None:
    taken = 0

    def endless():
        nonlocal taken
        while True:
            taken += 1
            yield np.zeros((1, 4), np.float32)

    answers = http.infer_many(endless(), model="four", concurrency=4)
    for _ in range(10):
        next(answers)
    assert taken <= 14
    answers.close()
    assert http.infer([[1, 2, 3, 4]], model="four")


def test_stream_ends_with_the_first_error(http: Client) -> None:
    inputs = [np.full((1, width), width, np.float32) for width in (4, 4, 5, 4)]
    answers = http.infer_many(inputs, model="four", concurrency=2)
    assert next(answers).outputs["y"].shape == (1, 4)
    assert next(answers).outputs["y"].shape == (1, 4)
    with pytest.raises(InvalidInput, match=r"\[1,5\]"):
        next(answers)


def test_stream_shows_its_progress_on_stderr(
    http: Client, capfd: pytest.CaptureFixture[str]
) -> None:
    inputs = [np.zeros((1, 4), np.float32)] * 5
    assert len(list(http.infer_many(inputs, model="four", progress=True))) == 5
    said = capfd.readouterr()
    assert "5/5" in said.err
    assert said.out == ""


def test_stream_needs_at_least_one_call_in_flight(http: Client) -> None:
    with pytest.raises(ValueError, match="concurrency must be 1 or more"):
        http.infer_many([], model="four", concurrency=0)


def test_call_goes_to_the_endpoint_that_is_there(server: LeptonServer) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # Bound but not listening, so it refuses connections.
        endpoints = [f"http://127.0.0.1:{nobody.getsockname()[1]}", server.url]
        with Client(endpoints, "four") as client:
            for _ in range(20):
                client.infer(np.zeros((1, 4), np.float32))
            assert client.statistics()["failures"] == 0


def test_hedge_answers_where_the_first_endpoint_hangs(
    server: LeptonServer, start_server, tmp_path: Path
) -> None:
    write_model(tmp_path, "four", identity())
    write_model(tmp_path, "slow", identity(delay_us_per_row=1_000_000))
    hanging = start_server(tmp_path).wait_until_ready()
    hedge = HedgeOptions(min_delay=0.02, budget_ratio=1.0)
    with Client([hanging.url, server.url], "slow", hedge=hedge) as client:
        for _ in range(150):  # A hundred calls must be measured before it is known what is slow.
            client.infer([[1, 2, 3, 4]], model="four")
        for _ in range(10):
            start = time.monotonic()
            client.infer([[1, 2, 3, 4]])
            assert time.monotonic() - start < 0.5
        assert client.statistics()["hedges_won"] >= 1


def test_server_that_is_down_is_unavailable_and_found_again(start_server, zoo) -> None:
    server = start_server(zoo).wait_until_ready()
    with Client(server.url, "four", timeout=5) as client:
        client.infer([[1, 2, 3, 4]])
        server.stop()
        with pytest.raises(Unavailable, match=str(server.port)) as caught:
            client.infer([[1, 2, 3, 4]])
        assert "\n" not in str(caught.value)


def cut_server(answer: bytes) -> tuple[socket.socket, threading.Thread]:
    """Reads a request, sends part of an answer, and hangs up."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return listener, thread


def test_connection_that_is_cut_in_mid_answer_is_unavailable(http: Client) -> None:
    listener, thread = cut_server(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    with (
        Client(f"http://127.0.0.1:{listener.getsockname()[1]}") as client,
        pytest.raises(Unavailable, match="closed in the middle of the answer"),
    ):
        client.models()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def test_closed_client_says_so(server: LeptonServer) -> None:
    client = LeptonAI(server.url, "four")
    model = client.model()
    client.close()
    client.close()
    for call in (lambda: client.infer([1]), client.models, lambda: client.model("pair")):
        with pytest.raises(Unavailable, match="the client is closed; make another one"):
            call()
    assert model.name == "four"


def test_client_closed_by_another_thread_answers_the_call_that_it_has(server: LeptonServer) -> None:
    client = Client(server.url, "slow")
    client.model()
    closer = threading.Timer(0.05, client.close)
    closer.start()
    assert client.infer(np.zeros((100, 4), np.float32)).outputs["y"].shape == (100, 4)
    closer.join()


def test_forked_process_is_told_to_make_a_client_of_its_own(server: LeptonServer) -> None:
    code = """
        import os, sys
        from lepton import Client, LeptonError
        client = Client(sys.argv[1], "four")
        list(client.infer_many([[[1, 2, 3, 4]]] * 3))
        if os.fork() == 0:
            try:
                client.infer([[1, 2, 3, 4]])
            except LeptonError as error:
                print(error)
            own = Client(sys.argv[1], "four")
            print(own.infer([[1, 2, 3, 4]]).outputs["y"].tolist())
            sys.exit()
        os.wait()
        print(client.infer([[1, 2, 3, 4]]).outputs["y"].tolist())
    """
    done = subprocess.run(
        [sys.executable, "-u", "-c", textwrap.dedent(code), server.url],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "the client was made before this process was forked; make one after the fork",
        "[[1.0, 2.0, 3.0, 4.0]]",
        "[[1.0, 2.0, 3.0, 4.0]]",
    ]


def test_interpreter_ends_in_peace_with_an_open_client(server: LeptonServer) -> None:
    code = """
        import sys
        from lepton import Client
        client = Client(sys.argv[1], "slow")
        answers = client.infer_many([[[1, 2, 3, 4]]] * 30)
        next(answers)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), server.url],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (0, "")
