"""Output of the commands: results on stdout, everything else on stderr; NO_COLOR is honored."""

from __future__ import annotations

import json
import sys
from typing import NoReturn

from rich.console import Console
from rich.markup import escape

# Exit codes: 1 when something failed, 2 when what the user wrote is at fault. There are 130 too, in
# interrupt.py, and 127, in native.py; docs/reference/errors.md has them all.
FAILED = 1
BAD_INPUT = 2

# Lines are broken between words at the width of a terminal, and not at all elsewhere. No emoji:
# rich would make them of text between colons in a message.
out = Console(highlight=False, soft_wrap=not sys.stdout.isatty(), emoji=False)
err = Console(stderr=True, highlight=False, soft_wrap=not sys.stderr.isatty(), emoji=False)


def die(command: str, message: str, code: int = BAD_INPUT) -> NoReturn:
    """Prints one line on stderr and ends the process."""
    called = f"lepton {command}".rstrip()
    err.print(f"[bold red]{called}:[/] {escape(message)}")
    raise SystemExit(code)


def fail(command: str, message: str, code: int, as_json: bool) -> NoReturn:
    """Ends the process, with the message as an object on stdout where --json asks for that."""
    if as_json:
        print(json.dumps({"error": message}))
        raise SystemExit(code)
    die(command, message, code)
