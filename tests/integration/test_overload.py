"""More requests than the model can answer in time: the real server, with runs of known length."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from fake_models import identity, write_model
from raw_http import RawConnection, infer_request

RUN_SECONDS = 0.03
DEADLINE_SECONDS = 0.3
REQUESTS = 40  # Four times what fits in the deadline.


@pytest.fixture
def server(start_server, tmp_path):
    write_model(
        tmp_path, "slow", identity(delay_us=int(RUN_SECONDS * 1e6)), config="max_batch_size: 1"
    )
    return start_server(tmp_path).wait_until_ready()


def ask(port: int, **parameters: object) -> tuple[int, float]:
    """Returns the status, and the seconds until it came."""
    with RawConnection(port) as connection:
        begin = time.monotonic()
        connection.send(
            infer_request("slow", {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32",
                                               "data": [1, 2, 3, 4]}],
                                   "parameters": parameters})
        )  # fmt: skip
        return connection.read_answer().status, time.monotonic() - begin


def ask_many(port: int, count: int) -> list[tuple[int, float]]:
    with ThreadPoolExecutor(count) as threads:
        return list(
            threads.map(lambda _: ask(port, timeout=int(DEADLINE_SECONDS * 1e6)), range(count))
        )


def test_what_is_admitted_is_answered_in_time_and_the_rest_is_refused_long_before(server):
    begin = time.monotonic()
    answers = ask_many(server.port, REQUESTS)
    # On a busy machine the clients need longer to ask, and more of them are in time.
    whole = max(time.monotonic() - begin, DEADLINE_SECONDS)
    answered = [seconds for status, seconds in answers if status == 200]
    refused = [seconds for status, seconds in answers if status == 429]
    assert len(answered) + len(refused) == REQUESTS, answers
    assert 3 <= len(answered) <= whole / RUN_SECONDS
    # Part of the time is spent in the clients' own threads.
    assert sorted(refused)[len(refused) // 2] < DEADLINE_SECONDS


def test_a_deadline_shorter_than_the_run_is_refused_though_the_model_is_idle(server):
    status, _ = ask(server.port, timeout=int(RUN_SECONDS * 1e6 / 2))
    assert status == 504
    assert server.requests_of("slow", "ok") == 0


def test_an_important_request_takes_the_place_of_others(server):
    with ThreadPoolExecutor(1) as background:
        others = background.submit(ask_many, server.port, REQUESTS)
        time.sleep(2 * RUN_SECONDS)
        status, _ = ask(server.port, timeout=int(DEADLINE_SECONDS * 1e6), priority=1)
        others.result()
    assert status == 200
