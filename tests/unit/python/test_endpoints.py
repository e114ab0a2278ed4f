"""Endpoints as a person writes them, and where a server lists its models."""

from __future__ import annotations

import pytest

from lepton import Client, LeptonAI
from lepton.endpoints import endpoints_of, http_url, lister
from lepton.errors import LeptonError, Unavailable


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("127.0.0.1:8000", ["http://127.0.0.1:8000"]),
        ("[::1]:8000", ["http://[::1]:8000"]),
        ("my-host.example:80", ["http://my-host.example:80"]),
        (["grpc://a:1", "b:2"], ["grpc://a:1", "http://b:2"]),
        ("unix:/tmp/x.sock", ["unix:/tmp/x.sock"]),
        ("a:1/path", ["a:1/path"]),
        ("host", ["http://host"]),
        ("10.0.0.1", ["http://10.0.0.1"]),
        ("[::1]", ["http://[::1]"]),
        ("8000", ["8000"]),
        ("", [""]),
    ],
)
def test_host_and_port_alone_are_of_http(given: str | list[str], meant: list[str]) -> None:
    assert endpoints_of(given) == meant


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("http://a:1", "http://a:1"),
        ("http://a:1/", "http://a:1"),
        ("a", "http://a:8000"),
        ("grpc://a:1", "http://a:1"),
        ("grpcs://a", "https://a:443"),
        ("grpc+unix:/s", "unix:/s"),
        ("[::1]:9", "http://[::1]:9"),
    ],
)
def test_commands_ask_over_http(given: str, asked: str) -> None:
    assert http_url(given) == asked


@pytest.mark.parametrize(
    "given",
    [
        *("", "8000", "ftp://x", "htp://127.0.0.1:8000", "//x", "a:1/path", "unix:"),
        *("http://", "http://:1", "http://a:", "http://a:0", "http://a:99999", "http://a:x"),
        *("http://a:1/v2", "http://a:1?x", "http://a b", "http://u@a:1", "http://["),
    ],
)
def test_commands_and_clients_say_the_same_of_what_is_no_endpoint(given: str) -> None:
    with pytest.raises(ValueError) as of_client:
        Client(given)
    with pytest.raises(ValueError) as of_command:
        http_url(given)
    assert str(of_command.value) == str(of_client.value)


def test_the_environment_names_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    assert endpoints_of(None) == ["http://127.0.0.1:8000"]
    monkeypatch.setenv("LEPTON_URL", "gpu-7:9000")
    assert endpoints_of(None) == ["http://gpu-7:9000"]
    with LeptonAI(timeout=5) as ai, pytest.raises(Unavailable, match="gpu-7:9000"):
        ai.inference([1.0])


def test_models_are_listed_over_http_where_grpc_has_no_call_for_it() -> None:
    def unsupported() -> list[str]:
        raise LeptonError("no call for it", code="unsupported")

    asked: list[str] = []

    def over_http(endpoint: str):
        asked.append(endpoint)
        return lambda: ["digits"]

    endpoints = ["grpc://a:1", "grpcs://b:2", "grpc+unix:/s"]
    assert lister(unsupported, endpoints, over_http)() == ["digits"]
    for endpoint in endpoints[1:]:
        lister(unsupported, [endpoint], over_http)()
    assert asked == ["http://a:1", "https://b:2", "unix:/s"]


def test_what_grpc_said_counts_where_http_does_not_answer() -> None:
    def unsupported() -> list[str]:
        raise LeptonError("no call for it", code="unsupported")

    def unavailable() -> list[str]:
        raise Unavailable("refused", code="unavailable")

    with pytest.raises(LeptonError, match="no call for it"):
        lister(unsupported, ["grpc://a:1"], lambda endpoint: unavailable)()
    with pytest.raises(LeptonError, match="refused"):
        lister(unavailable, ["grpc://a:1"], lambda endpoint: lambda: ["never asked"])()
