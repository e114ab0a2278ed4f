"""The charts of a campaign's report."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

from lepton.bench import words
from lepton.bench.campaign import Campaign, Point
from lepton.bench.options import Target
from lepton.bench.report_chart import (
    COLORS,
    Axis,
    Line,
    Size,
    linear,
    logarithmic,
    percentiles,
    plot,
)
from lepton.bench.result import Result, Section

_MOST_CURVES = len(COLORS)
_FINEST = 0.004  # Share of an axis: points that are closer than this are left out of a curve.


def percentile_curves(campaign: Campaign) -> str:
    """Returns latency over percentiles: one curve per point, or for some of many points."""
    points = [point for point in _some(campaign) if point.result["total"]["latency_us"]]
    if not points:
        return "<p>No request was answered.</p>"
    several = len({point.target for point in campaign.points}) > 1
    curves = [_curve(point.result["total"]["latency_buckets_ns"]) for point in points]
    deadlines = sorted(
        {
            one["deadline_us"]
            for one in points[0].result["classes"]
            if one["deadline_us"] is not None
        }
    )
    times = [us for curve in curves for _, us in curve]
    y = logarithmic("latency", min(times), max([*times, *deadlines]), _tick)
    x = percentiles("percentile", max(share for curve in curves for share, _ in curve))
    right = x.ticks[-1][0]
    lines = [
        Line(
            f"deadline {words.time(deadline)}",
            "--faint",
            [(0, deadline), (right, deadline)],
            dashed=True,
        )
        for deadline in deadlines
    ]
    for point, curve, color in zip(points, curves, COLORS, strict=False):
        name = f"{point.target.place} {point.load}" if several else str(point.load)
        lines.append(Line(name, color, thinned(curve, x, y)))
    return _figure(
        "Latency by percentile", plot("Latency by percentile", x, y, lines, Size(760, 340))
    )


def against_load(campaign: Campaign) -> str:
    """Returns attainment and latency over the load; nothing for a single point."""
    targets = list(dict.fromkeys(point.target for point in campaign.points))
    if max(len(campaign.of(target)) for target in targets) < 2:
        return ""
    largest = max(_load(point) for point in campaign.points)
    open_loop = campaign.points[0].load.rate is not None
    x = linear("requests/s offered" if open_loop else "threads", largest)
    has_deadlines = any(
        one["deadline_us"] is not None
        for point in campaign.points
        for one in point.result["classes"]
    )
    figures = []
    if has_deadlines:
        figures.append(_attainment(campaign, targets, x))
    figures.append(_goodput(campaign, targets, x, largest if open_loop else None, has_deadlines))
    figures.append(_quantile(campaign, targets, x))
    return "".join(figures)


def _attainment(campaign: Campaign, targets: list[Target], x: Axis) -> str:
    lowest = min(
        section["attainment"]
        for point in campaign.points
        for section in (point.result["total"], *point.result["classes"])
    )
    # Round to a tenth, so that differences can be seen.
    low = min(math.floor(10 * lowest), 9)
    step = 1 if low >= 5 else 2
    y = Axis(
        "in time",
        lambda share: (share - low / 10) / (1 - low / 10),
        [(i / 10, f"{10 * i} %") for i in range(10, low - 1, -step)],
    )
    lines = [
        Line(f"{100 * sweep.target:g} % in time", "--faint",
             [(0, sweep.target), (x.ticks[-1][0], sweep.target)], dashed=True)
        for sweep in list(campaign.sweeps.values())[:1]
    ]  # fmt: skip
    lines += _lines(
        campaign, targets, lambda section: section["attainment"],
        lambda section: f"{words.percent(section['attainment'])} in time",
    )  # fmt: skip
    return _figure("In time, of all that was sent", plot("Attainment by load", x, y, lines))


def _goodput(
    campaign: Campaign, targets: list[Target], x: Axis, ideal: float | None, deadlines: bool
) -> str:
    most = max(point.result["total"]["goodput"] for point in campaign.points)
    y = linear("requests/s", most)
    lines = []
    if ideal is not None:
        end = min(ideal, y.ticks[-1][0])
        lines.append(Line("all that was offered", "--faint", [(0, 0), (end, end)], dashed=True))
    lines += _lines(
        campaign, targets, lambda section: section["goodput"],
        lambda section: f"{words.rate(section['goodput'])} requests/s",
        classes=False,
    )  # fmt: skip
    title = "Answered in time" if deadlines else "Answered"
    return _figure(f"{title}, per second", plot("Goodput by load", x, y, lines))


def _quantile(campaign: Campaign, targets: list[Target], x: Axis) -> str:
    def p99(section: Section) -> float | None:
        times = section["latency_us"]
        return None if times is None else times["p99"]

    lines = _lines(
        campaign, targets, p99,
        lambda section: f"p99 {words.of(section['latency_us'], 'p99')}",
    )  # fmt: skip
    times = [value for line in lines for _, value in line.points]
    if not times:
        return ""
    y = logarithmic("latency", min(times), max(times), _tick)
    return _figure("p99 of the answers", plot("p99 latency by load", x, y, lines))


def _lines(
    campaign: Campaign,
    targets: list[Target],
    value: Callable[[Section], float | None],
    told: Callable[[Section], str],
    *,
    classes: bool = True,
) -> list[Line]:
    """Returns a line for each target; for a single one also one for each of its classes."""
    sections: list[tuple[str, Target, Callable[[Result], Section]]] = [
        (target.place if len(targets) > 1 else "all", target, lambda result: result["total"])
        for target in targets
    ]
    known = campaign.points[0].result["classes"]
    if classes and len(targets) == 1 and 1 < len(known) < _MOST_CURVES:
        for index, one in enumerate(known):
            sections.append(
                (one["name"], targets[0], lambda result, index=index: result["classes"][index])  # type: ignore[misc]
            )
    lines = []
    for (name, target, section_of), color in zip(sections, COLORS, strict=False):
        points, texts = [], []
        for point in campaign.of(target):
            section = section_of(point.result)
            number = value(section)
            if number is None:
                continue
            points.append((_load(point), number))
            texts.append(f"{point.load}: {told(section)}")
        lines.append(Line(name, color, points, texts))
    return lines


def thinned(curve: list[tuple[float, float]], x: Axis, y: Axis) -> list[tuple[float, float]]:
    """Returns the points of a curve that can be told apart on paper, including its ends."""
    kept = [curve[0]]
    for point, following in pairwise([*curve[1:], curve[-1]]):
        moved = max(
            x.place(point[0]) - x.place(kept[-1][0]), y.place(point[1]) - y.place(kept[-1][1])
        )
        if moved >= _FINEST or point == following:
            kept.append(point)
    return kept


def _curve(buckets: list[int]) -> list[tuple[float, float]]:
    """Returns (share of requests that were not slower, microseconds), ascending."""
    highest, counts = buckets[0::2], buckets[1::2]
    total = sum(counts)
    curve, seen = [(0.0, highest[0] / 1e3)], 0
    for nanoseconds, count in zip(highest, counts, strict=True):
        seen += count
        # Nothing is known beyond the slowest of `total` requests: it is drawn where one in `total`
        # is slower, rather than at 100 %, which is infinitely far to the right.
        curve.append((min(seen / total, 1 - 0.5 / total), nanoseconds / 1e3))
    return curve


def _some(campaign: Campaign) -> list[Point]:
    """Returns points spread over the loads, as many as there are colors."""
    targets = list(dict.fromkeys(point.target for point in campaign.points))
    each = max(1, _MOST_CURVES // len(targets))
    chosen = []
    for target in targets[:_MOST_CURVES]:
        points = campaign.of(target)
        if len(points) > each:
            last = len(points) - 1
            wanted = {round(index * last / max(1, each - 1)) for index in range(each)}
            points = [points[index] for index in sorted(wanted)]
        chosen += points
    return chosen


def _load(point: Point) -> float:
    if point.load.rate is not None:
        return point.load.rate
    if point.load.concurrency is not None:
        return float(point.load.concurrency)
    return point.result["total"]["offered_per_second"]


def _tick(us: float) -> str:
    for factor, unit in ((1e6, "s"), (1e3, "ms")):
        if us >= factor:
            return f"{us / factor:g} {unit}"
    return f"{us:g} µs"


def _figure(title: str, picture: str) -> str:
    return f"<figure><figcaption>{title}</figcaption>{picture}</figure>"
