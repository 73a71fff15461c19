"""Owns the traces of one process: what decides on them, what their spans say of nodes and fronts, and who sends them.

Must not follow a request: that is native.
"""

import asyncio
import functools
import gzip
import logging
import os
import ssl
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from executor import __version__, errors
from executor._native import flow, message, span, tracer, transport
from executor.graph import plan as plans
from executor.protocol import wire
from executor.protocol.seldon import NODE_GRPC_PATHS, NODE_REST_PATHS
from executor.protocol.table import Action, RestTable, Rpc
from executor.rest import sinks
from executor.rpc.channels import Channel
from executor.settings import Address, NodeTlsSettings, Scheme
from executor.status import Status
from executor.telemetry import families, logs, trace_settings
from executor.telemetry.payload_log import SendError
from executor.telemetry.span_export import Refused, Said, SpanExport
from executor.telemetry.store import Store
from executor.telemetry.trace_settings import TraceSettings
from executor.tls import HTTP1, HTTP2, client_context
from executor.types import Method

log = logging.getLogger("millrace")

EXPORT_PATH = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
INSIDE, GRPC, HTTP = 0, 1, 2
"""How a node is called, in the numbers of `_native/program`."""
Spans = list[tuple[int, dict[Method, bytes]]]
"""What the spans of each node's calls begin with."""
_TRACED = frozenset({Action.RUN, Action.MODEL_METADATA, Action.GRAPH_METADATA, Action.STATUS})
"""What has spans: all that asks something of a graph or a node. Probes and scrapes would drown it."""
_AGAIN_GRPC = (
    *(Status.CANCELLED, Status.DEADLINE_EXCEEDED, Status.RESOURCE_EXHAUSTED, Status.ABORTED, Status.OUT_OF_RANGE),
    *(Status.UNAVAILABLE, Status.DATA_LOSS),
)
_AGAIN_HTTP = (None, 429, 502, 503, 504)
"""None: it could not be reached."""
WHY_BYTES = 400
"""Of what a receiver says of spans that it did not take."""


class Tracing:
    """The traces of one process, as its environment asks for them."""

    def __init__(
        self, reactor: transport.Reactor, engine: flow.Engine, environment: Mapping[str, str] = os.environ
    ) -> None:
        self.service = "executor"
        """What it is called where the environment does not say."""
        self._reactor = reactor
        self.settings, notes = trace_settings.read(environment)
        for note in notes:
            log.warning("%s", note)
        self.tracer: tracer.Tracer | None = None
        self._export: SpanExport | None = None
        self._sender: GrpcSender | HttpSender | None = None
        if self.settings is not None:
            self.tracer = self._made(self.settings)
            engine.trace(self.tracer)

    def _made(self, asked: TraceSettings) -> tracer.Tracer:
        return tracer.Tracer(
            self._reactor,
            asked.forms,
            parents=asked.parents,
            ratio=asked.ratio,
            rate=asked.rate,
            waiting_max=asked.queue_max,
            batch=asked.batch_max,
        )

    def start(self) -> None:
        """Sends spans from now on. Raises `errors.RequestError` for files of TLS that cannot be used."""
        asked = self.settings
        if asked is None or self.tracer is None or self._export is not None:
            return
        self._sender = (GrpcSender if asked.protocol == trace_settings.GRPC else HttpSender)(asked, self._reactor)
        source = span.source(asked.resource(self.service), "millrace", __version__)
        self._export = SpanExport(
            source, self._sender, batch_max=asked.batch_max, delay_s=asked.delay_s, export_s=asked.export_s
        )
        self.tracer.wake = self._export.wake
        self._export.start(self.tracer)
        log.info("traces go to %s over %s", asked.url, asked.protocol)

    async def stop(self) -> None:
        """Sends what still waits, as far as there is time for it, and ends."""
        if self._export is not None and self._sender is not None:
            await self._export.close()
            await self._sender.close()

    def count(self, store: Store) -> None:
        """Tells how many spans were sent and lost, and how many wait."""
        if self._export is not None and self.tracer is not None:
            store.grow(families.SPANS, "sent", to=self._export.sent)
            store.grow(families.SPANS, "lost", to=self._export.refused + self.tracer.lost)
            store.set(families.SPANS_WAITING, to=self.tracer.waiting)

    # --- what spans begin with ----------------------------------------------------------------------------------

    def rpcs(self, rpcs: Mapping[str, Rpc]) -> dict[str, tracer.Label]:
        """Those of requests over gRPC."""
        if self.tracer is None:
            return {}
        return {
            path: tracer.Label(span.static(path[1:], span.SERVER, _rpc(path)))
            for path, rpc in rpcs.items()
            if rpc.action in _TRACED
        }

    def rest(self, table: RestTable, scheme: str = "http") -> dict[str, dict[str, tracer.Label]]:
        """Those of requests over HTTP, by verb, then by the route's path."""
        found: dict[str, dict[str, tracer.Label]] = {}
        for route in table.routes:
            for verb in sorted(route.verbs - {"OPTIONS"}) if self.tracer and route.action in _TRACED else ():
                told = {
                    "http.request.method": verb,
                    "http.route": route.path,
                    "url.scheme": scheme,
                }
                if "{" not in route.path:
                    told["url.path"] = route.path
                data = span.static(f"{verb} {route.path}", span.SERVER, told)
                found.setdefault(verb, {})[route.path] = tracer.Label(data, table.error_status, route.status_of)
        return found

    def nodes(self, plan: plans.Plan, addresses: Sequence[Address | None]) -> Spans | None:
        """Those of calls; a node without an address is in this process."""
        if self.tracer is None:
            return None
        return [_node(node.name, address) for node, address in zip(plan.nodes, addresses, strict=True)]


