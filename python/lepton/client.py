"""The client of one or several Lepton servers, or of others that speak KServe v2."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike

from lepton import _native, arguments
from lepton.calls import Caller
from lepton.endpoints import Models, endpoints_of, lister
from lepton.errors import InvalidInput
from lepton.options import HedgeOptions, RetryOptions, TlsOptions
from lepton.server import in_process, open_server

_LISTING_SECONDS = 5.0


class Client(Caller[_native.Client]):
    """Calls models on one or several servers.

    Thread-safe: threads may share a client, and Python runs while it waits. Each call in flight has
    a connection of its own, which is kept for the next. A process that forks makes a client after
    the fork.

    Args:
        endpoints: Where to send calls: "http://host:port" (HTTP/1.1 with binary tensors),
            "grpc://host:port", "unix:/path", "grpc+unix:/path", and over TLS "https://" and
            "grpcs://"; a host alone, or "host:port", means HTTP. When left out, LEPTON_URL of the
            environment, or http://127.0.0.1:8000. With several, each call draws two at random and
            takes the one with fewer calls in flight.
        model: The model for calls that name none; may be left out if the server has only one.
        version: Its version; the latest when left out.
        timeout: Seconds that a call may take if it sets no timeout of its own.
        connect_timeout: Seconds for opening a connection.
        max_connections: Per endpoint; a call that finds all of them busy waits for one.
        retry: When a failed attempt is made again; RetryOptions(max_attempts=1) never retries.
        hedge: When a slow call is sent to another endpoint as well; never when left out.
        tls: For endpoints with TLS.

    Raises:
        ValueError: An endpoint or an option is invalid.

    Example:
        >>> import numpy as np
        >>> from lepton import Client
        >>> with Client(["http://10.0.0.1:8000", "http://10.0.0.2:8000"]) as client:
        ...     answer = client.infer(np.zeros((1, 1, 8, 8), np.float32), timeout=0.05)
        ...     answer.outputs["probabilities"].shape
        (1, 10)
    """

    def __init__(
        self,
        endpoints: str | Sequence[str] | None = None,
        model: str | None = None,
        *,
        version: str | None = None,
        timeout: float = 30.0,
        connect_timeout: float = 5.0,
        max_connections: int = 256,
        retry: RetryOptions | None = None,
        hedge: HedgeOptions | None = None,
        tls: TlsOptions | None = None,
    ) -> None:
        native = open_client(
            endpoints, timeout, connect_timeout, max_connections, retry, hedge, tls
        )
        super().__init__(
            native,
            at(endpoints),
            arguments.optional_text("model", model),
            arguments.optional_text("version", version),
            arguments.seconds("timeout", timeout),
            model_lister(native, endpoints, tls),
        )

    def live(self) -> bool:
        """Whether the server says that it is alive; raises Unavailable if none answers."""
        return self._native.live()

    def model_ready(self, name: str, version: str = "") -> bool:
        """Whether the server says that the model is ready."""
        return self._native.model_ready(
            arguments.text("name", name), arguments.text("version", version)
        )

    def statistics(self) -> dict[str, int]:
        """Returns what the client has done so far: calls, failures, retries, hedges, ..."""
        return self._native.statistics()


class LeptonAI(Caller["_native.Client | _native.Server"]):
    """Runs a model, on a server or in this process.

    Thread-safe. A process that forks makes one after the fork.

    Args:
        url: The server's URL, as Client takes it; when left out, LEPTON_URL of the environment, or
            http://127.0.0.1:8000.
        model: Its name; may be left out if there is only one model.
        service: Instead of `url`: a folder that `lepton create` wrote, to run it in this process.
        version: The model's version; the latest when left out.
        timeout: Seconds that a call may take. A server knows it as the request's deadline, and does
            not start what it cannot finish in time.

    Example:
        >>> import numpy as np
        >>> from lepton import LeptonAI
        >>> with LeptonAI("http://127.0.0.1:8000", model="digits") as ai:
        ...     probabilities = ai.inference(np.zeros((1, 1, 8, 8), np.float32))
    """

    def __init__(
        self,
        url: str | Sequence[str] | None = None,
        model: str | None = None,
        *,
        service: str | PathLike[str] | None = None,
        version: str | None = None,
        timeout: float = 30.0,
    ) -> None:
        if url is not None and service is not None:
            raise ValueError("url and service are both given; a model runs there or here")
        model = arguments.optional_text("model", model)
        version = arguments.optional_text("version", version)
        timeout = arguments.seconds("timeout", timeout)
        if service is not None:
            folders = arguments.paths("service", service)
            native_server = open_server(folders)
            super().__init__(native_server, in_process(folders), model, version, timeout)
            return
        endpoints = endpoints_of(url, "url")
        native = open_client(endpoints, timeout)
        super().__init__(
            native, at(endpoints), model, version, timeout, model_lister(native, endpoints)
        )


def open_client(
    endpoints: str | Sequence[str] | None,
    timeout: float,
    connect_timeout: float = 5.0,
    max_connections: int = 256,
    retry: RetryOptions | None = None,
    hedge: HedgeOptions | None = None,
    tls: TlsOptions | None = None,
) -> _native.Client:
    """Returns the native client behind Client and AsyncClient."""
    retry = arguments.instance("retry", retry, RetryOptions) or RetryOptions()
    hedge = arguments.instance("hedge", hedge, HedgeOptions)
    tls = arguments.instance("tls", tls, TlsOptions) or TlsOptions()
    try:
        return _native.Client(
            endpoints_of(endpoints),
            arguments.seconds("timeout", timeout),
            arguments.seconds("connect_timeout", connect_timeout),
            arguments.whole("max_connections", max_connections, 1),
            retry.as_native(),
            None if hedge is None else hedge.as_native(),
            tls.as_native(),
        )
    except InvalidInput as error:
        raise ValueError(str(error)) from None


def at(endpoints: str | Sequence[str] | None) -> str:
    """Returns where a client asks, for a person."""
    return f"at {', '.join(endpoints_of(endpoints))}"


def model_lister(
    native: _native.Client, endpoints: str | Sequence[str] | None, tls: TlsOptions | None = None
) -> Models:
    """Returns a function that lists the models of a client's server, over HTTP if need be."""

    def over_http(endpoint: str) -> Models:
        return open_client(endpoint, _LISTING_SECONDS, tls=tls).models

    return lister(native.models, endpoints_of(endpoints), over_http)
