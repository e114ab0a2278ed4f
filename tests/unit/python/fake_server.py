"""A server that speaks just enough of KServe v2 to test the client against."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class FakeServer:
    """Answers as a test tells it to, and keeps what it was asked.

    `on_infer` gets the request's JSON part and its binary rest; returns status, headers, body.
    """

    def __init__(self) -> None:
        self.models: list[str] | None = ["m"]
        self.inputs = [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}]
        self.outputs = [{"name": "y", "datatype": "FP32", "shape": [-1, 2]}]
        self.on_infer: Callable[[dict[str, Any], bytes], tuple[int, dict[str, str], bytes]] = echo
        self.may_answer = threading.Event()  # Until a test clears it.
        self.may_answer.set()
        self.close_after_reply = False
        self.requests: list[dict[str, Any]] = []
        self.connections = 0
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                super().setup()
                fake.connections += 1

            def do_GET(self) -> None:
                fake.requests.append({"path": self.path})
                if self.path == "/" and fake.models is not None:
                    self.reply(200, {}, json.dumps({"models": fake.models}).encode())
                elif self.path.startswith("/v2/models/m"):
                    spec = {"name": "m", "inputs": fake.inputs, "outputs": fake.outputs}
                    self.reply(200, {}, json.dumps(spec).encode())
                elif self.path.startswith("/v2/health/"):
                    self.reply(200, {}, b"")
                else:
                    self.reply(404, {}, b'{"error": "unknown"}')

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                size = int(self.headers["Inference-Header-Content-Length"])
                header = json.loads(body[:size])
                fake.requests.append(
                    {"path": self.path, "headers": dict(self.headers), "json": header}
                )
                fake.may_answer.wait()
                self.reply(*fake.on_infer(header, body[size:]))

            def reply(self, status: int, headers: dict[str, str], body: bytes) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(ConnectionError):  # The client has given up.
                    self.wfile.write(body)
                # Without announcing it, as a server that is restarted does.
                self.close_connection = fake.close_after_reply

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        self.may_answer.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def refuse_other_shapes(header: dict[str, Any], binary: bytes) -> tuple[int, dict[str, str], bytes]:
    """Echoes what has the model's shape, and says of anything else what Lepton says."""
    (tensor,) = header["inputs"]
    if len(tensor["shape"]) == 2 and tensor["shape"][1] == 2:
        return echo(header, binary)
    said = f'input "x" has shape {json.dumps(tensor["shape"])}, model "m" takes [-1,2]'
    return 400, {}, json.dumps({"error": said}).encode()


def echo(header: dict[str, Any], binary: bytes) -> tuple[int, dict[str, str], bytes]:
    """Returns the input as output y."""
    tensor = {**header["inputs"][0], "name": "y"}
    return answer([tensor], binary)


def answer(
    outputs: list[dict[str, Any]], binary: bytes, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    head = json.dumps({"model_name": "m", "model_version": "1", "outputs": outputs}).encode()
    return (
        200,
        {"Inference-Header-Content-Length": str(len(head)), **(headers or {})},
        head + binary,
    )
