"""The import name of the first API; `lepton` is the package."""

from lepton.client import Answer, LeptonAI
from lepton.errors import (
    DeadlineExceeded,
    InvalidInput,
    LeptonError,
    ModelNotFound,
    Overloaded,
    Unavailable,
)

__all__ = [
    "Answer",
    "DeadlineExceeded",
    "InvalidInput",
    "LeptonAI",
    "LeptonError",
    "ModelNotFound",
    "Overloaded",
    "Unavailable",
]
