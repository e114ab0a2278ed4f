"""Invalid timeouts and priorities, in every form in which a client can send them."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from fake_models import identity, write_model
from raw_http import RawConnection
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc import service_pb2_grpc

YEAR_US = 365 * 24 * 3600 * 10**6
YEAR_MS = YEAR_US // 1000

X = {"name": "x", "shape": [1, 4], "datatype": "FP32"}
RAW_X = b"\0" * 16

# Whether the request is refused with these words, or answered.
TIMEOUTS = {
    "zero asks for none": (0, None),
    "a microsecond is over at once": (1, 504),
    "a year": (YEAR_US, None),
    "more than a year": (YEAR_US + 1, str(YEAR_US)),
    "negative": (-1, "-1"),
    "the smallest integer": (-(2**63), str(YEAR_US)),
    "the largest integer": (2**63 - 1, str(YEAR_US)),
    "the largest unsigned": (2**64 - 1, str(YEAR_US)),
    "a fraction": (0.5, "0.5"),
    "a huge float": (1e300, str(YEAR_US)),
    "words": ("soon", '"soon"'),
    "digits in a string": ("1000", '"1000"'),
    "a flag": (True, "true"),
}
PRIORITIES = {
    "zero is the default": (0, None),
    "the lowest": (2**32 - 1, None),
    "beyond the lowest": (2**32, str(2**32 - 1)),
    "negative": (-1, "-1"),
    "the largest unsigned": (2**64 - 1, str(2**32 - 1)),
    "a fraction": (1.5, "1.5"),
    "words": ("high", '"high"'),
    "a flag": (True, "true"),
}
CASES = [
    pytest.param(name, value, outcome, id=f"{name}: {words}")
    for name, cases in (("timeout", TIMEOUTS), ("priority", PRIORITIES))
    for words, (value, outcome) in cases.items()
]


def check(status, error, outcome, name):
    """`status` as an HTTP status."""
    if outcome is None:
        assert status == 200, error
    elif isinstance(outcome, int):
        assert status == outcome, error
    else:
        assert status == 400, error
        assert f'"{name}"' in error
        assert outcome in error


@pytest.mark.parametrize(("name", "value", "outcome"), CASES)
class TestParameter:
    def test_in_json(self, server, name, value, outcome):
        body = {"inputs": [{**X, "data": [1, 2, 3, 4]}], "parameters": {name: value}}
        answer = server.infer("four", body)
        check(answer.status, "" if answer.status == 200 else answer.error, outcome, name)

    def test_in_the_json_before_binary_tensors(self, server, name, value, outcome):
        tensor = {**X, "parameters": {"binary_data_size": 16}}
        head = json.dumps({"inputs": [tensor], "parameters": {name: value}}).encode()
        answer = server.infer(
            "four", head + RAW_X, {"Inference-Header-Content-Length": str(len(head))}
        )
        check(answer.status, "" if answer.status == 200 else answer.error, outcome, name)

    def test_over_grpc(self, grpc_stub, name, value, outcome):
        request = pb.ModelInferRequest(model_name="four", raw_input_contents=[RAW_X])
        request.inputs.add(name="x", datatype="FP32", shape=[1, 4])
        if isinstance(value, bool):
            request.parameters[name].bool_param = value
        elif isinstance(value, int) and value > 2**63 - 1:
            request.parameters[name].uint64_param = value
        elif isinstance(value, int):
            request.parameters[name].int64_param = value
        elif isinstance(value, float):
            request.parameters[name].double_param = value
        else:
            request.parameters[name].string_param = value
        status, error = 200, ""
        try:
            grpc_stub.ModelInfer(request)
        except grpc.RpcError as refusal:
            code = refusal.code()
            status = {
                grpc.StatusCode.INVALID_ARGUMENT: 400,
                grpc.StatusCode.DEADLINE_EXCEEDED: 504,
            }[code]
            error = refusal.details()
        check(status, error, outcome, name)


@pytest.mark.parametrize("header", ["x-request-timeout-ms", "x-envoy-expected-rq-timeout-ms"])
@pytest.mark.parametrize(
    "value", ["0", "-1", "1.5", "soon", "", str(YEAR_MS + 1), str(2**64), "9" * 400, "0x10", "1 2"]
)
def test_a_header_of_milliseconds_is_refused_with_its_bound(server, header, value):
    body = {"inputs": [{**X, "data": [1, 2, 3, 4]}]}
    answer = server.infer("four", body, {header: value})
    assert answer.status == 400
    assert header in answer.error
    assert f"from 1 to {YEAR_MS}" in answer.error
    assert len(answer.error) < 500


@pytest.mark.parametrize("header", ["x-request-timeout-ms", "x-envoy-expected-rq-timeout-ms"])
def test_a_year_of_milliseconds_is_a_deadline(server, header):
    body = {"inputs": [{**X, "data": [1, 2, 3, 4]}]}
    assert server.infer("four", body, {header: str(YEAR_MS)}).status == 200


@pytest.mark.parametrize("value", ["-1S", "1", "S", "1.5S", "1s", "123456789n", "1 S", "soon"])
def test_a_malformed_grpc_timeout_is_refused_by_name(server, value):
    # Over plain HTTP the header counts too, and a client can send any text in it.
    body = {"inputs": [{**X, "data": [1, 2, 3, 4]}]}
    answer = server.infer("four", body, {"grpc-timeout": value})
    assert answer.status == 400
    assert "grpc-timeout" in answer.error
    assert "H M S m u n" in answer.error


@pytest.mark.parametrize(
    ("value", "status"),
    [("0n", 504), ("00000000H", 504), ("1n", 504), ("99999999H", 200), ("8760H", 200), ("9S", 200)],
)
def test_a_grpc_timeout_of_nothing_has_passed_and_one_of_centuries_is_none(server, value, status):
    body = {"inputs": [{**X, "data": [1, 2, 3, 4]}]}
    assert server.infer("four", body, {"grpc-timeout": value}).status == status


def test_a_deadline_that_has_passed_is_answered_at_once_though_the_model_is_busy(server):
    slow = {"inputs": [{**X, "shape": [400, 4], "data": [0] * 1600}]}  # 0.8 s.
    late = {"inputs": [{**X, "data": [1, 2, 3, 4]}], "parameters": {"timeout": 1}}
    body = json.dumps(slow).encode()
    with RawConnection(server.port) as busy:
        busy.send(
            b"POST /v2/models/slow/infer HTTP/1.1\r\nHost: x\r\nContent-Length: "
            + str(len(body)).encode()
            + b"\r\n\r\n"
            + body
        )
        refused = [server.infer("slow", late).status for _ in range(5)]
        assert busy.read_answer().status == 200
    assert refused == [504] * 5


def test_a_full_queue_says_when_to_ask_again(start_server, tmp_path):
    config = "max_batch_size: 1\ndynamic_batching { default_queue_policy { max_queue_size: 1 } }"
    write_model(tmp_path, "m", identity(delay_us=200_000), config=config)
    server = start_server(tmp_path).wait_until_ready()
    body = {"inputs": [{**X, "data": [1, 2, 3, 4]}]}
    with ThreadPoolExecutor(6) as clients:
        answers = list(clients.map(lambda _: server.infer("m", body), range(6)))
    refused = [answer for answer in answers if answer.status == 429]
    assert refused
    for answer in refused:
        assert int(answer.headers["retry-after"]) == 1
        assert 1 <= int(answer.headers["retry-after-ms"]) <= 1000
    with grpc.insecure_channel(server.address) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        request = pb.ModelInferRequest(model_name="m", raw_input_contents=[RAW_X])
        request.inputs.add(name="x", datatype="FP32", shape=[1, 4])
        calls = [stub.ModelInfer.future(request) for _ in range(6)]
        refusals = [call.exception() for call in calls if call.exception() is not None]
    assert refusals
    for refusal in refusals:
        assert refusal.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        waits = dict(refusal.trailing_metadata())
        assert 1 <= int(waits["retry-after-ms"]) <= 1000
    time.sleep(0.5)
    assert server.infer("m", body).status == 200
