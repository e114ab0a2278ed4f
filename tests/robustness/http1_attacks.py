"""Connections that are slow, silent, many, or never finished."""

from __future__ import annotations

import contextlib
import itertools
import selectors
import socket
from collections.abc import Callable, Iterable

from grpc_messages import infer_message
from harness import Attack, Target, drain
from wire import (
    HTTP2_PREFACE,
    call,
    http1,
    infer,
    infer_binary,
    one_input,
    row_of_wide,
    streams,
)

CHUNKED = http1("/v2/models/double/infer", b"", "Transfer-Encoding: chunked")
LIVE = http1("/v2/health/live", method="GET")
SMALL = infer_binary("double", "x", [1, 4], bytes(16))


def pieces(opening: bytes, piece: bytes, units: int = 1) -> Callable[[Target], int]:
    """Returns an attack that sends one piece again and again."""
    return lambda target: target.flood(opening, lambda: itertools.repeat(piece), units)


def small_chunks(target: Target) -> int:
    opening = CHUNKED + b"1\r\n{\r\n"
    return target.flood(opening, lambda: itertools.repeat(b"1\r\n \r\n" * 10_000), 10_000)


def trickle(target: Target, opening: bytes, byte: bytes, count: int, pause: float = 0.3) -> int:
    """Opens many connections on which a byte comes now and then."""
    peers = []
    for peer in target.connections(count):
        with contextlib.suppress(OSError):
            peer.sendall(opening)
        peers.append(peer)
    sent = 0
    while target.lasts():
        for peer in peers:
            with contextlib.suppress(OSError):
                peer.sendall(byte)
                sent += 1
        target.wait(pause)
    return sent


def slow_heads(target: Target) -> int:
    return trickle(target, b"GET /v2 HTTP/1.1\r\nHost: a\r\n", b"x: y\r\n", 500)


def slow_bodies(target: Target) -> int:
    opening = http1("/v2/models/double/infer", b"{", "Content-Length: 1000000")
    return trickle(target, opening, b" ", 500)


def slow_chunks(target: Target) -> int:
    return trickle(target, CHUNKED, b"1\r\n \r\n", 500)


def slow_readers(target: Target) -> int:
    """Reads a few bytes of 1 MB now and then."""
    peers = []
    for _ in range(100):
        with contextlib.suppress(OSError):
            peer = target.connect(receive_bytes=4096)
            peer.sendall(row_of_wide())
            peers.append(peer)
    while target.lasts():
        for peer in peers:
            with contextlib.suppress(OSError):
                drain(peer, 64)
        target.wait(0.2)
    return len(peers)


def aborted_uploads(target: Target) -> int:
    """Sends half a body, then a reset."""
    half = infer("double", bytes(1 << 20), "Content-Length: 2097152")
    return aborted(target, half)


def aborted(target: Target, request: bytes) -> int:
    count = 0
    while target.lasts():
        with contextlib.suppress(OSError), target.connect() as peer:
            peer.sendall(request)
            count += 1
    return count


def clients_that_leave(target: Target) -> int:
    """Sends requests to a slow model, whose clients then leave."""
    rows = 8
    return aborted(target, infer_binary("slow", "x", [rows, 4], bytes(16 * rows)))


def half_open(target: Target) -> int:
    """Shuts its side at once, after half a request, or after a whole one, and stays."""
    beginnings = [b"", b"PRI * HT", HTTP2_PREFACE, b"GET / HTTP/1.1\r\nHo", SMALL, SMALL[:-4]]
    held = []
    for peer in target.connections(2000):
        with contextlib.suppress(OSError):
            peer.sendall(beginnings[len(held) % len(beginnings)])
            peer.shutdown(socket.SHUT_WR)
        held.append(peer)
    target.wait()
    return len(held)


def silent(target: Target) -> int:
    held = list(target.connections(11_000))
    target.wait()
    return len(held)


def churn(target: Target) -> int:
    """Opens connections and closes them at once."""
    return aborted(target, b"")


