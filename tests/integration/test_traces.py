"""W3C trace context in and out, and traces as a collector receives them."""

import re
import subprocess
import time

import grpc
import numpy as np
import pytest
from lepton_server import BINARY
from opentelemetry import trace
from opentelemetry.propagate import inject
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from raw_http import RawConnection, four, infer_request, slow
from trace_collector import TraceCollector
from tritonclient.grpc import service_pb2, service_pb2_grpc

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
PARENT_ID = "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE_ID}-{PARENT_ID}-01"


def attributes_of(holder) -> dict[str, object]:
    return {
        each.key: getattr(each.value, each.value.WhichOneof("value")) for each in holder.attributes
    }


@pytest.fixture
def collector():
    collector = TraceCollector()
    yield collector
    collector.close()


@pytest.fixture
def traced(start_server, zoo, collector):
    """A server that exports to `collector` without delay."""
    environment = {"OTEL_BSP_SCHEDULE_DELAY": "20", "OTEL_SERVICE_NAME": "under-test"}
    server = start_server(zoo, "--otlp-endpoint", collector.url, environment=environment)
    return server.wait_until_ready()


def infer_over_grpc(server, metadata=()):
    row = np.arange(4, dtype=np.float32)
    request = service_pb2.ModelInferRequest(model_name="four")
    tensor = request.inputs.add(name="x", datatype="FP32")
    tensor.shape.extend([1, 4])
    request.raw_input_contents.append(row.tobytes())
    with grpc.insecure_channel(server.address) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        _, call = stub.ModelInfer.with_call(request, metadata=list(metadata), timeout=10)
        return dict(call.trailing_metadata())


class TestContext:
    """The log of a server that exports nothing."""

    def test_the_answer_names_a_span_of_the_same_trace(self, server):
        answer = server.infer("four", four(), {"traceparent": TRACEPARENT})
        found = re.fullmatch(r"00-([0-9a-f]{32})-([0-9a-f]{16})-00", answer.headers["traceparent"])
        assert found[1] == TRACE_ID
        assert found[2] not in (PARENT_ID, "0" * 16)

    def test_grpc_metadata_does_the_same(self, server):
        trailers = infer_over_grpc(server, [("traceparent", TRACEPARENT)])
        assert trailers["traceparent"].split("-")[1] == TRACE_ID
        assert trailers["traceparent"].split("-")[2] != PARENT_ID

    def test_a_request_without_a_trace_gets_none(self, server):
        assert "traceparent" not in server.infer("four", four()).headers
        assert "traceparent" not in infer_over_grpc(server)

    def test_refused_requests_keep_their_trace(self, server):
        for body in (b"no json", {"inputs": []}):
            answer = server.infer("four", body, {"traceparent": TRACEPARENT})
            assert answer.status == 400
            assert answer.headers["traceparent"].split("-")[1] == TRACE_ID

    @pytest.mark.parametrize(
        "field",
        [
            "",
            "00",
            TRACEPARENT.upper(),
            TRACEPARENT + "-more",
            "ff" + TRACEPARENT[2:],
            f"00-{'0' * 32}-{PARENT_ID}-01",
            f"00-{TRACE_ID}-{'0' * 16}-01",
            TRACEPARENT.replace("-", "_"),
        ],
    )
    def test_what_is_malformed_counts_as_not_sent(self, server, field):
        answer = server.infer("four", four(), {"traceparent": field})
        assert answer.status == 200
        assert "traceparent" not in answer.headers

    def test_two_fields_count_as_none(self, server):
        with RawConnection(server.port) as connection:
            fields = [f"traceparent: {TRACEPARENT}"] * 2
            connection.send(infer_request("four", four(), *fields))
            answer = connection.read_answer()
        assert answer.status == 200
        assert "traceparent" not in answer.headers

    def test_a_later_version_is_read(self, server):
        field = f"cc-{TRACE_ID}-{PARENT_ID}-01-what-the-future-brings"
        answer = server.infer("four", four(), {"traceparent": field})
        assert answer.headers["traceparent"].startswith(f"00-{TRACE_ID}-")

    def test_the_slow_requests_name_the_trace(self, server):
        trace_id = "5" * 32
        server.infer("slow", slow(), {"traceparent": f"00-{trace_id}-{PARENT_ID}-00"})
        slowest = server.admin.get("/v2/debug/slow?model=slow").json["slowest"]
        assert trace_id in [each.get("trace_id") for each in slowest]

    def test_log_lines_about_a_request_name_the_trace(self, server):
        row = {"name": "x", "shape": [1, 4], "datatype": "UINT8", "data": [13] * 4}
        trace_id = "6" * 32
        time.sleep(1.1)  # Failures of the engine are logged once a second.
        headers = {"traceparent": f"00-{trace_id}-{PARENT_ID}-01"}
        assert server.infer("unlucky", {"inputs": [row]}, headers).status == 500
        give_up = time.monotonic() + 10
        while f"trace_id={trace_id}" not in server.log:
            assert time.monotonic() < give_up, server.log[-2000:]
            time.sleep(0.01)


