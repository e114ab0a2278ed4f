"""Runs commands in a pseudo-terminal of a given size."""

import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence

SECONDS = 100
_MARK = "\x1e"
# One process for all commands: starting Python for each would be most of the time.
_RUN_ALL = f"""
import json, signal, sys
from lepton.cli import run
for arguments in json.loads(sys.argv[1]):
    sys.argv[1:] = arguments
    try:
        run(arguments)
    except SystemExit as ended:
        code = ended.code or 0
    sys.stderr.flush()
    print(f"{_MARK}{{code}}{_MARK}", flush=True)
"""
# Colors and other modes; what moves the cursor is kept for lines() to see.
_STYLES = re.compile(r"\x1b\[[0-9;?]*[mhlK]|\x1b\]8;[^\x1b\x07]*(?:\x1b\\|\x07)")
_MOVES = re.compile(r"\r\n|\n|\r|\x1b\[[0-9]*[A-G]")


def open_terminal(columns: int, rows: int = 24) -> tuple[int, int]:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    return ours, theirs


def start(
    command: Sequence[str], columns: int, environment: Mapping[str, str], cwd: object = None
) -> tuple[subprocess.Popen, int]:
    """Starts a program whose only terminal it is; returns our end of that."""
    ours, theirs = open_terminal(columns)
    plain = {
        name: value
        for name, value in os.environ.items()
        if name not in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TERM")
    }
    process = subprocess.Popen(
        command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**plain, "TERM": "xterm-256color", **environment},
        cwd=cwd,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    return process, ours


def read_all(ours: int) -> str:
    """Returns what comes until the program has ended."""
    said = b""
    give_up = time.monotonic() + SECONDS
    while time.monotonic() < give_up and select.select([ours], [], [], SECONDS)[0]:
        try:
            part = os.read(ours, 65536)
        except OSError:  # Linux's way to say that nobody has the other end any more.
            part = b""
        if not part:
            break
        said += part
    os.close(ours)
    return said.decode()


def run_all(
    commands: Sequence[Sequence[str]], columns: int, environment: Mapping[str, str], cwd: object
) -> list[tuple[int, str]]:
    """Returns the exit code and the output of each `lepton` command."""
    python = [sys.executable, "-c", _RUN_ALL, json.dumps([list(one) for one in commands])]
    process, ours = start(python, columns, environment, cwd)
    said = read_all(ours)
    assert process.wait(SECONDS) == 0, said
    parts = said.split(_MARK)
    ended = [(int(code), text) for text, code in zip(parts[::2], parts[1::2], strict=False)]
    assert len(ended) == len(commands), said
    return ended


def lines(said: str) -> list[str]:
    """Returns the lines without colors; what is drawn over counts as lines of its own."""
    return [line.rstrip() for line in _MOVES.split(_STYLES.sub("", said))]
