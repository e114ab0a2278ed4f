"""How --help looks: no sentence is cut, and the examples can be copied."""

from __future__ import annotations

import textwrap
from typing import Any

from typer.core import TyperCommand


class Command(TyperCommand):
    """A command whose epilog holds examples: its indented lines are command lines."""

    def get_short_help_str(self, limit: int = 45) -> str:
        """Returns the first paragraph, for the list of all commands."""
        del limit
        return (self.help or "").partition("\n\n")[0].replace("\n", " ")

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - of click
        """Writes the examples; lines that are too long go on behind a backslash."""
        del ctx
        for line in (self.epilog or "").split("\n\n"):
            formatter.write("\n".join(["", *fitted_command(line, formatter.width)]) + "\n")


def fitted_command(line: str, width: int) -> list[str]:
    """Returns a command line in pieces that a shell takes as one."""
    pieces = textwrap.wrap(
        line.strip(),
        width - 2,  # For the backslash.
        initial_indent=line[: len(line) - len(line.lstrip())],
        subsequent_indent="      ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [f"{piece} \\" for piece in pieces[:-1]] + pieces[-1:]
