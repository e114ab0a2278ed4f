"""Converts, checks and measures one model, as a program of its own.

    python -m lepton.create.worker < job.json

A damaged model, or one that needs more memory than there is, may end the process that loads it, and
frameworks keep what they have loaded: here both end with the process. Writes lines of JSON to
stdout: {"step": ...} as each begins, and at last {"result": ...}, or {"error": ...} if the model or
an option is at fault. lepton.create.child starts it and reads them.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from lepton.create.errors import CreateError, one_line
from lepton.create.framework import Job
from lepton.create.options import Options


def main() -> None:
    """Does the job that stdin describes."""
    given = json.load(sys.stdin)
    # Output of native code must not come between the lines of JSON.
    lines = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def say(**line: object) -> None:
        print(json.dumps(line), file=lines, flush=True)

    # OpenVINO's Python side reports usage to its makers, from processes that it forks while other
    # threads run, which may hang. Without this package it does not.
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    path = Path(given["path"])
    try:
        from lepton.create.work import Work

        options = Options.from_json(given["options"])
        job = Job(path, given["format"], options, Path(given["work"]))
        work = Work(job, Path(given["entry"]), given["module"], lambda step: say(step=step))
        if given["converted"]:
            work.convert()
        else:
            work.load()
        result = work.check(given["measure"])
        if len(sys.argv) > 1:
            result["notes"].append(
                "This kernel does not keep the process that reads the model from "
                f"{' and '.join(sys.argv[1:])}."
            )
        say(result=result)
    except CreateError as error:
        say(error=str(error))
    except MemoryError:
        say(error=f"{path} needs more memory than this machine has")
    except OSError as error:
        say(error=f"{error.filename or given['entry']}: {error.strerror or error}")
    except Exception as error:  # Raised by a framework where none was expected.
        say(error=f"{path} cannot be made into a service: {one_line(error)}")
    # All is said. Skip the destructors, in some of which OpenVINO frees strings twice.
    os._exit(0)


if __name__ == "__main__":
    main()