def _rpc(path: str) -> dict[str, str | int]:
    _, service, method = path.split("/")
    return {"rpc.system": "grpc", "rpc.service": service, "rpc.method": method}


def _node(name: str, address: Address | None) -> tuple[int, dict[Method, bytes]]:
    told: dict[str, str | int] = {"millrace.node": name}
    if address is None:
        return INSIDE, {
            each: span.static(
                f"{each.name.lower()} {name}", span.INTERNAL, {**told, "millrace.method": each.name.lower()}
            )
            for each in Method
        }
    told |= {"server.address": address.path if address.scheme is Scheme.UNIX else address.host}
    told |= {"server.port": address.port} if address.port else {}
    if not address.scheme.is_rest:
        return GRPC, {
            each: span.static(path[1:], span.CLIENT, {**told, **_rpc(path)}) for each, path in NODE_GRPC_PATHS.items()
        }
    told |= {"http.request.method": "POST"}
    return HTTP, {
        each: span.static(f"POST {path}", span.CLIENT, {**told, "url.full": f"{address}{path}"})
        for each, path in NODE_REST_PATHS.items()
    }


# --- sending --------------------------------------------------------------------------------------------------


def _contexts(asked: TraceSettings, protocol: str) -> ssl.SSLContext:
    return client_context(NodeTlsSettings(asked.ca, asked.cert, asked.key), protocol)


class GrpcSender:
    """Sends to a collector over gRPC."""

    def __init__(self, asked: TraceSettings, reactor: transport.Reactor) -> None:
        parts = urlsplit(asked.url)
        secure = parts.scheme == "https"
        address = Address(Scheme.GRPCS if secure else Scheme.GRPC, parts.hostname or "", parts.port or 0)
        context = _contexts(asked, HTTP2) if secure else None
        self._asked = asked
        self._channel = Channel(address, reactor=reactor, tls=None if context is None else lambda: context)

    async def __call__(self, request: bytes) -> Said:
        """Raises Refused."""
        asked = self._asked
        try:
            answer = await self._channel.call(EXPORT_PATH, message.Message(request), asked.headers, asked.timeout_s)
        except errors.Error as error:
            raise Refused(f"{asked.url}: {error.message}", error.status in _AGAIN_GRPC) from error
        return _said(bytes(answer))

    async def close(self) -> None:
        """Ends its connections."""
        await self._channel.close()


class HttpSender:
    """Sends to a collector over HTTP."""

    def __init__(self, asked: TraceSettings, reactor: transport.Reactor) -> None:
        context = functools.cache(lambda: _contexts(asked, HTTP1))
        if asked.url.startswith("https"):
            context()  # files that cannot be used are told now
        self._asked = asked
        self._sinks = sinks.Sinks(1, context)
        kind = [("Content-Type", "application/x-protobuf"), ("User-Agent", f"millrace/{__version__}")]
        self._headers = [*kind, *([("Content-Encoding", "gzip")] if asked.gzip else []), *asked.headers]

    async def __call__(self, request: bytes) -> Said:
        """Raises Refused."""
        body = gzip.compress(request, 1) if self._asked.gzip else request
        try:
            async with asyncio.timeout(self._asked.timeout_s):
                return _said(await self._sinks.post(self._asked.url, self._headers, [memoryview(body)]))
        except TimeoutError:
            raise Refused(f"{self._asked.url}: no answer within {self._asked.timeout_s:g} s", True) from None
        except SendError as error:
            raise Refused(str(error), error.status in _AGAIN_HTTP) from error

    async def close(self) -> None:
        """Ends its connections."""
        await self._sinks.close()


def _said(answer: bytes) -> Said:
    """The partial success of an ExportTraceServiceResponse."""
    try:
        for number, value in wire.fields(answer):
            if number == 1 and isinstance(value, bytes):
                return _partial(value)
    except errors.DecodeError:
        pass  # they were taken, whatever it says of it
    return Said()


def _partial(data: bytes) -> Said:
    rejected, why = 0, ""
    for number, value in wire.fields(data):
        if number == 1 and isinstance(value, int):
            rejected = value if value < 1 << 63 else 0  # a negative one says nothing
        elif number == 2 and isinstance(value, bytes):
            why = logs.shown(value[:WHY_BYTES].decode("utf-8", "replace"))
    return Said(rejected, why)
