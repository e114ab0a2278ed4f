"""Changes to how a model is run, made while the server serves it."""

import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import tritonclient.grpc
import tritonclient.http
from fake_models import identity, write_model
from raw_http import RawConnection, infer_request

ONE_ROW = {
    "inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}],
}
COMMENTED = """# Made by hand.
max_batch_size: 8  # Rows.
optimization { priority: PRIORITY_MAX }
instance_group [ { count: 1 } ]
"""


@pytest.fixture
def repository(tmp_path):
    write_model(tmp_path, "m", identity(delay_us=1_000), config=COMMENTED)
    write_model(tmp_path, "free", identity())
    return tmp_path


@pytest.fixture
def server(start_server, repository):
    server = start_server(repository).wait_until_ready()
    yield server
    server.is_well()


def config_of(server, model="m"):
    answer = server.get(f"/v2/models/{model}/config")
    assert answer.status == 200, answer.body
    return answer.json


def settings_of(config):
    return {name: value.get("string_value", "") for name, value in config["parameters"].items()}


def change(server, body, model="m"):
    answer = server.admin.post(f"/v2/models/{model}/config", body)
    assert answer.status == 200, answer.body
    return answer.json


class Load:
    """Clients that send one request after the other, until they are told to stop."""

    def __init__(self, port, threads=3):
        self._port = port
        self._stop = threading.Event()
        self.statuses = []
        self._threads = [threading.Thread(target=self._run) for _ in range(threads)]

    def _run(self):
        with RawConnection(self._port) as connection:
            while not self._stop.is_set():
                connection.send(infer_request("m", ONE_ROW))
                self.statuses.append(connection.read_answer().status)

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()


def test_the_configuration_is_told_as_tritons_clients_read_it(server):
    with tritonclient.http.InferenceServerClient(server.address) as client:
        over_http = client.get_model_config("m")
    with tritonclient.grpc.InferenceServerClient(server.address) as client:
        over_grpc = client.get_model_config("m", as_json=True)["config"]
    assert over_http["max_batch_size"] == over_grpc["max_batch_size"] == 8
    assert over_http["input"][0]["data_type"] == over_grpc["input"][0]["data_type"] == "TYPE_FP32"
    assert over_http["input"][0]["dims"] == [4]
    assert over_grpc["output"][0]["dims"] == ["4"]
    assert over_http["instance_group"][0]["count"] == over_grpc["instance_group"][0]["count"] == 1
    assert over_http["instance_group"][0]["kind"] == over_grpc["instance_group"][0]["kind"]
    assert over_http["backend"] == over_grpc["backend"] == "fake"
    assert settings_of(over_http) == settings_of(over_grpc)
    assert settings_of(over_http)["settings_configured"] == "max_batch_size,instances"


def test_what_was_measured_is_told_where_nothing_was_configured(server):
    config = config_of(server, "free")
    assert config["max_batch_size"] == 0  # No bound on a request's rows.
    assert config["input"][0]["dims"] == [-1, 4]
    settings = settings_of(config)
    assert settings["settings_tuned"] == "max_batch_size,threads"
    assert int(settings["max_batch_size"]) >= 1


@pytest.mark.parametrize(
    "body",
    [
        {"policy": "fifo", "max_queue_delay_us": 2000, "preferred_batch_sizes": [2, 4]},
        {"instances": 2},
        {"threads": 2},
        {"max_batch_size": 16},
        {"max_batch_size": 2},
        {"weight": 2.5, "max_queue_size": 100, "max_queue_bytes": 1 << 20},
    ],
    ids=lambda body: "-".join(body),
)
def test_no_request_fails_while_the_configuration_changes(server, body):
    before = settings_of(config_of(server))
    with Load(server.port) as load:
        time.sleep(0.2)
        answer = change(server, body)
        time.sleep(0.2)
        back = change(
            server, {"policy": "deadline", "preferred_batch_sizes": [], "max_queue_delay_us": 0}
        )
        time.sleep(0.2)
    assert len(load.statuses) > 10
    assert set(load.statuses) == {200}
    assert set(answer["changed"]) == set(body)
    for name, value in body.items():
        assert answer["changed"][name]["to"] == value
    assert answer["reloaded"] == bool({"instances", "threads"} & set(body) or 16 in body.values())
    assert settings_of(back)["policy"] == "deadline"
    assert set(settings_of(answer)["settings_changed"].split(",")) == set(body)
    assert before["settings_changed"] == ""


