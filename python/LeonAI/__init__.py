"""The import name of the first API; `lepton` is the package."""

from lepton import (
    Answer,
    AsyncClient,
    Cancelled,
    Client,
    DeadlineExceeded,
    InvalidInput,
    LeptonAI,
    LeptonError,
    ModelNotFound,
    Overloaded,
    Server,
    Unavailable,
)

__all__ = [
    "Answer",
    "AsyncClient",
    "Cancelled",
    "Client",
    "DeadlineExceeded",
    "InvalidInput",
    "LeptonAI",
    "LeptonError",
    "ModelNotFound",
    "Overloaded",
    "Server",
    "Unavailable",
]
