"""Has OpenVINO check a model, in a process of its own.

A damaged model, or one that needs more memory than there is, may end the process that loads it.
Here that is an error like any other.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lepton.create.source import CreateError


def check_model(path: Path, *, measure: bool, progress: Callable[[str], None]) -> dict[str, Any]:
    """Loads a model, runs it once, and measures it.

    Args:
        path: The model's file or SavedModel folder.
        measure: Whether to measure its latency.
        progress: Called with each step as it begins.

    Returns:
        What lepton.json says of a version: openvino, precision, batches, signature, latency.

    Raises:
        CreateError: The model cannot be read or run.
    """
    command = [sys.executable, "-m", "lepton.create.openvino_check", str(path)]
    result: dict[str, Any] | None = None
    with subprocess.Popen(
        [*command, "--measure"] if measure else command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # The reason is in the error; this is native code's chatter.
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                said = json.loads(line)
                if "error" in said:
                    raise CreateError(said["error"])
                if "step" in said:
                    progress(said["step"])
                result = said.get("result", result)
        finally:
            process.kill()
    if result is None:
        code = process.returncode
        how = signal.Signals(-code).name if code < 0 else f"code {code}"
        raise CreateError(f"{path} ended OpenVINO with {how}")
    return result