def test_a_larger_batch_is_run_once_it_is_allowed(server):
    rows = {"inputs": [{"name": "x", "shape": [12, 4], "datatype": "FP32", "data": [0.5] * 48}]}
    refused = server.infer("m", rows)
    assert refused.status == 400
    assert "at most 8" in refused.error
    change(server, {"max_batch_size": 12})
    assert server.infer("m", rows).status == 200
    sizes = [name for name in server.metrics() if name.startswith("lepton_batch_rows_sum")]
    assert sum(server.metrics()[name] for name in sizes if 'model="m"' in name) >= 12
    change(server, {"max_batch_size": 4})
    refused = server.infer("m", rows)
    assert refused.status == 400
    assert "at most 4" in refused.error


def test_fifo_holds_a_request_back_for_its_delay_and_deadline_does_not(server):
    change(server, {"policy": "fifo", "max_queue_delay_us": 300_000})
    begin = time.monotonic()
    assert server.infer("m", ONE_ROW).status == 200
    assert time.monotonic() - begin >= 0.3
    change(server, {"policy": "deadline"})
    quickest = 10.0
    for _ in range(5):
        begin = time.monotonic()
        assert server.infer("m", ONE_ROW).status == 200
        quickest = min(quickest, time.monotonic() - begin)
    assert quickest < 0.3


def test_what_the_old_policy_holds_back_is_answered_by_the_new_one(server):
    change(server, {"policy": "fifo", "max_queue_delay_us": 60_000_000})
    with ThreadPoolExecutor(1) as background:
        held = background.submit(server.infer, "m", ONE_ROW)
        give_up = time.monotonic() + 10
        while not server.metrics().get('lepton_pending_requests{model="m",version="1"}'):
            assert time.monotonic() < give_up, server.get("/metrics").body.decode()
            time.sleep(0.01)
        change(server, {"policy": "deadline"})
        assert held.result(timeout=20).status == 200


