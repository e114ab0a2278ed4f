"""`lepton serve --help`: what the server says, in lines that fit the terminal."""

from __future__ import annotations

import re
import subprocess
import textwrap

from lepton.console import out
from lepton.native import exec_server, server_path

_DESCRIPTION = 30  # The column at which the server's options are described.
_TWO_COLUMNS = re.compile(r"^( *)(\S.*?) {3,}(\S.*)$")


def show_help() -> None:
    """Prints the help of the server."""
    try:
        done = subprocess.run(
            [server_path(), "serve", "--help"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        exec_server(["serve", "--help"])  # It, or this process, says what is wrong.
    print(fitted(done.stdout, out.width) if out.is_terminal else done.stdout, end="")


def fitted(text: str, width: int) -> str:
    """Returns the text with no line longer than that, as far as its words allow."""
    lines: list[str] = []
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        columns = _TWO_COLUMNS.match(line)
        if indent == _DESCRIPTION:
            lines += _wrapped(line.strip(), 6, 6, width)
        elif columns and (len(line) > width or columns[2].startswith("-")):
            lines += _wrapped(columns[2], indent, indent + 4, width)
            lines += _wrapped(columns[3], indent + 4, indent + 4, width)
        else:
            lines += _wrapped(line.strip(), indent, indent + 4 if indent else 0, width) or [""]
    return "\n".join(lines) + "\n"


def _wrapped(text: str, first: int, rest: int, width: int) -> list[str]:
    return textwrap.wrap(
        text,
        width,
        initial_indent=" " * first,
        subsequent_indent=" " * rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
