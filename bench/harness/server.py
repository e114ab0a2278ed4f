"""The server under test: the native binary on one processor."""

import contextlib
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from lepton import Unavailable, serving

from .programs import SERVER_CPU, MeasurementError

# Longer than a closed loop with one client leaves the server idle.
BUSY_POLL = "1ms"
# No measurement is left to run beside the benchmark.
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
        self.allocations_file = Path(self._folder.name, "allocations")
        environment = {}
        if preload:
            environment["LD_PRELOAD"] = str(preload)
            environment["LEPTON_ALLOCATIONS_FILE"] = str(self.allocations_file)
        self._serving = serving(
            models,
            *options,
            *(["--busy-poll", BUSY_POLL] if busy_poll else []),
            binary=binary,
            wrapper=["taskset", "--cpu-list", str(SERVER_CPU)],
            environment=environment,
        )

    def __enter__(self) -> Self:
        started = time.monotonic()
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._folder)
            try:
                self._process = stack.enter_context(self._serving)
            except Unavailable as error:
                raise MeasurementError(str(error)) from error
            self._stack = stack.pop_all()
        self.start_to_ready_ms = (time.monotonic() - started) * 1e3
        self.port = self._process.port
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def pid(self) -> int:
        return self._process.pid  # taskset replaces itself with the server.

    def endpoint(self, *, unix: bool) -> str:
        return f"unix:{self._process.unix_socket}" if unix else f"127.0.0.1:{self.port}"

    def resident_kb(self) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1])