def test_a_default_deadline_is_in_force_at_once(server):
    change(server, {"default_deadline_ms": 0.01})
    assert server.infer("m", ONE_ROW).status == 504
    change(server, {"default_deadline_ms": 0})
    assert server.infer("m", ONE_ROW).status == 200


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"max_batch": 4}, ['"max_batch"', "max_batch_size"]),
        ({"weight": 0}, ["weight must be", "not 0", "0.001"]),
        ({"weight": -1}, ["weight must be", "not -1"]),
        ({"weight": "heavy"}, ["weight must be", 'not "heavy"']),
        ({"max_batch_size": -1}, ["max_batch_size must be", "not -1", "4096"]),
        ({"max_batch_size": 2.5}, ["max_batch_size must be", "not 2.5"]),
        ({"max_batch_size": 10**9}, ["4096"]),
        ({"max_batch_size": 10**30}, ["max_batch_size"]),
        ({"instances": 0}, ["instances must be", "not 0"]),
        ({"instances": "auto:0-3"}, ["instances must be", 'not "auto:0-3"']),
        ({"instances": "auto:3-1"}, ["instances must be", 'not "auto:3-1"']),
        ({"instances": "auto:1-1000"}, ["instances x threads", "= 1000"]),
        ({"instances": 1024}, ["instances x threads", "= 1024", "at most"]),
        ({"threads": True}, ["threads must be", "not true"]),
        ({"threads": None}, ["threads", "null"]),
        ({"default_deadline_ms": -0.5}, ["default_deadline_ms must be", "not -0.5"]),
        ({"default_deadline_ms": 1e300}, ["default_deadline_ms"]),
        ({"max_queue_size": 0}, ["max_queue_size must be", "not 0"]),
        ({"max_queue_bytes": 2**63}, ["max_queue_bytes"]),
        ({"policy": "lifo"}, ["policy must be", 'not "lifo"', "deadline, fifo"]),
        ({"policy": 7}, ["policy must be", "not 7"]),
        ({"max_queue_delay_us": 100}, ["max_queue_delay_us", "fifo"]),
        ({"preferred_batch_sizes": [2]}, ["preferred_batch_sizes", "fifo"]),
        ({"policy": "fifo", "preferred_batch_sizes": [9]}, ["has 9", "is 8"]),
        ({"preferred_batch_sizes": ["a"]}, ["preferred_batch_sizes"]),
        ({"preferred_batch_sizes": [[1]]}, ["preferred_batch_sizes"]),
        ({"weight": {}}, ["weight"]),
        ({"save": "yes"}, ['"save"']),
        # All of it or nothing: the first setting is valid.
        ({"weight": 3, "policy": "lifo"}, ["policy must be", 'not "lifo"']),
        ({"policy": "fifo", "weight": 0}, ["weight must be", "not 0"]),
        (b'{"weight": 2, "weight": 3}', ["twice"]),
        (b'{"weight": 2} {', ["JSON"]),
        (b'{"weight": 2} {"weight": 3}', ["more follows"]),
        (b"[1]", ["object"]),
        (b"", ["JSON"]),
        (b"\xff\xfe", []),
    ],
    ids=str,
)
def test_a_change_that_makes_no_sense_is_refused_and_changes_nothing(server, body, told):
    before = server.get("/v2/models/m/config").body
    answer = server.admin.post("/v2/models/m/config", body)
    assert answer.status == 400, answer.body
    for words in told:
        assert words in answer.error, answer.error
    assert server.get("/v2/models/m/config").body == before


def test_a_change_that_does_not_load_leaves_the_old_sessions_serving(start_server, tmp_path):
    model = write_model(tmp_path, "m", identity())
    server = start_server(tmp_path).wait_until_ready()
    before = server.get("/v2/models/m/config").body
    (model / "1" / "model.fake").write_text("no model any more")
    answer = server.admin.post("/v2/models/m/config", {"instances": 2})
    assert answer.status == 400, answer.body
    assert "model.fake" in answer.error
    assert server.get("/v2/models/m/config").body == before
    assert server.infer("m", ONE_ROW).status == 200


def test_an_unknown_model_or_version_is_named(server):
    for path in ("/v2/models/none/config", "/v2/models/m/versions/7/config"):
        assert server.get(path).status == 404
        assert server.admin.post(path, {"weight": 2}).status == 404
    assert server.get("/v2/models/m/versions/1/config").json["name"] == "m"


def test_a_saved_change_survives_the_server_and_keeps_the_comments(start_server, repository):
    first = start_server(repository).wait_until_ready()
    assert change(first, {"weight": 2.5})["saved_to"] == ""
    file = repository / "m" / "config.pbtxt"
    assert file.read_text() == COMMENTED
    answer = change(first, {"instances": 2, "save": True})
    assert answer["saved_to"] == str(file)
    assert settings_of(answer)["settings_changed"] == "weight"
    assert file.read_text().startswith(COMMENTED)
    change(first, {"instances": 1, "save": True})
    assert file.read_text().count("instances") == 1, file.read_text()
    assert [entry.name for entry in file.parent.iterdir() if ".new" in entry.name] == []
    first.stop()
    second = start_server(repository).wait_until_ready()
    settings = settings_of(config_of(second))
    assert (settings["weight"], settings["instances"]) == ("1", "1")
    assert "weight" not in settings["settings_configured"]
    assert "instances" in settings["settings_configured"]


def test_what_was_only_tried_is_not_saved_with_the_next_change(start_server, repository):
    server = start_server(repository).wait_until_ready()
    change(server, {"weight": 2.5})
    answer = change(server, {"max_queue_size": 50, "save": True})
    file = repository / "m" / "config.pbtxt"
    assert "weight" not in file.read_text()
    assert settings_of(answer)["weight"] == "2.5"
    assert settings_of(answer)["settings_changed"] == "weight"
    change(server, {"weight": 2.5, "save": True})
    assert "weight" in file.read_text()


