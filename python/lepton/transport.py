"""HTTP/1.1 connections that are kept alive and shared out to threads."""

from __future__ import annotations

import http.client
import socket
import threading
from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote, urlsplit

from lepton.errors import DeadlineExceeded, LeptonError, Unavailable

# Below this a body is joined to one piece, which is one write; above, the copy would cost more.
JOIN_BELOW_BYTES = 1 << 20
# The server answers at the deadline that no result came in time; wait a little for it to say so.
GRACE_SECONDS = 0.1


@dataclass(frozen=True)
class Reply:
    """What came back: any status."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix domain socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Transport:
    """A pool of connections to one server: each request takes an idle one, or opens one.

    Thread-safe: no two requests use a connection at the same time.

    Args:
        url: "http://host:port", "https://...", or "unix:/path/of/socket".
        timeout: Seconds for opening a connection, and for each answer unless request() says else.
    """

    def __init__(self, url: str, timeout: float) -> None:
        parts = urlsplit(url if "://" in url or url.startswith("unix:") else f"http://{url}")
        try:
            port = parts.port
        except ValueError:
            raise ValueError(f'url "{url}" has a port that is no port') from None
        if parts.scheme not in ("http", "https", "unix"):
            raise ValueError(f'url "{url}" has scheme "{parts.scheme}", expected http, https, unix')
        if parts.scheme == "unix" and not parts.path:
            raise ValueError(f'url "{url}" names no socket, expected unix:/path')
        if parts.scheme != "unix" and not parts.hostname:
            raise ValueError(f'url "{url}" names no host')
        self.url = url
        self.timeout = timeout
        self._scheme = parts.scheme
        self._host = parts.hostname or ""
        self._port = port
        self._path = unquote(parts.path) if parts.scheme == "unix" else parts.path.rstrip("/")
        self._lock = threading.Lock()
        self._idle: list[http.client.HTTPConnection] = []
        self._closed = False

    def request(
        self,
        method: str,
        path: str,
        pieces: list[bytes | memoryview] | None = None,
        headers: dict[str, str] | None = None,
        timeout: float | None = None,
    ) -> Reply:
        """Sends one request and reads its answer, whatever its status.

        Raises:
            DeadlineExceeded: No answer within the timeout.
            Unavailable: The server is not there, or hung up.
            LeptonError: What answered does not speak HTTP, or the client is closed.
        """
        seconds = self.timeout if timeout is None else timeout
        target = path if self._scheme == "unix" else self._path + path
        while True:
            connection, reused = self._take(seconds)
            try:
                reply = self._exchange(connection, method, target, pieces, headers or {})
            except TimeoutError:
                connection.close()
                raise DeadlineExceeded(f"{self.url} gave no answer within {seconds:g} s") from None
            except (ConnectionError, http.client.BadStatusLine) as error:
                connection.close()
                # A server may close an idle connection just when it is used again; a request that
                # no byte was answered to is sent once more, on a new one.
                if reused and isinstance(error, (ConnectionError, http.client.RemoteDisconnected)):
                    continue
                raise self._unreachable(error) from None
            except OSError as error:
                connection.close()
                raise self._unreachable(error) from None
            except http.client.HTTPException as error:
                connection.close()
                raise LeptonError(f"{self.url} gave no HTTP answer: {error!r}") from None
            except BaseException:
                # Interrupted half-way: what is left on the connection belongs to nobody.
                connection.close()
                raise
            self._give_back(connection)
            return reply

    def close(self) -> None:
        """Closes the idle connections; a request in flight closes its own when it ends."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        target: str,
        pieces: list[bytes | memoryview] | None,
        headers: dict[str, str],
    ) -> Reply:
        if pieces is None:
            connection.request(method, target, headers=headers)
        else:
            size = sum(len(piece) for piece in pieces)
            headers = {**headers, "Content-Length": str(size)}
            body = b"".join(pieces) if size < JOIN_BELOW_BYTES else pieces
            connection.request(method, target, body=body, headers=headers)
        response = connection.getresponse()
        return Reply(response.status, response.headers, response.read())

    def _take(self, seconds: float) -> tuple[http.client.HTTPConnection, bool]:
        with self._lock:
            if self._closed:
                raise LeptonError("the client is closed")
            connection = self._idle.pop() if self._idle else None
        patience = seconds + GRACE_SECONDS
        if connection is not None and connection.sock is not None:
            connection.timeout = patience
            connection.sock.settimeout(patience)
            return connection, True
        if self._scheme == "unix":
            return _UnixConnection(self._path, patience), False
        kind = (
            http.client.HTTPSConnection if self._scheme == "https" else http.client.HTTPConnection
        )
        return kind(self._host, self._port, timeout=patience), False

    def _give_back(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            if not self._closed and connection.sock is not None:
                self._idle.append(connection)
                return
        connection.close()

    def _unreachable(self, error: Exception) -> Unavailable:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return Unavailable(f"no server answers at {self.url}: {reason}")
