"""Output of the commands: results on stdout, everything else on stderr; NO_COLOR is honored."""

from __future__ import annotations

from typing import NoReturn

from rich.console import Console
from rich.markup import escape

# Exit codes: 1 when something failed, 2 when the input was at fault.
FAILED = 1
BAD_INPUT = 2

# No emoji: rich would make them of text between colons in a message.
out = Console(highlight=False, soft_wrap=True, emoji=False)
err = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)


def die(command: str, message: str, code: int = BAD_INPUT) -> NoReturn:
    """Prints one line on stderr and ends the process."""
    err.print(f"[bold red]lepton {command}:[/] {escape(message)}")
    raise SystemExit(code)