def test_the_file_that_was_saved_loads_without_a_warning(start_server, repository):
    server = start_server(repository).wait_until_ready()
    change(server, {"policy": "fifo"})
    change(server, {"max_queue_delay_us": 2000, "save": True})
    file = repository / "m" / "config.pbtxt"
    assert '"fifo"' in file.read_text(), "without which the delay has no effect"
    change(server, {"policy": "deadline", "save": True})
    assert "max_queue_delay_us" not in file.read_text()
    server.stop()
    again = start_server(repository).wait_until_ready()
    assert settings_of(config_of(again))["policy"] == "deadline"
    warnings = [line for line in again.log.splitlines() if "config_warning" in line]
    assert not any("delay" in line for line in warnings), warnings


def test_there_is_something_to_save(server):
    answer = server.admin.post("/v2/models/m/config", {"save": True})
    assert answer.status == 400
    assert "name the settings to save" in answer.json["error"]


def test_clients_that_leave_while_their_change_waits_do_no_harm(server):
    body = json.dumps({"instances": 2}).encode()
    for _ in range(3):
        with RawConnection(server.admin.port) as connection:
            connection.send(
                b"POST /v2/models/m/config HTTP/1.1\r\nHost: localhost\r\n"
                b"Content-Type: application/json\r\nContent-Length: "
                + str(len(body)).encode()
                + b"\r\n\r\n"
                + body
            )
    change(server, {"instances": 1})
    assert server.infer("m", ONE_ROW).status == 200


def test_changes_that_come_together_are_made_one_after_the_other(server):
    with ThreadPoolExecutor(8) as clients:
        bodies = [{"instances": 1 + i % 2, "weight": 1 + i} for i in range(8)]
        path = "/v2/models/m/config"
        answers = list(clients.map(lambda body: server.admin.post(path, body), bodies))
    assert {answer.status for answer in answers} == {200}
    for body, answer in zip(bodies, answers, strict=True):
        assert settings_of(answer.json)["weight"] == str(body["weight"])
        assert answer.json["instance_group"][0]["count"] == body["instances"]


def test_a_server_that_stops_answers_the_changes_it_has(start_server, repository):
    server = start_server(repository).wait_until_ready()
    with ThreadPoolExecutor(8) as clients:
        changes = [
            clients.submit(server.admin.post, "/v2/models/m/config", {"instances": 1 + i % 2})
            for i in range(8)
        ]
        changes[0].result()
        assert server.stop() == 0, server.log
        for one in changes:
            # A request that came too late was refused.
            assert one.exception() is not None or one.result().status in (200, 503)


@pytest.mark.slow
def test_the_number_of_instances_follows_the_load(start_server, tmp_path):
    # A run sleeps, so that cores are idle while requests wait.
    write_model(tmp_path, "m", identity(delay_us=20_000), config="max_batch_size: 1")
    server = start_server(tmp_path).wait_until_ready()
    cores = int(re.search(r"cores=(\d+)", server.log)[1])
    if cores < 2:
        pytest.skip("one core cannot run two instances")
    answer = change(server, {"instances": "auto:1-2"})
    assert answer["changed"]["instances"] == {"from": 1, "to": "auto:1-2"}
    assert not answer["reloaded"]
    give_up = time.monotonic() + 60
    with Load(server.port, threads=6) as load:
        while config_of(server)["instance_group"][0]["count"] == 1:
            assert time.monotonic() < give_up, server.log
            time.sleep(0.2)
    assert set(load.statuses) == {200}
    assert settings_of(config_of(server))["instances"] == "auto:1-2"
    assert server.metrics()["lepton_instance_changes_total"] == 1
    decisions = [line for line in server.log.splitlines() if "instances_controlled" in line]
    assert len(decisions) == 1
    assert "from=1 to=2" in decisions[0]
    assert "requests wait while cores are idle" in decisions[0]
