"""The `lepton` command.

`serve` and `version` become the native server at once: this module imports nothing that they do not
need, because start-up time is part of what a server is judged by. The rest is in lepton.cli.
"""

from __future__ import annotations

import sys

NATIVE_COMMANDS = ("serve", "version")


def main() -> None:
    """Runs the command line; does not return for the commands of the native server."""
    arguments = sys.argv[1:]
    if arguments and arguments[0] == "--version":
        arguments[0] = "version"
    if arguments and arguments[0] in NATIVE_COMMANDS:
        from lepton.native import exec_server

        exec_server(arguments)
    from lepton.cli import app

    app(prog_name="lepton")


if __name__ == "__main__":
    main()
