"""The admin listener: what only it answers, to whom, and what the audit log notes."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request

import grpc
import pytest
from fake_models import identity, write_model
from lepton_server import AdminClient
from raw_http import RawConnection
from tritonclient.grpc import service_pb2, service_pb2_grpc

CONFIG = "/v2/models/m/config"
SLOW = "/v2/debug/slow"
LIGHTER = {"weight": 0.5}
ONE_ROW = {
    "inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}],
}


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    write_model(folder, "m", identity())
    return folder


@pytest.fixture
def server(keep_server, repository):
    server = keep_server(repository)
    yield server
    server.is_well()


def weight_of(server) -> str:
    return server.get(CONFIG).json["parameters"]["weight"]["string_value"]


def audit_lines(server) -> list[str]:
    return [line for line in server.log.splitlines() if " audit " in line]


def send_raw(port, head: str, body: bytes = b"", method: str = "POST", path: str = CONFIG):
    """Sends a request with exactly these fields, and a length."""
    with RawConnection(port) as connection:
        lines = "".join(f"{line}\r\n" for line in head.split("\n"))
        start = f"{method} {path} HTTP/1.1\r\n{lines}Content-Length: {len(body)}\r\n\r\n"
        connection.send(start.encode() + body)
        return connection.read_answer()


def lepton(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lepton", *arguments],
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "160"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def other_address() -> str | None:
    """An address of this machine that is not a loopback one; nothing if it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # This sends nothing.
        except OSError:
            return None
        return probe.getsockname()[0]


