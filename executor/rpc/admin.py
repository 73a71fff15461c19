"""Owns the RPCs that Python answers: health, server reflection, metadata.

Must not import protobuf: requests are read with `protocol.wire`, and reflection serves stored descriptor bytes, since
user code may bring its own copy of the same messages.
"""

import asyncio
from collections.abc import Iterable, Mapping

from executor import errors
from executor._native import server
from executor._pb import descriptors
from executor.inference import Inference, Readiness
from executor.protocol import seldon_metadata, wire
from executor.protocol.table import Action, Rpc
from executor.rpc.server import Handler
from executor.status import Status

HEALTH_SERVICE = "grpc.health.v1.Health"
REFLECTION_SERVICES = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")

_SERVING, _NOT_SERVING, _SERVICE_UNKNOWN = 1, 2, 3


def handlers(rpcs: Mapping[str, Rpc], inference: Inference, node: str) -> dict[str, Handler]:
    """The handlers of all RPCs that do not go through the plan, by path. `node` answers where no name is asked for."""
    services = sorted({rpc.service for rpc in rpcs.values()} | {HEALTH_SERVICE, *REFLECTION_SERVICES})
    health = Health(inference.readiness, services)
    reflection = Reflection(services)
    found: dict[str, Handler] = {
        f"/{HEALTH_SERVICE}/Check": health.check,
        f"/{HEALTH_SERVICE}/Watch": health.watch,
    }
    for service in REFLECTION_SERVICES:
        found[f"/{service}/ServerReflectionInfo"] = reflection.serve
    metadata = Metadata(inference, node)
    for path, rpc in rpcs.items():
        if rpc.action is Action.MODEL_METADATA:
            found[path] = metadata.model
        elif rpc.action is Action.GRAPH_METADATA:
            found[path] = metadata.graph
    return found


async def _one(stream: server.Stream) -> bytes:
    """The one message of a unary request."""
    data: bytes | None = await stream.receive()
    if data is None:
        raise errors.RequestError("a unary request carries one message, not none", status=Status.INTERNAL)
    return data


class Health:
    """`grpc.health.v1.Health`: the server as a whole ("") and each of its services share one state."""

    def __init__(self, readiness: Readiness, services: Iterable[str]) -> None:
        self._readiness = readiness
        self._services = {"", *services}

    def _state(self, service: str) -> int:
        if service not in self._services:
            return _SERVICE_UNKNOWN
        return _SERVING if self._readiness.ready else _NOT_SERVING

    async def check(self, stream: server.Stream) -> None:
        """Check: the state now; NOT_FOUND for a service that is not served."""
        service = _field_text(await _one(stream), 1)
        state = self._state(service)
        if state == _SERVICE_UNKNOWN:
            raise errors.RequestError(f"unknown service {service!r}", status=Status.NOT_FOUND)
        stream.send(wire.number(1, state))

    async def watch(self, stream: server.Stream) -> None:
        """Watch: the state now, and again whenever it changes, until client or server leave."""
        service = _field_text(await _one(stream), 1)
        while not stream.draining.done():
            # The wait begins before the state is read, so that no change falls in between.
            change = asyncio.ensure_future(self._readiness.change())
            try:
                stream.send(wire.number(1, self._state(service)))
                await asyncio.wait((change, stream.draining), return_when=asyncio.FIRST_COMPLETED)
            finally:
                change.cancel()
        raise errors.NodeError("the server is shutting down")


class Reflection:
    """Server reflection, v1 and v1alpha: the same messages under two names."""

    def __init__(self, services: Iterable[str]) -> None:
        self._services = tuple(services)

    async def serve(self, stream: server.Stream) -> None:
        """ServerReflectionInfo: one answer for each question, until the client is done."""
        while (question := await stream.receive()) is not None:
            stream.send(self._answer(question))

    def _answer(self, question: bytes) -> bytes:
        head = wire.message(2, question)
        for field, value in wire.fields(question):
            if field == 3:
                return head + self._file(wire.as_text(value))
            if field == 4:
                return head + self._symbol(wire.as_text(value))
            if field in (5, 6):
                return head + _reflection_error(Status.NOT_FOUND, "no extensions are defined here")
            if field == 7:
                names = b"".join(wire.message(1, wire.text(1, name)) for name in self._services)
                return head + wire.message(6, names)
        return head + _reflection_error(Status.INVALID_ARGUMENT, "the request asks for nothing that is known")

    def _symbol(self, symbol: str) -> bytes:
        if symbol in descriptors.SYMBOLS:
            return self._file(descriptors.SYMBOLS[symbol])
        return _reflection_error(Status.NOT_FOUND, f"unknown symbol {symbol!r}")

    def _file(self, name: str) -> bytes:
        if name not in descriptors.FILES:
            return _reflection_error(Status.NOT_FOUND, f"unknown file {name!r}")
        # The file and all it needs, so that a client asks once.
        names: list[str] = []
        _with_dependencies(name, names)
        return wire.message(4, b"".join(wire.message(1, descriptors.FILES[each]) for each in names))


def _with_dependencies(name: str, names: list[str]) -> None:
    if name not in names:
        names.append(name)
        for dependency in descriptors.DEPENDENCIES[name]:
            _with_dependencies(dependency, names)


def _reflection_error(status: Status, text: str) -> bytes:
    return wire.message(7, wire.number(1, int(status)) + wire.text(2, text))


class Metadata:
    """Metadata of one node and of the graph."""

    def __init__(self, inference: Inference, node: str) -> None:
        self._inference = inference
        self._node = node

    async def model(self, stream: server.Stream) -> None:
        """ModelMetadata and Metadata: of the node that the request names, if it names one."""
        name = _field_text(await _one(stream), 1) or self._node
        stream.send(seldon_metadata.encode_model(await self._inference.model_metadata(name, _headers(stream))))

    async def graph(self, stream: server.Stream) -> None:
        """GraphMetadata: of all nodes, and what goes into the graph and comes out of it."""
        await _one(stream)
        stream.send(seldon_metadata.encode_graph(await self._inference.graph_metadata(_headers(stream))))


def _headers(stream: server.Stream) -> list[tuple[str, str]]:
    """Those that say something of the request: channels take no others."""
    return [header for header in stream.headers if not header[0].startswith(":")]


def _field_text(data: bytes, field: int) -> str:
    """The text of the last field of that number; empty when there is none."""
    text = ""
    for each, value in wire.fields(data):
        if each == field:
            text = wire.as_text(value)
    return text
