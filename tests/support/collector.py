"""Owns a receiver of traces: the collector service of opentelemetry-proto over grpcio, or the same over HTTP.

Must not use anything of the executor.
"""

import gzip
import threading
from collections.abc import Callable, Sequence
from concurrent import futures
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.trace.v1 import trace_pb2
from support.processes import poll

INTERNAL, SERVER, CLIENT = (
    trace_pb2.Span.SPAN_KIND_INTERNAL,
    trace_pb2.Span.SPAN_KIND_SERVER,
    trace_pb2.Span.SPAN_KIND_CLIENT,
)
ERROR = trace_pb2.Status.STATUS_CODE_ERROR
UNSET = trace_pb2.Status.STATUS_CODE_UNSET


@dataclass
class Span:
    """One span, with what its resource says."""

    service: str
    resource: dict[str, Any]
    trace: str
    id: str
    parent: str
    name: str
    kind: int
    start: int
    end: int
    attributes: dict[str, Any]
    status: int
    said: str
    events: list[tuple[str, dict[str, Any]]]


@dataclass
class Collector:
    """What came. `failures` are given to requests first, one each: gRPC codes, or HTTP statuses."""

    spans: list[Span] = field(default_factory=list)
    requests: list[dict[str, str]] = field(default_factory=list)
    """The headers of each."""
    failures: list[Any] = field(default_factory=list)
    rejects: int = 0
    """So many spans of each request are said not to be taken."""
    why: str = ""
    """What is said of that."""
    raw: bytes | None = None
    """Over HTTP, what is answered instead."""
    held: threading.Event = field(default_factory=threading.Event)
    """Requests wait until it is set."""

    def __post_init__(self) -> None:
        self.held.set()

    def take(self, headers: dict[str, str], request: trace_service_pb2.ExportTraceServiceRequest) -> Any:
        """What a request is answered with: a failure, or None."""
        self.requests.append(headers)
        self.held.wait(20)
        if self.failures:
            return self.failures.pop(0)
        for group in request.resource_spans:
            resource = attributes(group.resource.attributes)
            for scope in group.scope_spans:
                assert scope.scope.name == "millrace"
                self.spans += [_span(resource, each) for each in scope.spans]
        return None

    def answer(self) -> trace_service_pb2.ExportTraceServiceResponse:
        """What a request that was taken is answered."""
        partial = trace_service_pb2.ExportTracePartialSuccess(rejected_spans=self.rejects, error_message=self.why)
        told = self.rejects or self.why
        return trace_service_pb2.ExportTraceServiceResponse(partial_success=partial if told else None)

    def wait(self, count: int) -> list[Span]:
        """All spans, once there are so many."""
        poll(lambda: len(self.spans) >= count, what=f"{count} spans; there are {len(self.spans)}")
        return self.spans


def attributes(pairs: Any) -> dict[str, Any]:
    """Attributes as a dictionary."""
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


def _span(resource: dict[str, Any], each: trace_pb2.Span) -> Span:
    return Span(
        resource["service.name"],
        resource,
        each.trace_id.hex(),
        each.span_id.hex(),
        each.parent_span_id.hex(),
        each.name,
        each.kind,
        each.start_time_unix_nano,
        each.end_time_unix_nano,
        attributes(each.attributes),
        each.status.code,
        each.status.message,
        [(event.name, attributes(event.attributes)) for event in each.events],
    )


def parsed(chunks: Sequence[bytes]) -> list[Span]:
    """The spans in what a Tracer hands out."""
    scope = trace_pb2.ScopeSpans.FromString(b"".join(chunks))
    return [_span({"service.name": ""}, each) for each in scope.spans]


class GrpcCollector(AbstractContextManager["GrpcCollector"], trace_service_pb2_grpc.TraceServiceServicer):
    """The collector's service on grpcio. `port` 0 is a free one."""

    def __init__(self, port: int = 0, credentials: grpc.ServerCredentials | None = None) -> None:
        self.got = Collector()
        self._server = grpc.server(futures.ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
        add: Any = trace_service_pb2_grpc.add_TraceServiceServicer_to_server
        add(self, self._server)
        address = f"127.0.0.1:{port}"
        if credentials is None:
            self.port = self._server.add_insecure_port(address)
        else:
            self.port = self._server.add_secure_port(address, credentials)
        self.url = f"{'http' if credentials is None else 'https'}://127.0.0.1:{self.port}"

    def Export(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        failure = self.got.take({key: str(value) for key, value in context.invocation_metadata()}, request)
        if failure is not None:
            context.abort(failure, "not now")
        return self.got.answer()

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.got.held.set()
        self._server.stop(0).wait()


class HttpCollector(AbstractContextManager["HttpCollector"]):
    """The same over HTTP."""

    def __init__(self) -> None:
        self.got = Collector()
        self.paths: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.got.held.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _handler(collector: HttpCollector) -> Callable[..., BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            collector.paths.append(self.path)
            request = trace_service_pb2.ExportTraceServiceRequest.FromString(body)
            failure = collector.got.take({key.lower(): value for key, value in self.headers.items()}, request)
            answer = collector.got.answer().SerializeToString() if collector.got.raw is None else collector.got.raw
            self.send_response(200 if failure is None else failure)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    return Handler
