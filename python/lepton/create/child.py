"""Runs lepton.create.worker in a process of its own.

A damaged model, or one that needs more memory than there is, may end the process that loads it.
Here that is an error like any other. lepton.create.sandbox confines it first.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lepton.create import sandbox
from lepton.create.errors import CreateError
from lepton.create.framework import Format
from lepton.create.options import Options

_FOLDERS_OF_LIBRARIES = ("TMPDIR", "XDG_CACHE_HOME", "KERAS_HOME", "MPLCONFIGDIR")


def work_on(
    path: Path,
    kind: Format,
    options: Options,
    *,
    entry: Path,
    work: Path,
    writable: Path,
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
        writable: The folder that holds `work` and `entry`: all that the process may write to.
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
    python = [sys.executable, "-P"]
    command = [*python, sandbox.__file__, str(writable), *python, "-m", "lepton.create.worker"]
    # What libraries keep between runs is kept for this one.
    caches = dict.fromkeys(_FOLDERS_OF_LIBRARIES, str(work))
    with subprocess.Popen(
        command,
        env=os.environ | caches,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # The reason is in the error; this is the libraries' chatter.
        text=True,
        start_new_session=True,  # So that whatever it starts ends with it.
    ) as process:
        late = threading.Event()

        def stop() -> None:
            late.set()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

        timer = threading.Timer(options.time_limit, stop)
        timer.daemon = True
        timer.start()
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
            timer.cancel()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    if late.is_set():
        raise CreateError(
            f"{path} takes longer than {options.time_limit:g} seconds: give it more by --time-limit"
        )
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
