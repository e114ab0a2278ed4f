"""Clients that leave: their requests no longer wait, run or hold a place."""

import json
import socket
import struct
import time

import grpc
import pytest
from fake_models import per_row, write_model
from raw_http import (
    HTTP2_PREFACE,
    RawConnection,
    http2_frame,
    http2_post,
    infer_request,
    slow,
)
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc import service_pb2_grpc

# Only one request may wait.
CONFIG = "dynamic_batching { default_queue_policy { max_queue_size: 1 } }"
BODY = json.dumps(slow(10)).encode()
REQUEST = infer_request("slow", BODY)
LONG_REQUEST = infer_request("slow", slow(6000))


@pytest.fixture(scope="module")
def server(keep_server, tmp_path_factory):
    repository = tmp_path_factory.mktemp("hang_up")
    write_model(repository, "slow", per_row(), config=CONFIG)
    return keep_server(repository)


def wait_for_pending(server, count: int) -> None:
    """Waits until this many requests wait or run."""
    give_up = time.monotonic() + 4  # Ends before the long request is over.
    name = 'lepton_pending_requests{model="slow",version="1"}'
    while (pending := server.metrics()[name]) != count:
        assert time.monotonic() < give_up, f"{pending} requests are pending, not {count}"
        time.sleep(0.01)


@pytest.fixture
def busy(server):
    """Keeps the instance busy for as long as the test runs."""
    with RawConnection(server.port) as running:
        running.send(LONG_REQUEST)
        wait_for_pending(server, 1)
        yield server
    # A run in pieces ends when its client leaves.
    wait_for_pending(server, 0)


def closes(server) -> object:
    connection = RawConnection(server.port)
    connection.send(REQUEST)
    return connection.socket.close


def resets(server) -> object:
    connection = RawConnection(server.port)
    connection.send(REQUEST)
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return connection.socket.close


def closes_with_more_sent_than_is_read(server) -> object:
    connection = RawConnection(server.port)
    # The server keeps 64 KiB; the rest, and the end of the connection, wait in its socket.
    connection.send(REQUEST * (90_000 // len(REQUEST)))
    return connection.socket.close


def closes_a_unix_socket(server) -> object:
    connection = RawConnection(server.unix_socket)
    connection.send(REQUEST)
    return connection.socket.close


def http2_request(server) -> RawConnection:
    connection = RawConnection(server.port)
    connection.send(HTTP2_PREFACE + http2_post(1, "/v2/models/slow/infer", BODY))
    return connection


def closes_http2(server) -> object:
    return http2_request(server).socket.close


def resets_its_stream(server) -> object:
    connection = http2_request(server)
    return lambda: connection.send(http2_frame(3, 0, 1, struct.pack(">I", 8)))


def cancels_its_grpc_call(server) -> object:
    channel = grpc.insecure_channel(f"127.0.0.1:{server.port}")
    request = pb.ModelInferRequest(model_name="slow", raw_input_contents=[bytes(16)])
    request.inputs.add(name="x", datatype="FP32", shape=[1, 4])
    call = service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer.future(request)
    return call.cancel


WAYS = [
    closes,
    resets,
    closes_with_more_sent_than_is_read,
    closes_a_unix_socket,
    closes_http2,
    resets_its_stream,
    cancels_its_grpc_call,
]


@pytest.mark.parametrize("begin", WAYS, ids=lambda way: way.__name__)
def test_a_request_leaves_the_queue_with_its_client(busy, begin):
    hang_up = begin(busy)
    wait_for_pending(busy, 2)
    assert busy.infer("slow", slow(2)).status == 429
    hang_up()
    wait_for_pending(busy, 1)
    # Its place is free.
    again = begin(busy)
    wait_for_pending(busy, 2)
    again()
    wait_for_pending(busy, 1)


@pytest.mark.parametrize("local", [False, True], ids=["tcp", "unix"])
def test_a_client_that_only_ends_its_side_gets_its_answers(server, local):
    with RawConnection(server.port) as running:
        running.send(infer_request("slow", slow(300)))
        wait_for_pending(server, 1)
        with RawConnection(server.unix_socket if local else server.port) as connection:
            connection.send(REQUEST * 2)
            connection.socket.shutdown(socket.SHUT_WR)
            answers = [connection.read_answer() for _ in range(2)]
            assert [answer.status for answer in answers] == [200, 200]
            assert connection.is_closed_by_peer()
        assert running.read_answer().status == 200
    wait_for_pending(server, 0)


def test_a_server_that_stops_ends_runs_in_pieces(start_server, tmp_path):
    write_model(tmp_path, "slow", per_row())
    server = start_server(tmp_path, "--drain-timeout", "200ms").wait_until_ready()
    with RawConnection(server.port) as connection:
        connection.send(infer_request("slow", slow(100_000)))
        wait_for_pending(server, 1)
        assert server.stop() == 0
