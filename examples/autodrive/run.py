"""Drives a simulated car with a planner that Lepton serves; see README.md.

python examples/autodrive/run.py                     one lap, with a server of its own
python examples/autodrive/run.py --load 4            the same with other work on the server
python examples/autodrive/run.py --in-process        the same without a server
python examples/autodrive/run.py --url http://...    with a server that already runs
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
from autodrive import load
from autodrive.ai import AutodriveAI, Planner
from autodrive.drive import Drive, Summary, drive, summarize
from autodrive.picture import picture
from autodrive.service import MODEL, created
from autodrive.simulator import Simulator
from autodrive.track import Track
from autodrive.view import View
from rich.console import Console
from rich.markup import escape

from lepton import LeptonAI, LeptonError, serving
from lepton.create import CreateError

HERE = Path(__file__).parent
_NO_LAP_TAKES_SECONDS = 300.0


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description="Drives a simulated car by a planner that Lepton serves.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--url", help="a server that serves the planner; else one is started")
    where.add_argument("--in-process", action="store_true", help="run the model in this process")
    parser.add_argument("--model", default=MODEL, help="its name on the server of --url")
    parser.add_argument("--hz", type=_positive, default=30.0, help="frames per second")
    parser.add_argument(
        "--deadline", type=_positive, default=20.0, metavar="MS", help="of each frame"
    )
    parser.add_argument("--laps", type=_positive, default=1.0, help="ends after so many laps,")
    parser.add_argument(
        "--seconds", type=_positive, default=_NO_LAP_TAKES_SECONDS, help="or after this time"
    )
    courses = parser.add_mutually_exclusive_group()
    courses.add_argument(
        "--course", type=Path, metavar="CSV", default=HERE / "course.csv", help="what to drive"
    )
    courses.add_argument("--course-seed", type=int, metavar="N", help="or one drawn at random")
    parser.add_argument("--seed", type=int, default=1, help="of the sensors' noise")
    parser.add_argument("--load", type=int, default=0, metavar="N", help="clients of other work")
    parser.add_argument(
        "--output_path", type=Path, default=HERE / "drive", help="folder for figures and pictures"
    )
    parser.add_argument("--plain", action="store_true", help="no live view, no colours")
    arguments = parser.parse_args()
    if arguments.load < 0:
        parser.error(f"--load is {arguments.load}, expected 0 or more clients")
    if arguments.load and arguments.in_process:
        parser.error("--load needs a server; leave out --in-process")
    return arguments


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def main() -> None:
    """Drives, prints and draws."""
    arguments = parse_arguments()
    plain = arguments.plain or "NO_COLOR" in os.environ
    console = Console(no_color=plain or None, highlight=False, soft_wrap=True)
    try:
        with contextlib.ExitStack() as stack:
            planner, url, source = _open_planner(arguments, stack)
            console.print(f"[bold]planner[/]  {escape(source)}")
            run(arguments, planner, url, console, live=not plain)
    except (CreateError, LeptonError, ValueError) as error:
        print(f"autodrive: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def _open_planner(
    arguments: argparse.Namespace, stack: contextlib.ExitStack
) -> tuple[Planner, str, str]:
    """Returns the planner, the URL of its server ("" without one), and both in words."""
    if arguments.url:
        client = LeptonAI(arguments.url, model=arguments.model)
        return stack.enter_context(client), arguments.url, f"served at {arguments.url}"
    service = stack.enter_context(created(HERE / "model.onnx"))
    if arguments.in_process:
        client = stack.enter_context(LeptonAI(service=service, model=MODEL))
        return client, "", "in this process"
    url = stack.enter_context(serving(service)).url
    return stack.enter_context(LeptonAI(url, model=MODEL)), url, f"served at {url}"


def run(
    arguments: argparse.Namespace,
    planner: Planner,
    url: str,
    console: Console,
    live: bool,
) -> None:
    """Drives with an open planner, then reports; ends the process if a wall was touched."""
    period, deadline = 1 / arguments.hz, arguments.deadline / 1e3
    seed = arguments.course_seed
    track = Track.load(arguments.course) if seed is None else Track.random(seed)
    car = Simulator(track, np.zeros(1), np.random.default_rng(arguments.seed))
    ai = AutodriveAI(planner, period=period, deadline=deadline)
    ai.warm_up()
    with contextlib.ExitStack() as stack:
        background = stack.enter_context(load.running(url, arguments.model, arguments.load))
        console.print(f"[bold]course[/]   {track.length:.0f} m; Ctrl-C ends the drive")
        view = View(track, console, deadline)
        if live:
            stack.enter_context(view)
        # What is alive now stays alive: collections in the loop need not look at it again.
        gc.freeze()
        result = drive(
            ai, car, laps=arguments.laps, seconds=arguments.seconds, after_frame=view.after_frame
        )
    summary = summarize(result)
    report(console, summary, result, background)
    write(arguments.output_path, track, result, summary, url, background)
    console.print(f"[bold]written[/]  {escape(str(arguments.output_path))}")
    if summary.touched:
        print("autodrive: the car touched a wall", file=sys.stderr)
        raise SystemExit(1)


def report(console: Console, summary: Summary, result: Drive, background: dict[str, float]) -> None:
    """Prints the figures."""
    missed = summary.frames - summary.outcomes["in time"]
    style = "red" if missed else "green"
    console.print(
        f"[bold]drive[/]    {summary.laps:.2f} laps of {result.course_length:.0f} m "
        f"in {summary.seconds:.1f} s, {summary.frames} frames at {1 / result.period:g} Hz"
    )
    console.print(
        f"[bold]deadline[/] [{style}]{summary.hit_rate:.2%}[/] of the frames within "
        f"{result.deadline * 1e3:g} ms"
    )
    latency = ", ".join(f"{name} {ms:.2f}" for name, ms in summary.latency_ms.items())
    console.print(f"[bold]latency[/]  {latency} ms from the frame's time stamp")
    if summary.breakdown_ms:
        parts = ", ".join(f"{name} {ms * 1e3:.0f}" for name, ms in summary.breakdown_ms.items())
        console.print(f"[bold]of which[/] {parts} µs on average")
    console.print(
        f"[bold]course[/]   {summary.cross_track_mean_m:.2f} m from the centre line on average, "
        f"{summary.cross_track_max_m:.2f} m at most"
    )
    kinds = [f"{count} {kind}" for kind, count in summary.outcomes.items() if kind != "in time"]
    console.print(
        f"[bold]fallback[/] [{style}]{missed} frames[/] on the last path "
        f"({', '.join(kinds)}), at most {summary.longest_fallback} in a row"
    )
    if summary.reason:
        console.print(f"         the first: {escape(summary.reason)}")
    if background:
        console.print(
            f"[bold]load[/]     {background['answered']:.0f} requests of {load.ROWS} scans, "
            f"{background['scans_per_second']:.0f} scans/s, {background['mean_ms']:.2f} ms on "
            f"average, {background['refused']:.0f} refused"
        )


def write(
    folder: Path,
    track: Track,
    result: Drive,
    summary: Summary,
    url: str,
    background: dict[str, float],
) -> None:
    """Writes the pictures, the frames and the figures."""
    folder.mkdir(parents=True, exist_ok=True)
    words = "planner in the same process" if not url else "planner served over HTTP"
    drawing = picture(track, result, summary, words)
    drawing.write_svg(folder / "drive.svg")
    drawing.write_png(folder / "drive.png")
    result.save(folder / "drive.csv")
    track.save(folder / "course.csv")
    figures = {**asdict(summary), "load": background}
    (folder / "summary.json").write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
