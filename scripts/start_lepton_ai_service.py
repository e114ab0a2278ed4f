#!/usr/bin/env python3
"""Serves the service that was created last, or the one that --service names.

python scripts/start_lepton_ai_service.py --host 0.0.0.0 --port 8000

Other options are those of `lepton serve`.
"""

from __future__ import annotations

import argparse
import sys

from environment import need_lepton


def main() -> None:
    """Becomes the server."""
    from lepton.create.last_service import last_service
    from lepton.serve_command import become_server

    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--service", help="the service folder; by default the one created last")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", default="8000", help="port to listen on")
    given, others = parser.parse_known_args()
    service = given.service or last_service()
    if service is None:
        sys.exit(
            "there is no service that was created before: make one with "
            "scripts/create_lepton_ai_service.py, or name one with --service"
        )
    become_server([str(service), "--host", given.host, "--port", given.port, *others])


if __name__ == "__main__":
    need_lepton()
    main()
