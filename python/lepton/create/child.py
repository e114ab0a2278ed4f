"""Runs lepton.create.worker in a process of its own.

A damaged model, or one that needs more memory than there is, may end the process that loads it.
Here that is an error like any other.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lepton.create.errors import CreateError
from lepton.create.framework import Format
from lepton.create.options import Options


def work_on(
    path: Path,
    kind: Format,
    options: Options,
    *,
    entry: Path,
    work: Path,
    measure: bool,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """Converts where the format needs it, checks, and measures.

    Args:
        path: The user's file or folder.
        kind: Its format.
        options: What the user said about it.
        entry: The served file or folder; written where the format is converted.
        work: A folder for what is needed on the way.
        measure: Whether to measure its latency.
        progress: Called with each step as it begins.

    Returns:
        What lepton.json says of a version, as far as the process knows it.

    Raises:
        CreateError: The model cannot be read, converted or run, or answers otherwise.
    """
    job = {
        "path": str(path),
        "format": kind.name,
        "module": kind.module,
        "converted": kind.converted,
        "options": options.as_json(),
        "entry": str(entry),
        "work": str(work),
        "measure": measure,
    }
    # -P: no file of the current folder is taken for a framework.
    command = [sys.executable, "-P", "-m", "lepton.create.worker"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # The reason is in the error; this is the libraries' chatter.
        text=True,
        start_new_session=True,  # So that whatever it starts ends with it.
    ) as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            with contextlib.suppress(BrokenPipeError):  # It has ended already: how is said below.
                json.dump(job, process.stdin)
                process.stdin.close()
            for line in process.stdout:
                said = json.loads(line)
                if "error" in said:
                    raise CreateError(said["error"])
                if "step" in said:
                    progress(said["step"])
                if "result" in said:
                    return dict(said["result"])
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)  # How it ends is to be said.
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    raise CreateError(f"{path} {_how_it_ended(process.returncode)}")


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"ended the process that reads it with code {code}"
    name = signal.Signals(-code).name
    if name == "SIGKILL":
        return f"ended the process that reads it with {name}, perhaps for want of memory"
    return (
        f"ended the process that reads it with {name}, a defect in a library; made-up inputs may "
        "have met it: say what suits the model by --input and --range, or give real ones by "
        "--example"
    )
