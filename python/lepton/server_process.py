"""A server in a process of its own, for as long as a program needs it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lepton import arguments
from lepton.errors import Unavailable
from lepton.native import server_path

_STOP_SECONDS = 15.0  # Longer than it drains by default.
_LOOK_SECONDS = 0.001
_LOG_LINES = 20  # Shown of a server that did not start.


@dataclass(frozen=True)
class ServerProcess:
    """A running server, and what it said when it became ready.

    Attributes:
        url: Its URL, "http://127.0.0.1:41235".
        port: The URL's port.
        pid: Its process ID.
        models: The names of the models that it serves.
        unix_socket: The path of its Unix domain socket; the client takes it as "unix:PATH".
        ready: The whole content of its ready file.
    """

    url: str
    port: int
    pid: int
    models: list[str]
    unix_socket: Path
    ready: Mapping[str, Any] = field(repr=False)
    process: subprocess.Popen[bytes] = field(repr=False)
    log_file: Path = field(repr=False)

    @property
    def log(self) -> str:
        """Its log so far."""
        return self.log_file.read_text(errors="replace")


@contextlib.contextmanager
def serving(
    folder: str | os.PathLike[str],
    *options: str,
    host: str = "127.0.0.1",
    port: int = 0,
    timeout: float = 60.0,
    binary: str | os.PathLike[str] | None = None,
    wrapper: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Iterator[ServerProcess]:
    """Serves a service folder, or a repository of models, until the end of the `with` block.

        with lepton.serving("service/") as server, LeptonAI(server.url) as ai:
            print(ai.inference(x))

    Args:
        folder: A folder from `lepton create`, or models in Triton's layout.
        options: Options of `lepton serve`, such as "--triton-errors".
        host: The address to listen on.
        port: The port to listen on; 0 for any free one.
        timeout: Seconds until it must be ready.
        binary: A server to run in place of this package's.
        wrapper: A command that runs it, such as ["taskset", "--cpu-list", "0"].
        environment: Variables to add to those of this process.

    Yields:
        The server, once all models are ready.

    Raises:
        Unavailable: It did not become ready; the message ends with what it logged.
    """
    at_most = arguments.seconds("timeout", timeout)
    given = arguments.paths("options", options)
    served = (
        *("serve", arguments.path("folder", folder), "--host", arguments.text("host", host)),
        *("--port", str(arguments.whole("port", port, 0, 65535))),
    )
    program = server_path() if binary is None else arguments.path("binary", binary)
    wrapped = arguments.paths("wrapper", wrapper)
    variables = arguments.variables("environment", environment or {})
    with tempfile.TemporaryDirectory(prefix="lepton-server-") as place:
        ready, log, socket = (Path(place) / name for name in ("ready.json", "log", "socket"))
        own = ("--unix-socket", str(socket), "--ready-file", str(ready))
        command = [*wrapped, program, *served, *own, *given]
        process = _started(command, log, {**os.environ, **variables})
        try:
            _wait_until_ready(process, ready, log, at_most)
            said = json.loads(ready.read_text())
            at = f"[{said['host']}]" if ":" in said["host"] else said["host"]
            yield ServerProcess(
                url=f"http://{at}:{said['port']}",
                port=said["port"],
                pid=process.pid,
                models=list(said["models"]),
                unix_socket=socket,
                ready=said,
                process=process,
                log_file=log,
            )
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _started(
    command: Sequence[str], log: Path, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    with log.open("wb") as said:
        try:
            return subprocess.Popen(command, stdout=said, stderr=said, env=environment)
        except OSError as error:
            raise Unavailable(f"cannot start {command[0]}: {error.strerror}") from error


def _wait_until_ready(
    process: subprocess.Popen[bytes], ready: Path, log: Path, timeout: float
) -> None:
    until = time.monotonic() + timeout
    while not ready.exists():
        ended = process.poll() is not None
        if ended or time.monotonic() > until:
            why = "ended" if ended else f"was not ready after {timeout:g} s"
            said = log.read_text(errors="replace").strip().splitlines()[-_LOG_LINES:]
            raise Unavailable("\n".join([f"the server {why}; its log ends with:", *said]))
        time.sleep(_LOOK_SECONDS)
