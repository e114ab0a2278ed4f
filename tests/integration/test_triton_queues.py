"""Triton's queue policies in config.pbtxt: bounds on waiting, and priorities."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from fake_models import identity, write_model
from lepton_server import Answer, LeptonServer

RUN_US = 600_000
FIFO = 'parameters { key: "policy" value { string_value: "fifo" } }'
ROW = {"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [0.5] * 4}


class Requests:
    """Sends requests one after the other, and collects answers in the order of arrival."""

    def __init__(self, server: LeptonServer, model: str):
        self._server = server
        self._model = model
        self._threads: list[threading.Thread] = []
        self.order: list[str] = []
        self.answers: dict[str, Answer] = {}

    def send(self, name: str, **parameters: int) -> None:
        thread = threading.Thread(target=self._run, args=(name, parameters))
        thread.start()
        self._threads.append(thread)
        # The next one is behind it, in the queue or in the run.
        metric = f'lepton_pending_requests{{model="{self._model}",version="1"}}'
        give_up = time.monotonic() + 20
        while self._server.metrics().get(metric, 0) < len(self._threads) - len(self.order):
            assert time.monotonic() < give_up
            time.sleep(0.005)

    def _run(self, name: str, parameters: dict[str, int]) -> None:
        answer = self._server.infer(self._model, {"inputs": [ROW], "parameters": parameters})
        self.answers[name] = answer
        self.order.append(name)

    def wait(self) -> None:
        for thread in self._threads:
            thread.join()


def serve(start_server, folder: Path, batching: str, extra: str = FIFO) -> LeptonServer:
    config = f"max_batch_size: 1 dynamic_batching {{ {batching} }} {extra}"
    write_model(folder, "m", identity(delay_us=RUN_US), config=config)
    return start_server(folder, environment={"LEPTON_TUNING": "never"}).wait_until_ready()


@pytest.mark.parametrize("policy", ["", FIFO], ids=["deadline", "fifo"])
def test_timeout_of_the_queue_bounds_waiting_and_not_the_run(
    start_server, tmp_path: Path, policy: str
) -> None:
    wait = f"default_queue_policy {{ default_timeout_microseconds: {RUN_US // 3} }}"
    server = serve(start_server, tmp_path, wait, policy)
    requests = Requests(server, "m")
    requests.send("runs")
    requests.send("waits")
    requests.wait()
    assert requests.order == ["waits", "runs"]
    assert requests.answers["runs"].status == 200
    assert requests.answers["waits"].status == 504
    assert "waited for" in requests.answers["waits"].error


def test_smaller_priorities_run_first(start_server, tmp_path: Path) -> None:
    server = serve(start_server, tmp_path, "priority_levels: 3 default_priority_level: 2")
    requests = Requests(server, "m")
    for name, priority in {"runs": 2, "last": 3, "default": 0, "beyond": 9, "first": 1}.items():
        requests.send(name, priority=priority)
    requests.wait()
    assert {answer.status for answer in requests.answers.values()} == {200}
    assert requests.order == ["runs", "first", "default", "beyond", "last"]
