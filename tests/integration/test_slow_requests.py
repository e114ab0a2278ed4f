"""GET /v2/debug/slow, and the table that `lepton slow` makes of it."""

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest
from fake_models import identity, per_row, write_model
from raw_http import RawConnection, four, infer_request, rows_for, slow

STRETCHES = ["read", "decode", "admit", "queue", "gather", "compute", "encode", "write"]


def lepton_slow(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lepton", "slow", *arguments],
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "160"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def page(server, query: str = "") -> dict:
    answer = server.admin.get(f"/v2/debug/slow{query}")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    return answer.json


@pytest.fixture
def own(start_server, tmp_path):
    """A server whose requests are those of one test; `fifo` accepts what others would refuse."""
    write_model(tmp_path, "four", identity())
    fifo = 'parameters { key: "policy" value { string_value: "fifo" } }'
    write_model(tmp_path, "fifo", per_row(), config=fifo)
    return start_server(tmp_path).wait_until_ready()


class TestPage:
    def test_a_slow_request_is_there_with_its_whole_way(self, server):
        before = datetime.now(UTC)
        assert server.infer("slow", slow(id="the slow one")).status == 200
        found = [each for each in page(server)["slowest"] if each["id"] == "the slow one"]
        (entry,) = found
        assert entry["model"] == "slow"
        assert entry["version"] == "1"
        assert entry["protocol"] == "http"
        assert entry["outcome"] == "ok"
        assert entry["status"] == 200
        assert entry["rows"] == rows_for(200)
        assert entry["batch_rows"] >= 1
        assert list(entry["stretches_us"]) == STRETCHES
        assert entry["stretches_us"]["compute"] >= 200_000
        way = sum(entry["stretches_us"].values()) - entry["stretches_us"]["read"]
        assert way == pytest.approx(entry["total_us"], abs=1)
        received = datetime.fromisoformat(entry["received"])
        assert timedelta(0) <= received - before + timedelta(milliseconds=1) < timedelta(minutes=1)

    def test_the_slowest_comes_first(self, server):
        for milliseconds in (50, 150, 100):
            server.infer("slow", slow(milliseconds))
        totals = [each["total_us"] for each in page(server)["slowest"]]
        assert totals == sorted(totals, reverse=True)

    def test_a_body_that_comes_slowly_is_told_apart(self, own):
        request = infer_request("four", four(id="dripping"))
        with RawConnection(own.port) as connection:
            connection.send(request[:-10])
            time.sleep(0.3)
            connection.send(request[-10:])
            assert connection.read_answer().status == 200
        (entry,) = page(own)["slowest"]
        assert entry["id"] == "dripping"
        assert entry["stretches_us"]["read"] >= 290_000
        assert entry["total_us"] < 290_000

    def test_one_that_expired_in_the_queue_is_among_those_that_missed(self, own):
        with RawConnection(own.port) as busy, RawConnection(own.port) as late:
            busy.send(infer_request("fifo", slow()))
            time.sleep(0.02)
            late.send(infer_request("fifo", slow(id="too late", parameters={"timeout": 100_000})))
            assert late.read_answer().status == 504
            assert busy.read_answer().status == 200
        (entry,) = page(own)["missed"]
        assert entry["id"] == "too late"
        assert entry["outcome"] == "deadline_exceeded"
        assert entry["slack_us"] < 0
        assert entry["stretches_us"]["queue"] >= 90_000
        assert entry["stretches_us"]["compute"] == 0

    def test_model_and_limit_choose(self, server):
        server.infer("slow", slow(50))
        server.infer("four", four())
        for _ in range(3):
            server.infer("slow", slow(50))
        entries = page(server, "?model=slow&limit=2")["slowest"]
        assert [each["model"] for each in entries] == ["slow", "slow"]
        assert page(server, "?model=no%20such")["slowest"] == []

    @pytest.mark.parametrize(
        ("query", "word"),
        [
            ("limit=0", "1 to 64"),
            ("limit=65", "1 to 64"),
            ("limit=-1", "1 to 64"),
            ("limit=ten", "1 to 64"),
            ("limit=", "1 to 64"),
            ("limit=99999999999999999999", "1 to 64"),
            ("speed=1", "unknown"),
            ("model=%4", "escape"),
        ],
    )
    def test_what_is_malformed_is_refused(self, server, query, word):
        answer = server.admin.get(f"/v2/debug/slow?{query}")
        assert answer.status == 400
        assert word in answer.error

    def test_only_get_is_offered(self, server):
        answer = server.post("/v2/debug/slow", {})
        assert answer.status == 405
        assert answer.headers["allow"] == "GET, HEAD"


class TestTable:
    def test_it_draws_where_the_time_went(self, server):
        server.infer("slow", slow(100, id="drawn"))
        done = lepton_slow("--url", server.url, "--model", "slow", "--limit", "64")
        assert done.returncode == 0, done.stderr
        (line,) = [line for line in done.stdout.splitlines() if " drawn " in line]
        assert "slow/1" in line
        # To scale with the slowest request of this server.
        assert line.rstrip().endswith("c")
        assert "c compute" in done.stdout

    def test_json_is_the_page(self, server):
        done = lepton_slow("--url", server.url, "--json")
        assert set(json.loads(done.stdout)) == {"slowest", "missed"}

    @pytest.mark.parametrize("url", ["http://127.0.0.1:1", "ftp://x", "http://[", "nothing"])
    def test_a_server_that_is_not_there_is_one_line(self, url):
        done = lepton_slow("--url", url)
        assert done.returncode in (1, 2)
        assert done.stderr.startswith("lepton slow:")
        assert done.stderr.count("\n") == 1
