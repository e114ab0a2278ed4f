"""Models that are new on the machine: tried in another process, measured, remembered."""

import contextlib
import json
import shutil
import signal
import time
from pathlib import Path

import pytest
from fake_models import identity, write_model
from lepton_server import ROOT
from raw_http import four


def properties(server, model: str) -> dict:
    return server.get(f"/v2/models/{model}").json["parameters"]


def children(pid: int) -> list[int]:
    return [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]


def wait_for_child(pid: int) -> int:
    give_up = time.monotonic() + 20
    while not (found := children(pid)):
        assert time.monotonic() < give_up
        time.sleep(0.005)
    return found[0]


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


class TestAModelThatCrashes:
    @pytest.mark.parametrize(
        ("crash", "words"),
        [
            ({"crash": "SIGFPE"}, "crashed with SIGFPE in warm-up, at shape x [1,4]"),
            (
                {"crash": "SIGSEGV", "crash_rows": 16},
                "crashed with SIGSEGV in warm-up, at shape x [16,4]",
            ),
            ({"crash": "exit"}, "exit status 7"),
        ],
    )
    def test_is_an_error_of_that_model(self, start_server, tmp_path, crash, words):
        write_model(tmp_path, "bad", identity(**crash))
        write_model(tmp_path, "good", identity())
        server = start_server(tmp_path).wait_for_port()
        server.wait_for_model("good")
        assert server.infer("good", four()).status == 200
        assert words in server.get("/v2/models/bad/ready").error

        answer = server.get("/v2/health/ready")
        assert answer.status == 503
        assert answer.error.startswith('the server is not ready: model "bad" failed to load: ')
        assert words in answer.error
        give_up = time.monotonic() + 10
        while "not_ready" not in server.log:
            assert time.monotonic() < give_up
        assert server.stop() == 0
        assert not server.ready_file.exists()

    def test_does_not_count_without_strict_readiness(self, start_server, tmp_path):
        write_model(tmp_path, "bad", identity(crash="SIGABRT"))
        write_model(tmp_path, "good", identity())
        server = start_server(tmp_path, "--strict-readiness", "false").wait_until_ready()
        assert server.get("/v2/health/ready").status == 200
        told = json.loads(server.ready_file.read_text())
        assert told["models"] == ["good"]
        (failed,) = told["failed"]
        assert failed["model"] == "bad" and "crashed with SIGABRT" in failed["reason"]

    def test_that_hangs_is_given_up(self, start_server, tmp_path):
        write_model(tmp_path, "bad", identity(crash="hang"))
        write_model(tmp_path, "good", identity())
        server = start_server(tmp_path, "--probe-timeout", "300ms").wait_for_port()
        server.wait_for_model("good")
        assert "hangs in warm-up" in server.get("/v2/models/bad/ready").error

    def test_loading_says_which_model_it_is(self, start_server, tmp_path):
        write_model(tmp_path, "bad", identity(crash="hang"))
        server = start_server(tmp_path).wait_for_port()
        assert server.get("/v2/health/ready").error == "the server is not ready: loading bad"


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_trying_at_once(start_server, tmp_path, sig):
    write_model(tmp_path, "a", identity(crash="hang"))
    write_model(tmp_path, "b", identity(crash="hang"))
    server = start_server(tmp_path).wait_for_port()
    child = wait_for_child(server.process.pid)
    started = time.monotonic()
    assert server.stop(sig) == 0
    assert time.monotonic() - started < 5
    assert is_gone(child)
    assert not server.ready_file.exists()


def test_the_process_ends_with_a_server_that_is_killed(start_server, tmp_path):
    write_model(tmp_path, "a", identity(crash="hang"))
    server = start_server(tmp_path).wait_for_port()
    child = wait_for_child(server.process.pid)
    server.process.kill()
    server.process.wait()
    give_up = time.monotonic() + 10
    while not is_gone(child):
        assert time.monotonic() < give_up
        time.sleep(0.005)


def test_it_inherits_no_socket(start_server, tmp_path):
    write_model(tmp_path, "a", identity(crash="hang"))
    server = start_server(tmp_path).wait_for_port()
    child = wait_for_child(server.process.pid)
    give_up = time.monotonic() + 10
    while "lepton-probe" not in Path(f"/proc/{child}/cmdline").read_text():
        assert time.monotonic() < give_up
    links = []
    for descriptor in Path(f"/proc/{child}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # It was closed meanwhile.
            links.append(str(descriptor.readlink()))
    assert not [link for link in links if link.startswith("socket:")], links


def test_the_ready_file_goes_with_the_server(start_server, tmp_path):
    write_model(tmp_path, "a", identity())
    server = start_server(tmp_path).wait_until_ready()
    assert server.stop() == 0
    assert not server.ready_file.exists()


class TestRecords:
    def test_a_model_is_known_at_the_second_start(self, start_server, tmp_path):
        write_model(tmp_path / "models", "a", identity(probe=True))
        known = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
        first = start_server(tmp_path / "models", environment=known).wait_until_ready()
        assert properties(first, "a")["tuning"] == "measured at start"
        (record,) = (tmp_path / "cache/lepton/tuning").iterdir()
        second = start_server(tmp_path / "models", environment=known).wait_until_ready()
        assert properties(second, "a")["tuning"] == f"recorded in {record.name}"
        assert "tuning_record_used model=a" in second.log
        assert second.infer("a", four()).status == 200

    def test_a_damaged_record_is_ignored_and_replaced(self, start_server, tmp_path):
        write_model(tmp_path / "models", "a", identity(probe=True))
        cache = tmp_path / "cache"
        start_server(tmp_path / "models", "--cache-dir", cache).wait_until_ready()
        (record,) = (cache / "tuning").iterdir()
        text = record.read_text()
        record.write_text(text.replace('"threads":1', '"threads":100000'))
        server = start_server(tmp_path / "models", "--cache-dir", cache).wait_until_ready()
        assert "tuning_record_ignored" in server.log and "threads is 100000" in server.log
        assert properties(server, "a")["tuning"] == "measured at start"
        assert json.loads(record.read_text()) == json.loads(text) | {
            "plan": json.loads(record.read_text())["plan"]
        }

    def test_without_one_a_model_is_measured_beside_traffic(self, start_server, tmp_path):
        """It is not known in advance that batches pay for a model of 3 ms."""
        write_model(tmp_path, "slow", identity(probe=True, delay_us=3_000))
        server = start_server(tmp_path, "--tuning", "later").wait_until_ready()
        assert properties(server, "slow")["batch_sizes"] == "1"
        give_up = time.monotonic() + 30
        while properties(server, "slow")["batch_sizes"] != "1,2,4,8,16":
            assert server.infer("slow", four()).status == 200
            assert time.monotonic() < give_up, server.log
        assert properties(server, "slow")["tuning"] == "measured while it served"
        assert server.metrics()["lepton_tuned_changes_total"] == 1


@pytest.mark.openvino
def test_a_model_of_openvino_is_tried_and_known(start_server, tmp_path):
    folder = tmp_path / "models/digits/1"
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "examples/digits/model.onnx", folder)
    cache = tmp_path / "cache"
    first = start_server(tmp_path / "models", "--cache-dir", cache).wait_until_ready()
    second = start_server(tmp_path / "models", "--cache-dir", cache).wait_until_ready()
    before, after = properties(first, "digits"), properties(second, "digits")
    assert after.pop("tuning").startswith("recorded in ")
    assert before.pop("tuning") == "measured at start"
    assert before == after
