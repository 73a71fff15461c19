"""Owns what a bound node is to the rest of the house: where it is called, and whom to ask for metadata and health.

Must not decide how a node is reached.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from executor import errors
from executor._native import endpoint
from executor._native import message as messages
from executor.component import host
from executor.graph.spec import Transport
from executor.inference import Headers, Node
from executor.protocol import seldon as protocol
from executor.protocol import seldon_metadata, wire
from executor.rest.client import RestNode
from executor.rpc.channels import Channel
from executor.settings import Address
from executor.status import Status
from executor.types import Encoding


class ComponentNode:
    """A component in this process, as something that can be asked for metadata and health."""

    def __init__(self, hosted: host.Host) -> None:
        self._host = hosted

    async def metadata(self, headers: Headers = ()) -> Mapping[str, Any]:
        """What the component says of itself."""
        return await self._host.metadata()

    async def status(self, headers: Headers = ()) -> messages.Message:
        """What the component says of its health."""
        return await self._host.health()


class GrpcNode:
    """A gRPC node, as something that can be asked for metadata and health."""

    def __init__(self, channel: Channel, name: str, timeout_s: float | None = None) -> None:
        self._channel = channel
        self._name = name
        self._timeout_s = timeout_s

    async def metadata(self, headers: Headers = ()) -> Mapping[str, Any]:
        """What the node says of itself. Raises `errors.NodeError`, also for what is no metadata."""
        asked = messages.Message(b"")
        answer = await self._channel.call(protocol.NODE_GRPC_METADATA_PATH, asked, headers, self._timeout_s)
        try:
            return seldon_metadata.decode_model(bytes(answer))
        except errors.DecodeError as cause:
            told = f"metadata of node '{self._name}': {cause.message}"
            raise errors.NodeError(told, status=Status.INTERNAL, node=self._name) from None

    async def status(self, headers: Headers = ()) -> messages.Message:
        """Its answer to a gRPC health check; a node that offers none but answers counts as well."""
        try:
            asked = messages.Message(b"")
            answer = await self._channel.call("/grpc.health.v1.Health/Check", asked, headers, self._timeout_s)
        except errors.Error as error:
            if error.status is not Status.UNIMPLEMENTED:
                raise
            return _text("reachable")
        if dict(wire.fields(bytes(answer))).get(1) != 1:
            raise errors.NodeError(f"node '{self._name}' says that it is not serving", node=self._name)
        return _text("serving")


def _text(text: str) -> messages.Message:
    return messages.Message(b'{"strData":"%s"}' % text.encode(), int(Encoding.SELDON_JSON))


class Reached(NamedTuple):
    """One node: where it is called, if it is, and whom to ask for metadata, if it can be asked."""

    endpoint: endpoint.Endpoint | None
    asked: Node | None = None
    address: Address | None = None
    """Where it is, unless in this process."""


@dataclass(eq=False, slots=True)
class Side:
    """The nodes of a plan as one front reaches them."""

    endpoints: list[endpoint.Endpoint | None] = field(default_factory=list)
    """In the plan's order."""
    kinds: list[Transport | None] = field(default_factory=list)
    """How each is called, or would be if it were not in this process; None for what is built in."""
    addresses: list[Address | None] = field(default_factory=list)
    """Where each is; None in this process."""
    known: dict[str, Node] = field(default_factory=dict)
    """Those that can be asked for metadata."""

    def add(self, name: str, reached: Reached) -> None:
        """Adds the next node of the plan."""
        self.endpoints.append(reached.endpoint)
        self.kinds.append(_kind(reached.asked))
        self.addresses.append(reached.address)
        if reached.asked is not None:
            self.known[name] = reached.asked


def _kind(asked: Node | None) -> Transport | None:
    if asked is None:
        return None
    return Transport.REST if isinstance(asked, RestNode) else Transport.GRPC
