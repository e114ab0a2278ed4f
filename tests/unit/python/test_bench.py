"""`lepton bench` without a server: its command line, how it runs the generator, its report."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lepton.bench import words
from lepton.bench.campaign import Campaign, Point, run_loads, run_sweeps
from lepton.bench.errors import BenchError
from lepton.bench.options import Load, Target, parse_concurrencies, parse_rates
from lepton.bench.report_chart import linear, logarithmic, percentiles
from lepton.bench.report_curves import thinned
from lepton.bench.report_html import render_html
from lepton.bench.result import Result
from lepton.bench.table import COLUMNS, make_tables

FIRST, SECOND = Target("http://127.0.0.1:8000"), Target("grpc://127.0.0.1:8000")


def summary(scale: float) -> dict[str, float]:
    names = ("mean", "p50", "p75", "p90", "p95", "p99", "p99.5", "p99.9", "p99.99", "max")
    return {"count": 100, **{name: scale * (i + 1) for i, name in enumerate(names)}}


def section(requests: int, in_time: int, **extra: Any) -> dict[str, Any]:
    return {
        "requests": requests,
        "answered": in_time,
        "in_time": in_time,
        "late": 0,
        "refused": requests - in_time,
        "expired": 0,
        "failed": 0,
        "attainment": in_time / requests,
        "attainment_of_admitted": 1.0,
        "offered_per_second": requests / 2,
        "answered_per_second": in_time / 2,
        "goodput": in_time / 2,
        "errors": {"overloaded": {"count": 1, "example": "busy </td> <b>"}},
        "latency_us": summary(1000) if in_time else None,
        "latency_since_sent_us": summary(900) if in_time else None,
        "refusal_us": summary(10),
        "refusal_since_sent_us": summary(9),
        "server_queue_us": summary(500) if in_time else None,
        "server_compute_us": summary(300) if in_time else None,
        "latency_buckets_ns": [1_000_000, 50, 2_000_000, 40, 9_000_000, 10] if in_time else [],
        **extra,
    }


def result(target: Target, load: Load, *, in_time: int = 90, classes: int = 1) -> Result:
    made: Any = {
        "target": target.place,
        "in_process": False,
        "model": {"name": "net <1>", "versions": ["1"], "platform": "x", "properties": {"a": "b"}},
        "load": {"loop": "open", "arrivals": "bursty", "rate": load.rate, "burst_lasts_s": 0.5},
        "seed": 1,
        "rows": 1,
        "warmup_s": 1.0,
        "duration_s": 2.0,
        "measured_s": 2.0,
        "total": section(100, in_time),
        "classes": [
            section(
                100, in_time, name=f"class {i}", share=1.0, priority=i, deadline_us=6000.0 * (i + 1)
            )
            for i in range(classes)
        ],
        "generator": {
            "sent_per_second": 50.0,
            "fell_behind": False,
            "late_us": summary(20),
            "max_in_flight": 3,
            "connections": 1024,
            "waited_for_connection": 0,
        },
        "warnings": ["the generator was late by 5 us"],
    }
    return made  # type: ignore[no-any-return]


def campaign(loads: int = 3, **options: Any) -> Campaign:
    made = Campaign()
    for index in range(loads):
        load = Load(rate=100.0 * (index + 1))
        made.points.append(Point(FIRST, load, result(FIRST, load, **options)))
    return made


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lepton", "bench", *arguments],
        env={**os.environ, "NO_COLOR": "1", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def generator(tmp_path: Path, script: str) -> str:
    """Writes a program that takes the generator's place, for what the real one cannot do on
    demand."""
    path = tmp_path / "generator"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--rate", "0"], "--rate must be above 0 and at most 1e7, not 0"),
        (["--rate", "1,x"], '"x" is not a number'),
        (["--concurrency", "1.5"], "not a whole number"),
        (["--rate", "1", "--concurrency", "1"], "an open loop"),
        ([], "name a load"),
        (["--sweep"], "--deadline or --class"),
        (["--sweep", "--deadline", "5ms", "--rate", "1,2"], "begins at one --rate"),
        (["--sweep", "--deadline", "5ms", "--target", "1.5"], "no share"),
        (["--rate", "1", "--url", "http://x", "--service", "y"], "--url"),
        (["--rate", "1", "--compare", "http://127.0.0.1:8000"], "compared with itself"),
    ],
)
def test_command_line_that_makes_no_sense_is_one_line(arguments: list[str], said: str) -> None:
    done = run(*arguments, LEPTON_BENCH="/bin/true")
    assert done.returncode == 2, done.stderr
    assert re.search(said, done.stderr)
    assert done.stderr.count("\n") == 1


def test_json_error_is_one_object() -> None:
    done = run("--rate", "0", "--json")
    assert done.returncode == 2
    assert "--rate must be above 0" in json.loads(done.stdout)["error"]


def test_missing_generator_says_how_to_build_it(tmp_path: Path) -> None:
    done = run("--rate", "1", LEPTON_BENCH=str(tmp_path / "none"))
    assert done.returncode == 1
    assert "make build" in done.stderr


def test_generator_that_fails_is_quoted_without_its_help(tmp_path: Path) -> None:
    program = generator(
        tmp_path, 'echo "--class: wrong" >&2; echo "Run with --help for more" >&2; exit 2'
    )
    done = run("--rate", "1", LEPTON_BENCH=program)
    assert done.returncode == 2
    assert done.stderr == "lepton bench: --class: wrong\n"
    silent = run("--rate", "1", LEPTON_BENCH=generator(tmp_path, "exit 7"))
    assert silent.returncode == 1
    assert "status 7" in silent.stderr


def test_result_longer_than_a_pipe_is_read_whole(tmp_path: Path) -> None:
    long = result(FIRST, Load(rate=1.0))
    long["total"]["latency_buckets_ns"] = [1000, 1] * 50_000
    (tmp_path / "long.json").write_text(json.dumps(long))
    progress = '{"elapsed_s":1,"total_s":2,"sent":3,"in_time":2,"in_flight":1}'
    program = generator(tmp_path, f"cat {tmp_path}/long.json; echo '{progress}' >&2")
    done = run("--rate", "1", "--json", LEPTON_BENCH=program)
    assert done.returncode == 0, done.stderr
    points = json.loads(done.stdout)["points"]
    assert points[0]["total"]["latency_buckets_ns"] == [1000, 1] * 50_000


def test_loads_are_read_from_lists() -> None:
    assert parse_rates("100,0.5") == [100, 0.5]
    assert parse_concurrencies("1,16") == [1, 16]
    with pytest.raises(BenchError, match="must be above 0"):
        parse_rates("1,nan")


def test_targets_take_turns_at_each_load() -> None:
    asked: list[tuple[Target, Load]] = []

    def measure(target: Target, load: Load) -> Result:
        asked.append((target, load))
        return result(target, load)

    low, high = Load(rate=1.0), Load(rate=2.0)
    run_loads([FIRST, SECOND], [low, high], measure)
    assert asked == [(FIRST, low), (SECOND, low), (FIRST, high), (SECOND, high)]


def test_sweep_of_several_targets_finds_the_limit_of_each() -> None:
    limits = {FIRST: 100.0, SECOND: 500.0}

    def measure(target: Target, load: Load) -> Result:
        assert load.rate is not None
        return result(target, load, in_time=100 if load.rate <= limits[target] else 50)

    found = run_sweeps([FIRST, SECOND], 10, 0.99, measure, lambda target, step: None)
    for target, limit in limits.items():
        largest = found.sweeps[target].largest
        assert largest is not None
        assert largest <= limit < largest * 1.06


def test_sweep_of_a_server_that_answers_nothing_says_why() -> None:
    def measure(target: Target, load: Load) -> Result:
        return result(target, load, in_time=0)

    with pytest.raises(BenchError, match=r"answers no request.*busy"):
        run_sweeps([FIRST], None, 0.99, measure, lambda target, step: None)


class Page(HTMLParser):
    """Checks that tags close in order, and collects what the tests look at."""

    VOID = frozenset({"meta", "circle", "line", "path", "rect"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.headings: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        assert tag not in ("script", "link", "img", "iframe")
        for name, value in attrs:
            assert not (name in ("src", "href") or "http" in name)
            assert value is None or "nan" not in value.split(",")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)


def parsed(made: Campaign) -> Page:
    page = Page()
    page.feed(render_html(made, command="lepton bench --x '<y>'", machine="a machine"))
    assert page.open == []
    return page


@pytest.mark.parametrize("in_time", [0, 1, 100])
@pytest.mark.parametrize("classes", [1, 3, 9])
@pytest.mark.parametrize("loads", [1, 3, 12])
def test_report_is_well_formed_and_self_contained(loads: int, classes: int, in_time: int) -> None:
    page = parsed(campaign(loads, classes=classes, in_time=in_time))
    assert "All points" in page.headings
    assert ("Against the load" in page.headings) == (loads > 1)


def test_report_of_several_targets_names_both() -> None:
    made = campaign()
    made.points += [
        Point(SECOND, point.load, result(SECOND, point.load)) for point in campaign().points
    ]
    text = render_html(made, command="x", machine="y")
    assert f"{FIRST.place} 100/s" in text
    assert f"{SECOND.place} 100/s" in text


def test_report_escapes_what_others_wrote() -> None:
    text = render_html(campaign(), command="x", machine="y")
    assert "net &lt;1&gt;" in text
    assert "busy &lt;/td&gt; &lt;b&gt;" in text


def test_table_has_a_line_for_each_class_and_load() -> None:
    for classes, count in ((1, 2), (3, 8)):
        (table,) = make_tables(campaign(2, classes=classes), 1000)
        assert table.row_count == count


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_columns_that_do_not_fit_go_on_below(width: int) -> None:
    measured = campaign(2, classes=2)
    console = Console(width=width, file=io.StringIO())
    tables = make_tables(measured, width)
    console.print(*tables)
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert "…" not in said
    headers = [str(column.header) for table in tables for column in table.columns]
    assert set(headers) == set(COLUMNS)
    assert headers.count("load") == headers.count("class") == len(tables)
    assert len(headers) - 2 * len(tables) == len(COLUMNS) - 2


def test_percentile_axis_gives_each_nine_the_same_width() -> None:
    axis = percentiles("percentile", 0.9995)
    places = [axis.place(value) for value in (0, 0.9, 0.99, 0.999)]
    assert places == pytest.approx([0, 0.25, 0.5, 0.75])
    assert [label for _, label in axis.ticks] == ["0", "90 %", "99 %", "99.9 %", "99.99 %"]


def test_logarithmic_axis_spans_the_data_with_round_ends() -> None:
    axis = logarithmic("latency", 230, 41_000, str)
    ticks = [value for value, _ in axis.ticks]
    assert ticks[0] == 200
    assert ticks[-1] == 50_000
    assert axis.place(200) == 0
    assert axis.place(50_000) == pytest.approx(1)
    same = logarithmic("latency", 100, 100, str)
    assert 0 <= same.place(100) <= 1


def test_curve_keeps_its_ends_and_its_shape_when_thinned() -> None:
    x, y = percentiles("p", 0.99999), linear("y", 100_000)
    curve = [(index / 100_000, float(index)) for index in range(100_000)]
    short = thinned(curve, x, y)
    assert len(short) < 1000
    assert short[0] == curve[0]
    assert short[-1] == curve[-1]


def test_percentages_are_never_rounded_up_to_all() -> None:
    assert words.percent(1) == "100 %"
    assert words.percent(0.999999) == "99.99 %"
    assert words.percent(0.98999) == "98.99 %"


def test_warnings_that_differ_in_figures_alone_are_said_once() -> None:
    said = words.warnings([("1/s", "late by 5 us"), ("2/s", "late by 7.5 us"), ("3/s", "failed")])
    assert said == ["at 1/s: late by 5 us (similar at 1 other point)", "at 3/s: failed"]
