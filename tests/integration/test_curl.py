"""Commands that a person types: curl over HTTP/1.1, HTTP/2 and a Unix domain socket."""

import json
import subprocess

import pytest
from raw_http import four


def curl(server, *arguments: str, body: object = None) -> tuple[int, str, str]:
    """Returns status, HTTP version and body."""
    data = [] if body is None else ["--data-binary", "@-"]
    sent = b"" if body is None else json.dumps(body).encode()
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--max-time", "20",
         "--write-out", "\n%{http_code} %{http_version}", *data, *arguments],
        input=sent, capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    text, _, last = done.stdout.decode().rpartition("\n")
    status, version = last.split()
    return int(status), version, text


TRANSPORTS = pytest.mark.parametrize("transport", ["http1", "http2", "unix", "unix-http2"])


@pytest.fixture
def flags(server, transport) -> list[str]:
    return {
        "http1": ["--http1.1"],
        "http2": ["--http2-prior-knowledge"],
        "unix": ["--unix-socket", str(server.unix_socket)],
        "unix-http2": ["--http2-prior-knowledge", "--unix-socket", str(server.unix_socket)],
    }[transport]


@TRANSPORTS
class TestEveryTransport:
    def test_health(self, server, flags, transport):
        for kind in ("live", "ready"):
            status, version, _ = curl(server, *flags, f"{server.url}/v2/health/{kind}")
            assert status == 200
            assert version == ("2" if "http2" in transport else "1.1")

    def test_metadata(self, server, flags):
        status, _, body = curl(server, *flags, f"{server.url}/v2/models/four")
        assert status == 200
        assert json.loads(body)["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}]

    def test_inference(self, server, flags):
        url = f"{server.url}/v2/models/plus_one/versions/1/infer"
        status, _, body = curl(server, *flags, url, body=four(1, 2, 3, 4, id="a"))
        assert status == 200
        answer = json.loads(body)
        assert answer["id"] == "a"
        assert answer["outputs"] == [
            {"name": "y", "datatype": "FP32", "shape": [1, 4], "data": [2, 3, 4, 5]}
        ]

    def test_upload_in_chunks(self, server, flags):
        flags = [*flags, "--header", "Transfer-Encoding: chunked"]
        url = f"{server.url}/v2/models/four/infer"
        body = four(*range(40_000))
        status, _, text = curl(server, *flags, url, body=body)
        assert status == 200
        assert json.loads(text)["outputs"][0]["data"] == list(range(40_000))

    def test_unknown_route_and_wrong_method(self, server, flags):
        status, _, body = curl(server, *flags, f"{server.url}/v2/nothing")
        assert status == 404
        assert "/v2/nothing" in json.loads(body)["error"]
        status, _, body = curl(server, *flags, f"{server.url}/v2/models/four/infer")
        assert status == 405
        assert "error" in json.loads(body)

    def test_head_has_no_body(self, server, flags):
        status, _, text = curl(server, *flags, "--head", f"{server.url}/v2/models/four")
        assert status == 200
        assert "{" not in text

    def test_compressed_answer(self, server, flags):
        url = f"{server.url}/v2/models/four/infer"
        status, _, text = curl(server, *flags, "--compressed", url, body=four(*[0] * 4000))
        assert status == 200
        assert json.loads(text)["outputs"][0]["data"] == [0] * 4000


def test_expect_continue_is_answered_before_the_body(server):
    """curl waits a second for the interim answer before it sends a large body without it."""
    url = f"{server.url}/v2/models/four/infer"
    status, _, text = curl(
        server, "--http1.1", "--header", "Expect: 100-continue", "--expect100-timeout", "15",
        "--max-time", "10", url, body=four(*range(4000)),
    )  # fmt: skip
    assert status == 200
    assert len(json.loads(text)["outputs"][0]["data"]) == 4000


def test_metrics_page(server):
    status, _, text = curl(server, f"{server.url}/metrics")
    assert status == 200
    assert "# TYPE lepton_requests_total counter" in text
