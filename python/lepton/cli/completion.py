"""Completion in shells: the script for each, and the words that are not in the options."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import completion as shells

from lepton.cli.help import Command
from lepton.console import die
from lepton.hints import did_you_mean
from lepton.serve_command import FLAGS, OPTIONS

if TYPE_CHECKING:
    from collections.abc import Callable

SHELLS = ("bash", "zsh", "fish")
# Set by the scripts when they ask for what may follow.
VARIABLE = "_LEPTON_COMPLETE"
_SECONDS = 1.0  # Longer nobody waits for a completion.

EPILOG = (
    "To have it in every shell:\n\n"
    "  echo 'eval \"$(lepton completion bash)\"' >> ~/.bashrc\n\n"
    "  echo 'eval \"$(lepton completion zsh)\"' >> ~/.zshrc\n\n"
    "  lepton completion fish > ~/.config/fish/completions/lepton.fish"
)


def set_up() -> None:
    """Makes typer answer the scripts; only where one asks."""
    if VARIABLE in os.environ:
        shells.completion_init()  # type: ignore[attr-defined]


def completion(
    shell: Annotated[
        str,
        typer.Argument(metavar="SHELL", help="bash, zsh or fish.", autocompletion=lambda: SHELLS),
    ],
) -> None:
    """Prints what makes a shell complete commands, options and models' names."""
    if shell not in SHELLS:
        hint = did_you_mean(shell, SHELLS) or f"; there are: {', '.join(SHELLS)}"
        die("completion", f'no completion for "{shell}"{hint}')
    script = shells.get_completion_script(  # type: ignore[attr-defined]
        prog_name="lepton", complete_var=VARIABLE, shell=shell
    )
    print(script)


def model_names(context: typer.Context, incomplete: str) -> list[str]:
    """Returns the models of the server that the command asks."""
    from lepton.endpoints import default_url
    from lepton.models import served

    url: Any = context.params.get("url") or default_url()
    url = url if isinstance(url, str) else url[0]  # `lepton bench` takes several.
    try:
        names = served(url, timeout=_SECONDS) or []
    except Exception:  # Nothing to offer, and no place for a message.
        return []
    return [name for name in names if name.startswith(incomplete)]


def one_of(*words: str) -> Callable[[str], list[str]]:
    """Returns a completer for an option that takes one of some words."""

    def complete(incomplete: str) -> list[str]:
        return [word for word in words if word.startswith(incomplete)]

    return complete


@dataclass(frozen=True)
class _Item:
    """What typer's completion reads of an item."""

    value: str
    type: str = "plain"
    help: str | None = None


class ServeCommand(Command):
    """`lepton serve`, whose options the server itself declares."""

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:  # noqa: ANN401
        """Returns the options that begin so; nothing else, so that the shell offers files."""
        if not incomplete.startswith("-"):
            return []
        return [_Item(name) for name in (*FLAGS, *OPTIONS) if name.startswith(incomplete)]
