"""Lepton: a real-time AI inference server, and the Python side of it.

A model runs on a server, which `lepton serve` starts, or in this process:

    import numpy as np
    from lepton import LeptonAI

    with LeptonAI("http://127.0.0.1:8000", model="digits") as ai:
        probabilities = ai.inference(np.zeros((1, 1, 8, 8), np.float32))

    with LeptonAI(service="service/") as ai:
        probabilities = ai.inference(np.zeros((1, 1, 8, 8), np.float32))

Client, AsyncClient and Server have all options. Nothing is imported until it is used, so that the
`lepton` command starts without numpy.
"""

from __future__ import annotations

TYPE_CHECKING = False  # Type checkers take this as True; importing typing would cost milliseconds.
if TYPE_CHECKING:
    from typing import Any

    from lepton.aio import AsyncClient
    from lepton.answers import Answer, Model, TensorSpec
    from lepton.client import Client, LeptonAI
    from lepton.create.live import create_service
    from lepton.errors import (
        Cancelled,
        DeadlineExceeded,
        InvalidInput,
        LeptonError,
        ModelNotFound,
        Overloaded,
        Unavailable,
    )
    from lepton.options import HedgeOptions, RetryOptions, TlsOptions
    from lepton.server import Server
    from lepton.server_process import ServerProcess, serving

__all__ = [
    "Answer",
    "AsyncClient",
    "Cancelled",
    "Client",
    "DeadlineExceeded",
    "HedgeOptions",
    "InvalidInput",
    "LeptonAI",
    "LeptonError",
    "Model",
    "ModelNotFound",
    "Overloaded",
    "RetryOptions",
    "Server",
    "ServerProcess",
    "TensorSpec",
    "TlsOptions",
    "Unavailable",
    "__version__",
    "create_service",
    "serving",
]

# The modules that define the names other than errors.
_HOMES = {
    "Answer": "answers",
    "AsyncClient": "aio",
    "Client": "client",
    "HedgeOptions": "options",
    "LeptonAI": "client",
    "Model": "answers",
    "RetryOptions": "options",
    "Server": "server",
    "ServerProcess": "server_process",
    "TensorSpec": "answers",
    "TlsOptions": "options",
    "create_service": "create.live",
    "serving": "server_process",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    """Imports the module that defines `name` (PEP 562)."""
    if name == "__version__":
        from importlib.metadata import version

        return version("lepton-serving")
    if name not in __all__:
        raise AttributeError(f"module 'lepton' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"lepton.{_HOMES.get(name, 'errors')}"), name)


def __dir__() -> list[str]:
    """Returns the public names, which are not there before they are used."""
    return sorted({*__all__, *globals()} - {"TYPE_CHECKING", "annotations"})
