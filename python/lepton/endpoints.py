"""Endpoints of a client: what a person writes, and where a server lists its models."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from lepton.errors import LeptonError

# "host:port" without a scheme, such as "127.0.0.1:8000", "[::1]:8000", "localhost:8000".
_BARE = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}")
# Lepton answers HTTP where it answers gRPC.
_OVER_HTTP = {"grpc://": "http://", "grpcs://": "https://", "grpc+unix:": "unix:"}

Models = Callable[[], list[str]]


def endpoints_of(given: str | Sequence[str]) -> list[str]:
    """Returns the endpoints of a client; one without a scheme is HTTP's."""
    endpoints = [given] if isinstance(given, str) else list(given)
    return [f"http://{one}" if _BARE.fullmatch(one) else one for one in endpoints]


def lister(models: Models, endpoints: Sequence[str], over_http: Callable[[str], Models]) -> Models:
    """Returns a function that lists the models, over HTTP if only gRPC was given.

    KServe's gRPC has no call for it.

    Args:
        models: The client's own function.
        endpoints: The client's endpoints.
        over_http: Returns a function that lists the models at an HTTP endpoint.
    """
    also = [
        endpoint.replace(scheme, instead, 1)
        for endpoint in endpoints
        for scheme, instead in _OVER_HTTP.items()
        if endpoint.startswith(scheme)
    ]

    def listed() -> list[str]:
        try:
            return models()
        except LeptonError as error:
            if error.code != "unsupported" or not also:
                raise
            for endpoint in also:
                try:
                    return over_http(endpoint)()
                except (LeptonError, ValueError):
                    continue  # The server speaks gRPC alone: its answer counts.
            raise

    return listed
