"""`lepton tune` against a real server."""

import json
import os
import subprocess
import sys

import pytest
from fake_models import identity, write_model


@pytest.fixture
def server(start_server, tmp_path):
    write_model(tmp_path, "m", identity(), config="max_batch_size: 8")
    return start_server(tmp_path).wait_until_ready()


def tune(server, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "lepton", "tune", "m", "--url", server.url, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "100"},
    )


def test_the_table_says_who_chose_what(server):
    shown = tune(server)
    assert shown.returncode == 0, shown.stderr
    rows = [line.split() for line in shown.stdout.splitlines()]
    assert ["max_batch_size", "8", "configured"] in rows
    assert ["policy", "deadline", "default"] in rows


def test_a_change_is_told_and_in_force(server):
    changed = tune(server, "--policy", "fifo", "--preferred-batch-sizes", "2,4", "--weight", "2.5")
    assert changed.returncode == 0, changed.stderr
    assert "deadline -> fifo" in changed.stdout
    told = json.loads(tune(server, "--json").stdout)
    assert told["dynamic_batching"]["preferred_batch_size"] == [2, 4]
    assert told["parameters"]["weight"]["string_value"] == "2.5"


def test_a_change_that_makes_no_sense_ends_with_two_and_the_bound(server):
    refused = tune(server, "--max-queue-delay-us", "5")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "max_queue_delay_us" in refused.stderr
    as_json = tune(server, "--weight", "0", "--json")
    assert as_json.returncode == 2
    assert "0.001" in json.loads(as_json.stdout)["error"]
