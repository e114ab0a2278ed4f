"""How `lepton tune` and `lepton slow` reach the admin listener."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from lepton import admin
from lepton.admin import RefusedError, SilentError, ask


class Server:
    """Answers every request with `status` and `told`, and keeps what it was asked."""

    def __init__(self, status: int, told: object) -> None:
        self.asked: list[tuple[str, bytes, str | None]] = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                fake.asked.append((self.path, body, self.headers.get("Content-Type")))
                answer = told if isinstance(told, bytes) else json.dumps(told).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_POST = do_GET

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def close(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


@pytest.fixture
def listener() -> Iterator[Server]:
    server = Server(200, {"done": True})
    yield server
    server.close()


@pytest.fixture
def data_port(listener: Server) -> Iterator[Server]:
    server = Server(403, {"error": "it is elsewhere", "admin_url": listener.url})
    yield server
    server.close()


def test_a_refusal_of_this_machine_is_followed(data_port: Server, listener: Server) -> None:
    assert json.loads(ask(data_port.url, "/x?y=1", {"a": 1}, timeout=10)) == {"done": True}
    assert listener.asked == [("/x?y=1", b'{"a": 1}', "application/json")]


def test_one_of_another_machine_is_not(
    data_port: Server, listener: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin, "_is_here", lambda _: False)
    with pytest.raises(RefusedError, match="it is elsewhere") as caught:
        ask(data_port.url, "/x", {"a": 1}, timeout=10)
    assert caught.value.status == 403
    assert listener.asked == []


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:8000", True),
        ("http://127.4.5.6", True),
        ("http://[::1]:8000", True),
        ("https://localhost", True),
        ("unix:/run/lepton", True),
        ("http://10.0.0.5:8000", False),
        ("http://localhost.example:8000", False),
        ("http://127.0.0.1.example", False),
    ],
)
def test_which_servers_are_of_this_machine(url: str, here: bool) -> None:
    assert admin._is_here(url) is here


@pytest.mark.parametrize("told", [b"<html>", [], {"admin_url": 7}, {"admin_url": "ftp://x"}, b""])
def test_what_makes_no_sense_is_not_followed(told: object) -> None:
    server = Server(403, told)
    try:
        with pytest.raises(RefusedError, match="status 403"):
            ask(server.url, "/x", timeout=10)
    finally:
        server.close()


@pytest.mark.parametrize("text", ["", "ftp://x", "http://", "http://[", "//x", "unix:"])
def test_what_is_no_endpoint(text: str) -> None:
    with pytest.raises(ValueError, match="endpoint"):
        ask(text, "/x", timeout=10)


def test_nobody_there_is_said_in_the_words_of_the_client() -> None:
    with pytest.raises(SilentError, match=r"^no server at http://127.0.0.1:1 \(Conn"):
        ask("http://127.0.0.1:1", "/x", timeout=10)
