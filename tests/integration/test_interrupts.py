"""Ctrl-C at any moment: no traceback, code 130, and `bench` prints what it has."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest
from fake_models import identity, write_model
from lepton_server import BINARY

# From where the program itself decides what Ctrl-C does.
MAIN = """
from lepton.__main__ import end_at_once, main
end_at_once()
print("go", flush=True)
main()
"""
BENCH = ("bench", "--model", "four", "--warmup", "10ms", "--duration", "200ms")


def start(*arguments: object, **options: object) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, *map(str, arguments)],
        env={
            **os.environ,
            "LEPTON_SERVER": str(BINARY),
            "LEPTON_BENCH": str(BINARY.with_name("lepton-bench")),
            "NO_COLOR": "1",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # So that all of the group is interrupted, as by a terminal.
        **options,
    )
    assert process.stdout.readline() == "go\n"
    return process


def interrupt(process: subprocess.Popen) -> tuple[int, str, str]:
    os.killpg(process.pid, signal.SIGINT)
    said, logged = process.communicate(timeout=60)
    assert "Traceback" not in logged, logged
    assert "KeyboardInterrupt" not in logged, logged
    return process.returncode, said, logged


@pytest.fixture
def silent():
    """An endpoint that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("seconds", [0, 0.05, 0.2, 0.8])
@pytest.mark.parametrize(
    "command",
    [
        ("infer", "m", "x=1", "--url"),
        ("models", "--url"),
        ("tune", "m", "--url"),
        ("bench", "--model", "m", "--rate", "5", "--url"),
    ],
    ids=lambda command: command[0],
)
def test_a_command_that_waits_ends_with_130(silent, command, seconds):
    process = start(*command, silent)
    time.sleep(seconds)
    assert interrupt(process)[0] == 130


def test_a_background_job_does_not_hear_of_it(silent):
    process = start("models", "--url", silent, preexec_fn=lambda: signal.signal(2, signal.SIG_IGN))
    os.killpg(process.pid, signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    process.kill()
    process.communicate()


@pytest.mark.parametrize("seconds", [0.5, 1.5])
def test_infer_ends_while_it_loads_a_model_that_takes_minutes(tmp_path, seconds):
    write_model(tmp_path, "slow", identity(shape=[-1, 4], delay_us=120_000_000))
    process = start("infer", tmp_path, "x=1,2,3,4")
    time.sleep(seconds)
    assert interrupt(process)[0] == 130


@pytest.mark.openvino
@pytest.mark.parametrize("seconds", [0.2, 0.8])
def test_create_leaves_nothing_behind(tmp_path, seconds):
    model = "examples/digits/model.onnx"
    process = start("create", os.path.abspath(model), "--output_path", "out", cwd=tmp_path)
    time.sleep(seconds)
    code, _, _ = interrupt(process)
    # On a fast machine it may have ended.
    assert code in (0, 130)
    assert code == 0 or not list(tmp_path.iterdir())


@pytest.mark.openvino
@pytest.mark.parametrize("seconds", [0, 0.3])
def test_demo_is_interrupted_before_it_serves_and_ended_once_it_does(seconds):
    process = start("demo", "--port", "0")
    time.sleep(seconds)
    code, said, _ = interrupt(process)
    assert code == 130 or "Serving until Ctrl-C" in said
    process = start("demo", "--port", "0")
    for line in process.stdout:
        if "Serving until Ctrl-C" in line:
            break
    assert interrupt(process)[0] == 0


def points_of_interrupted_bench(server, *options):
    """Interrupts it when it has measured something."""
    before = server.requests_of("four", "ok")
    process = start(*BENCH, "--url", server.url, *options)
    give_up = time.monotonic() + 60
    # More requests than a point of 200 ms at this rate has.
    while server.requests_of("four", "ok") < before + 70:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < give_up
        time.sleep(0.02)
    return interrupt(process)


def test_bench_prints_the_points_that_it_has(server):
    rates = ",".join(["100"] * 200)
    code, said, logged = points_of_interrupted_bench(server, "--rate", rates)
    assert code == 130
    assert "goodput" in said
    assert "interrupted: these are the points that were measured until then" in logged
    code, said, _ = points_of_interrupted_bench(server, "--rate", rates, "--json")
    assert code == 130
    told = json.loads(said)
    assert told["interrupted"] is True
    assert 0 < len(told["points"]) < 200


def test_an_interrupted_search_says_how_far_it_was(server, tmp_path):
    report = tmp_path / "report.html"
    search = ("--sweep", "--rate", "100", "--deadline", "1s", "--target", "0.01")
    code, said, _ = points_of_interrupted_bench(server, *search, "--html", report)
    assert code == 130
    assert "so far" in said
    assert report.exists()
