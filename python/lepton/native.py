"""Where the native server is, and how this process becomes it."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def server_path() -> str:
    """Returns the server's file; the environment's LEPTON_SERVER names another build."""
    return os.environ.get("LEPTON_SERVER") or os.path.join(
        os.path.dirname(os.path.abspath(__file__)), "bin", "lepton-server"
    )


def bench_path() -> str:
    """Returns the load generator's file; the environment's LEPTON_BENCH names another build."""
    return os.environ.get("LEPTON_BENCH") or os.path.join(
        os.path.dirname(os.path.abspath(__file__)), "bin", "lepton-bench"
    )


def probe_path() -> str:
    """Returns the file of the program that tries and measures models; it is beside the engines."""
    return os.path.join(
        os.path.dirname(os.path.abspath(__file__)), "lib", "engines", "lepton-probe"
    )


def exec_server(arguments: list[str]) -> NoReturn:
    """Replaces this process by the server, which calls itself "lepton" in its messages.

    Ends the process with code 127 and one line on stderr when the server cannot be started.
    """
    path = server_path()
    try:
        os.execv(path, ["lepton", *arguments])
    except OSError as error:
        hint = "" if os.environ.get("LEPTON_SERVER") else "; in a checkout, run: make build"
        print(f"lepton: cannot start {path}: {error.strerror}{hint}", file=sys.stderr)
        sys.exit(127)
