"""The table on the terminal."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from lepton.bench import words
from lepton.bench.campaign import Campaign, Point
from lepton.bench.result import Section

COLUMNS = (
    "load",
    "class",
    "sent/s",
    "in time",
    "goodput/s",
    "p50",
    "p99",
    "p99.9",
    "max",
    "refused",
    "late",
    "failed",
)


def rows(point: Point) -> list[list[str]]:
    """Returns a line for all requests, and one for each class where there are several."""
    result = point.result
    lines = [[str(point.load), "", *_cells(result["total"])]]
    if len(result["classes"]) > 1:
        lines += [["", section["name"], *_cells(section)] for section in result["classes"]]
    return lines


def make_table(campaign: Campaign) -> Table:
    """Returns the points of all targets, by load."""
    several_targets = len({point.target for point in campaign.points}) > 1
    classes = any(len(point.result["classes"]) > 1 for point in campaign.points)
    table = Table(box=None, pad_edge=False, header_style="dim")
    if several_targets:
        table.add_column("target", overflow="fold")
    for column in COLUMNS:
        if column != "class" or classes:
            table.add_column(column, justify="left" if column == "class" else "right", no_wrap=True)
    for target in dict.fromkeys(point.target for point in campaign.points):
        for point in campaign.of(target):
            for line in rows(point):
                cells = [line[0], *line[1 if classes else 2 :]]
                if several_targets:
                    cells.insert(0, target.place if line[0] else "")
                table.add_row(*map(escape, cells))
    return table


def _cells(section: Section) -> list[str]:
    latency = section["latency_us"]
    return [
        words.rate(section["offered_per_second"]),
        words.percent(section["attainment"]),
        words.rate(section["goodput"]),
        *(words.of(latency, name) for name in ("p50", "p99", "p99.9", "max")),
        words.count(section["refused"]),
        words.count(section["late"] + section["expired"]),
        words.count(section["failed"]),
    ]
