"""Many connections, slow ones, idle ones, and the memory that they may take."""

import contextlib
import os
import re
import socket
import struct
import time
from pathlib import Path

import grpc
import pytest
from fake_models import identity, write_model
from raw_http import RawConnection, four, infer_request
from tritonclient.grpc import service_pb2, service_pb2_grpc

LIVE = "GET /v2/health/live HTTP/1.1\r\nHost: a\r\n\r\n"
HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
GOAWAY = 7


def is_alive(connection: RawConnection) -> bool:
    connection.send(LIVE)
    return connection.read_answer().status == 200


def resident_bytes(server) -> int:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) * 1024


def frame_types(data: bytes) -> list[int]:
    types = []
    while len(data) >= 9:
        types.append(data[3])
        data = data[9 + int.from_bytes(data[:3], "big") :]
    return types


def read_to_end(connection: socket.socket) -> bytes:
    data = b""
    while piece := connection.recv(65536):
        data += piece
    return data


class TestMany:
    def test_silent_connections_do_not_shut_others_out(self, start_server, zoo):
        server = start_server(zoo, "--max-connections", 50).wait_until_ready()
        with RawConnection(server.port) as healthy:
            silent = []
            for _ in range(120):
                silent.append(socket.create_connection(("127.0.0.1", server.port), 10))
                assert is_alive(healthy)
            for _ in range(10):
                with RawConnection(server.port) as newcomer:
                    assert is_alive(newcomer)
            assert is_alive(healthy)
        metrics = server.metrics()
        assert metrics["lepton_connections"] <= 50
        assert metrics['lepton_connections_ended_total{reason="made_room"}'] >= 60
        assert metrics["lepton_connections_opened_total"] >= 131
        for connection in silent:
            connection.close()

    def test_half_requests_do_not_shut_others_out(self, start_server, zoo):
        server = start_server(zoo, "--max-connections", 20).wait_until_ready()
        halves = [RawConnection(server.port) for _ in range(40)]
        for number, half in enumerate(halves):
            with contextlib.suppress(OSError):  # Closed in favor of a later one.
                half.send("POST /v2/models/four/infer HTTP/1.1\r\nHo" if number % 2 else "PR")
        with RawConnection(server.port) as newcomer:
            assert is_alive(newcomer)
        for half in halves:
            half.socket.close()

    def test_the_bound_of_one_address(self, start_server, zoo):
        server = start_server(zoo, "--max-connections-per-peer", 2).wait_until_ready()
        with RawConnection(server.port) as first, RawConnection(server.port) as second:
            assert is_alive(first) and is_alive(second)
            with RawConnection(server.port) as third:
                assert is_alive(third)
                assert first.is_closed_by_peer()
                assert is_alive(second)
            locals_ = [RawConnection(server.unix_socket) for _ in range(4)]
            assert all(is_alive(connection) for connection in locals_)
            for connection in locals_:
                connection.socket.close()

    def test_the_limit_of_open_files_bounds_connections(self, start_server, zoo):
        shell = "ulimit -Sn 64; ulimit -Hn 256"
        server = start_server(zoo, shell=shell).wait_until_ready()
        assert "max_connections" in server.log
        opened = [socket.create_connection(("127.0.0.1", server.port), 10) for _ in range(300)]
        with RawConnection(server.port) as newcomer:
            assert is_alive(newcomer)
        assert 100 < server.metrics()["lepton_connections"] <= 192
        for connection in opened:
            connection.close()


