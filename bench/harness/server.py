"""The server under test: the native binary on one processor."""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from .programs import SERVER_CPU, MeasurementError

# Longer than a closed loop with one client leaves the server idle.
BUSY_POLL = "1ms"
# Nothing is left to be measured beside the benchmark.
TUNED = ("--tuning", "first")


class Server:
    """One running server; ends with its `with` block."""

    def __init__(
        self,
        binary: Path,
        models: Path,
        *,
        busy_poll: bool = False,
        preload: Path | None = None,
        options: Sequence[str] = TUNED,
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="lepton-bench-")
        self._log = Path(self._folder.name, "server.log")
        self._ready = Path(self._folder.name, "ready.json")
        self._socket = Path(self._folder.name, "server.sock")
        self.allocations_file = Path(self._folder.name, "allocations")
        self._command = [
            "taskset", "--cpu-list", str(SERVER_CPU), str(binary), "serve", str(models),
            "--host", "127.0.0.1", "--port", "0", "--unix-socket", str(self._socket),
            "--ready-file", str(self._ready), *options,
            *(["--busy-poll", BUSY_POLL] if busy_poll else []),
        ]  # fmt: skip
        self._environment = dict(os.environ)
        if preload:
            self._environment["LD_PRELOAD"] = str(preload)
            self._environment["LEPTON_ALLOCATIONS_FILE"] = str(self.allocations_file)

    def __enter__(self) -> Self:
        started = time.monotonic()
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, env=self._environment
            )
        try:
            self._wait_until_ready(started)
        except BaseException:  # Also where this program is ended meanwhile.
            self._stop()
            raise
        self.start_to_ready_ms = (time.monotonic() - started) * 1e3
        self.port = json.loads(self._ready.read_text())["port"]
        return self

    def _wait_until_ready(self, started: float) -> None:
        while not self._ready.exists():
            if self._process.poll() is not None or time.monotonic() - started > 60:
                raise MeasurementError(
                    f"{' '.join(self._command)} did not become ready:\n{self._log.read_text()}"
                )
            time.sleep(0.0002)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()
        self._folder.cleanup()

    @property
    def pid(self) -> int:
        return self._process.pid  # taskset replaces itself by the server.

    def endpoint(self, *, unix: bool) -> str:
        return f"unix:{self._socket}" if unix else f"127.0.0.1:{self.port}"

    def resident_kb(self) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1])

    def _stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
