"""What `lepton bench` shows while it measures, and what it says at the end."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from lepton.bench import words
from lepton.bench.campaign import Campaign, run_loads, run_sweeps
from lepton.bench.errors import BenchError
from lepton.bench.generator import run_point
from lepton.bench.options import Load, Target, parse_concurrencies, parse_rates
from lepton.bench.report_html import render_html
from lepton.bench.result import Result
from lepton.bench.sweep import Step
from lepton.bench.table import make_tables
from lepton.console import BAD_INPUT, FAILED, err, fail, out
from lepton.endpoints import endpoints_of, http_url
from lepton.interrupt import INTERRUPTED, interruptible
from lepton.models import hint_for_model
from lepton.report.machine import machine

_WIDEST = 1000
_NARROW = 120  # Columns in which the progress leaves out its bar and most figures.
# How the generator begins where the command line names no model that is there.
_NO_SUCH_MODEL = ("no model ", "name one of them with --model")

Show = Callable[[str, dict[str, Any]], None]


@dataclass(frozen=True)
class Request:
    """The command line, except for how the result is shown."""

    urls: Sequence[str] = ()
    service: Path | None = None
    compare: Sequence[str] = ()
    rate: str | None = None
    concurrency: str | None = None
    sweep: bool = False
    attainment: float = 0.99
    # Passed on to lepton-bench unchanged: "--model", "digits", ...
    passed_on: Sequence[str] = field(default_factory=tuple)


def run_bench(request: Request, *, html: Path | None, as_json: bool, quiet: bool) -> None:
    """Measures and prints; ends the process if that fails.

    Args:
        request: What to measure.
        html: The path of the report, or None.
        as_json: Whether to print one JSON object instead of a table.
        quiet: Whether to print nothing while it measures.
    """
    try:
        with interruptible(), _progress(hidden=as_json or quiet) as show:
            campaign = measure_all(request, show, quiet=as_json or quiet)
        if campaign.interrupted and not campaign.points:
            raise KeyboardInterrupt
        if html is not None:
            text = render_html(campaign, command=_command(), machine=machine())
            html.write_text(text, encoding="utf-8")
    except BenchError as error:
        said, bad_input = str(error), error.bad_input
        if said.startswith(_NO_SUCH_MODEL):
            bad_input = True
            said += _hint(request)
        fail("bench", said, BAD_INPUT if bad_input else FAILED, as_json)
    except OSError as error:
        fail("bench", f"{error.filename or html}: {error.strerror or error}", FAILED, as_json)
    except KeyboardInterrupt:
        fail("bench", "interrupted before a point was measured", INTERRUPTED, as_json)
    if as_json:
        print(json.dumps({"command": _command(), "machine": machine(), **campaign.to_json()}))
    else:
        _tell(campaign, html)
    if campaign.interrupted:
        raise SystemExit(INTERRUPTED)


def measure_all(request: Request, show: Show, *, quiet: bool) -> Campaign:
    """Returns all points that the command line asks for.

    Raises:
        BenchError: The command line is invalid, or a target cannot be measured.
    """
    targets = _targets(request)
    loads = _loads(request)

    def measure(target: Target, load: Load) -> Result:
        label = f"{load}" if len(targets) == 1 else f"{target.place} {load}"
        arguments = [*target.arguments(), *load.arguments(), *request.passed_on]
        return run_point(arguments, lambda progress: show(label, progress))

    def tell(target: Target, step: Step) -> None:
        if quiet:
            return
        verdict = "[green]enough[/]" if step.passed else "[red]too much[/]"
        place = f"{escape(target.place)}  " if len(targets) > 1 else ""
        err.print(
            f"{place}{Load(rate=step.rate)!s:>10}  {words.percent(step.attainment):>9} in time  "
            f"{verdict}"
        )

    if not request.sweep:
        return run_loads(targets, loads, measure)
    start = loads[0].rate if loads else None
    return run_sweeps(targets, start, request.attainment, measure, tell)


def _targets(request: Request) -> list[Target]:
    if request.service is not None and request.urls:
        raise BenchError("name a server with --url, or a folder with --service", bad_input=True)
    for url in (*request.urls, *request.compare):
        try:
            http_url(url)
        except ValueError as error:
            raise BenchError(str(error), bad_input=True) from None
    if request.service is not None:
        first = [Target(str(_repository(request.service)), in_process=True)]
    else:
        first = [Target(url) for url in endpoints_of(request.urls or None)]
    targets = [*first, *(Target(url) for url in endpoints_of(request.compare))]
    if len(set(targets)) < len(targets):
        raise BenchError("a target is compared with itself", bad_input=True)
    return targets


def _repository(service: Path) -> Path:
    """Returns the folder to run; a model's file gets one."""
    from lepton.create.errors import CreateError
    from lepton.model_files import linked_model

    try:
        linked = linked_model(service)
    except CreateError as error:
        raise BenchError(str(error), bad_input=True) from None
    return service if linked is None else linked.repository