def new_connection_each(target: Target) -> int:
    return aborted(target, LIVE)


def pipelined(request: bytes, count: int) -> Callable[[Target], int]:
    return pieces(b"", request * count, count)


def many_clients(target: Target, request: Callable[[int], bytes], count: int = 64) -> int:
    """Each sends its next request as soon as the last is answered, so the model is always busy."""
    selector = selectors.DefaultSelector()
    for peer in target.connections(count):
        peer.setblocking(False)
        selector.register(peer, selectors.EVENT_READ)
        peer.send(request(0))
    sent = count
    while target.lasts():
        for key, _ in selector.select(0.1):
            with contextlib.suppress(BlockingIOError, ConnectionError):
                if not key.fileobj.recv(65536):
                    selector.unregister(key.fileobj)
                    continue
                key.fileobj.send(request(sent))
                sent += 1
    return sent


def same_model(target: Target) -> int:
    """Others send the healthy client's model more than it can do."""
    request = infer_binary("digits", "image", [1, 1, 8, 8], bytes(256))
    return many_clients(target, lambda _: request)


def impossible_deadlines(target: Target) -> int:
    """Deadlines that have passed, have nearly passed, or are not deadlines at all."""
    times = ["0.001", "0.05", "1", "0", "-1", "nan", "1e308", "9" * 400, ""]
    requests = [
        infer_binary("digits", "image", [1, 1, 8, 8], bytes(256), f"x-request-timeout-ms: {time}")
        for time in times
    ]
    return many_clients(target, lambda number: requests[number % len(requests)])


def slow_queue(target: Target) -> int:
    """Keeps a model's queue full, with different priorities."""
    requests = [
        infer(
            "slow", {**one_input("x", [8, 4], data=[0] * 32), "parameters": {"priority": priority}}
        )
        for priority in range(4)
    ]
    return many_clients(target, lambda number: requests[number % 4], 256)


def grpc_in_http1(target: Target) -> int:
    """Sends HTTP/2 in the middle of HTTP/1.1, and the other way round."""

    def mixed() -> Iterable[bytes]:
        body = infer_message("double", "x", [1, 4], bytes(16))
        for stream in itertools.islice(streams(), 100):
            yield LIVE + HTTP2_PREFACE if stream % 4 == 1 else HTTP2_PREFACE + LIVE
            yield call(stream, body)

    return target.flood(b"", mixed)


ATTACKS = [
    Attack("chunk extensions", pieces(CHUNKED + b"2;", b"a" * 65_536)),
    Attack("trailers without end", pieces(CHUNKED + b"0\r\n", b"a: b\r\n" * 10_000, 10_000)),
    Attack("zeros before a chunk's size", pieces(CHUNKED, b"0" * 65_536)),
    Attack("chunks of one byte", small_chunks),
    Attack("heads without end", pieces(b"GET / HTTP/1.1\r\n", b"a: b\r\n" * 1000, 1000)),
    Attack("empty lines", pieces(b"", b"\r\n" * 10_000, 10_000)),
    Attack("slow heads", slow_heads),
    Attack("slow bodies", slow_bodies),
    Attack("slow chunks", slow_chunks),
    Attack("slow readers", slow_readers),
    Attack("aborted uploads", aborted_uploads),
    Attack("clients that leave the queue", clients_that_leave),
    Attack("half-open connections", half_open),
    Attack("11,000 silent connections", silent),
    Attack("connections without requests", churn),
    Attack("a connection for each request", new_connection_each),
    Attack("pipelined requests", pipelined(LIVE, 200)),
    Attack("pipelined inference", pipelined(SMALL, 200)),
    Attack("pipelined metrics", pipelined(http1("/metrics", method="GET"), 50)),
    Attack("HTTP/2 inside HTTP/1.1", grpc_in_http1),
    Attack("64 clients of the same model", same_model),
    Attack("impossible deadlines", impossible_deadlines),
    Attack("256 clients of a slow model", slow_queue),
]
