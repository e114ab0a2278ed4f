"""A collector of traces: receives OTLP over HTTP, and reads it with OpenTelemetry's messages."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span


class TraceCollector:
    """Listens on a free port; answers with `status`, and keeps what it received if that is 200."""

    def __init__(self) -> None:
        self.status = 200
        self.paths: list[str] = []
        self.content_types: list[str] = []
        self.requests: list[ExportTraceServiceRequest] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                collector.paths.append(self.path)
                collector.content_types.append(self.headers["content-type"])
                if collector.status == 200:
                    collector.requests.append(ExportTraceServiceRequest.FromString(body))
                self.send_response(collector.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def resource_spans(self) -> list[ResourceSpans]:
        return [spans for request in self.requests for spans in request.resource_spans]

    @property
    def spans(self) -> list[Span]:
        return [
            span
            for resource in self.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def server_spans(self) -> list[Span]:
        return [span for span in self.spans if span.kind == Span.SPAN_KIND_SERVER]

    def wait_for_server_spans(self, count: int) -> list[Span]:
        give_up = time.monotonic() + 20
        while len(self.server_spans()) < count:
            assert time.monotonic() < give_up, self.spans
            time.sleep(0.02)
        return self.server_spans()

    def wait_for_posts(self, count: int) -> None:
        give_up = time.monotonic() + 20
        while len(self.paths) < count:
            assert time.monotonic() < give_up, self.paths
            time.sleep(0.02)

    def close(self) -> None:
        """Closes it; may be called again."""
        if not self._thread.is_alive():
            return
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