class TestTwoListeners:
    def test_the_data_port_refuses_changes_and_says_where_to_go(self, server):
        before = weight_of(server)
        for answer in (
            server.post(CONFIG, LIGHTER),
            server.post("/v2/models/m/versions/1/config", LIGHTER),
            server.post("/v2/models/none/config", LIGHTER),
            server.get(SLOW),
        ):
            assert answer.status == 403
            assert answer.json["admin_url"] == server.admin.url
            assert server.admin.url in answer.error
        assert weight_of(server) == before

    def test_the_admin_listener_answers_everything(self, server):
        admin = server.admin
        assert admin.post(CONFIG, LIGHTER).status == 200
        assert admin.get(SLOW).status == 200
        for path in ("/", "/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/m", CONFIG):
            assert admin.get(path).status == server.get(path).status == 200, path
        assert b"lepton_connections" in admin.get("/metrics").body
        assert admin.post("/v2/models/m/infer", ONE_ROW).status == 200
        with grpc.insecure_channel(admin.url.removeprefix("http://")) as channel:
            stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
            assert stub.ServerReady(service_pb2.ServerReadyRequest()).ready

    def test_it_is_told_in_the_log_and_in_the_ready_file(self, server):
        told = json.loads(server.ready_file.read_text())
        assert told["admin_url"] == server.admin.url
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", server.admin.url)

    def test_a_client_of_the_data_socket_is_told_too(self, server):
        with RawConnection(server.unix_socket) as connection:
            connection.send(f"GET {SLOW} HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = connection.read_answer()
        assert answer.status == 403
        assert answer.json["admin_url"] == server.admin.url

    def test_a_client_of_another_machine_is_not_told_the_address(self, start_server, repository):
        address = other_address()
        if address is None:
            pytest.skip("the machine has no address but the loopback one")
        server = start_server(repository, host="0.0.0.0").wait_until_ready()
        answer = AdminClient(f"http://{address}:{server.port}").get(SLOW)
        assert answer.status == 403
        assert "admin_url" not in answer.json
        assert "--url" in answer.error
        assert str(server.admin.port) not in answer.error
        assert server.log.count("open_to_network host=0.0.0.0") == 1

    def test_off_means_nowhere(self, start_server, repository):
        server = start_server(repository, "--admin-address", "off").wait_until_ready()
        answer = server.post(CONFIG, LIGHTER)
        assert answer.status == 403
        assert "--admin-address off" in answer.error
        assert "admin=off" in server.log
        assert "admin_url" not in json.loads(server.ready_file.read_text())

    def test_a_unix_socket_will_do(self, start_server, repository, tmp_path):
        path = tmp_path / "admin"
        server = start_server(repository, "--admin-address", f"unix:{path}").wait_until_ready()
        assert server.get(SLOW).json["admin_url"] == f"unix:{path}"
        tuned = lepton("tune", "m", "--url", server.url, "--weight", "4")
        assert tuned.returncode == 0, tuned.stderr
        assert weight_of(server) == "4"
        (line,) = (line for line in audit_lines(server) if "result=done" in line)
        assert f"peer=uid:{os.getuid()} " in line
        server.stop()
        assert not path.exists()

    def test_a_chosen_port_that_is_taken_is_an_error(self, start_server, repository, server):
        taken = server.admin.url.removeprefix("http://")
        other = start_server(repository, "--admin-address", taken)
        assert other.process.wait(20) == 1
        assert taken in other.log

    @pytest.mark.parametrize(
        "address", ["", "8003", "127.0.0.1", "127.0.0.1:", "127.0.0.1:70000", "::1:8003", "unix:"]
    )
    def test_what_is_no_address_is_refused(self, start_server, repository, address):
        server = start_server(repository, "--admin-address", address)
        assert server.process.wait(20) == 2
        assert "--admin-address" in server.log


class TestWebPages:
    @pytest.mark.parametrize(
        ("head", "status"),
        [
            ("Host: evil.example\nContent-Type: application/json", 403),
            ("Host: localhost.evil.example\nContent-Type: application/json", 403),
            ("Host: 8.8.8.8\nContent-Type: application/json", 403),
            ("Host: localhost\nOrigin: https://evil.example\nContent-Type: application/json", 403),
            ("Host: localhost\nOrigin: null\nContent-Type: application/json", 403),
            ("Host: localhost\nOrigin: http://localhost:1\nContent-Type: application/json", 403),
            ("Host: localhost\nSec-Fetch-Site: cross-site\nContent-Type: application/json", 403),
            ("Host: localhost\nSec-Fetch-Site: same-site\nContent-Type: application/json", 403),
            ("Host: localhost", 415),
            ("Host: localhost\nContent-Type: text/plain", 415),
            ("Host: localhost\nContent-Type: application/x-www-form-urlencoded", 415),
        ],
    )
    def test_a_page_changes_nothing(self, server, head, status):
        before = weight_of(server)
        answer = send_raw(server.admin.port, head, b'{"weight": 77, "save": true}')
        assert answer.status == status
        assert answer.error
        assert weight_of(server) == before

    @pytest.mark.parametrize("path", [SLOW, CONFIG, "/v2/health/ready", "/metrics"])
    def test_a_page_reads_nothing(self, server, path):
        for head in ("Host: evil.example", "Host: localhost\nOrigin: https://evil.example"):
            answer = send_raw(server.admin.port, head, method="GET", path=path)
            assert answer.status == 403

    def test_a_preflight_is_not_answered_as_a_page_needs_it(self, server):
        head = (
            "Host: localhost\nOrigin: https://evil.example\nAccess-Control-Request-Method: POST\n"
            "Access-Control-Request-Headers: content-type"
        )
        answer = send_raw(server.admin.port, head, method="OPTIONS")
        assert answer.status in (403, 405)
        assert not [name for name in answer.headers if name.startswith("access-control")]

    def test_a_page_is_not_told_where_the_admin_listener_is(self, server):
        for head in ("Host: evil.example", "Host: localhost\nOrigin: https://evil.example"):
            answer = send_raw(server.port, head, b"{}")
            assert answer.status == 403
            assert str(server.admin.port) not in answer.body.decode()

    def test_own_pages_and_tools_are_answered(self, server):
        port = server.admin.port
        json_type = "Content-Type: application/json; charset=utf-8"
        for head in (
            f"Host: localhost:{port}\n{json_type}",
            f"Host: 127.0.0.1:1234\n{json_type}",
            f"Host: [::1]:{port}\n{json_type}",
            f"Host: localhost:{port}\nOrigin: http://localhost:{port}\n{json_type}",
            f"Host: localhost\nSec-Fetch-Site: same-origin\n{json_type}",
        ):
            assert send_raw(port, head, b'{"weight": 2}').status == 200, head

    def test_names_can_be_given(self, start_server, repository):
        arguments = ("--admin-hosts", "gpu-7.example,ops")
        server = start_server(repository, *arguments).wait_until_ready()
        for host, status in (("gpu-7.example:80", 200), ("OPS", 200), ("other.example", 403)):
            answer = send_raw(server.admin.port, f"Host: {host}", method="GET", path=SLOW)
            assert answer.status == status


class TestAudit:
    def test_a_change_says_who_and_what(self, server):
        server.admin.post(CONFIG, {"weight": 1})
        agent = {"User-Agent": 'me "and" you'}
        assert server.admin.post(CONFIG, {"weight": 3}, agent).status == 200
        line = audit_lines(server)[-1]
        assert " info " in line
        assert re.search(r" peer=127\.0\.0\.1:\d+ listener=admin ", line)
        assert r'user_agent="me \"and\" you"' in line
        assert "action=change model=m version=1 setting=weight from=1 to=3" in line
        assert line.endswith("save=false result=done")

    def test_what_was_refused_is_there_too_and_on_one_line(self, start_server, repository):
        server = start_server(repository).wait_until_ready()
        answer = server.admin.post(CONFIG, {"weight": 0})
        assert answer.status == 400
        assert "setting=weight" in audit_lines(server)[-1]
        assert " warn" in audit_lines(server)[-1]
        before = len(server.log.splitlines())
        body = json.dumps({"x\n2026-01-01 info audit forged": "y\r\nforged"}).encode()
        path = "/v2/models/a%0Ainfo%20audit%20forged%0D/config"
        assert server.admin.post(path, body).status == 404
        lines = server.log.splitlines()[before:]
        assert len(lines) == 1
        assert lines[0].count(" audit peer=") == 1

    def test_a_flood_of_refused_requests_does_not_fill_the_log(self, start_server, repository):
        server = start_server(repository).wait_until_ready()
        with RawConnection(server.port, 60) as connection:
            for _ in range(300):
                connection.send(f"GET {SLOW} HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert connection.read_answer().status == 403
        # Some at once, and then one a second, even on a slow machine.
        assert 1 <= len(audit_lines(server)) <= 150


class TestCommands:
    def test_they_find_the_admin_listener_by_themselves(self, server):
        tuned = lepton("tune", "m", "--url", server.url, "--weight", "7")
        assert tuned.returncode == 0, tuned.stderr
        assert weight_of(server) == "7"
        server.infer("m", {**ONE_ROW, "id": "told"})
        shown = lepton("slow", "--url", server.url)
        assert shown.returncode == 0, shown.stderr
        assert "told" in shown.stdout

    def test_they_take_its_url(self, server):
        assert lepton("tune", "m", "--url", server.admin.url, "--weight", "8").returncode == 0
        assert lepton("slow", "--url", server.admin.url, "--json").returncode == 0
        assert weight_of(server) == "8"

    def test_without_one_they_say_why(self, start_server, repository):
        server = start_server(repository, "--admin-address", "off").wait_until_ready()
        for command in (("tune", "m", "--weight", "2"), ("slow",)):
            done = lepton(*command, "--url", server.url)
            assert done.returncode == 1
            assert "--admin-address off" in done.stderr


class TestPaths:
    def test_clients_are_not_told_where_models_lie(self, start_server, tmp_path):
        (write_model(tmp_path, "broken", identity()) / "config.pbtxt").write_text("nonsense: 1")
        write_model(tmp_path, "good", identity())
        empty = write_model(tmp_path, "empty", identity())
        (empty / "1" / "model.fake").unlink()
        server = start_server(tmp_path).wait_for_port()
        give_up = time.monotonic() + 30
        while "loading" in (answer := server.get("/v2/health/ready")).error:
            assert time.monotonic() < give_up
            time.sleep(0.02)
        paths = ["/v2/health/ready"]
        paths += [f"/v2/models/{m}{rest}" for m in ("broken", "empty") for rest in ("", "/ready")]
        paths += [f"/v2/models/{m}/config" for m in ("broken", "empty")]
        for path in paths:
            answer = server.get(path)
            assert answer.status == 503, path
            assert str(tmp_path) not in answer.error
            assert str(tmp_path.parent) not in answer.error
        assert "config.pbtxt" in server.get("/v2/models/broken").error
        assert str(tmp_path) not in server.infer("broken", ONE_ROW).error
        with grpc.insecure_channel(server.address) as channel:
            stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
            with pytest.raises(grpc.RpcError) as caught:
                stub.ModelMetadata(service_pb2.ModelMetadataRequest(name="broken"))
        assert str(tmp_path) not in caught.value.details()
        # The operator is told.
        assert str(tmp_path) in server.admin.get("/v2/health/ready").error
        assert str(tmp_path / "broken") in server.log


def test_the_default_host_is_this_machines_alone(start_server, repository, tmp_path):
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "LEPTON_TUNING": "never"}
    ready = tmp_path / "ready"
    binary = start_server(repository).wait_until_ready().command[0]
    process = subprocess.Popen(
        [binary, "serve", repository, "--port", "0", "--ready-file", ready],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        give_up = time.monotonic() + 30
        while not ready.exists():
            assert process.poll() is None
            assert time.monotonic() < give_up
            time.sleep(0.02)
        told = json.loads(ready.read_text())
        assert told["host"] == "127.0.0.1"
        with urllib.request.urlopen(f"http://127.0.0.1:{told['port']}/v2", timeout=10) as answer:
            assert answer.status == 200
    finally:
        process.terminate()
        log = process.communicate(timeout=20)[1]
    assert "open_to_network" not in log