class TestSlow:
    def test_an_idle_connection_is_ended(self, start_server, zoo):
        server = start_server(zoo, "--idle-timeout", "300ms").wait_until_ready()
        with RawConnection(server.port) as silent, RawConnection(server.port) as answered:
            assert is_alive(answered)
            assert silent.is_closed_by_peer()
            assert answered.is_closed_by_peer()
        with socket.create_connection(("127.0.0.1", server.port), 10) as http2:
            http2.sendall(HTTP2)
            assert frame_types(read_to_end(http2))[-1] == GOAWAY
        assert server.metrics()['lepton_connections_ended_total{reason="idle"}'] >= 3

    def test_a_grpc_channel_outlives_the_end_of_its_connection(self, start_server, zoo):
        server = start_server(zoo, "--idle-timeout", "300ms").wait_until_ready()
        with grpc.insecure_channel(server.address) as channel:
            stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
            for _ in range(3):
                assert stub.ServerLive(service_pb2.ServerLiveRequest(), timeout=10).live
                time.sleep(0.7)

    def test_a_client_that_pauses_is_answered(self, start_server, zoo):
        server = start_server(zoo).wait_until_ready()
        with RawConnection(server.port) as connection:
            for _ in range(3):
                connection.send(infer_request("four", four()))
                assert connection.read_answer().status == 200
                time.sleep(1.5)  # By then what it held was given back.

    def test_a_body_that_drips_is_ended(self, start_server, zoo):
        server = start_server(zoo, "--body-idle-timeout", "500ms").wait_until_ready()
        with RawConnection(server.port) as connection:
            connection.send(
                "POST /v2/models/four/infer HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\n"
            )
            give_up = time.monotonic() + 10
            with pytest.raises(OSError):
                while time.monotonic() < give_up:
                    connection.send(" ")
                    time.sleep(0.05)
            assert time.monotonic() < give_up
        assert server.metrics()['lepton_connections_ended_total{reason="timeout"}'] == 1

    def test_an_answer_behind_a_shut_window_is_given_up(self, start_server, zoo):
        server = start_server(zoo, "--write-idle-timeout", "500ms").wait_until_ready()
        head = b"".join(
            b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value
            for name, value in [
                (b":method", b"GET"),
                (b":scheme", b"http"),
                (b":path", b"/metrics"),
                (b":authority", b"a"),
            ]
        )
        no_window = struct.pack(">HI", 4, 0)
        with socket.create_connection(("127.0.0.1", server.port), 10) as client:
            client.sendall(
                HTTP2[:24]
                + bytes([0, 0, len(no_window), 4, 0, 0, 0, 0, 0])
                + no_window
                + bytes([0, 0, len(head), 1, 5, 0, 0, 0, 1])
                + head
            )
            data = b""
            while 3 not in frame_types(data):  # RST_STREAM
                piece = client.recv(65536)
                assert piece, frame_types(data)
                data += piece


class TestMemory:
    def test_heads_alone_take_none(self, start_server, zoo):
        server = start_server(zoo).wait_until_ready()
        before = server.metrics()["lepton_buffer_bytes"]
        connections = [RawConnection(server.port) for _ in range(50)]
        for connection in connections:
            connection.send(
                "POST /v2/models/four/infer HTTP/1.1\r\nHost: a\r\nContent-Length: 60000000\r\n\r\n"
            )
        assert is_alive(RawConnection(server.port))
        assert server.metrics()["lepton_buffer_bytes"] - before < 60 * (2 << 20)
        for connection in connections:
            connection.socket.close()

    def test_beyond_the_budget_requests_are_refused_and_others_go_on(self, start_server, zoo):
        server = start_server(zoo, "--memory-budget", "32MiB").wait_until_ready()
        connections = [RawConnection(server.port, 20) for _ in range(8)]
        refused = 0
        for connection in connections:
            try:
                connection.send(
                    b"POST /v2/models/four/infer HTTP/1.1\r\nHost: a\r\n"
                    b"Content-Length: 12000000\r\n\r\n" + b" " * 11_000_000
                )
                connection.socket.settimeout(0.2)
                answer = connection.read_answer()
            except TimeoutError:
                continue  # Waits for the rest of it.
            except OSError:
                refused += 1
                continue
            assert answer.status == 503
            assert "memory" in answer.error
            refused += 1
        assert refused >= 4
        assert server.infer("four", four()).status == 200
        assert server.metrics()["lepton_buffer_refusals_total"] >= refused
        for connection in connections:
            connection.socket.close()
        server.is_well()

    @pytest.mark.skipif(
        "LEPTON_SERVER" in os.environ, reason="a sanitizer keeps memory that was given back"
    )
    def test_memory_of_a_peak_goes_back(self, start_server, tmp_path):
        write_model(tmp_path, "four", identity())
        server = start_server(tmp_path).wait_until_ready()
        server.infer("four", four())
        before = resident_bytes(server)
        connections = [RawConnection(server.port, 20) for _ in range(10)]
        body = b" " * (8 << 20)
        for connection in connections:
            connection.send(infer_request("four", body)[:-1])
        peak = resident_bytes(server)
        for connection in connections:
            connection.send(b" ")
            assert connection.read_answer().status == 400
        assert peak > before + (40 << 20)
        give_up = time.monotonic() + 20
        while resident_bytes(server) > before + (16 << 20):
            assert time.monotonic() < give_up, (before, peak, resident_bytes(server))
            time.sleep(0.2)
        for connection in connections:
            connection.socket.close()
