"""Endpoints as a person writes them, and where a server lists its models."""

from __future__ import annotations

import pytest

from lepton.endpoints import endpoints_of, lister
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
        ("host", ["host"]),
    ],
)
def test_host_and_port_alone_are_of_http(given: str | list[str], meant: list[str]) -> None:
    assert endpoints_of(given) == meant


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
