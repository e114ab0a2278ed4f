"""A server of one's own, for as long as a program needs it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from lepton.native import server_path

_START_SECONDS = 60.0
_STOP_SECONDS = 10.0


class ServerFailed(Exception):
    """The server did not start; the message holds its log."""


@contextlib.contextmanager
def served(service: Path) -> Iterator[str]:
    """Serves a service folder on a free port of this machine; yields the server's URL."""
    with tempfile.TemporaryDirectory(prefix="lepton-example-") as folder:
        ready, log = Path(folder) / "ready.json", Path(folder) / "server.log"
        command = [server_path(), "serve", str(service), "--host", "127.0.0.1", "--port", "0"]
        with log.open("wb") as stderr:
            process = subprocess.Popen([*command, "--ready-file", str(ready)], stderr=stderr)
        try:
            until = time.monotonic() + _START_SECONDS
            while not ready.exists():
                if process.poll() is not None or time.monotonic() > until:
                    raise ServerFailed(f"the server did not start:\n{log.read_text().strip()}")
                time.sleep(0.01)
            yield f"http://127.0.0.1:{json.loads(ready.read_text())['port']}"
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
