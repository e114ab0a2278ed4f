"""Messages that attackers send, byte by byte: HTTP/1.1, HTTP/2 frames, HPACK, gRPC."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator

from shared import HTTP2_PREFACE, http2_frame

__all__ = ["HTTP2_PREFACE", "http2_frame"]

DATA, HEADERS, PRIORITY, RESET, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
ACK = END_STREAM = 1
END_HEADERS = 4
INITIAL_WINDOW = 4
PREFACE_WITHOUT_WINDOW = HTTP2_PREFACE[:-9] + http2_frame(
    SETTINGS, 0, 0, struct.pack(">HI", INITIAL_WINDOW, 0)
)
INFER = "/inference.GRPCInferenceService/ModelInfer"


def http1(target: str, body: bytes = b"", *fields: str, method: str = "POST") -> bytes:
    """One whole message; its length is in `fields` if that is not the body's."""
    lines = [f"{method} {target} HTTP/1.1", "Host: attacker", *fields]
    if not any(field.startswith(("Content-Length", "Transfer-Encoding")) for field in fields):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def infer(model: str, body: bytes | dict, *fields: str) -> bytes:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return http1(f"/v2/models/{model}/infer", data, *fields)


def one_input(name: str, shape: list[int], **more: object) -> dict:
    return {"inputs": [{"name": name, "datatype": "FP32", "shape": shape, **more}]}


def infer_binary(
    model: str, name: str, shape: list[int], data: bytes, *fields: str, **more: object
) -> bytes:
    """A request whose tensor follows the JSON, so that it needs no decoding."""
    head = {**one_input(name, shape, parameters={"binary_data_size": len(data)}), **more}
    text = json.dumps(head).encode()
    length = f"Inference-Header-Content-Length: {len(text)}"
    return infer(model, text + data, length, *fields)


def row_of_wide(*fields: str) -> bytes:
    """About 88 bytes of tensor and JSON, whose answer is 1 MB."""
    binary = {"parameters": {"binary_data_output": True}}
    return infer_binary("wide", "x", [1, 1], bytes(4), *fields, **binary)


def streams() -> Iterator[int]:
    """The stream numbers of a client."""
    return iter(range(1, 2**31, 2))


def literal(name: str, value: str, *, keep: bool = False) -> bytes:
    """A field: RFC 7541 section 6.2.1 if the peer is to keep it, else 6.2.2."""
    return (b"\x40" if keep else b"\0") + _text(name) + _text(value)


def _text(value: str) -> bytes:
    data = value.encode()
    rest = len(data) - 127
    if rest < 0:
        return bytes([len(data)]) + data
    length = bytearray([127])
    while rest >= 128:
        length.append(rest % 128 + 128)
        rest //= 128
    return bytes([*length, rest]) + data


def fields(path: str, method: str = "GET", more: Iterable[tuple[str, str]] = ()) -> bytes:
    """The header block of a request."""
    pseudo = {":method": method, ":scheme": "http", ":path": path, ":authority": "attacker"}
    return b"".join(literal(*field) for field in [*pseudo.items(), *more])


def grpc_fields(path: str = INFER, more: Iterable[tuple[str, str]] = ()) -> bytes:
    grpc = [("content-type", "application/grpc"), ("te", "trailers")]
    return fields(path, "POST", [*grpc, *more])


def message(data: bytes, *, compressed: bool = False) -> bytes:
    """A message in gRPC's framing."""
    return struct.pack(">BI", compressed, len(data)) + data


def data_frames(stream: int, data: bytes, *, end: bool = True) -> bytes:
    """Splits bytes into frames of the size that every peer accepts."""
    pieces = [data[at : at + 16384] for at in range(0, max(1, len(data)), 16384)]
    ends = [0] * (len(pieces) - 1) + [END_STREAM if end else 0]
    return b"".join(
        http2_frame(DATA, flags, stream, piece) for piece, flags in zip(pieces, ends, strict=True)
    )


def call(stream: int, data: bytes, path: str = INFER, *more: tuple[str, str]) -> bytes:
    """One gRPC call with one message."""
    head = http2_frame(HEADERS, END_HEADERS, stream, grpc_fields(path, more))
    return head + data_frames(stream, message(data))
