from __future__ import annotations

import re
import socket
import threading

import numpy as np
import pytest
from fake_server import FakeServer, answer

import LeonAI
import lepton
from lepton import (
    Client,
    DeadlineExceeded,
    InvalidInput,
    LeptonAI,
    LeptonError,
    ModelNotFound,
    Overloaded,
    RetryOptions,
    Unavailable,
)


def test_array_goes_out_binary_and_one_output_comes_back_as_an_array(server: FakeServer) -> None:
    with LeptonAI(server.url, model="m") as client:
        result = client.inference(np.array([[1, 2]], np.float32))
    assert isinstance(result, np.ndarray)
    assert result.tolist() == [[1, 2]]
    sent = server.requests[-1]
    assert sent["path"] == "/v2/models/m/infer"
    assert sent["json"]["parameters"]["binary_data_output"] is True
    assert sent["json"]["inputs"] == [
        {
            "name": "x",
            "datatype": "FP32",
            "shape": [1, 2],
            "parameters": {"binary_data_size": 8},
        }
    ]


def test_several_outputs_come_back_as_a_dict(server: FakeServer) -> None:
    outputs = [
        {"name": "a", "datatype": "INT64", "shape": [1], "parameters": {"binary_data_size": 8}},
        {"name": "b", "datatype": "BYTES", "shape": [2], "data": ["p", "q"]},
    ]
    server.on_infer = lambda header, binary: answer(outputs, b"\x07" + b"\0" * 7)
    with LeptonAI(server.url, model="m") as client:
        result = client.inference([[1, 2]])
    assert isinstance(result, dict)
    assert result["a"].tolist() == [7]
    assert result["b"].tolist() == [b"p", b"q"]


def test_lists_take_the_type_of_the_model(server: FakeServer) -> None:
    with LeptonAI(server.url, model="m") as client:
        result = client.inference([[1, 2], [3, 4]])
    assert isinstance(result, np.ndarray)
    assert result.dtype == np.float32
    assert result.shape == (2, 2)


@pytest.mark.parametrize("dtype", [np.float64, np.uint8, np.int64])
def test_arrays_are_cast_within_their_kind_and_upwards(server: FakeServer, dtype: type) -> None:
    with LeptonAI(server.url, model="m") as client:
        result = client.inference(np.array([[1, 2]], dtype))
    assert isinstance(result, np.ndarray)
    assert result.tolist() == [[1, 2]]


def test_float_is_never_cut_to_an_integer(server: FakeServer) -> None:
    server.inputs = [{"name": "ids", "datatype": "INT64", "shape": [-1]}]
    with (
        LeptonAI(server.url, model="m") as client,
        pytest.raises(InvalidInput, match=r'input "ids" takes INT64 \[-1\]'),
    ):
        client.inference(np.array([1.5]))


def test_inputs_by_name_are_checked_against_the_model(server: FakeServer) -> None:
    with LeptonAI(server.url, model="m") as client:
        assert np.array_equal(client.inference({"x": [[1, 2]]}), [[1, 2]])
        with pytest.raises(InvalidInput, match='has no input "z"; it has: x'):
            client.inference({"z": [[1, 2]]})


def test_model_with_two_inputs_asks_for_names(server: FakeServer) -> None:
    server.inputs = [{"name": n, "datatype": "FP32", "shape": [1]} for n in ("p", "q")]
    with LeptonAI(server.url, model="m") as client, pytest.raises(InvalidInput, match="2 inputs"):
        client.inference([1.0])


def test_only_model_of_the_server_needs_no_name(server: FakeServer) -> None:
    with LeptonAI(server.url) as client:
        client.inference([[1, 2]])
    assert server.requests[-1]["path"] == "/v2/models/m/infer"


def test_name_is_asked_for_where_the_server_has_several_models(server: FakeServer) -> None:
    server.models = ["b", "a"]
    with LeptonAI(server.url) as client, pytest.raises(InvalidInput, match=r"2 models \(a, b\)"):
        client.inference([[1, 2]])


def test_name_is_asked_for_where_the_server_does_not_list_models(server: FakeServer) -> None:
    server.models = None
    with LeptonAI(server.url) as client, pytest.raises(LeptonError, match="name one"):
        client.inference([[1, 2]])


def test_version_is_part_of_the_path(server: FakeServer) -> None:
    with LeptonAI(server.url, model="m", version="3") as client:
        client.inference([[1, 2]])
    assert server.requests[-1]["path"] == "/v2/models/m/versions/3/infer"


def test_timeout_is_told_to_the_server_as_the_deadline(server: FakeServer) -> None:
    def told_us() -> int:
        return server.requests[-1]["json"]["parameters"]["timeout"]

    with LeptonAI(server.url, model="m", timeout=2.5) as client:
        client.inference([[1, 2]])
        assert 2_000_000 < told_us() <= 2_500_000
        client.inference([[1, 2]], timeout=0.25)
        assert 200_000 < told_us() <= 250_000


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_timeout_that_no_call_could_meet_is_refused(server: FakeServer, timeout: float) -> None:
    with pytest.raises(ValueError, match="timeout must be"):
        LeptonAI(server.url, timeout=timeout)
    with LeptonAI(server.url) as client, pytest.raises(ValueError, match="timeout must be"):
        client.inference([[1, 2]], timeout=timeout)


def test_silent_server_is_a_missed_deadline(server: FakeServer) -> None:
    server.may_answer.clear()
    with (
        LeptonAI(server.url, model="m") as client,
        pytest.raises(DeadlineExceeded, match=r"no answer from http://.* within 50 ms"),
    ):
        client.inference([[1, 2]], timeout=0.05)


