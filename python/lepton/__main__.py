"""The `lepton` command.

`serve` and `version` become the native server at once: this module imports nothing that they do not
need, because start-up time is part of what a server is judged by. The rest is in lepton.cli.
"""

from __future__ import annotations

import sys

from lepton.interrupt import end_at_once


def main() -> None:
    """Runs the command line; does not return for the commands of the native server."""
    end_at_once()
    command, *arguments = sys.argv[1:] or [""]
    if command == "serve" and not {"--help", "-h"} & set(arguments):
        from lepton.serve_command import become_server

        become_server(arguments)
    if command in ("version", "--version"):
        from lepton.native import exec_server

        exec_server(["version", *arguments])
    from lepton.cli import run

    run()


if __name__ == "__main__":
    main()
