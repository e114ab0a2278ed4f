"""For the scripts of this folder: runs them with the Python that has Lepton."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path


def need_lepton() -> None:
    """Returns if Lepton can be imported; else becomes the checkout's own Python, or ends."""
    if all(importlib.util.find_spec(module) for module in ("lepton", "typer", "openvino")):
        return
    python = Path(__file__).resolve().parents[1] / ".venv/bin/python"
    if not python.exists() or Path(sys.prefix) == python.parents[1]:
        sys.exit(
            "lepton is not installed for this Python: run `make build`, or "
            "pip install lepton-serving"
        )
    os.execv(python, [str(python), *sys.argv])
