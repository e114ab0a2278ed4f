"""An in-process server: the same scheduler and engine, without a network."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from os import PathLike
from typing import Any

from lepton import _native, arguments
from lepton.calls import Caller

LOG_LEVELS = ("trace", "debug", "info", "warn", "error", "off")


class Server(Caller[_native.Server]):
    """Runs models in this process, as `lepton serve` runs them.

    An idle model runs on the calling thread, while other Python threads run. Calls that find it
    busy queue, earliest deadline first, and may share a run. Thread-safe. A process that forks
    makes a server after the fork.

    Args:
        services: Folders that `lepton create` wrote; one, or several.
        model: The model for calls that name none; may be left out if there is only one.
        version: Its version; the latest when left out.
        timeout: Seconds that a call may take if it sets no timeout of its own. It is checked before
            the model runs: a run is not interrupted.
        cores: Cores to compute on; 0 is all that this process may use.
        cache_dir: Where compiled models are kept, to start faster the next time; nowhere when left
            out.
        log_level: trace, debug, info, warn, error or off; logs go to stderr.
        strict_readiness: False opens without the models that do not load, as long as one does;
            calls of the others raise Unavailable with the reason.

    Raises:
        InvalidInput: A folder is not a service, or a model in it does not load; gives the reason.

    Example:
        >>> from lepton import Server
        >>> with Server("service/") as server:
        ...     server.infer(image).outputs["probabilities"]
    """

    def __init__(
        self,
        services: str | PathLike[str] | Sequence[str | PathLike[str]],
        model: str | None = None,
        *,
        version: str | None = None,
        timeout: float = 30.0,
        cores: int = 0,
        cache_dir: str | PathLike[str] | None = None,
        log_level: str = "warn",
        strict_readiness: bool = True,
    ) -> None:
        model = arguments.optional_text("model", model)
        version = arguments.optional_text("version", version)
        timeout = arguments.seconds("timeout", timeout)
        native = open_server(services, cores, cache_dir, log_level, strict_readiness)
        super().__init__(native, in_process(services), model, version, timeout)

    def load(self, model: str) -> None:
        """Reads a model's folder again; returns when what is new there serves."""
        self._native.load(arguments.text("model", model))

    def unload(self, model: str) -> None:
        """Returns when the model's calls are answered; further ones raise Unavailable."""
        self._native.unload(arguments.text("model", model))

    def metrics(self) -> str:
        """Returns what `lepton serve` answers on /metrics, in Prometheus's text format."""
        return self._native.metrics()

    def slow_requests(self, model: str | None = None, limit: int = 64) -> dict[str, Any]:
        """Returns the slowest calls of the last minutes, and the latest that came too late.

        Args:
            model: Only those for this model.
            limit: Maximum number of each kind.

        Returns:
            What `lepton serve` answers on /v2/debug/slow: {"slowest": [...], "missed": [...]}, each
            entry with the microseconds of every station.
        """
        limit = arguments.whole("limit", limit, 1)
        only = arguments.optional_text("model", model) or ""
        page: dict[str, Any] = json.loads(self._native.slow_requests(only, limit))
        return page


def open_server(
    services: str | PathLike[str] | Sequence[str | PathLike[str]],
    cores: int = 0,
    cache_dir: str | PathLike[str] | None = None,
    log_level: str = "warn",
    strict_readiness: bool = True,
) -> _native.Server:
    """Returns the native server behind Server and LeptonAI(service=...)."""
    return _native.Server(
        arguments.paths("services", services),
        arguments.whole("cores", cores, 0),
        "" if cache_dir is None else arguments.path("cache_dir", cache_dir),
        # The layout of a wheel, which scripts/link_product.sh also makes in a checkout.
        os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib", "engines"),
        arguments.one_of("log_level", log_level, LOG_LEVELS),
        arguments.flag("strict_readiness", strict_readiness),
    )


def in_process(services: str | PathLike[str] | Sequence[str | PathLike[str]]) -> str:
    """Returns what a server in this process runs, for a person."""
    return f"of {', '.join(arguments.paths('services', services))} in this process"
