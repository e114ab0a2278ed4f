"""HTTP byte by byte, for what no well-behaved client would send."""

import json
import socket
import struct
from pathlib import Path

from lepton_server import Answer


class RawConnection:
    """A connection for any bytes; reads answers that have a Content-Length."""

    def __init__(self, target: int | Path, seconds: float = 10):
        if isinstance(target, Path):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(seconds)
            self.socket.connect(str(target))
        else:
            self.socket = socket.create_connection(("127.0.0.1", target), timeout=seconds)
        self._buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data: bytes | str) -> None:
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def read_answer(self, *, has_body: bool = True) -> Answer:
        while b"\r\n\r\n" not in self._buffer:
            self._receive()
        head, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
        status_line, *lines = head.decode().split("\r\n")
        assert status_line.startswith("HTTP/1.1 "), status_line
        pairs = (line.split(":", 1) for line in lines)
        headers = {name.lower(): value.strip() for name, value in pairs}
        status = int(status_line.split()[1])
        length = int(headers.get("content-length", 0)) if has_body and status != 100 else 0
        while len(self._buffer) < length:
            self._receive()
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        return Answer(status, headers, body)

    def is_closed_by_peer(self) -> bool:
        """Waits for the end of the connection; False when more data comes, or nothing at all."""
        try:
            return not self._buffer and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False

    def _receive(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError(f"closed in the middle of an answer: {self._buffer!r}")
        self._buffer += data


def infer_request(model: str, body: object, *headers: str) -> bytes:
    """One complete request, its body as JSON unless it is bytes."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [
        f"POST /v2/models/{model}/infer HTTP/1.1",
        "Host: test",
        f"Content-Length: {len(data)}",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


def http2_frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    head = struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream)
    return head + payload


# The preface with empty SETTINGS.
HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + http2_frame(4, 0, 0)


def http2_post(stream: int, path: str, body: bytes) -> bytes:
    """HEADERS and DATA of one request."""
    fields = {":method": "POST", ":scheme": "http", ":path": path, ":authority": "test"}
    # Literal fields without indexing, RFC 7541 section 6.2.2.
    block = b"".join(
        b"\0" + b"".join(bytes([len(text)]) + text.encode() for text in field)
        for field in fields.items()
    )
    return http2_frame(1, 4, stream, block) + http2_frame(0, 1, stream, body)


def rows_for(milliseconds: int) -> int:
    """The number of rows that keep a model of fake_models.per_row() busy for that long."""
    return milliseconds // 2


def slow(milliseconds: int = 200, **extra: object) -> dict:
    """The request body for such a model."""
    return four(*[0] * (4 * rows_for(milliseconds)), **extra)


def four(*values: float, **extra: object) -> dict:
    """The request body for the model `four`: one row or more of four numbers."""
    values = values or (1, 2, 3, 4)
    shape = [len(values) // 4, 4]
    return {
        "inputs": [{"name": "x", "shape": shape, "datatype": "FP32", "data": list(values)}],
        **extra,
    }
