"""The server as a process: start, configuration, and how it ends."""

import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest
from fake_models import identity, per_row, write_model
from lepton_server import BINARY
from raw_http import RawConnection, four, infer_request, slow


def run(*arguments: object, environment: dict[str, str] | None = None):
    return subprocess.run(
        [BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=30, env=environment
    )


class TestCommandLine:
    def test_help_has_examples(self):
        done = run("serve", "--help")
        assert done.returncode == 0
        assert "lepton serve" in done.stdout and "--port" in done.stdout

    def test_version_names_itself_and_the_engines(self):
        done = run("version")
        assert done.returncode == 0
        assert re.search(r"^lepton \d+\.\d+\.\d+", done.stdout)
        assert "openvino" in done.stdout

    @pytest.mark.parametrize(
        ("arguments", "word"),
        [
            (["serve"], "DIR"),
            (["serve", ".", "--port", "70000"], "--port"),
            (["serve", ".", "--busy-poll", "soon"], "--busy-poll"),
            (["serve", ".", "--no-such-flag"], "--no-such-flag"),
            (["explode"], "subcommand"),
        ],
    )
    def test_wrong_usage_names_the_mistake(self, arguments, word):
        done = run(*arguments)
        assert done.returncode == 2
        assert word.lower() in done.stderr.lower()


class TestStart:
    def test_ready_file_tells_where_and_what(self, start_server, tmp_path):
        write_model(tmp_path, "a", identity())
        write_model(tmp_path, "b", identity())
        server = start_server(tmp_path).wait_until_ready()
        ready = json.loads(server.ready_file.read_text())
        assert ready["host"] == "127.0.0.1"
        assert ready["pid"] == server.process.pid
        assert ready["models"] == ["a", "b"]
        with socket.create_connection(("127.0.0.1", ready["port"])):
            pass

    def test_ready_means_ready(self, start_server, tmp_path):
        """It is not ready before the slowest model has been warmed up."""
        write_model(tmp_path, "slow", identity(delay_us=100_000))
        server = start_server(tmp_path).wait_until_ready()
        assert server.get("/v2/health/ready").status == 200
        assert server.infer("slow", four()).status == 200

    def test_a_port_in_use_is_an_error_that_names_it(self, start_server, tmp_path):
        write_model(tmp_path, "a", identity())
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            done = run("serve", tmp_path, "--host", "127.0.0.1", "--port", port)
        assert done.returncode == 1
        assert str(port) in done.stderr and "in use" in done.stderr

    def test_two_servers_do_not_share_a_port(self, start_server, tmp_path):
        """Each reactor listens for itself; another process must be refused all the same."""
        write_model(tmp_path, "a", identity())
        first = start_server(tmp_path).wait_until_ready()
        done = run("serve", tmp_path, "--host", "127.0.0.1", "--port", first.port)
        assert done.returncode == 1
        assert str(first.port) in done.stderr

    def test_a_stale_socket_file_is_replaced(self, start_server, tmp_path):
        write_model(tmp_path, "a", identity())
        first = start_server(tmp_path).wait_until_ready()
        path = first.unix_socket
        first.process.kill()
        first.process.wait()
        assert path.exists()
        start_server(tmp_path, unix_socket=path).wait_until_ready()
        with RawConnection(path) as connection:
            connection.send(infer_request("a", four()))
            assert connection.read_answer().status == 200

    def test_a_ready_file_that_cannot_be_written_is_an_error_at_once(self, tmp_path):
        write_model(tmp_path / "models", "a", identity())
        missing = tmp_path / "nowhere" / "ready.json"
        done = run("serve", tmp_path / "models", "--port", "0", "--ready-file", missing)
        assert done.returncode == 2
        assert str(missing) in done.stderr and "No such file" in done.stderr
        assert "listening" not in done.stderr

    def test_a_ready_file_that_can_no_longer_be_written_ends_it(self, start_server, tmp_path):
        write_model(tmp_path / "models", "a", identity(delay_us=300_000))
        server = start_server(tmp_path / "models").wait_for_port()
        server.ready_file.mkdir()
        assert server.process.wait(20) == 1
        assert str(server.ready_file) in server.log
        assert "signal=" not in server.log

    def test_folders_are_looked_at_before_it_listens(self, tmp_path):
        done = run("serve", tmp_path / "nothing", "--port", "0")
        assert done.returncode == 2
        assert "nothing" in done.stderr and "listening" not in done.stderr

    def test_a_person_at_a_terminal_is_told_in_one_line(self, tmp_path):
        write_model(tmp_path, "a", identity())
        ours, theirs = os.openpty()
        process = subprocess.Popen(
            [BINARY, "serve", tmp_path, "--port", "0"], stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        said = b""
        while b"Ctrl-C stops" not in said:
            said += os.read(ours, 4096)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        os.close(ours)
        assert re.search(rb"Serving a at http://127\.0\.0\.1:\d+ - Ctrl-C stops", said)

    def test_logs_are_json_when_asked(self, tmp_path):
        write_model(tmp_path, "a", identity())
        done = run(
            *("serve", tmp_path, tmp_path / 'no "such"', "--port", "0"),
            *("--log-format", "json"),
        )
        lines = [json.loads(line) for line in done.stderr.splitlines()]
        assert {line["level"] for line in lines} >= {"info", "error"}
        assert 'no "such"' in lines[-1]["message"]
        assert set(lines[0]) == {"time", "level", "message"}

    def test_no_color_is_honoured_and_stdout_stays_empty(self, tmp_path):
        write_model(tmp_path, "a", identity())
        process = subprocess.Popen(
            [BINARY, "serve", tmp_path, "--host", "127.0.0.1", "--port", "0",
             "--ready-file", tmp_path / "ready"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={"NO_COLOR": "1"},
        )  # fmt: skip
        while not (tmp_path / "ready").exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.terminate()
        out, err = process.communicate(timeout=20)
        assert out == ""
        assert "ready" in err
        assert "\x1b[" not in err


class TestConfiguration:
    """Flag, then environment, then file; the options in force are printed at start."""

    @pytest.fixture
    def file(self, tmp_path):
        path = tmp_path / "lepton.toml"
        path.write_text('max-body-bytes = 1000\ndrain-timeout = "3s"\n')
        return path

    def body_limit(self, server) -> int:
        refused = server.infer("four", b" " * 5000)
        assert refused.status == 413
        return int(re.findall(r"\d+", refused.error)[-1])

    def test_file_alone(self, start_server, zoo, file):
        server = start_server(zoo, "--config", file).wait_until_ready()
        assert self.body_limit(server) == 1000

    def test_environment_over_file(self, start_server, zoo, file):
        environment = {"LEPTON_MAX_BODY_BYTES": "2000"}
        server = start_server(zoo, "--config", file, environment=environment).wait_until_ready()
        assert self.body_limit(server) == 2000

    def test_flag_over_environment_and_file(self, start_server, zoo, file):
        environment = {"LEPTON_MAX_BODY_BYTES": "2000"}
        server = start_server(
            zoo, "--config", file, "--max-body-bytes", 3000, environment=environment
        ).wait_until_ready()
        assert self.body_limit(server) == 3000
        assert "max-body-bytes=3000" in server.log

    def test_an_unknown_name_in_the_file_is_refused(self, zoo, tmp_path):
        path = tmp_path / "bad.toml"
        path.write_text("no-such-option = 1\n")
        done = run("serve", zoo, "--config", path)
        assert done.returncode == 2
        assert "no-such-option" in done.stderr


class TestEnd:
    @pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
    def test_signals_end_it_with_status_0(self, start_server, zoo, sig):
        server = start_server(zoo).wait_until_ready()
        assert server.stop(sig) == 0
        assert not server.unix_socket.exists()

    def test_what_runs_is_answered_before_the_end(self, start_server, tmp_path):
        write_model(tmp_path, "slow", per_row())
        server = start_server(tmp_path).wait_until_ready()
        with RawConnection(server.port) as connection:
            connection.send(infer_request("slow", slow(500, id="last")))
            time.sleep(0.1)
            ended = threading.Thread(target=server.stop)
            ended.start()
            assert connection.read_answer().json["id"] == "last"
            assert connection.is_closed_by_peer()
            ended.join()
        assert server.process.returncode == 0

    def test_while_draining_it_takes_nothing_new(self, start_server, tmp_path):
        write_model(tmp_path, "slow", per_row())
        server = start_server(tmp_path).wait_until_ready()
        with RawConnection(server.port) as busy, RawConnection(server.port) as idle:
            busy.send(infer_request("slow", slow(700)))
            time.sleep(0.1)
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.1)
            assert idle.is_closed_by_peer()
            with pytest.raises(OSError), RawConnection(server.port) as late:
                late.send("GET /v2/health/ready HTTP/1.1\r\nHost: a\r\n\r\n")
                assert late.read_answer().status == 503
                raise OSError("refused with 503, which is as good as not at all")
            assert busy.read_answer().status == 200

    def test_drain_timeout_bounds_the_end(self, start_server, tmp_path):
        write_model(tmp_path, "slow", per_row())
        server = start_server(tmp_path, "--drain-timeout", "200ms").wait_until_ready()
        with RawConnection(server.port) as first, RawConnection(server.port) as second:
            for connection in (first, second):
                connection.send(infer_request("slow", slow(3000)))
            time.sleep(0.1)
            before = time.monotonic()
            server.stop()
            # The current run cannot be cut short, and the one after it is not begun.
            assert time.monotonic() - before < 5

    def test_what_runs_beyond_the_drain_is_told_so(self, start_server, tmp_path):
        write_model(tmp_path, "slow", per_row())
        server = start_server(tmp_path, "--drain-timeout", "1s").wait_until_ready()
        with RawConnection(server.port, 30) as connection:
            connection.send(infer_request("slow", slow(20_000)))
            time.sleep(0.2)
            before = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            answer = connection.read_answer()
            assert answer.status == 503
            assert "shutting down" in answer.error
            assert answer.headers["connection"] == "close"
            assert server.process.wait(15) == 0
            assert time.monotonic() - before < 15
        assert not server.unix_socket.exists()

    def test_a_client_that_keeps_its_connection_loses_no_request(self, start_server, zoo):
        server = start_server(zoo).wait_until_ready()
        with RawConnection(server.port) as connection:
            connection.send(infer_request("four", four()))
            assert connection.read_answer().status == 200
            server.process.send_signal(signal.SIGTERM)
            last = {}
            while last.get("connection") != "close":
                connection.send(infer_request("four", four()))
                answer = connection.read_answer()
                assert answer.status == 200
                last = answer.headers
            assert connection.is_closed_by_peer()
        assert server.process.wait(20) == 0  # A second signal would end it at once.

    def test_hangup_looks_for_new_models(self, start_server, tmp_path):
        write_model(tmp_path, "a", identity())
        server = start_server(tmp_path).wait_until_ready()
        write_model(tmp_path, "b", identity())
        server.process.send_signal(signal.SIGHUP)
        server.wait_for_model("b")
        assert server.infer("b", four()).status == 200
        assert server.infer("a", four()).status == 200
        assert server.stop() == 0

    def test_it_ends_soon_while_models_load(self, start_server, tmp_path):
        for name in "abcdef":
            write_model(tmp_path, name, identity(delay_us=500_000))
        server = start_server(tmp_path).wait_for_port()
        before = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - before < 10

    def test_a_second_signal_ends_it_at_once(self, start_server, tmp_path):
        write_model(tmp_path, "slow", per_row())
        server = start_server(tmp_path).wait_until_ready()
        with RawConnection(server.port) as connection:
            connection.send(infer_request("slow", slow(5000)))
            time.sleep(0.1)
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.2)
            before = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            server.process.wait(10)
            assert time.monotonic() - before < 2
