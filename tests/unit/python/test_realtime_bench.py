"""The realtime benchmark around its search: fifo's settings, what counts as kept, the report."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

BENCH = Path(__file__).resolve().parents[3] / "bench"


@pytest.fixture(scope="module")
def bench() -> SimpleNamespace:
    names = ("load_search", "open_load", "policies", "realtime_report", "study", "disturbance")
    sys.path.insert(0, str(BENCH))
    try:
        return SimpleNamespace(**{n: importlib.import_module(f"harness.{n}") for n in names})
    finally:
        sys.path.remove(str(BENCH))


def figures(**changes: object) -> dict:
    """The fields of lepton-bench's output that are read."""
    total = {
        "requests": 100, "in_time": 60, "late": 2, "failed": 0,
        "errors": {"overloaded": {"count": 30}, "deadline_exceeded": {"count": 8}},
        "refusal_since_sent_us": {"p99": 400.0},
        **changes,
    }  # fmt: skip
    return {"total": total, "measured_s": 2.0, "warnings": []}


def test_all_settings_of_fifo_take_part_and_none_twice(bench):
    tunings = bench.policies.fifo_tunings(0.004)
    assert len(tunings) == 1 + 4 * 4  # With batches of one, a delay has nothing to wait for.
    assert len({tuning.config for tuning in tunings}) == len(tunings)
    by_name = {tuning.name: tuning.config for tuning in tunings}
    config = by_name["fifo, batch 8, delay 0.5"]
    assert "max_batch_size: 8" in config
    assert "max_queue_delay_microseconds: 2000" in config
    assert '"fifo"' in config


def test_the_own_policy_has_no_configuration(bench, tmp_path):
    versions = tmp_path / "model"
    (versions / "1").mkdir(parents=True)
    repository = bench.policies.write_repository(
        tmp_path / "repository", {"model": versions}, bench.policies.DEADLINE.config
    )
    assert [each.name for each in (repository / "model").iterdir()] == ["1"]


def test_a_504_is_a_broken_promise_and_a_429_is_none(bench):
    outcome = bench.open_load.Outcome()
    outcome.add(figures())
    assert outcome.kept == 60 / (60 + 2 + 8)
    assert outcome.attainment.share == 0.6
    assert outcome.goodput == 0, "nobody measured what was possible"
    outcome.possible = 80
    assert outcome.goodput == 0.75


def test_outcomes_add_up(bench):
    both = bench.open_load.Outcome()
    for seen in (figures(), figures(refusal_since_sent_us=None, errors={})):
        one = bench.open_load.Outcome()
        one.add(seen)
        both.merge(one)
    assert (both.requests, both.in_time, both.broken, both.seconds) == (200, 120, 8, 4)
    assert both.refusal_p99_us == [400]


@pytest.mark.parametrize("arrivals", ["poisson", "bursty"])
def test_traffic_has_three_classes_of_equal_share(bench, arrivals):
    traffic = bench.open_load.Traffic("it", 0.005, arrivals)
    words = list(map(str, traffic.arguments(100, 2, 1, 7)))
    classes = [word for word in words if word.startswith("name=")]
    assert [word.rpartition("=")[2] for word in classes] == ["30000us", "70000us", "180000us"]
    assert all("share=1," in word for word in classes)
    assert ("--burst-lasts" in words) == (arrivals == "bursty")


@pytest.fixture
def result(bench):
    """A model's result: 0.8 of the capacity against 0.6, and everything else as it should be."""
    study, search = bench.study, bench.load_search

    def policy(knee: float, goodput: float):
        overload = {
            load: bench.open_load.Outcome(
                requests=1000, in_time=int(goodput * 100), late=0, seconds=1, possible=100,
                refusal_p99_us=[300.0, 200.0, 900.0],
            )
            for load in study.OVERLOADS
        }  # fmt: skip
        return study.PolicyResult(knee, {"0.8": search.Attainment(99, 100)}, overload)

    arrivals = study.ArrivalsResult(
        policy(0.8, 0.95), "fifo, batch 1, delay 0", {"fifo, batch 1, delay 0": policy(0.6, 0.7)},
        search.Survivors(["fifo, batch 1, delay 0"], 0.6, []), 5000, 60.0, [0.0, 0.2],
        [0.95, 1.05],
    )  # fmt: skip
    flood = study.FloodResult(bench.open_load.Outcome(seconds=60), [100.0] * 60 + [101.0] * 60)
    model = bench.realtime_report.ModelResult(
        study.Calibration(0.005, {1: 90.0, 16: 100.0}, 99.0), {"poisson": arrivals}, flood
    )
    return bench.realtime_report.Result({"transformer": model}, None, {"1": 0.4}, 0.0)


def test_the_rows_hold_what_was_measured_against_the_targets(bench, result):
    rows = {row.name: row for row in bench.realtime_report.rows_of_result(result)}
    gain = rows["transformer, poisson: load at 99 % / best fifo"]
    assert gain.median == pytest.approx(0.8 / 0.6)
    assert gain.reached
    assert rows["transformer, poisson: goodput at 1.2 x capacity"].median == 0.95
    assert rows["transformer, poisson: refusal p99 at 2 x"].median == 0.3
    assert all(row.reached for row in rows.values()), rows


def test_a_target_that_is_missed_is_not_reached(bench, result):
    result.models["transformer"].arrivals["poisson"].deadline.knee = 0.7
    result.models["transformer"].flood.resident_mb[-30:] = [150.0] * 30
    missed = [row.name for row in bench.realtime_report.rows_of_result(result) if not row.reached]
    assert missed == [
        "transformer, poisson: load at 99 % / best fifo",
        "transformer: memory at the end / at the start of 10 x load",
    ]


def test_the_report_says_what_stands_behind_the_figures(bench, result):
    text = bench.realtime_report.realtime_markdown({"processor": "x"}, "command", result)
    assert "| poisson | `deadline` | 0.800 | 0.95 | 0.95 |" in text
    assert "5,000 requests" in text
    assert "In 1 runs, something else" in text


def test_without_a_search_no_load_at_99_is_told(bench, result):
    arrivals = result.models["transformer"].arrivals["poisson"]
    arrivals.elimination = None
    for policy in (arrivals.deadline, arrivals.best):
        policy.knee = None
    names = [row.name for row in bench.realtime_report.rows_of_result(result)]
    assert not any("load at 99" in name for name in names)
    assert "transformer, poisson: goodput at 1.2 x capacity" in names
    text = bench.realtime_report.realtime_markdown({"processor": "x"}, "command", result)
    assert "| poisson | `deadline` |  | 0.95 | 0.95 |" in text
    assert "no search for the load at 99 %; 2 runs of the generator" in text


def test_the_pace_is_that_of_the_batch_size_with_the_capacity(bench):
    calibration = bench.study.Calibration(0.005, {1: 90.0, 4: 110.0, 16: 100.0}, 99.0)
    assert calibration.capacity == 110
    assert calibration.best_rows == 4


def test_the_own_time_of_a_process_is_no_disturbance(bench):
    import os
    import time

    allowed = os.sched_getaffinity(0)
    processor = min(allowed)
    os.sched_setaffinity(0, {processor})
    try:
        disturbance = bench.disturbance.Disturbance(processor, os.getpid())
        end = time.process_time() + 0.3
        while time.process_time() < end:
            pass
        # Whatever else ran here, the 0.3 seconds are not part of it.
        foreign, everything = disturbance._read()
        own = 0.3 * os.sysconf("SC_CLK_TCK")
        assert foreign - disturbance._foreign <= everything - disturbance._all - own + 3
    finally:
        os.sched_setaffinity(0, allowed)