def test_connection_is_kept_for_the_next_request(server: FakeServer) -> None:
    with LeptonAI(server.url, model="m") as client:
        for _ in range(5):
            client.inference([[1, 2]])
    assert server.connections == 1


def test_connection_that_the_server_closed_meanwhile_is_replaced(server: FakeServer) -> None:
    server.close_after_reply = True
    with LeptonAI(server.url, model="m") as client:
        for _ in range(3):
            client.inference([[1, 2]])
    assert server.connections == 4


def test_threads_may_share_a_client(server: FakeServer) -> None:
    wrong: list[object] = []
    with LeptonAI(server.url, model="m") as client:

        def ask(number: int) -> None:
            for i in range(20):
                value = [[float(number), float(i)]]
                result = client.inference(value)
                if not np.array_equal(result, value):
                    wrong.append((value, result))

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, InvalidInput, "invalid_argument"),
        (404, ModelNotFound, "model_not_found"),
        (413, InvalidInput, "payload_too_large"),
        (429, Overloaded, "overloaded"),
        (500, LeptonError, "internal"),
        (503, Unavailable, "unavailable"),
        (504, DeadlineExceeded, "deadline_exceeded"),
    ],
)
def test_error_of_the_server_keeps_its_message_and_meaning(
    server: FakeServer, status: int, kind: type[LeptonError], code: str
) -> None:
    server.on_infer = lambda header, binary: (status, {}, b'{"error": "the reason"}')
    with LeptonAI(server.url, model="m") as client, pytest.raises(LeptonError) as caught:
        client.inference([[1, 2]])
    assert type(caught.value) is kind
    assert str(caught.value) == "the reason"
    assert (caught.value.code, caught.value.status) == (code, status)


@pytest.mark.parametrize(("status", "attempts"), [(429, 3), (503, 3), (500, 1), (400, 1)])
def test_what_the_server_did_not_run_is_asked_again_and_nothing_else(
    server: FakeServer, status: int, attempts: int
) -> None:
    server.on_infer = lambda header, binary: (status, {}, b'{"error": "the reason"}')
    with LeptonAI(server.url, model="m") as client, pytest.raises(LeptonError):
        client.inference([[1, 2]])
    assert sum(request["path"].endswith("/infer") for request in server.requests) == attempts


def test_retries_can_be_turned_off(server: FakeServer) -> None:
    server.on_infer = lambda header, binary: (503, {}, b'{"error": "the reason"}')
    with Client(server.url, "m", retry=RetryOptions(max_attempts=1)) as client:
        with pytest.raises(Unavailable):
            client.infer([[1, 2]])
        assert client.statistics()["retries"] == 0
    assert sum(request["path"].endswith("/infer") for request in server.requests) == 1


def test_client_goes_on_after_an_error(server: FakeServer) -> None:
    good = server.on_infer
    with LeptonAI(server.url, model="m") as client:
        server.on_infer = lambda header, binary: (500, {}, b"no json")
        with pytest.raises(LeptonError, match="no json"):
            client.inference([[1, 2]])
        server.on_infer = good
        client.inference([[1, 2]])
    assert server.connections == 1


def test_nobody_there_is_unavailable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # Bound but not listening, so it refuses connections.
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with LeptonAI(url, model="m") as client, pytest.raises(Unavailable, match="refused"):
            client.inference([[1, 2]])


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"[1]",
        b'{"model_name":"m","outputs":[{"name":"y","datatype":"FP32","shape":[3],"data":[1]}]}',
        b'{"model_name":"m","outputs":[{"name":"y","datatype":"FP99","shape":[1],"data":[1]}]}',
        b'{"model_name":"m","outputs":[{"name":"y","datatype":"FP32","shape":[2],'
        b'"parameters":{"binary_data_size":8}}]}',
    ],
)
def test_answer_that_breaks_the_protocol_is_an_error(server: FakeServer, body: bytes) -> None:
    server.on_infer = lambda header, binary: (
        200,
        {"Inference-Header-Content-Length": str(len(body))},
        body,
    )
    with LeptonAI(server.url, model="m") as client, pytest.raises(LeptonError, match="no KServe"):
        client.inference([[1, 2]])


def test_breakdown_of_the_server_is_part_of_the_answer(server: FakeServer) -> None:
    output = {"name": "y", "datatype": "FP32", "shape": [1], "data": [1]}
    header = 'net;dur=0.5, queue;desc="waiting";dur=1, odd, bad;dur=x'
    server.on_infer = lambda _, binary: answer([output], b"", {"Server-Timing": header})
    with LeptonAI(server.url, model="m") as client:
        assert client.infer([[1, 2]]).timing_ms == {
            "net": 0.5,
            "queue": 1.0,
            "input": 0.0,
            "compute": 0.0,
            "output": 0.0,
        }


def test_closed_client_says_so(server: FakeServer) -> None:
    client = LeptonAI(server.url, model="m")
    client.close()
    with pytest.raises(LeptonError, match="closed"):
        client.inference([[1, 2]])


@pytest.mark.parametrize("url", ["ftp://host", "http://", "unix:", "http://host:port"])
def test_url_that_names_no_server_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match=f'endpoint "{re.escape(url)}"'):
        LeptonAI(url)


def test_large_tensors_are_sent_without_being_joined(server: FakeServer) -> None:
    big = np.arange(2 * 600_000, dtype=np.float32).reshape(-1, 2)
    with LeptonAI(server.url, model="m") as client:
        assert np.array_equal(client.inference(big), big)


def test_both_import_names_are_the_same_class() -> None:
    assert LeonAI.LeptonAI is lepton.LeptonAI