class TestExport:
    def test_the_callers_span_is_the_parent_over_http(self, traced, collector):
        provider = TracerProvider()
        with provider.get_tracer("test").start_as_current_span("call") as caller:
            headers: dict[str, str] = {}
            inject(headers)
            answer = traced.infer("four", four(), headers)
        (span,) = collector.wait_for_server_spans(1)
        context = caller.get_span_context()
        assert span.trace_id == context.trace_id.to_bytes(16, "big")
        assert span.parent_span_id == context.span_id.to_bytes(8, "big")
        assert answer.headers["traceparent"] == f"00-{span.trace_id.hex()}-{span.span_id.hex()}-01"
        assert span.start_time_unix_nano >= caller.start_time
        assert span.end_time_unix_nano >= span.start_time_unix_nano

    def test_the_callers_span_is_the_parent_over_grpc(self, traced, collector):
        provider = TracerProvider()
        with provider.get_tracer("test").start_as_current_span("call") as caller:
            metadata: dict[str, str] = {}
            inject(metadata)
            trailers = infer_over_grpc(traced, metadata.items())
        (span,) = collector.wait_for_server_spans(1)
        context = caller.get_span_context()
        assert span.trace_id == context.trace_id.to_bytes(16, "big")
        assert span.parent_span_id == context.span_id.to_bytes(8, "big")
        assert trailers["traceparent"].split("-")[2] == span.span_id.hex()
        attributes = attributes_of(span)
        assert span.name == "inference.GRPCInferenceService/ModelInfer"
        assert attributes["rpc.system"] == "grpc"
        assert attributes["rpc.grpc.status_code"] == 0

    def test_a_span_says_what_ran_and_when(self, traced, collector):
        body = slow(id="lap 7", parameters={"timeout": 30_000_000, "priority": 2})
        assert traced.infer("slow", body, {"tracestate": "vendor=1"}).status == 200
        (span,) = collector.wait_for_server_spans(1)
        attributes = attributes_of(span)
        assert span.name == "POST /v2/models/{model}/infer"
        assert span.status.code == Status.STATUS_CODE_UNSET
        assert attributes["http.request.method"] == "POST"
        assert attributes["http.response.status_code"] == 200
        assert attributes["lepton.model.name"] == "slow"
        assert attributes["lepton.model.version"] == "1"
        assert attributes["lepton.request.id"] == "lap 7"
        assert attributes["lepton.rows"] == 100
        assert attributes["lepton.batch.rows"] >= 1
        assert attributes["lepton.priority"] == 2
        assert attributes["lepton.timeout_us"] == 30_000_000
        assert 0 < attributes["lepton.slack_us"] < 30_000_000
        children = {each.name: each for each in collector.spans if each is not span}
        compute = children["compute"]
        assert compute.kind == Span.SPAN_KIND_INTERNAL
        assert compute.trace_id == span.trace_id
        assert compute.parent_span_id == span.span_id
        assert compute.end_time_unix_nano - compute.start_time_unix_nano >= 200_000_000
        assert span.start_time_unix_nano <= compute.start_time_unix_nano
        assert compute.end_time_unix_nano <= span.end_time_unix_nano
        assert {"received", "decoded", "encoded"} == {event.name for event in span.events}
        assert len({each.span_id for each in collector.spans}) == len(collector.spans)

    def test_the_resource_names_the_service(self, traced, collector):
        traced.infer("four", four())
        collector.wait_for_server_spans(1)
        attributes = attributes_of(collector.resource_spans[0].resource)
        assert attributes["service.name"] == "under-test"
        assert collector.paths[0] == "/v1/traces"
        assert collector.content_types[0] == "application/x-protobuf"

    def test_tracestate_is_passed_on(self, traced, collector):
        headers = {"traceparent": TRACEPARENT, "tracestate": "vendor=1,other=2"}
        traced.infer("four", four(), headers)
        (span,) = collector.wait_for_server_spans(1)
        assert span.trace_state == "vendor=1,other=2"

    def test_errors_are_told_with_their_codes(self, traced, collector):
        traced.infer("unknown", four())
        row = {"name": "x", "shape": [1, 4], "datatype": "UINT8", "data": [13] * 4}
        traced.infer("unlucky", {"inputs": [row]})
        traced.infer("four", b"no json")
        spans = collector.wait_for_server_spans(3)
        by_type = {attributes_of(span)["error.type"]: span for span in spans}
        assert set(by_type) == {"model_not_found", "internal", "invalid_argument"}
        assert by_type["internal"].status.code == Status.STATUS_CODE_ERROR
        assert by_type["model_not_found"].status.code == Status.STATUS_CODE_UNSET
        assert attributes_of(by_type["model_not_found"])["lepton.model.name"] == "unknown"

    def test_text_that_no_collector_would_take_is_made_harmless(self, traced, collector):
        request = infer_request("four", four(id="täglich"), f"traceparent: {TRACEPARENT}")
        request = request.replace(b"Host:", b"tracestate: a=\xff\r\nHost:")
        with RawConnection(traced.port) as connection:
            connection.send(request)
            assert connection.read_answer().status == 200
        (span,) = collector.wait_for_server_spans(1)
        assert attributes_of(span)["lepton.request.id"] == "t??glich"
        assert not span.trace_state

    def test_the_senders_decision_not_to_sample_is_kept(self, traced, collector):
        provider = TracerProvider(sampler=ALWAYS_OFF)
        with provider.get_tracer("test").start_as_current_span("call"):
            headers: dict[str, str] = {}
            inject(headers)
            assert int(headers["traceparent"][-2:], 16) & 1 == 0
            answer = traced.infer("four", four(), headers)
        assert answer.headers["traceparent"].endswith("-00")
        traced.infer("four", four(), {"traceparent": TRACEPARENT})
        (span,) = collector.wait_for_server_spans(1)
        assert span.trace_id.hex() == TRACE_ID

    def test_a_ratio_of_none_leaves_only_what_senders_sample(self, start_server, zoo, collector):
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
            "OTEL_TRACES_SAMPLER_ARG": "0",
            "OTEL_BSP_SCHEDULE_DELAY": "20",
        }
        server = start_server(zoo, environment=environment).wait_until_ready()
        for _ in range(20):
            server.infer("four", four())
        server.infer("four", four(), {"traceparent": TRACEPARENT})
        server.stop()
        assert [span.trace_id.hex() for span in collector.server_spans()] == [TRACE_ID]

    def test_what_waits_is_sent_before_the_server_ends(self, start_server, zoo, collector):
        server = start_server(zoo, "--otlp-endpoint", collector.url).wait_until_ready()
        for _ in range(5):
            server.infer("four", four())
        assert not collector.paths  # The default is every 5 seconds.
        assert server.stop() == 0
        assert len(collector.server_spans()) == 5

    def test_a_collector_that_is_busy_is_asked_again(self, traced, collector):
        collector.status = 503
        traced.infer("four", four())
        collector.wait_for_posts(1)
        collector.status = 200
        assert len(collector.wait_for_server_spans(1)) == 1
        assert "spans_not_exported" in traced.log

    def test_what_a_collector_refuses_is_counted_and_costs_no_answer(self, traced, collector):
        collector.status = 400
        assert traced.infer("four", four()).status == 200
        give_up = time.monotonic() + 20
        while traced.metrics()["lepton_trace_requests_dropped_total"] < 1:
            assert time.monotonic() < give_up, traced.log
            time.sleep(0.02)
        assert len(collector.paths) == 1
        assert traced.log.count("spans_not_exported") == 1

    def test_without_a_collector_it_serves_and_ends(self, start_server, zoo, collector):
        collector.close()
        server = start_server(zoo, "--otlp-endpoint", collector.url).wait_until_ready()
        assert server.infer("four", four()).status == 200
        assert server.stop() == 0
        assert "spans_not_exported" in server.log


class TestEndpoint:
    @pytest.mark.parametrize(
        ("endpoint", "word"),
        [
            ("https://collector:4318", "https is not offered"),
            ("collector:4318", "expected something like"),
            ("http://", "expected something like"),
            ("http://collector:port", "port"),
            ("http://collector:0", "port"),
            ("http://collector:65536", "port"),
        ],
    )
    def test_one_that_makes_no_sense_is_refused_at_start(self, zoo, endpoint, word):
        command = [BINARY, "serve", zoo, "--port", "0", "--otlp-endpoint", endpoint]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert ended.returncode == 2
        assert word in ended.stderr


def test_opentelemetry_reads_our_field(server):
    """Its propagator accepts what the answer carries."""
    answer = server.infer("four", four(), {"traceparent": TRACEPARENT})
    context = TraceContextTextMapPropagator().extract(
        {"traceparent": answer.headers["traceparent"]}
    )
    assert trace.get_current_span(context).get_span_context().is_valid
