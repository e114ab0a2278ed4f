"""Mistakes on the command line, in one line each, as all other errors of the commands."""

from __future__ import annotations

import re
import sys
from typing import Any, NoReturn

from lepton.console import die
from lepton.hints import did_you_mean


def refuse(error: Any) -> NoReturn:  # noqa: ANN401 - of click, which typer carries in itself
    """Ends the process for a command line that is wrong.

    Args:
        error: A ClickException.
    """
    context = getattr(error, "ctx", None)
    # Where a value is missing, click says of which option, but not of which command.
    words = ["lepton", *(word for word in sys.argv[1:2] if not word.startswith("-"))]
    command = context.command_path if context is not None else " ".join(words)
    die(command.removeprefix("lepton").strip(), _message(error, context, command), error.exit_code)


def _message(error: Any, context: Any, command: str) -> str:  # noqa: ANN401
    see = f"see {command} --help"
    option = getattr(error, "option_name", None)
    if option is not None and hasattr(error, "possibilities"):
        options = [name for one in context.command.params for name in one.opts] if context else []
        return f'no option "{option}"' + (did_you_mean(option, options) or f"; {see}")
    said = str(error.format_message())
    unknown = re.match(r"No such command '([^']*)'", said)
    if unknown and context is not None:
        commands = context.command.list_commands(context)
        return f'no command "{unknown[1]}"' + (did_you_mean(unknown[1], commands) or f"; {see}")
    return said[:1].lower() + said[1:].rstrip(".") + f"; {see}"
