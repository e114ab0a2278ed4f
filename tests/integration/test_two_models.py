"""Two models on one core: who computes when. The fake engine sleeps instead of computing, so that
nothing but the server's own core budget keeps runs from overlapping."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fake_models import identity, write_model

ONE_ROW = {
    "inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}],
}
WEIGHT_3 = 'parameters { key: "weight" value { string_value: "3" } }'


@pytest.fixture
def start_on_one_core(start_server) -> Iterator[Callable]:
    """Starts a server that may use one core; the test itself keeps all of its own."""

    def start(repository: Path):
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(before)})
        try:
            return start_server(repository).wait_until_ready()
        finally:
            os.sched_setaffinity(0, before)

    return start


@contextmanager
def load(server, models: dict[str, int]) -> Iterator[None]:
    """Runs this many clients for each model, each with one request after the other."""
    stop = threading.Event()

    def ask(model: str) -> None:
        while not stop.is_set():
            server.infer(model, ONE_ROW)

    threads = [
        threading.Thread(target=ask, args=(model,))
        for model, clients in models.items()
        for _ in range(clients)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def core_seconds(server, model: str) -> float:
    return server.metrics()[f'lepton_core_seconds_total{{model="{model}",version="1"}}']


def rows_per_run(server, model: str, seconds: float) -> float:
    """Counts the runs of the next seconds."""
    names = [
        f'lepton_batch_rows_{part}{{model="{model}",version="1"}}' for part in ("sum", "count")
    ]
    before = [server.metrics()[name] for name in names]
    time.sleep(seconds)
    rows, runs = (server.metrics()[name] - old for name, old in zip(names, before, strict=True))
    return rows / runs


def test_busy_models_share_the_core_by_weight_and_never_run_at_once(
    start_on_one_core, tmp_path: Path
) -> None:
    one_by_one = identity(delay_us=20_000)
    write_model(tmp_path, "light", one_by_one, config="max_batch_size: 1")
    write_model(tmp_path, "heavy", one_by_one, config=f"max_batch_size: 1\n{WEIGHT_3}")
    server = start_on_one_core(tmp_path)
    with load(server, {"light": 6, "heavy": 6}):
        time.sleep(0.5)  # Until both have a backlog.
        began = time.monotonic()
        before = {model: core_seconds(server, model) for model in ("light", "heavy")}
        time.sleep(4)
        used = {model: core_seconds(server, model) - before[model] for model in before}
        took = time.monotonic() - began
    assert sum(used.values()) < 1.1 * took, "runs overlapped"
    assert 1.8 < used["heavy"] / used["light"] < 5
    waits = 'lepton_core_wait_seconds_count{model="light",version="1"}'
    assert server.metrics()[waits] > 0


def test_large_model_runs_smaller_batches_while_a_small_one_has_deadlines(
    start_on_one_core, tmp_path: Path
) -> None:
    # 400 ms for 8 rows, which no request of the small model could wait for.
    write_model(tmp_path, "large", identity(delay_us_per_row=50_000), config="max_batch_size: 8")
    write_model(tmp_path, "small", identity(delay_us=5_000), config="max_batch_size: 8")
    server = start_on_one_core(tmp_path)
    statuses: list[int] = []
    stop = threading.Event()

    def ask_with_deadline() -> None:
        while not stop.wait(0.04):
            deadline = {"x-request-timeout-ms": "300"}
            statuses.append(server.infer("small", ONE_ROW, deadline).status)

    with load(server, {"large": 16}):
        small = threading.Thread(target=ask_with_deadline)
        small.start()
        time.sleep(1)  # Until it is known what to expect.
        statuses.clear()
        beside_small = rows_per_run(server, "large", 4)
        stop.set()
        small.join()
        time.sleep(2)  # Until it is forgotten.
        alone = rows_per_run(server, "large", 3)
    assert beside_small < 6
    assert alone > beside_small
    assert statuses.count(200) >= 0.8 * len(statuses)
