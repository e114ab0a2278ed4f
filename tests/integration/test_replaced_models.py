"""Models that are replaced or unloaded while they answer: nobody waits for that."""

import json
import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from fake_models import identity, per_row, write_model
from lepton_server import Answer, LeptonServer
from raw_http import four, slow


def first_value(answer: Answer) -> float:
    assert answer.status == 200, answer.body
    return answer.json["outputs"][0]["data"][0]


@pytest.fixture
def repository(tmp_path):
    write_model(tmp_path, "a_slow_one", per_row())
    return tmp_path


@pytest.fixture
def server(start_server, repository) -> LeptonServer:
    return start_server(repository).wait_until_ready()


@pytest.fixture
def running(server) -> Iterator[Future]:
    """A request for 3 s, which has begun."""
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(server.infer, "a_slow_one", slow(3000))
        give_up = time.monotonic() + 20
        pending = 'lepton_pending_requests{model="a_slow_one",version="1"}'
        while server.metrics()[pending] == 0:
            assert time.monotonic() < give_up
            time.sleep(0.01)
        yield answer


def replace(server, repository) -> None:
    (repository / "a_slow_one" / "1" / "model.fake").write_text(json.dumps(identity(add=1)))
    server.process.send_signal(signal.SIGHUP)


def test_others_load_while_a_replaced_model_answers_what_it_has(server, repository, running):
    write_model(repository, "b_loads_after_it", identity())
    replace(server, repository)
    server.wait_for_model("b_loads_after_it")
    assert first_value(server.infer("b_loads_after_it", four())) == 1
    assert first_value(server.infer("a_slow_one", four())) == 2, "not by the new one"
    assert not running.done()
    assert first_value(running.result()) == 0
    server.is_well()
    assert server.stop() == 0


def test_a_stop_waits_for_what_a_replaced_model_has(server, repository, running):
    replace(server, repository)
    # The one that is busy refuses so short a deadline; the one that replaces it does not.
    quick = four(parameters={"timeout": 200_000})
    give_up = time.monotonic() + 20
    while (answer := server.infer("a_slow_one", quick)).status != 200:
        assert time.monotonic() < give_up
        time.sleep(0.01)
    assert first_value(answer) == 2
    assert not running.done()
    assert server.stop() == 0
    assert first_value(running.result()) == 0
