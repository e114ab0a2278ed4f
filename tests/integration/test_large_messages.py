"""Large messages, which take long to decode and to encode, beside small ones."""

import gzip
import json
import threading
import time
from collections.abc import Callable

import grpc
import numpy as np
import pytest
from fake_models import identity, write_model
from raw_http import RawConnection, four, infer_request
from tritonclient.grpc import service_pb2 as pb

ROWS = 500_000
BINARY = "Inference-Header-Content-Length: "


@pytest.fixture(scope="module")
def server(keep_server, tmp_path_factory):
    repository = tmp_path_factory.mktemp("large_messages")
    write_model(repository, "small", identity())
    write_model(repository, "large", identity())
    write_model(repository, "words", identity("BYTES", [-1, 4]))
    return keep_server(repository)


def rows_in_json() -> bytes:
    values = ",".join(["0.25"] * (4 * ROWS))
    head = f'{{"inputs":[{{"name":"x","datatype":"FP32","shape":[{ROWS},4],"data":['
    return f"{head}{values}]}}]}}".encode()


def rows_in_bytes(answer_binary: bool) -> tuple[bytes, str]:
    size = 16 * ROWS
    inputs = {"name": "x", "datatype": "FP32", "shape": [ROWS, 4]}
    inputs["parameters"] = {"binary_data_size": size}
    outputs = [{"name": "y", "parameters": {"binary_data": answer_binary}}]
    head = json.dumps({"inputs": [inputs], "outputs": outputs}).encode()
    return head + np.full(4 * ROWS, 0.25, "f4").tobytes(), f"{BINARY}{len(head)}"


def words() -> tuple[bytes, str]:
    data = b"\1\0\0\0w" * 4_000_000
    inputs = {"name": "x", "datatype": "BYTES", "shape": [1_000_000, 4]}
    inputs["parameters"] = {"binary_data_size": len(data)}
    outputs = [{"name": "y", "parameters": {"binary_data": True}}]
    head = json.dumps({"inputs": [inputs], "outputs": outputs}).encode()
    return head + data, f"{BINARY}{len(head)}"


def large_http(server, model: str, body: bytes, *headers: str) -> Callable[[], None]:
    request = infer_request(model, body, *headers)

    def ask() -> None:
        with RawConnection(server.port, seconds=60) as connection:
            connection.send(request)
            answer = connection.read_answer()
            assert answer.status == 200, answer.body[:300]

    return ask


def large_grpc(server, compression=grpc.Compression.NoCompression) -> Callable[[], None]:
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    channel = grpc.insecure_channel(f"127.0.0.1:{server.port}", options=options)
    request = pb.ModelInferRequest(model_name="large")
    tensor = request.inputs.add(name="x", datatype="FP32", shape=[ROWS, 4])
    tensor.contents.fp32_contents.extend(np.full(4 * ROWS, 0.25, "f4"))
    stub = channel.unary_unary(
        "/inference.GRPCInferenceService/ModelInfer",
        request_serializer=pb.ModelInferRequest.SerializeToString,
        response_deserializer=pb.ModelInferResponse.FromString,
    )
    return lambda: stub(request, timeout=60, compression=compression)


def longest_wait_beside(server, ask: Callable[[], None]) -> tuple[float, float]:
    """Returns the longest wait of a small request beside large ones, and the time of a large
    one."""
    stop = threading.Event()
    took: list[float] = []
    failures: list[BaseException] = []

    def keep_asking() -> None:
        while not stop.is_set():
            start = time.monotonic()
            try:
                ask()
            except BaseException as failure:
                failures.append(failure)
                return
            took.append(time.monotonic() - start)

    thread = threading.Thread(target=keep_asking)
    waits = []
    small = infer_request("small", four(1, 2, 3, 4))
    with RawConnection(server.port, seconds=60) as connection:
        thread.start()
        while len(took) < 3 and not failures:
            start = time.monotonic()
            connection.send(small)
            assert connection.read_answer().status == 200
            waits.append(time.monotonic() - start)
            time.sleep(0.002)
        stop.set()
        thread.join()
    assert not failures, failures
    # One of them may have met a busy machine.
    return sorted(waits)[-3], min(took)


@pytest.mark.parametrize(
    "kind", ["json", "json answer", "gzip", "gzip answer", "strings", "grpc", "grpc gzip"]
)
def test_small_requests_do_not_wait_for_large_ones(server, kind):
    binary, length = rows_in_bytes(answer_binary=kind != "json answer")
    ask = {
        "json": lambda: large_http(server, "large", rows_in_json()),
        "json answer": lambda: large_http(server, "large", binary, length),
        "gzip": lambda: large_http(
            server, "large", gzip.compress(rows_in_json(), 1), "Content-Encoding: gzip"
        ),
        "gzip answer": lambda: large_http(server, "large", binary, length, "Accept-Encoding: gzip"),
        "strings": lambda: large_http(server, "words", *words()),
        "grpc": lambda: large_grpc(server),
        "grpc gzip": lambda: large_grpc(server, grpc.Compression.Gzip),
    }[kind]()
    longest, large = longest_wait_beside(server, ask)
    assert longest < large / 2, f"waited {longest:.3f} s, a large one takes {large:.3f} s"


def test_a_compressed_body_that_is_too_large_is_refused_and_nobody_waits(server):
    bomb = gzip.compress(b" " * (80 << 20), 1)

    def ask() -> None:
        with RawConnection(server.port, seconds=60) as connection:
            connection.send(infer_request("large", bomb, "Content-Encoding: gzip"))
            assert connection.read_answer().status == 413

    longest, large = longest_wait_beside(server, ask)
    assert longest < large / 2


def test_large_requests_of_several_connections_are_all_answered(server):
    body = rows_in_json()
    failures = []

    def ask() -> None:
        try:
            large_http(server, "large", body)()
        except Exception as failure:
            failures.append(failure)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures


def test_a_client_that_leaves_while_its_request_is_decoded_harms_nobody(server):
    body = infer_request("large", rows_in_json())
    for _ in range(3):
        with RawConnection(server.port) as connection:
            connection.send(body)
    assert server.infer("small", four(1, 2, 3, 4)).status == 200
    server.is_well()
