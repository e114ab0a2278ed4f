"""What `lepton models` makes of what servers say, Lepton's and others."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from lepton.admin import RefusedError
from lepton.models import ModelState, hint_for_model, model_states

Pages = dict[tuple[str, str], tuple[int, object]]


@pytest.fixture
def pages() -> Pages:
    """What the server answers, by method and path; 404 for anything else."""
    return {}


@pytest.fixture
def url(pages: Pages) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, page = pages.get((self.command, self.path), (404, {"error": "unknown"}))
            body = page if isinstance(page, bytes) else json.dumps(page).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = answer

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_models_that_are_not_ready_are_found_by_what_the_server_says(
    url: str, pages: Pages
) -> None:
    reason = 'layer "x"; loading of y failed'
    pages["GET", "/"] = (200, {"models": ["a"]})
    pages["GET", "/v2/health/ready"] = (
        503,
        {"error": f'the server is not ready: model "b" failed to load: {reason}; loading c, d'},
    )
    pages["GET", "/v2/models/%20"] = (404, {"error": 'no model " ", there are: a, b, e and 9 more'})
    pages["GET", "/v2/models/a"] = (200, {"name": "a", "versions": ["1", "2"]})
    pages["GET", "/v2/models/b"] = (503, {"error": f'model "b" failed to load: {reason}'})
    pages["GET", "/v2/models/c"] = (503, {"error": 'model "c" is loading'})
    pages["GET", "/v2/models/d"] = (503, {"error": "something else"})
    pages["GET", "/v2/models/e"] = (503, {"error": 'model "e" is unloaded'})
    assert model_states(url) == [
        ModelState("a", ("1", "2"), "ready", ""),
        ModelState("b", (), "failed", reason),
        ModelState("c", (), "loading", ""),
        ModelState("d", (), "unknown", "something else"),
        ModelState("e", (), "unloaded", ""),
    ]
    assert hint_for_model(url, "A") == '; did you mean "a"?'


def test_triton_is_asked_for_its_index(url: str, pages: Pages) -> None:
    pages["POST", "/v2/repository/index"] = (
        200,
        [
            {"name": "m", "version": "1", "state": "READY"},
            {"name": "m", "version": "2", "state": "UNAVAILABLE", "reason": "broken"},
            {"name": "n"},
        ],
    )
    assert model_states(url) == [
        ModelState("m", ("1", "2"), "ready, unavailable", "broken"),
        ModelState("n", (), "unloaded", ""),
    ]


@pytest.mark.parametrize("page", [b"<html>", b"[1]", b"{}", b"null"])
def test_a_server_of_another_kind_is_said_to_list_nothing(
    url: str, pages: Pages, page: bytes
) -> None:
    pages["GET", "/"] = (200, page)
    pages["POST", "/v2/repository/index"] = (200, page)
    with pytest.raises(RefusedError, match="does not list its models"):
        model_states(url)
    assert hint_for_model(url, "a") == ""
