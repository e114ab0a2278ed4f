"""Promises under load: the real server, runs of known length, and the load generator."""

import json
import subprocess
import threading
import time
from pathlib import Path

import pytest
from fake_models import identity, per_row, write_model
from lepton_server import BINARY, LeptonServer
from raw_http import RawConnection, infer_request, rows_for, slow

GENERATOR = BINARY.with_name("lepton-bench")
RUN_SECONDS = 0.03
CAPACITY = 1 / RUN_SECONDS
DEADLINE_RUNS = 10
FIFO = 'parameters { key: "policy" value { string_value: "fifo" } }'


def slow_model(repository: Path, name: str, config: str = "", **extra: object) -> None:
    model = identity(delay_us=int(RUN_SECONDS * 1e6), **extra)
    write_model(repository, name, model, config=f"max_batch_size: 1\n{config}")


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("realtime")
    slow_model(folder, "planned")
    slow_model(folder, "in_order", FIFO)
    write_model(
        folder, "short_queue", per_row(),
        config=f"{FIFO}\ndynamic_batching {{ default_queue_policy {{ max_queue_size: 1 }} }}",
    )  # fmt: skip
    write_model(folder, "rows_in_order", per_row(), config=FIFO)
    return folder


@pytest.fixture
def server(keep_server, repository):
    server = keep_server(repository)
    yield server
    server.is_well()


def load(server: LeptonServer, model: str, rate: float, seconds: float) -> dict:
    """The generator's figures, for all classes together."""
    command = [
        GENERATOR, "--url", server.url, "--model", model, "--rate", f"{rate:.3f}", "--no-buckets",
        "--deadline", f"{DEADLINE_RUNS * RUN_SECONDS:.3f}s",
        "--warmup", "500ms", "--duration", f"{seconds}s",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["total"]


def resident_mb(server: LeptonServer) -> float:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


class Sampler:
    """Requests a page again and again while something else goes on."""

    def __init__(self, ask):
        self.seen: list[float] = []
        self._ask = ask
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._done.wait(0.1):
            self.seen.append(self._ask())

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()


def test_overload_leaves_the_work_done_and_the_refusals_quick(server):
    seen = load(server, "planned", 3 * CAPACITY, 2.5)
    assert seen["failed"] == 0, seen["errors"]
    # What consecutive runs could do; a busy machine takes a part of it.
    assert seen["goodput"] > 0.5 * CAPACITY
    assert seen["refused"] > 0.4 * seen["requests"]
    # No refusal waits for the current run.
    assert seen["refusal_since_sent_us"]["p50"] < 0.5e6 * RUN_SECONDS
    assert seen["latency_since_sent_us"]["p50"] > 1e6 * RUN_SECONDS


def test_ten_times_the_load_keeps_no_more_waiting_than_their_deadlines_allow(server):
    def pending() -> float:
        metrics = server.metrics()
        return next(
            value for name, value in metrics.items()
            if name.startswith("lepton_pending_requests{") and 'model="planned"' in name
        )  # fmt: skip

    with Sampler(pending) as sampler:
        seen = load(server, "planned", 10 * CAPACITY, 2.5)
    assert len(sampler.seen) > 3
    assert max(sampler.seen) >= 2
    assert max(sampler.seen) <= DEADLINE_RUNS + 1
    assert seen["goodput"] > 0.5 * CAPACITY


@pytest.mark.slow
def test_memory_stays_where_it_is_at_ten_times_the_load(start_server, tmp_path):
    width = 65_536  # A quarter of a megabyte per request: 80 MB arrive each second.
    slow_model(tmp_path, "wide", shape=[-1, width])
    server = start_server(tmp_path).wait_until_ready()
    with Sampler(lambda: resident_mb(server)) as sampler:
        seen = load(server, "wide", 10 * CAPACITY, 12)
    assert seen["requests"] > 5 * CAPACITY * 12
    third = len(sampler.seen) // 3
    assert max(sampler.seen[-third:]) < max(sampler.seen[:third]) + 64


def test_the_plan_keeps_more_deadlines_than_the_order_of_arrival(server):
    planned = load(server, "planned", 2 * CAPACITY, 3)
    in_order = load(server, "in_order", 2 * CAPACITY, 3)
    # In order, all wait until their deadlines have almost passed.
    assert planned["attainment_of_admitted"] > in_order["attainment_of_admitted"]


def test_a_queued_request_expires_while_the_instance_is_busy_in_order_of_arrival_too(server):
    with RawConnection(server.port) as busy, RawConnection(server.port) as late:
        busy.send(infer_request("rows_in_order", slow(2000)))
        time.sleep(0.1)
        late.send(infer_request("rows_in_order", slow(2, parameters={"timeout": 100_000})))
        assert late.read_answer().status == 504
        # The run that it was waiting for goes on.
        assert server.requests_of("rows_in_order", "ok") == 0
        assert busy.read_answer().status == 200


def test_a_cancelled_request_makes_room_in_a_full_queue(server):
    model = "short_queue"
    waiting = infer_request(model, slow(2))
    with (
        RawConnection(server.port) as busy,
        RawConnection(server.port) as gone,
        RawConnection(server.port) as refused,
        RawConnection(server.port) as next_one,
    ):
        busy.send(infer_request(model, slow(2000)))
        time.sleep(0.1)
        gone.send(waiting)
        time.sleep(0.1)
        refused.send(waiting)
        assert refused.read_answer().status == 429
        gone.socket.close()
        server.wait_for_outcome(model, "cancelled", 1)
        next_one.send(waiting)
        assert busy.read_answer().status == 200
        assert next_one.read_answer().status == 200
    rows = sum(
        value for name, value in server.metrics().items()
        if name.startswith("nv_inference_count{") and f'model="{model}"' in name
    )  # fmt: skip
    assert rows == rows_for(2000) + 1
