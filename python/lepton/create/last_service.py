"""Remembers the service that was created last, for the script that serves it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def _file() -> Path:
    # By the XDG base directory specification, a relative path there is ignored.
    home = os.environ.get("XDG_STATE_HOME", "")
    base = Path(home) if os.path.isabs(home) else Path.home() / ".local/state"
    return base / "lepton" / "last_service"


def remember(service: Path) -> None:
    """Notes a service folder; a failure to write it does no harm."""
    with contextlib.suppress(OSError, RuntimeError):
        file = _file()
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{service.resolve()}\n")


def last_service() -> Path | None:
    """Returns the folder that was noted last, if it is still there."""
    with contextlib.suppress(OSError, RuntimeError):
        service = Path(_file().read_text().rstrip("\n"))
        return service if service.is_dir() else None
    return None
