"""One client beside another that asks for more than its share."""

import json
from contextlib import contextmanager

import pytest
from fake_models import identity, write_model
from raw_http import HTTP2_PREFACE, RawConnection, four, http2_post, infer_request

FLOOD = 300
ROOM = 200
CONFIG = (
    f"max_batch_size: 1\ndynamic_batching {{ default_queue_policy {{ max_queue_size: {ROOM} }} }}"
)


@pytest.fixture
def server(start_server, tmp_path):
    write_model(tmp_path, "slow", identity(delay_us=20_000), config=CONFIG)
    return start_server(tmp_path).wait_until_ready()


@contextmanager
def flood(server, **parameters: object):
    """A connection that sends more requests at once than may wait."""
    body = json.dumps(four(parameters=parameters)).encode()
    with RawConnection(server.port) as connection:
        streams = range(1, 2 * FLOOD, 2)
        connection.send(
            HTTP2_PREFACE
            + b"".join(http2_post(stream, "/v2/models/slow/infer", body) for stream in streams)
        )
        server.wait_for_outcome("slow", "queue_full", FLOOD - ROOM - 10)
        yield


def test_a_client_that_asks_for_little_is_served_beside_a_flood(server):
    with flood(server), RawConnection(server.port) as connection:
        for _ in range(5):
            connection.send(infer_request("slow", four()))
            assert connection.read_answer().status == 200
        # In turn with the flood, most of which still waits.
        assert server.metrics()['lepton_pending_requests{model="slow",version="1"}'] > ROOM / 2
