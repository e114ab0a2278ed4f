"""Runs lepton.create.worker in a process of its own.

A damaged model, or one that needs more memory than there is, may end the process that loads it.
Here that becomes an ordinary error. lepton.create.sandbox confines the process first.
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
    """Converts the model if its format needs it, checks it, and measures it.

    Args:
        path: The user's file or folder.
        kind: Its format.
        options: What the user said about it.
        entry: The served file or folder; it is written if the format is converted.
        work: A folder for intermediate files.
        writable: The folder that holds `work` and `entry`; the process may write nowhere else.
        measure: Whether to measure its latency.
        progress: Called with each step as it begins.

    Returns:
        The entry of lepton.json for a version, as far as the process knows it.

    Raises:
        CreateError: The model cannot be read, converted or run, or its answers differ.
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
    # -P: no file of the current folder is mistaken for a framework.
    python = [sys.executable, "-P"]
    command = [*python, sandbox.__file__, str(writable), *python, "-m", "lepton.create.worker"]
    # What libraries would keep between runs goes to this run's folder.
    caches = dict.fromkeys(_FOLDERS_OF_LIBRARIES, str(work))
    with subprocess.Popen(
        command,
        env=os.environ | caches,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # The error has the reason; this is only the libraries' chatter.
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
            # It has ended already; how is reported below.
            with contextlib.suppress(BrokenPipeError):
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
                process.wait(10)  # Its exit status is reported.
        finally:
            timer.cancel()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    if late.is_set():
        raise CreateError(
            f"{path} takes longer than {options.time_limit:g} seconds: allow more with --time-limit"
        )
    raise CreateError(f"{path} {_how_it_ended(process.returncode)}")


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"ended the process that reads it with code {code}"
    name = signal.Signals(-code).name
    if name == "SIGKILL":
        return f"ended the process that reads it with {name}, perhaps because memory ran out"
    return (
        f"ended the process that reads it with {name}, a defect in a library; made-up inputs may "
        "have met it: say what suits the model by --input and --range, or give real ones by "
        "--example"
    )
