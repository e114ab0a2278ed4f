"""Runs the generator for one point."""

from __future__ import annotations

import json
import signal
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from typing import Any, cast

from lepton.bench.errors import BenchError
from lepton.bench.result import Result
from lepton.native import bench_path

_WRONG_USAGE = 2


def run_point(arguments: Sequence[str], progress: Callable[[dict[str, Any]], None]) -> Result:
    """Returns what one run of lepton-bench measured.

    Args:
        arguments: Its command line, except for --progress.
        progress: Called with the progress a few times a second.

    Raises:
        BenchError: It could not measure; the message is its reason.
    """
    path = bench_path()
    # A file rather than a pipe: the result is longer than a pipe holds, and comes while stderr is
    # read.
    with tempfile.TemporaryFile("w+", encoding="utf-8") as printed:
        try:
            process = subprocess.Popen(
                [path, *arguments, "--progress"],
                stdout=printed,
                stderr=subprocess.PIPE,
                text=True,
            )
        except OSError as error:
            raise BenchError(
                f"cannot start {path}: {error.strerror}; in a checkout, run: make build"
            ) from None
        with process:
            assert process.stderr is not None
            said: list[str] = []
            try:
                for line in process.stderr:
                    if line.startswith("{"):
                        progress(json.loads(line))
                    else:
                        said.append(line.strip())
            except BaseException:
                process.kill()
                raise
        if process.returncode == -signal.SIGINT:
            raise KeyboardInterrupt  # It was faster than this process to hear of it.
        if process.returncode != 0:
            raise BenchError(_reason(said, process.returncode), bad_input=process.returncode == 2)
        printed.seek(0)
        return cast(Result, json.load(printed))


def _reason(said: list[str], status: int) -> str:
    # CLI11 adds where to find help; ours is elsewhere.
    lines = [line for line in said if line and not line.startswith("Run with --help")]
    if not lines:
        return f"the generator ended with status {status}"
    return lines[-1].removeprefix("lepton-bench: ")