def _loads(request: Request) -> list[Load]:
    if request.rate is not None and request.concurrency is not None:
        raise BenchError("--rate is an open loop, --concurrency a closed one", bad_input=True)
    loads = [Load(rate=rate) for rate in parse_rates(request.rate)] if request.rate else []
    if request.concurrency is not None:
        loads = [Load(concurrency=count) for count in parse_concurrencies(request.concurrency)]
    replays = "--trace" in request.passed_on
    if request.sweep:
        if request.concurrency is not None or len(loads) > 1:
            raise BenchError("--sweep begins at one --rate", bad_input=True)
        if "--deadline" not in request.passed_on and not any(
            "deadline=" in text for text in request.passed_on
        ):
            raise BenchError(
                "--sweep looks for what is in time: say by when, with --deadline or --class",
                bad_input=True,
            )
        if not 0 < request.attainment <= 1:
            raise BenchError(
                f"--target {request.attainment:g} is no share above 0 and at most 1", bad_input=True
            )
    elif not loads and not replays:
        raise BenchError("name a load: --rate, --concurrency, or --sweep", bad_input=True)
    return loads or [] if request.sweep else loads or [Load()]


def _tell(campaign: Campaign, html: Path | None) -> None:
    if not out.is_terminal:
        out.width = _WIDEST  # A file takes lines of any length.
    for i, table in enumerate(make_tables(campaign, out.width)):
        if i > 0:
            out.print()
        out.print(table)
    for target, sweep in campaign.sweeps.items():
        place = f"{escape(target.place)}: " if len(campaign.sweeps) > 1 else ""
        if campaign.interrupted and sweep.largest is None:
            continue
        if sweep.largest is None:
            said = f"at no load were {100 * sweep.target:g} % in time"
        else:
            said = (
                f"largest load at {100 * sweep.target:g} % in time: "
                f"[bold]{Load(rate=sweep.largest)}[/]"
            )
        if campaign.interrupted:
            said += " so far"
        if sweep.limited_by_generator:
            said += ", where the generator could send no more"
        out.print(f"{place}{said}")
    if campaign.interrupted:
        err.print("[yellow]interrupted[/]: these are the points that were measured until then")
    for warning in words.warnings(campaign.warnings()):
        err.print(f"[yellow]warning[/] {escape(warning)}")
    if html is not None:
        out.print(f"report  {escape(str(html))}")


def _command() -> str:
    return shlex.join(["lepton", *sys.argv[1:]])


def _hint(request: Request) -> str:
    """Returns what a misspelt model may have been, where a server was asked."""
    words = list(request.passed_on)
    if request.service is not None or "--model" not in words:
        return ""
    (url,) = endpoints_of(request.urls[0] if request.urls else None)
    return hint_for_model(url, words[words.index("--model") + 1])


@contextmanager
def _progress(*, hidden: bool) -> Iterator[Show]:
    """Shows which point is being measured and its progress; on a terminal only."""
    narrow = err.width < _NARROW
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<14}"),
        *([] if narrow else [BarColumn(bar_width=30)]),
        TextColumn("{task.fields[said]}"),
        TimeElapsedColumn(),
    )
    hidden = hidden or not err.is_terminal
    with Progress(*columns, console=err, transient=True, disable=hidden) as bar:
        task = bar.add_task("connecting", total=None, said="")

        def show(label: str, progress: dict[str, Any]) -> None:
            bar.update(
                task,
                description=escape(label),
                total=progress["total_s"],
                completed=progress["elapsed_s"],
                said=f"{progress['sent']:,} sent"
                + (
                    ""
                    if narrow
                    else f", {progress['in_time']:,} in time, {progress['in_flight']:,} under way"
                ),
            )

        yield show
