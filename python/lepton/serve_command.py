"""`lepton serve`: what is done before this process becomes the server.

The server takes folders. A model's file among them gets a folder here, and a name that is not right
gets a hint. Where all is as the server wants it, nothing is imported that it does not need.
"""

from __future__ import annotations

import os
import sys

from lepton.native import exec_server

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

# The server's own, in src/lepton/cli/options.cc; a test compares them with its help.
FLAGS = ("--help", "--triton-errors")
OPTIONS = (
    "--host",
    "--port",
    "--unix-socket",
    "--admin-address",
    "--admin-hosts",
    "--reactors",
    "--busy-poll",
    "--max-body-bytes",
    "--max-answer-bytes",
    "--memory-budget",
    "--max-connections",
    "--max-connections-per-peer",
    "--idle-timeout",
    "--head-timeout",
    "--body-idle-timeout",
    "--request-timeout",
    "--write-idle-timeout",
    "--min-data-rate",
    "--cache-dir",
    "--engines-dir",
    "--strict-readiness",
    "--tuning",
    "--probe-timeout",
    "--ready-file",
    "--drain-timeout",
    "--otlp-endpoint",
    "--log-level",
    "--log-format",
    "--config",
)
# Of files that the server loads.
MODEL_ENDINGS = (".onnx", ".xml", ".pb", ".tflite", ".pdmodel")
_BAD_INPUT = 2


def become_server(arguments: list[str]) -> NoReturn:
    """Replaces this process by the server.

    Args:
        arguments: Those of `lepton serve`; models may be files as well as folders.
    """
    arguments = list(arguments)
    places = _places(arguments)
    for i in places:
        if not os.path.isdir(arguments[i]) or _may_be_one_model(arguments[i]):
            from lepton.model_files import replace_files

            replace_files(arguments, places)
            break
    exec_server(["serve", *arguments])


def _places(arguments: list[str]) -> list[int]:
    """Returns which of the arguments name models; ends the process where an option is misspelt."""
    places: list[int] = []
    i = 0
    while i < len(arguments):
        text = arguments[i]
        name = text.partition("=")[0]
        if text == "--":
            return [*places, *range(i + 1, len(arguments))]
        if not text.startswith("-"):
            places.append(i)
        elif name.startswith("--") and name not in FLAGS and name not in OPTIONS:
            _refuse_misspelt(name)
        if text in OPTIONS:
            i += 1  # Its value.
        i += 1
    return places


def _refuse_misspelt(name: str) -> None:
    from lepton.hints import did_you_mean

    hint = did_you_mean(name, FLAGS + OPTIONS)
    if hint:  # Any other is left to the server, which may know more.
        print(f'lepton serve: no option "{name}"{hint}', file=sys.stderr)
        sys.exit(_BAD_INPUT)


def _may_be_one_model(folder: str) -> bool:
    """Whether a folder holds files of a model, and not only folders of models."""
    try:
        names = os.listdir(folder)
    except OSError:
        return False  # The server says why it cannot read it.
    return "config.pbtxt" not in names and any(
        name == "config.json" or name.lower().endswith(MODEL_ENDINGS) for name in names
    )
