"""What `lepton slow` shows: the slowest requests of a server, and where the time of each went."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from lepton.admin import RefusedError, SilentError, ask
from lepton.console import BAD_INPUT, FAILED, die, fail, out
from lepton.models import hint_for_model

TIMEOUT_S = 10
# The width of a bar. The other columns of a line need about OTHER_COLUMNS, or NARROW_COLUMNS on a
# narrow screen, where texts are folded and columns that no request uses are left out.
BAR_WIDTH = 40
LEAST_BAR_WIDTH = 12
OTHER_COLUMNS = 82
NARROW_COLUMNS = 68

# Each stretch by the station where it begins, with a letter for screens without color, and a color.
# What comes before the last byte of the request is not the server's, and not in the bar.
STRETCHES = {
    "decode": ("d", "cyan"),
    "admit": ("a", "blue"),
    "queue": ("q", "yellow"),
    "gather": ("g", "magenta"),
    "compute": ("c", "green"),
    "encode": ("e", "bright_blue"),
    "write": ("w", "red"),
}


@dataclass(frozen=True)
class SlowRequest:
    """One entry of the page, as far as the table shows it; times in microseconds."""

    received: str
    model: str
    outcome: str
    name: str
    rows: str
    total: float
    slack: float | None
    stretches: dict[str, float]

    @classmethod
    def from_json(cls, entry: dict[str, Any]) -> SlowRequest:
        """Reads an entry of GET /v2/debug/slow."""
        version = entry.get("version")
        batch = entry["batch_rows"]
        return cls(
            received=entry["received"][11:23],
            model=f"{entry['model']}/{version}" if version else entry["model"],
            outcome=entry["outcome"],
            name=entry["id"] or entry.get("trace_id", "")[:8],
            # A request that ran in pieces shared no run.
            rows=f"{entry['rows']} of {batch}" if batch >= entry["rows"] else str(entry["rows"]),
            total=entry["total_us"],
            slack=entry.get("slack_us"),
            stretches=entry["stretches_us"],
        )


def bar(request: SlowRequest, longest: float, width: int = BAR_WIDTH) -> Text:
    """Draws the request's course to scale: `width` characters are `longest` microseconds.

    Rounds the ends of stretches rather than their lengths, so that the drawn parts add up.
    """
    text = Text()
    if longest <= 0:
        return text
    passed = 0.0
    for name, (letter, colour) in STRETCHES.items():
        begin = round(passed / longest * width)
        passed += request.stretches.get(name, 0.0)
        text.append(letter * (round(passed / longest * width) - begin), style=colour)
    return text


def in_time_units(microseconds: float) -> str:
    """Returns "870 us", "12.3 ms" or "1.20 s"."""
    size = abs(microseconds)
    if size < 1e3:
        return f"{microseconds:.0f} us"
    return f"{microseconds / 1e3:.1f} ms" if size < 1e6 else f"{microseconds / 1e6:.2f} s"


def table_of(
    title: str, requests: list[SlowRequest], width: int = BAR_WIDTH, *, narrow: bool = False
) -> Table:
    """Returns the requests as a table, a bar in each row; a narrow one fits 80 columns."""
    table = Table(
        title=title, title_justify="left", box=None, pad_edge=False, collapse_padding=narrow
    )
    named = not narrow or any(request.name for request in requests)
    table.add_column("time (UTC)" if not narrow else "UTC", no_wrap=True)
    table.add_column("model", overflow="fold", min_width=6)
    table.add_column("outcome", overflow="fold", min_width=7)
    if named:
        table.add_column("id or trace", overflow="fold", min_width=8)
    for column in ("rows", "total", "slack"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("its way" if narrow else "where the time went", no_wrap=True, min_width=width)
    longest = max((request.total for request in requests), default=0.0)
    for request in requests:
        slack = "" if request.slack is None else in_time_units(request.slack)
        late = request.slack is not None and request.slack < 0
        table.add_row(
            request.received.partition(".")[0] if narrow else request.received,
            Text(request.model),
            Text(request.outcome, style="" if request.outcome == "ok" else "red"),
            *([Text(request.name)] if named else []),
            request.rows,
            in_time_units(request.total),
            Text(slack, style="red" if late else ""),
            bar(request, longest, width),
        )
    return table


def list_of(title: str, requests: list[SlowRequest], width: int) -> Group:
    """Returns the requests below each other, a bar under each, for the narrowest screens."""
    longest = max((request.total for request in requests), default=0.0)
    parts: list[Text] = [Text(title, style="italic")]
    for request in requests:
        words = [
            request.received.partition(".")[0],
            request.model,
            request.outcome,
            in_time_units(request.total),
            "" if request.slack is None else f"slack {in_time_units(request.slack)}",
            f"rows {request.rows}",
            request.name,
        ]
        parts.append(Text("  ".join(word for word in words if word)))
        parts.append(Text("  ") + bar(request, longest, width - 2))
    return Group(*parts)


def legend() -> Text:
    """Explains which letter and color stand for which stretch."""
    parts = (Text(f"{letter} {name}", style=style) for name, (letter, style) in STRETCHES.items())
    return Text("  ").join(parts)


def _fetch(url: str, model: str | None, limit: int, as_json: bool) -> bytes:
    query = {"limit": str(limit)} | ({"model": model} if model else {})
    path = f"/v2/debug/slow?{urllib.parse.urlencode(query)}"
    try:
        return ask(url, path, timeout=TIMEOUT_S)
    except ValueError as error:
        fail("slow", str(error), BAD_INPUT, as_json)
    except RefusedError as error:
        fail("slow", str(error), BAD_INPUT if error.bad_input else FAILED, as_json)
    except SilentError as error:
        fail("slow", str(error), FAILED, as_json)


def _tables(page: dict[str, Any]) -> Iterator[Table | Group]:
    narrow = out.width < OTHER_COLUMNS + LEAST_BAR_WIDTH
    room = out.width - (NARROW_COLUMNS if narrow else OTHER_COLUMNS)
    width = max(LEAST_BAR_WIDTH, min(BAR_WIDTH, room))
    titles = {
        "slowest": "Slowest of the last 5 minutes",
        "missed": "Admitted, but not in time; latest first",
    }
    for key, title in titles.items():
        requests = [SlowRequest.from_json(entry) for entry in page[key]]
        if not requests:
            continue
        if out.width < NARROW_COLUMNS + LEAST_BAR_WIDTH:
            yield list_of(title, requests, out.width)
        else:
            yield table_of(title, requests, width, narrow=narrow)


def run_slow(*, url: str, model: str | None, limit: int, as_json: bool) -> None:
    """Prints the tables, or the page as it came."""
    body = _fetch(url, model, limit, as_json)
    if as_json:
        print(body.decode())
        return
    try:
        tables = list(_tables(json.loads(body)))
    except (ValueError, KeyError, TypeError):
        die("slow", f"{url} answers, but not as a Lepton server of this version does", FAILED)
    if not tables:
        hint = hint_for_model(url, model) if model else ""
        out.print(f"No requests in the last 5 minutes{hint or '.'}", markup=False)
        return
    for table in tables:
        out.print(table)
        out.print()
    out.print(legend())
