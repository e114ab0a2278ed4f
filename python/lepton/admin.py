"""Asks a server over HTTP what the commands show, also what only its admin listener answers."""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import json
import socket
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from lepton.endpoints import http_url, why_silent

_FORBIDDEN = 403
_BAD_REQUEST, _NOT_FOUND = 400, 404


class RefusedError(Exception):
    """The server answered with a refusal.

    Attributes:
        status: The HTTP status.
        bad_input: Whether the request was at fault, not the server.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.bad_input = status in (_BAD_REQUEST, _NOT_FOUND)


class SilentError(Exception):
    """Nobody has answered, or somebody who is no inference server; the message is for the user."""


def ask(url: str, path: str, change: object = None, *, timeout: float) -> bytes:
    """Returns the server's answer, from its admin listener if that is on this machine too.

    Args:
        url: The URL of the server, or of its admin listener.
        path: The path and query to request.
        change: What to post, as JSON; None to read.
        timeout: Seconds.

    Raises:
        ValueError: `url` is not an endpoint.
        RefusedError: The server says why not.
        SilentError: It cannot be reached.
    """
    body = None if change is None else json.dumps(change).encode()
    asked = http_url(url)
    try:
        return _ask(asked, path, body, timeout)
    except OSError as error:
        raise SilentError(why_silent(url, error, timeout)) from error


def _ask(url: str, path: str, body: bytes | None, timeout: float) -> bytes:
    status, answer = _send(url, path, body, timeout)
    # Only a server on this machine is trusted to say where to go on: another one could redirect
    # what is meant for it to a server here.
    if status == _FORBIDDEN and _is_here(url):
        other = _member(answer, "admin_url")
        if other is not None:
            with contextlib.suppress(ValueError):
                status, answer = _send(http_url(other), path, body, timeout)
    if status >= http.client.BAD_REQUEST:
        said = _member(answer, "error")
        if said is None:
            text = " ".join(answer.decode(errors="replace").split())[:200]
            said = f"{url}: no inference server: it answers with status {status}"
            said += f", and says: {text}" if text else ""
        raise RefusedError(status, said)
    return answer


def _send(url: str, path: str, body: bytes | None, timeout: float) -> tuple[int, bytes]:
    headers = {} if body is None else {"Content-Type": "application/json"}
    headers["User-Agent"] = "lepton"
    if url.startswith("unix:"):
        connection = _UnixConnection(url.removeprefix("unix:"), timeout)
        try:
            connection.request("GET" if body is None else "POST", path, body, headers)
            reply = connection.getresponse()
            return reply.status, reply.read()
        except http.client.HTTPException as error:
            raise OSError(f"it does not speak HTTP: {error!r}") from error
        finally:
            connection.close()
    try:
        with urlopen(Request(url.rstrip("/") + path, body, headers), timeout=timeout) as answer:
            return answer.status, answer.read()
    except HTTPError as error:
        with error:
            return error.code, error.read()
    except http.client.HTTPException as error:
        raise OSError(f"it does not speak HTTP: {error!r}") from error


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _is_here(url: str) -> bool:
    parts = urlsplit(url)
    if parts.scheme == "unix" or parts.hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


def _member(answer: bytes, name: str) -> str | None:
    try:
        told: Any = json.loads(answer)
    except ValueError:
        return None
    value = told.get(name) if isinstance(told, dict) else None
    return value if isinstance(value, str) else None
