"""What the server reports: metrics, the breakdown of each answer, canceled requests."""

import re
import time

import pytest
from raw_http import RawConnection, four, infer_request, slow

PARTS = ["net", "queue", "input", "compute", "output"]


def breakdown(header: str) -> dict[str, float]:
    """Server-Timing (https://www.w3.org/TR/server-timing/), durations in milliseconds."""
    parts = re.findall(r"(\w+);dur=([0-9.]+)", header)
    return {name: float(duration) for name, duration in parts}


class TestServerTiming:
    @pytest.mark.parametrize(("model", "body"), [("four", four()), ("slow", slow())])
    def test_it_names_each_part_of_the_time(self, server, model, body):
        before = time.monotonic()
        answer = server.infer(model, body)
        took_ms = (time.monotonic() - before) * 1e3
        parts = breakdown(answer.headers["server-timing"])
        assert list(parts) == PARTS
        assert sum(parts.values()) <= took_ms
        if model == "slow":
            assert 200 <= parts["compute"] < took_ms

    def test_waiting_is_told_apart_from_computing(self, server):
        with RawConnection(server.port) as first, RawConnection(server.port) as second:
            first.send(infer_request("slow", slow()))
            time.sleep(0.1)
            second.send(infer_request("slow", slow()))
            assert first.read_answer().status == 200
            parts = breakdown(second.read_answer().headers["server-timing"])
        assert parts["queue"] > 50
        assert parts["compute"] >= 200


class TestMetrics:
    def test_requests_are_counted_by_model_and_outcome(self, server):
        ok, failed = server.requests_of("four", "ok"), server.requests_of("unlucky", "internal")
        for _ in range(3):
            server.infer("four", four())
        row = {"name": "x", "shape": [1, 4], "datatype": "UINT8", "data": [13] * 4}
        assert server.infer("unlucky", {"inputs": [row]}).status == 500
        server.wait_for_outcome("four", "ok", ok + 3)
        server.wait_for_outcome("unlucky", "internal", failed + 1)
        assert server.requests_of("four", "ok") == ok + 3

    @pytest.mark.parametrize("name", ["request", "queue", "compute", "total"])
    def test_histograms_are_mergeable_and_add_up(self, server, name):
        server.infer("four", four())
        samples = server.metrics()
        labels = 'model="four",version="1"'
        buckets = [
            value
            for sample, value in samples.items()
            if sample.startswith(f"lepton_{name}_seconds_bucket{{{labels}")
        ]
        assert len(buckets) > 10
        assert buckets == sorted(buckets)
        assert buckets[-1] == samples[f"lepton_{name}_seconds_count{{{labels}}}"]

    def test_bucket_bounds_are_the_same_for_every_model(self, server):
        bounds: dict[str, list[str]] = {}
        for sample in server.metrics():
            found = re.match(r'lepton_compute_seconds_bucket\{model="(\w+)".*le="(.+)"\}', sample)
            if found:
                bounds.setdefault(found[1], []).append(found[2])
        assert len(bounds) > 5
        assert len({tuple(each) for each in bounds.values()}) == 1

    def test_dashboards_for_triton_find_their_names(self, server):
        server.infer("four", four())
        samples = server.metrics()
        for name in ("request_success", "count", "exec_count", "compute_infer_duration_us"):
            assert samples[f'nv_inference_{name}{{model="four",version="1"}}'] > 0

    def test_batches_form_while_an_instance_is_busy(self, server):
        def executions() -> tuple[float, float]:
            samples = server.metrics()
            labels = '{model="slow_batches",version="1"}'
            return (
                samples[f"nv_inference_count{labels}"], samples[f"nv_inference_exec_count{labels}"]
            )  # fmt: skip

        rows, runs = executions()
        connections = [RawConnection(server.port) for _ in range(9)]
        for i, connection in enumerate(connections):
            connection.send(infer_request("slow_batches", four(i, i, i, i)))
            time.sleep(0.01 if i == 0 else 0)
        for i, connection in enumerate(connections):
            assert connection.read_answer().json["outputs"][0]["data"] == [i] * 4
            connection.socket.close()
        rows_after, runs_after = executions()
        assert rows_after - rows == 9
        assert runs_after - runs == 2  # One alone, and all that came meanwhile together.


class TestCancellation:
    """A client that goes away takes its request with it; the asyncio tests cover gRPC."""

    def test_http1_client_gone_while_waiting(self, server):
        before = server.requests_of("slow", "cancelled")
        with RawConnection(server.port) as busy, RawConnection(server.port) as gone:
            busy.send(infer_request("slow", slow()))
            time.sleep(0.1)
            gone.send(infer_request("slow", slow()))
            time.sleep(0.05)
            gone.socket.close()
            assert busy.read_answer().status == 200
        server.wait_for_outcome("slow", "cancelled", before + 1)

    def test_an_expired_request_is_answered_while_the_instance_is_busy(self, server):
        """The request ends at its deadline, not when the instance becomes free."""
        with RawConnection(server.port) as busy, RawConnection(server.port) as late:
            busy.send(infer_request("slow", slow()))
            time.sleep(0.02)
            before = time.monotonic()
            late.send(infer_request("slow", slow(parameters={"timeout": 100_000})))
            answer = late.read_answer()
            assert answer.status == 504
            assert time.monotonic() - before < 0.2
            assert busy.read_answer().status == 200

    @pytest.mark.parametrize(
        "header",
        ["x-envoy-expected-rq-timeout-ms: 50", "x-request-timeout-ms: 50"],
    )
    def test_timeouts_come_as_headers_too(self, server, header):
        with RawConnection(server.port) as busy, RawConnection(server.port) as late:
            busy.send(infer_request("slow", slow()))
            time.sleep(0.02)
            late.send(infer_request("slow", slow(), header))
            answer = late.read_answer()
            assert answer.status == 504
            assert "deadline" in answer.error
            assert busy.read_answer().status == 200
