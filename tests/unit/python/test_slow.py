from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from lepton.slow import STRETCHES, SlowRequest, bar, in_time_units, list_of, table_of


def request(**stretches: float) -> SlowRequest:
    return SlowRequest(
        received="01:02:03.004",
        model="m/1",
        outcome="ok",
        name="",
        rows="1",
        total=sum(stretches.values()),
        slack=None,
        stretches=stretches,
    )


def test_a_bar_is_to_scale() -> None:
    assert bar(request(queue=30.0, compute=10.0), 40.0, 40).plain == "q" * 30 + "c" * 10
    assert bar(request(queue=30.0, compute=10.0), 80.0, 40).plain == "q" * 15 + "c" * 5


def test_many_short_stretches_draw_no_more_than_their_sum() -> None:
    drawn = bar(request(**dict.fromkeys(STRETCHES, 1.4)), 40.0, 40).plain
    assert len(drawn) == round(1.4 * len(STRETCHES))
    assert drawn == "".join(sorted(drawn, key="daqgcew".find))


def test_what_came_before_the_last_byte_is_not_drawn() -> None:
    assert bar(request(read=40.0), 40.0, 40).plain == ""


def test_a_request_that_took_no_time_has_no_bar() -> None:
    assert bar(request(), 0.0).plain == ""


@pytest.mark.parametrize(
    ("microseconds", "text"),
    [(0.4, "0 us"), (870, "870 us"), (12_345, "12.3 ms"), (-2_000, "-2.0 ms"), (1.2e6, "1.20 s")],
)
def test_times_have_the_unit_that_suits_them(microseconds: float, text: str) -> None:
    assert in_time_units(microseconds) == text


def test_a_table_has_a_row_for_each_request() -> None:
    assert table_of("t", [request(compute=1.0), request(compute=2.0)]).row_count == 2


@pytest.mark.parametrize("name", ["", "00f067aa", "an id that a client chose, long"])
def test_a_narrow_table_fits_80_columns_and_nothing_is_cut(name: str) -> None:
    entry = replace(
        request(queue=20_000.0, compute=979_000.0),
        model="sentence_embeddings_large/12",
        outcome="deadline_exceeded",
        name=name,
        rows="16 of 128",
        slack=-12_345.0,
        received="21:54:56.263",
    )
    screen = Console(width=80, file=io.StringIO(), soft_wrap=True)
    screen.print(table_of("t", [entry, replace(entry, outcome="ok")], 12, narrow=True))
    lines = screen.file.getvalue().splitlines()
    assert max(len(line.rstrip()) for line in lines) <= 80
    shown = "".join("".join(line.split()) for line in lines)
    for word in ("21:54:56", "16of128", "999.0ms", "-12.3ms", "its", "way", "cccccccccccc"[:11]):
        assert word in shown
    assert "…" not in shown


@pytest.mark.parametrize("width", [40, 60])
def test_a_list_fits_the_narrowest_screens_and_nothing_is_cut(width: int) -> None:
    entry = replace(request(queue=20_000.0, compute=979_000.0), name="an id", slack=-12_345.0)
    screen = Console(width=width, file=io.StringIO())
    screen.print(list_of("t", [entry], width))
    lines = screen.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert max(len(line.rstrip()) for line in lines) <= width
    said = " ".join(lines)
    for word in ("01:02:03", "m/1", "ok", "999.0 ms", "slack", "-12.3 ms", "rows 1", "an id", "cc"):
        assert word in said
