"""lepton-bench and `lepton bench` against the real server and the fake engine."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from fake_models import DATATYPES
from lepton_server import BINARY, LeptonServer

BENCH = BINARY.with_name("lepton-bench")
REFUSALS = {"overloaded", "queue_full", "deadline_exceeded"}


def bench(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(BENCH), *map(str, arguments)], capture_output=True, text=True, timeout=90, check=False
    )


def measure(*arguments: object) -> dict:
    done = bench("--warmup", "50ms", "--duration", "400ms", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def lepton(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lepton", "bench", *map(str, arguments)],
        env={**os.environ, "LEPTON_BENCH": str(BENCH), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def urls(server: LeptonServer) -> dict[str, str]:
    return {
        "http": f"http://127.0.0.1:{server.port}",
        "grpc": f"grpc://127.0.0.1:{server.port}",
        "unix": f"unix:{server.unix_socket}",
        "grpc over unix": f"grpc+unix:{server.unix_socket}",
    }


def assert_adds_up(section: dict) -> None:
    kinds = ("in_time", "late", "refused", "expired", "failed")
    assert section["requests"] == sum(section[kind] for kind in kinds)
    assert section["answered"] == section["in_time"] + section["late"]
    errors = sum(error["count"] for error in section["errors"].values())
    assert errors == section["refused"] + section["expired"] + section["failed"]
    buckets = section["latency_buckets_ns"]
    assert sum(buckets[1::2]) == section["answered"]


@pytest.mark.parametrize("wire", ["http", "grpc", "unix", "grpc over unix"])
def test_counts_add_up_over_every_wire(server: LeptonServer, wire: str) -> None:
    got = measure("--url", urls(server)[wire], "--model", "four", "--rate", 200,
                  "--arrivals", "uniform")  # fmt: skip
    assert_adds_up(got["total"])
    assert got["total"]["requests"] in (79, 80, 81)
    assert got["total"]["failed"] == 0
    assert got["total"]["in_time"] == got["total"]["requests"]
    # The server's own report of where the time went.
    assert got["total"]["server_compute_us"]["count"] == got["total"]["answered"]
    assert got["generator"]["late_us"]["count"] == got["total"]["requests"]


@pytest.mark.parametrize("wire", ["http", "grpc"])
def test_deadline_shorter_than_the_model_is_always_missed(server: LeptonServer, wire: str) -> None:
    got = measure("--url", urls(server)[wire], "--model", "slow", "--rate", 100,
                  "--deadline", "500us")  # fmt: skip
    assert_adds_up(got["total"])
    assert got["total"]["attainment"] == 0
    assert got["total"]["goodput"] == 0
    assert "deadline_exceeded" in got["total"]["errors"]
    assert got["total"]["failed"] == 0


def test_overload_is_refused_and_seen(server: LeptonServer) -> None:
    # 2 ms per request: five times what the model can do.
    got = measure("--url", urls(server)["http"], "--model", "slow", "--rate", 2500,
                  "--deadline", "100ms")  # fmt: skip
    total = got["total"]
    assert_adds_up(total)
    assert total["in_time"] > 0
    assert total["refused"] > 0
    assert total["attainment"] < 0.9
    assert total["failed"] == 0
    assert set(total["errors"]) <= REFUSALS
    assert total["refusal_since_sent_us"]["count"] == total["refused"]


def test_priorities_and_deadlines_of_classes_reach_the_server(server: LeptonServer) -> None:
    got = measure("--url", urls(server)["http"], "--model", "slow", "--rate", 1500,
                  "--duration", "1s",
                  "--class", "name=control,share=0.2,deadline=100ms,priority=1",
                  "--class", "name=logging,share=0.8,deadline=100ms,priority=9")  # fmt: skip
    control, logging = got["classes"]
    assert (control["name"], control["priority"], control["deadline_us"]) == ("control", 1, 1e5)
    for section in (control, logging, got["total"]):
        assert_adds_up(section)
    assert control["requests"] + logging["requests"] == got["total"]["requests"]
    assert control["attainment"] > logging["attainment"]


def test_trace_is_replayed_with_its_classes(server: LeptonServer, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    lines = [f"{i * 0.005},{'ab'[i % 2]}\n" for i in range(60)]
    trace.write_text("# seconds,class\n" + "".join(lines))
    got = measure("--url", urls(server)["http"], "--model", "four", "--arrivals", "replay",
                  "--trace", trace, "--class", "name=a", "--class", "name=b",
                  "--warmup", "0s", "--duration", "60s")  # fmt: skip
    assert [section["requests"] for section in got["classes"]] == [30, 30]
    assert got["measured_s"] == pytest.approx(59 * 0.005)


def test_same_seed_sends_the_same_requests(server: LeptonServer) -> None:
    def counts(seed: int) -> list[int]:
        got = measure("--url", urls(server)["http"], "--model", "four", "--rate", 300,
                      "--seed", seed, "--class", "name=a", "--class", "name=b")  # fmt: skip
        return [section["requests"] for section in got["classes"]]

    assert counts(1) == counts(1)
    assert counts(1) != counts(2)


def test_closed_loop_has_one_request_of_each_thread_under_way(server: LeptonServer) -> None:
    got = measure("--url", urls(server)["http"], "--model", "slow", "--concurrency", 3)
    assert_adds_up(got["total"])
    assert got["generator"]["max_in_flight"] == 3
    assert got["total"]["answered"] > 10
    assert got["total"]["latency_us"]["p50"] > 2000


@pytest.mark.parametrize("load", [["--rate", "100"], ["--concurrency", "2"]])
def test_service_is_measured_in_process(zoo: Path, load: list[str]) -> None:
    got = measure("--service", zoo, "--model", "slow", *load, "--deadline", "1s")
    assert_adds_up(got["total"])
    assert got["in_process"]
    assert got["total"]["answered"] > 10
    assert got["total"]["failed"] == 0
    assert got["total"]["server_compute_us"]["p50"] > 1000


def test_inputs_of_every_datatype_are_made_up(server: LeptonServer) -> None:
    for datatype in DATATYPES:
        got = measure("--url", urls(server)["http"], "--model", f"identity_{datatype.lower()}",
                      "--shape", "x:2,5", "--rate", 100, "--warmup", "0s",
                      "--duration", "50ms")  # fmt: skip
        assert got["total"]["failed"] == 0, (datatype, got["total"]["errors"])
        assert got["total"]["answered"] > 0


def test_server_that_goes_away_is_counted_and_the_run_ends(start_server, zoo: Path) -> None:
    server = start_server(zoo).wait_until_ready()
    killer = threading.Timer(0.7, server.process.kill)
    killer.start()
    got = measure("--url", urls(server)["http"], "--model", "four", "--rate", 100,
                  "--duration", "1500ms")  # fmt: skip
    killer.join()
    assert_adds_up(got["total"])
    assert got["total"]["in_time"] > 0
    assert got["total"]["failed"] > 0
    assert any("failed; see errors" in warning for warning in got["warnings"])


def test_server_sees_each_request_once(server: LeptonServer) -> None:
    def seen() -> int:
        pattern = r'^lepton_requests_total\{model="slow",.*\} (\d+)$'
        return sum(map(int, re.findall(pattern, server.get("/metrics").body.decode(), re.M)))

    before = seen()
    got = measure("--url", urls(server)["http"], "--model", "slow", "--rate", 1500,
                  "--deadline", "20ms")  # fmt: skip
    assert got["total"]["refused"] > 0
    # Refused requests are not sent again, and none is sent twice to be quicker.
    assert seen() - before == got["generator"]["sent"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "none", "--rate", "1"], 'no model "none"'),
        (["--rate", "1"], "name one of them with --model"),
        (["--model", "identity_fp32", "--rate", "1"], "--shape x:1,16"),
        (["--model", "four", "--rate", "1", "--shape", "y:1,4"], "it has: x"),
        (["--model", "four", "--rate", "1", "--shape", "x:1,5"], "not [1,5]"),
        (["--model", "fixed", "--rate", "1", "--rows", "5"], "--rows"),
    ],
)
def test_model_that_cannot_be_asked_is_explained(
    server: LeptonServer, arguments: list[str], said: str
) -> None:
    done = bench("--url", urls(server)["http"], *arguments)
    assert done.returncode == 1
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--rate", "0"], "expected more than 0"),
        (["--rate", "-5"], "expected more than 0"),
        (["--rate", "1", "--deadline", "-5ms"], "not a time above 0"),
        (["--rate", "1", "--deadline", "5"], "has no unit; write"),
        (["--rate", "1", "--class", "name=a,colour=red"], '"colour" is not one of'),
        (["--rate", "1", "--class", "name=a", "--class", "name=a"], "two classes"),
        (["--rate", "1", "--class", "name=a", "--deadline", "5ms"], "into --class"),
        (["--rate", "1", "--arrivals", "gusty"], "not one of poisson"),
        (["--arrivals", "replay"], "needs --trace"),
        (["--rate", "1", "--trace", "/no/such"], "--arrivals replay"),
        (["--arrivals", "replay", "--trace", "/no/such"], "cannot be read"),
        (["--rate", "1", "--concurrency", "1"], "--concurrency"),
        ([], "name a load"),
        (["--rate", "1", "--shape", "x"], "NAME:EXTENT"),
    ],
)
def test_command_line_that_makes_no_sense_is_explained(arguments: list[str], said: str) -> None:
    done = bench("--url", "http://127.0.0.1:1", "--model", "m", *arguments)
    assert done.returncode == 2
    assert said in done.stderr


def test_trace_that_is_malformed_is_told_with_its_line(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    trace.write_text("0\n0.5\nsoon\n")
    done = bench("--url", "http://127.0.0.1:1", "--model", "m", "--arrivals", "replay",
                 "--trace", trace)  # fmt: skip
    assert done.returncode == 2
    assert "line 3" in done.stderr
    assert '"soon"' in done.stderr


def test_lepton_bench_measures_points_and_writes_a_report(
    server: LeptonServer, tmp_path: Path
) -> None:
    report = tmp_path / "report.html"
    done = lepton("--url", urls(server)["http"], "--compare", urls(server)["grpc"],
                  "--model", "four", "--rate", "50,100", "--duration", "200ms",
                  "--warmup", "50ms", "--html", report)  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if re.search(r"\b\d+/s\b", line)]
    assert len(lines) == 4
    text = report.read_text()
    assert text.count("<svg") > 3
    assert "http://127.0.0.1" in text
    assert "grpc://127.0.0.1" in text


def test_lepton_bench_prints_json_for_machines(server: LeptonServer) -> None:
    done = lepton("--url", urls(server)["http"], "--model", "four", "--concurrency", "1,2",
                  "--duration", "100ms", "--warmup", "0s", "--json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    printed = json.loads(done.stdout)
    assert [point["load"]["concurrency"] for point in printed["points"]] == [1, 2]
    assert printed["command"].startswith("lepton bench")


@pytest.mark.slow
def test_sweep_finds_a_load_that_the_model_can_do(server: LeptonServer) -> None:
    begin = time.monotonic()
    done = lepton("--url", urls(server)["http"], "--model", "slow", "--sweep", "--target", "0.9",
                  "--deadline", "100ms", "--duration", "400ms", "--warmup", "100ms",
                  "--json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    sweep = json.loads(done.stdout)["sweeps"][0]
    # 2 ms per request: 500 a second at most, but a short run may be lucky.
    assert 0 < sweep["largest_rate"] < 1000
    assert any(not step["passed"] for step in sweep["steps"])
    assert time.monotonic() - begin < 100


def test_server_that_is_not_there_is_one_line() -> None:
    done = lepton("--url", "http://127.0.0.1:1", "--model", "m", "--rate", "1")
    assert done.returncode == 1
    assert "lepton serve" in done.stderr
    assert done.stderr.count("\n") == 1
