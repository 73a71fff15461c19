"""Owns the one request path behind every front that is written in Python, and what is known of a graph's nodes.

Must not know HTTP or gRPC. The gRPC front's hot path enters the flow natively and never comes here.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from executor import errors
from executor._native import flow, front, message, program
from executor.graph import plan as plans
from executor.graph import spec
from executor.protocol import seldon
from executor.status import Status
from executor.types import Method, Walk


class Node(Protocol):
    """What is asked of a node besides predictions: a component host, a REST node or a gRPC node is one."""

    async def metadata(self) -> Mapping[str, Any]:
        """What the node says of itself, in the form of Seldon's metadata."""

    async def status(self) -> message.Message:
        """The node's health, as it words it. Raises `errors.Error` when it is not well."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request is answered with."""

    message: message.Message
    puid: str
    """The request's id: the client's own, or the one it was given."""


class Readiness:
    """Whether requests can be served, and a way to wait until that changes."""

    def __init__(self) -> None:
        self.begun = False
        """Whether it was ever so: before that, nodes are still loading."""
        self._ready = False
        self._changed = asyncio.Event()

    @property
    def ready(self) -> bool:
        """Whether requests can be served now."""
        return self._ready

    def set(self, ready: bool) -> None:
        """Say whether requests can be served; those who wait for a change are told."""
        if ready != self._ready:
            self._ready = ready
            self.begun = True
            self._changed.set()
            self._changed = asyncio.Event()

    async def change(self) -> None:
        """Returns when readiness has changed."""
        await self._changed.wait()


class Inference:
    """A plan that runs. `nodes` are those that can be asked for metadata; `graph` is the spec they come from."""

    def __init__(
        self,
        engine: flow.Engine,
        program: program.Program,
        plan: plans.Plan,
        nodes: Mapping[str, Node],
        *,
        graph: spec.Node | None = None,
        readiness: Readiness | None = None,
    ) -> None:
        self.plan = plan
        self.readiness = readiness or Readiness()
        self._engine = engine
        self.program = program
        self._nodes = nodes
        self._graph = graph

    @property
    def ready(self) -> bool:
        """Whether requests can be served now."""
        return self.readiness.ready

    async def run(
        self,
        walk: Walk,
        method: Method,
        message: message.Message,
        *,
        headers: Sequence[tuple[str, str]] = (),
        puid: str | None = None,
        timeout_s: float | None = None,
    ) -> Answer:
        """Takes one request through the plan.

        `headers` go to every node; `puid` is made when there is none; `timeout_s` bounds the whole request, None
        and 0 do not. Raises `errors.Error`. Cancelling the caller cancels the calls on the wire.
        """
        if not self.readiness.begun:
            raise errors.NodeError("the graph is still loading")
        puid = puid or front.new_puid(self._engine)
        forwarded = [pair for pair in headers if pair[0].lower() != "seldon-puid"]
        forwarded.append(("seldon-puid", puid))
        deadline = time.monotonic() + timeout_s if timeout_s else 0.0
        request = front.submit(self._engine, self.program, walk, method, message, forwarded, puid, deadline)
        try:
            return Answer(await request.future, puid)
        finally:
            request.cancel()

    async def model_metadata(self, name: str) -> Mapping[str, Any]:
        """What the node `name` says of itself. Raises `errors.RequestError` when there is no such node."""
        return seldon.model_metadata(await self._node(name).metadata())

    async def graph_metadata(self) -> Mapping[str, Any]:
        """Metadata of all nodes, and what goes into the graph and comes out of it. The first failure is raised."""
        if self._graph is None:
            raise errors.RequestError("a single node has no graph metadata", status=Status.UNIMPLEMENTED)
        names = [node.name for node in self.plan.nodes if node.name in self._nodes]
        found = await asyncio.gather(*(self._nodes[name].metadata() for name in names))
        return seldon.graph_metadata(self.plan.name, self._graph, dict(zip(names, found, strict=True)))

    async def node_status(self, name: str) -> message.Message:
        """The health of the node `name`, as it words it."""
        return await self._node(name).status()

    def _node(self, name: str) -> Node:
        if name in self._nodes:
            return self._nodes[name]
        if self.plan.find(name) is not None:
            raise errors.RequestError(f"node '{name}' is built in and has no metadata", status=Status.NOT_FOUND)
        raise errors.RequestError(f"Failed to find model {name}", status=Status.NOT_FOUND)
