"""Makes the server load the new version, in a process of its own, and say how it runs it.

    python -m lepton.create.serving REPOSITORY NAME

prints {"batching": ...}, or {"error": ...} if the model does not load.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from lepton.create.errors import CreateError, one_line

_SECONDS = 120.0


def batching_of(repository: Path, name: str) -> str | None:
    """Returns the server's statement on whether requests share runs: "yes", or "no, ...".

    Returns None if the server could not be asked: it is missing, or takes too long.

    Args:
        repository: A model repository with that one model.
        name: The model's name.

    Raises:
        CreateError: The server does not load the model.
    """
    command = [sys.executable, "-P", "-m", __name__, str(repository), name]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
        if done.returncode < 0:
            by = signal.Signals(-done.returncode).name
            raise CreateError(f"the server ends with {by} when it loads the model")
        said = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    if "error" in said:
        # It names the model, and the file in a folder that is gone when this is read.
        reason = re.sub(rf'^model "{re.escape(name)}" version \d+: (/\S*: )?', "", said["error"])
        raise CreateError(f"the server does not load it: {reason}")
    batching = said.get("batching")
    return str(batching) if batching else None


def main(repository: str, name: str) -> None:
    """Loads the model and prints what its metadata says."""
    try:
        from lepton.errors import LeptonError
        from lepton.server import Server
    except ImportError:
        return
    try:
        with Server(repository, log_level="off") as server:
            said = {"batching": server.model(name).properties.get("batching", "")}
    except LeptonError as error:
        said = {"error": one_line(error).removeprefix("InvalidInput: ")}
    print(json.dumps(said), flush=True)
    os._exit(0)  # All is said; skip the engine's destructors.


if __name__ == "__main__":
    main(*sys.argv[1:])
