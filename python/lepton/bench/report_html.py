"""The report that --html writes: one page with charts, the table and what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from lepton.bench import words
from lepton.bench.campaign import Campaign, Point
from lepton.bench.report_curves import against_load, percentile_curves
from lepton.bench.result import ClassSection
from lepton.bench.table import COLUMNS, rows
from lepton.report.page import code, named_values, page, section, table

_LATENCY_NOTE = (
    "From the planned send time to the answer. The axis gives each nine of a percentile the same "
    "width, so that the slowest requests are seen. Dashed: deadlines."
)


def render_html(campaign: Campaign, *, command: str, machine: str) -> str:
    """Returns the page.

    Args:
        campaign: One point or more.
        command: The command line that measured it.
        machine: The machine that the generator ran on.
    """
    first = campaign.points[0].result
    name = str(first["model"]["name"])
    header = (
        f"<header><h1>{escape(name)} under load</h1>{_badges(campaign)}"
        f"<p>{escape(', '.join(dict.fromkeys(p.target.place for p in campaign.points)))}</p>"
        "</header>"
    )
    loads = against_load(campaign)
    return page(
        f"{name} under load",
        [
            header,
            section("Warnings", _warnings(campaign)),
            section("Against the load", f'<div class="charts">{loads}</div>' if loads else ""),
            section(
                "Latency",
                f'<div class="charts wide">{percentile_curves(campaign)}</div>'
                f'<p class="note">{_LATENCY_NOTE}</p>',
            ),
            section("All points", _points(campaign)),
            section("Where the time went", _breakdown(campaign)),
            section("Classes of requests", _classes(first["classes"])),
            section("Errors", _errors(campaign.points)),
            section("Measured with", code(command) + _setting(campaign.points[0], machine)),
        ],
    )


def _badges(campaign: Campaign) -> str:
    badges = []
    for target, sweep in campaign.sweeps.items():
        place = f"{escape(target.place)}: " if len(campaign.sweeps) > 1 else ""
        if sweep.largest is None:
            kind, said = "differs", "no load passed"
        else:
            kind = "agrees"
            said = f"{words.rate(sweep.largest)} requests/s at {100 * sweep.target:g} % in time"
        if campaign.doubts(target):
            kind, said = "doubtful", f"{said}, but the load generator fell short: see the warnings"
        badges.append(f'<span class="badge {kind}">{place}{said}</span>')
    return "".join(badges)


def _warnings(campaign: Campaign) -> str:
    items = "".join(f"<li>{escape(text)}</li>" for text in words.warnings(campaign.warnings()))
    return f'<ul class="notes">{items}</ul>' if items else ""


def _ordered(campaign: Campaign) -> list[Point]:
    targets = dict.fromkeys(point.target for point in campaign.points)
    return [point for target in targets for point in campaign.of(target)]


def _label(campaign: Campaign, point: Point) -> str:
    several = len({known.target for known in campaign.points}) > 1
    return f"{point.target.place} {point.load}" if several else str(point.load)


def _points(campaign: Campaign) -> str:
    lines = []
    for point in _ordered(campaign):
        for load, name, *figures in rows(point):
            # The classes of a load stand below it, in the same column.
            first = escape(_label(campaign, point)) if load else f"&nbsp;&nbsp;{escape(name)}"
            lines.append([first, *map(escape, figures)])
    head = [column for column in COLUMNS if column != "class"]
    body = table(head, lines, len(head) - 1)
    note = (
        "in time: of all that was sent, refused ones included. late: answered or refused after "
        "the deadline. Latencies are of answers."
    )
    return f'{body}<p class="note">{note}</p>'


def _breakdown(campaign: Campaign) -> str:
    lines = []
    for point in _ordered(campaign):
        total = point.result["total"]
        if total["server_queue_us"] is None and total["refusal_since_sent_us"] is None:
            continue
        cells = [_label(campaign, point)]
        for times in (
            total["server_queue_us"],
            total["server_compute_us"],
            total["refusal_since_sent_us"],
            point.result["generator"]["late_us"],
        ):
            cells += [words.of(times, "p50"), words.of(times, "p99")]
        lines.append([escape(cell) for cell in cells])
    if not lines:
        return ""
    head = ["load"]
    for what in ("queue", "compute", "refusal", "generator late"):
        head += [f"{what} p50", "p99"]
    note = (
        "queue and compute: as the server says of its answers. refusal: from sending until the "
        "server said no. generator late: how much after the planned time it sent."
    )
    return table(head, lines, len(head) - 1) + f'<p class="note">{note}</p>'


def _classes(classes: Sequence[ClassSection]) -> str:
    total = sum(one["share"] for one in classes)
    lines = [
        [
            escape(one["name"]),
            f"{100 * one['share'] / total:.3g} %",
            words.time(one["deadline_us"]),
            str(one["priority"] or "-"),
        ]
        for one in classes
    ]
    return table(["class", "share", "deadline", "priority"], lines, 3)


def _errors(points: Sequence[Point]) -> str:
    lines = [
        [escape(str(point.load)), escape(label), f"{error['count']:,}", escape(error["example"])]
        for point in points
        for label, error in point.result["total"]["errors"].items()
    ]
    if not lines:
        return ""
    return table(["load", "error", "requests", "what the first one says"], lines, 2)


def _setting(point: Point, machine: str) -> str:
    result = point.result
    load = result["load"]
    arrivals = load.get("arrivals", "closed loop")
    if "burst_lasts_s" in load:
        arrivals += f", bursts and lulls of {words.time(load['burst_lasts_s'] * 1e6)} on average"
    if "trace" in load:
        arrivals += f" of {load['trace']}"
    properties = ", ".join(f"{key} {value}" for key, value in result["model"]["properties"].items())
    return named_values(
        [
            ("arrivals", escape(arrivals)),
            ("seed", str(result["seed"])),
            ("rows in a request", str(result["rows"])),
            (
                "measured",
                f"{result['duration_s']:g} s after {result['warmup_s']:g} s of warm-up, each",
            ),
            ("model", escape(properties or str(result["model"]["platform"]))),
            ("generator on", escape(machine)),
        ]
    )
