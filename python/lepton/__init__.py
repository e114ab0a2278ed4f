"""Lepton: a real-time AI inference server, and the Python side of it.

The server is a native program, started by `lepton serve`. This package is its client:

    import numpy as np
    from lepton import LeptonAI

    with LeptonAI("http://127.0.0.1:8000", model="digits") as client:
        probabilities = client.inference(np.zeros((1, 1, 8, 8), np.float32))

Nothing is imported until it is used, so that the `lepton` command starts without numpy.
"""

from __future__ import annotations

TYPE_CHECKING = False  # As type checkers take it; importing typing would cost milliseconds.
if TYPE_CHECKING:
    from typing import Any

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
    "__version__",
]

_IN_CLIENT = ("Answer", "LeptonAI")


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    """Imports the module that defines `name` (PEP 562)."""
    if name == "__version__":
        from importlib.metadata import version

        return version("lepton")
    if name not in __all__:
        raise AttributeError(f"module 'lepton' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module("lepton.client" if name in _IN_CLIENT else "lepton.errors"), name)
