"""The search of the realtime benchmark, on a simulated server: a function of the load."""

from __future__ import annotations

import importlib
import random
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def search() -> ModuleType:
    sys.path.insert(0, str(ROOT / "bench"))
    try:
        return importlib.import_module("harness.load_search")
    finally:
        sys.path.remove(str(ROOT / "bench"))


class SimulatedServer:
    """Policies with known knees: 99 % in time at the knee, then a cliff of `slope`."""

    def __init__(self, knees: dict[str, float], search: ModuleType, *, requests: int = 400):
        self.knees = knees
        self.requests = requests
        self.attainment = search.Attainment
        self.random = random.Random(1)
        self.asked: list[tuple[str, float, int]] = []

    def share(self, name: str, load: float) -> float:
        beyond = load / self.knees[name] - 1
        return min(1.0, max(0.0, 0.99 - (0.6 if beyond > 0 else 0.1) * beyond))

    def measure(self, name: str, load: float, chunk: int):
        self.asked.append((name, load, chunk))
        share = self.share(name, load)
        in_time = sum(self.random.random() < share for _ in range(self.requests))
        return self.attainment(in_time, self.requests)


@pytest.mark.parametrize("knee", [0.04, 0.31, 0.66, 0.87, 1.12])
@pytest.mark.parametrize("start", [0.1, 0.7, 1.3])
def test_a_search_finds_the_knee_from_wherever_it_starts(search, knee, start):
    server = SimulatedServer({"it": knee}, search, requests=4000)
    one = search.KneeSearch(start)
    search.find_knees({"it": one}, server.measure)
    assert one.knee == pytest.approx(knee, abs=1.2 * one.step)


def test_a_policy_that_is_never_in_time_has_a_knee_of_nothing(search):
    one = search.KneeSearch(0.7)
    search.find_knees({"it": one}, lambda *_: search.Attainment(0, 100))
    assert one.knee < one.step


def test_loads_far_from_the_knee_get_one_chunk_and_near_it_all(search):
    server = SimulatedServer({"it": 0.6}, search)
    one = search.KneeSearch(1.0, most_chunks=4)
    search.find_knees({"it": one}, server.measure)
    chunks = {}
    for _, load, chunk in server.asked:
        chunks[round(load, 3)] = chunk + 1
    assert chunks[1.0] == 1
    assert max(chunks.values()) == 4


def test_searches_take_turns_with_the_same_seeds(search):
    server = SimulatedServer({"a": 0.5, "b": 0.5}, search)
    search.find_knees({"a": search.KneeSearch(0.5), "b": search.KneeSearch(0.5)}, server.measure)
    first_four = [(name, chunk) for name, _, chunk in server.asked[:4]]
    assert [name for name, _ in first_four] == ["a", "b", "a", "b"]
    assert {chunk for _, chunk in first_four[:2]} == {0}


@pytest.mark.parametrize("start", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("seed", range(5))
def test_halving_keeps_one_of_the_best_of_twenty(search, start, seed):
    knees = {f"tuning {i}": 0.3 + 0.02 * i for i in range(20)}
    server = SimulatedServer(knees, search)
    server.random.seed(seed)
    survivors = search.successive_halving(knees, start, 3, server.measure)
    assert len(survivors.names) == 3
    assert max(knees[name] for name in survivors.names) >= 0.64
    everything = 20 * 4 * 5  # All tunings, all chunks, five loads of a bisection.
    assert len(server.asked) < everything / 2


def test_halving_drops_nobody_while_all_reach_the_goal(search):
    knees = {name: 5.0 for name in "abcdef"}
    server = SimulatedServer(knees, search)
    survivors = search.successive_halving(knees, 0.1, 2, server.measure)
    assert set(survivors.rungs[1].shares) == set(knees)
    assert survivors.load > 0.1


def test_halving_ends_where_nobody_is_ever_in_time(search):
    survivors = search.successive_halving("abcdef", 0.5, 2, lambda *_: search.Attainment(0, 10))
    assert len(survivors.names) == 2


@pytest.mark.parametrize(
    ("in_time", "requests", "clear"),
    [(0, 0, False), (40, 40, False), (990, 1000, False), (900, 1000, True), (1000, 1000, True)],
)
def test_a_verdict_is_clear_when_few_requests_cannot_turn_it(search, in_time, requests, clear):
    assert search.Attainment(in_time, requests).is_clear(0.99) is clear
