"""Draws the record of a drive, e.g. the C++ program's; run.py draws its own.

python draw.py drive.csv --output_path drive.svg
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from autodrive.drive import Drive, summarize
from autodrive.picture import picture
from autodrive.track import Track


def main() -> None:
    """Reads and draws."""
    parser = argparse.ArgumentParser(description="Draws the record of a drive.")
    parser.add_argument("record", type=Path, help="drive.csv of run.py, or --record of autodrive")
    parser.add_argument("--output_path", type=Path, default=Path("drive.svg"))
    parser.add_argument("--course", type=Path, default=Path(__file__).parent / "course.csv")
    parser.add_argument("--deadline", type=float, default=20.0, metavar="MS", help="it was given")
    arguments = parser.parse_args()
    try:
        track = Track.load(arguments.course)
        drive = Drive.load(arguments.record, track.length, arguments.deadline / 1e3)
    except (OSError, ValueError) as error:
        print(f"draw: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    drawing = picture(track, drive, summarize(drive), f"from {arguments.record.name}")
    drawing.write_svg(arguments.output_path)


if __name__ == "__main__":
    main()
