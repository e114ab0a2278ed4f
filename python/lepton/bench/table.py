"""The table on the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.markup import escape
from rich.table import Table

from lepton.bench import words
from lepton.bench.campaign import Campaign, Point
from lepton.bench.result import Section

_GAP = 2  # Blanks between two columns.
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


def make_tables(campaign: Campaign, width: int) -> list[Table]:
    """Returns the points of all targets, by load.

    Where all columns are too many for the width, they are spread over several tables; each begins
    with what its lines are about.
    """
    targets = list(dict.fromkeys(point.target for point in campaign.points))
    classes = any(len(point.result["classes"]) > 1 for point in campaign.points)
    names = [name for name in COLUMNS if classes or name != "class"]
    lines = {
        target: [
            [cell for name, cell in zip(COLUMNS, line, strict=True) if name in names]
            for point in campaign.of(target)
            for line in rows(point)
        ]
        for target in targets
    }
    widths = [
        max(map(cell_len, (name, *(line[i] for some in lines.values() for line in some)))) + _GAP
        for i, name in enumerate(names)
    ]
    about = 2 if classes else 1
    place = max((cell_len(target.place) for target in targets), default=0) + _GAP
    if len(targets) > 1 and place + sum(widths) - _GAP > width:
        # The targets are too wide for a column: each has tables of its own.
        return [
            table
            for target in targets
            for table in _spread(names, widths, lines[target], about, width, target.place)
        ]
    if len(targets) > 1:
        names, widths, about = ["target", *names], [place, *widths], about + 1
    all_lines = [
        [*([target.place if line[0] else ""] if len(targets) > 1 else []), *line]
        for target in targets
        for line in lines[target]
    ]
    return list(_spread(names, widths, all_lines, about, width, None))


def _spread(
    names: Sequence[str],
    widths: Sequence[int],
    lines: Sequence[Sequence[str]],
    about: int,
    width: int,
    title: str | None,
) -> Iterator[Table]:
    """Yields tables of as many columns as fit; the first `about` columns are in each."""
    first = list(range(about))
    columns = list(first)
    for i in range(about, len(names)):
        if columns != first and sum(widths[one] for one in (*columns, i)) - _GAP > width:
            yield _table(names, lines, columns, title)
            columns, title = list(first), None
        columns.append(i)
    yield _table(names, lines, columns, title)


def _table(
    names: Sequence[str], lines: Sequence[Sequence[str]], columns: Sequence[int], title: str | None
) -> Table:
    table = Table(
        box=None,
        pad_edge=False,
        header_style="dim",
        title=None if title is None else escape(title),
        title_justify="left",
        title_style="",
    )
    for i in columns:
        left = names[i] in ("target", "class")
        table.add_column(names[i], justify="left" if left else "right", no_wrap=True)
    for line in lines:
        table.add_row(*(escape(line[i]) for i in columns))
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
