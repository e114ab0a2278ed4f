"""The planner as a service, for as long as a drive takes."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from lepton.create import create_service

MODEL = "planner"


@contextlib.contextmanager
def created(model: Path) -> Iterator[Path]:
    """Makes a service folder from the model's file, and removes it in the end."""
    with tempfile.TemporaryDirectory(prefix="autodrive-") as folder:
        yield create_service(model, Path(folder) / "service", MODEL, measure=False).repository
