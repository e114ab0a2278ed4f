"""Where a client asks: what a person writes, and where a server lists its models.

The SDK and all commands take the same endpoints and say the same where one is wrong or silent; the
C++ client has the same words in clients/cpp/src/endpoint.cc and connection.cc.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence

from lepton.arguments import texts
from lepton.errors import LeptonError

# Where `lepton serve` listens by default.
DEFAULT_URL = "http://127.0.0.1:8000"
# The environment's variable that replaces it, for the SDK and for every command.
URL_VARIABLE = "LEPTON_URL"

# A host without a scheme, with or without a port: "127.0.0.1:8000", "[::1]:8000", "localhost". A
# number alone is none: it may be meant as a port.
_BARE = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[0-9]*[A-Za-z._-][A-Za-z0-9._-]*)(:[0-9]+)?")
_DEFAULT_PORTS = {"http": 8000, "https": 443}
_EXPECTED = "http://, https://, grpc://, grpcs://, unix: or grpc+unix:"
# Lepton answers HTTP where it answers gRPC.
_OVER_HTTP = {"grpc://": "http://", "grpcs://": "https://", "grpc+unix:": "unix:"}

Models = Callable[[], list[str]]


def default_url() -> str:
    """Returns where to ask if nobody says so: LEPTON_URL, or the default of `lepton serve`."""
    return os.environ.get(URL_VARIABLE) or DEFAULT_URL


def endpoints_of(given: str | Sequence[str] | None, name: str = "endpoints") -> list[str]:
    """Returns the endpoints of a client; a host without a scheme is asked over HTTP."""
    endpoints = texts(name, default_url() if given is None else given)
    return [f"http://{one}" if _BARE.fullmatch(one) else one for one in endpoints]


def http_url(given: str) -> str:
    """Returns the endpoint as commands ask it over HTTP: "http://host:port" or "unix:/path".

    Raises:
        ValueError: It is not an endpoint; in the client's words.
    """
    (url,) = endpoints_of(given)
    for scheme, instead in _OVER_HTTP.items():
        if url.startswith(scheme):
            url = url.replace(scheme, instead, 1)
    if url.startswith("unix:"):
        if url == "unix:":
            raise ValueError(_bad(given, "names no path; expected e.g. unix:/run/lepton.sock"))
        return url
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in _DEFAULT_PORTS:
        raise ValueError(_bad(given, f"has an unknown scheme; expected {_EXPECTED}"))
    rest = rest.removesuffix("/")
    if re.search(r"[/?#@ \r\n]", rest):
        raise ValueError(
            _bad(given, f"has more than a host and a port; expected e.g. {DEFAULT_URL}")
        )
    if rest.startswith("[") and "]" not in rest:
        raise ValueError(_bad(given, "lacks the ] of an IPv6 address"))
    found = re.fullmatch(r"(\[[^\]]+\]|[^:]*)(?::(.*))?", rest)
    if found is None or not found[1]:
        raise ValueError(_bad(given, f"names no host; expected e.g. {DEFAULT_URL}"))
    host, port = found[1], found[2]
    if port is not None and not (re.fullmatch("[0-9]{1,5}", port) and 0 < int(port) < 65536):
        raise ValueError(_bad(given, "has no port from 1 to 65535 behind its host"))
    return f"{scheme}://{host}:{port or _DEFAULT_PORTS[scheme]}"


def why_silent(url: str, error: OSError, timeout: float) -> str:
    """Returns what to say of an endpoint that did not answer; in the client's words.

    Args:
        url: As the person wrote it.
        error: What asking it over HTTP ended with, as urllib or a socket raises it.
        timeout: How long it was waited for, in seconds.
    """
    import socket
    import ssl

    cause = getattr(error, "reason", error)  # urllib's wraps another one.
    if isinstance(error, ssl.SSLError):
        cause = error  # Its reason is a word of OpenSSL's.
    if isinstance(cause, socket.gaierror):
        return f"cannot find the host of {url}: {cause.strerror}"
    if isinstance(cause, ssl.SSLError):
        reason = (cause.reason or str(cause)).replace("_", " ").lower()
        return f"no TLS with {url}: {reason}; check the endpoint, or ask it without TLS"
    if isinstance(cause, TimeoutError):
        return (
            f"no answer from {url} within {1000 * timeout:g} ms; allow a longer timeout, or see "
            "the server's load"
        )
    if isinstance(cause, OSError) and cause.strerror:
        return (
            f'no server at {url} ({cause.strerror}); start one with "lepton serve", or check the '
            "endpoint"
        )
    return f"{url} is no inference server: {cause}"


def _bad(url: str, why: str) -> str:
    return f'endpoint "{url}" {why}'


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
