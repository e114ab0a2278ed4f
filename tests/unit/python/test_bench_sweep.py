from __future__ import annotations

import pytest

from lepton.bench.sweep import Sweep


def search(sweep: Sweep, capacity: float, *, sendable: float = float("inf")) -> list[float]:
    """Sweeps a server that is in time up to its capacity; returns the rates in their order."""
    rates = []
    while (rate := sweep.next_rate()) is not None:
        rates.append(rate)
        assert len(rates) < 100
        sweep.record(1.0 if rate <= capacity else 0.5, generator_failed=rate > sendable)
    return rates


@pytest.mark.parametrize("start", [1.0, 37.0, 90.0, 1000.0])
@pytest.mark.parametrize("capacity", [0.9, 100.0, 101.5, 43210.0])
def test_sweep_ends_within_its_precision_below_the_limit(start: float, capacity: float) -> None:
    sweep = Sweep(start, 0.99)
    search(sweep, capacity)
    assert sweep.largest is not None
    assert sweep.largest <= capacity < sweep.largest * 1.05 + 1e-9


def test_sweep_doubles_then_halves_the_interval() -> None:
    sweep = Sweep(100, 0.99, precision=0.2)
    assert search(sweep, 700) == [100, 200, 400, 800, 600, 700]
    assert [step.passed for step in sweep.steps] == [True, True, True, False, True, True]


def test_sweep_goes_down_first_where_the_beginning_is_too_much() -> None:
    sweep = Sweep(100, 0.99, precision=0.5)
    assert search(sweep, 20) == [100, 50, 25, 12.5, 18.75]
    assert sweep.largest == 18.75


def test_sweep_gives_up_where_no_load_is_in_time() -> None:
    sweep = Sweep(100, 0.99)
    assert len(search(sweep, 0)) < 15
    assert sweep.largest is None


def test_load_that_could_not_be_sent_is_too_much_and_is_said() -> None:
    sweep = Sweep(100, 0.99)
    search(sweep, float("inf"), sendable=1000)
    assert sweep.limited_by_generator
    assert sweep.largest is not None
    assert 950 < sweep.largest <= 1000


def test_attainment_just_at_the_target_is_enough() -> None:
    sweep = Sweep(100, 0.99)
    assert sweep.record(0.99).passed
    assert not sweep.record(0.9899).passed
