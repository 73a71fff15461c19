"""Owns the one request path behind every front that is written in Python, and what is known of a graph's nodes.

Must not know HTTP or gRPC. The gRPC front's hot path enters the flow natively and never comes here.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self, runtime_checkable

from executor import errors
from executor._native import errand, flow, front, http1, message, program, tracer
from executor.aside import awaited
from executor.graph import plan as plans
from executor.graph import spec
from executor.health import GraphHealth
from executor.protocol import seldon
from executor.status import Status
from executor.types import Encoding, Keeps, Method, Walk

Done = Callable[[message.Message | None, Exception | None], object]
"""Is told a request's answer, or its error."""
_Future = asyncio.Future[message.Message]


Headers = Sequence[tuple[str, str]]
"""Those of a request, names in lower case; nodes get them, whatever they are asked."""


class Node(Protocol):
    """What is asked of a node besides predictions: a component host, a REST node or a gRPC node is one."""

    async def metadata(self, headers: Headers = ()) -> Mapping[str, Any]:
        """What the node says of itself, in the form of Seldon's metadata."""

    async def status(self, headers: Headers = ()) -> message.Message:
        """The node's health, as it words it. Raises `errors.Error` when it is not well."""


@runtime_checkable
class Worded(Protocol):
    """A node that words its metadata itself, so that they can be passed on as they are."""

    async def metadata_text(self, headers: Headers = ()) -> message.Message:
        """What the node says of itself, whatever that is."""


@runtime_checkable
class Coded(Protocol):
    """A node whose answers may go on compressed."""

    keeps: Keeps
    """Which codings that the client accepts may stay."""


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


def no_graph() -> errors.Error:
    """The error for asking a single node for the metadata of a graph."""
    return errors.RequestError("a single node has no graph metadata", status=Status.UNIMPLEMENTED)


@dataclass(eq=False, slots=True)
class Bound:
    """A plan bound to its nodes. `nodes` are those that can be asked for metadata; `graph` is the spec they come
    from.
    """

    program: program.Program
    plan: plans.Plan
    nodes: Mapping[str, Node]
    graph: spec.Node | None = None
    health: GraphHealth | None = None
    """How its nodes are asked whether they are well; None where they are not asked."""
    asking: int = 0
    """Questions under way that nodes are asked besides predictions."""
    graphless: Callable[[], errors.Error] = no_graph
    """What is said where the graph is asked for, and there is none."""
    takes_foreign: bool = False
    """Whether every node takes HTTP bodies as they come, so that none has to be read here."""

    def __post_init__(self) -> None:
        asked = [node.name for node in self.plan.nodes if node.calls]
        self.takes_foreign = bool(asked) and all(
            getattr(self.nodes.get(name), "takes_foreign", False) for name in asked
        )
        read = any(node.aggregate is not None or node.route is not None or node.picks for node in self.plan.nodes)
        for name in asked if self.takes_foreign else ():
            node = self.nodes[name]
            if isinstance(node, Coded):
                node.keeps = Keeps.UNKNOWN if read else Keeps.ALL

    @property
    def idle(self) -> bool:
        """Whether no request runs on it."""
        return self.program.in_flight == 0 and self.asking == 0

    @contextlib.contextmanager
    def asked(self) -> Iterator[None]:
        """Keeps its nodes for as long as they are asked."""
        self.asking += 1
        try:
            yield
        finally:
            self.asking -= 1


@dataclass(frozen=True, slots=True)
class Bounds:
    """A plan as each front runs it: the same, unless nodes are spoken to as the client speaks."""

    grpc: Bound
    rest: Bound

    @property
    def idle(self) -> bool:
        """Whether no request runs on either."""
        return self.grpc.idle and self.rest.idle


class Inference:
    """A plan that runs, until `use` puts another in its place."""

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
        self.readiness = readiness or Readiness()
        self._engine = engine
        self._bound = Bound(program, plan, nodes, graph)

    @classmethod
    def of(cls, engine: flow.Engine, bound: Bound, readiness: Readiness) -> Self:
        """One that runs `bound`."""
        made = cls(engine, bound.program, bound.plan, bound.nodes, readiness=readiness)
        made.use(bound)
        return made

    @property
    def bound(self) -> Bound:
        """What new requests run on."""
        return self._bound

    @property
    def plan(self) -> plans.Plan:
        """The plan that new requests run on."""
        return self._bound.plan

    @property
    def program(self) -> program.Program:
        """The same in native form."""
        return self._bound.program

    def use(self, bound: Bound) -> None:
        """New requests run on `bound` from now on; those that run finish on theirs."""
        self._bound = bound

    @property
    def ready(self) -> bool:
        """Whether requests can be served now."""
        return self.readiness.ready

    async def healthy(self) -> bool:
        """Whether requests can be served now, the nodes asked as well where they are to be asked."""
        if not self.readiness.ready:
            return False
        bound = self._bound
        if bound.health is None:
            return True
        with bound.asked():
            return not await bound.health.look()

    async def health(self) -> Mapping[str, Any]:
        """Whether requests can be served now, and of each node whether it is well, or why not."""
        bound = self._bound
        problems: Mapping[str, str] = {}
        asked: frozenset[str] = frozenset()
        if bound.health is not None:
            asked = bound.health.names
            with bound.asked():
                problems = await bound.health.look()
        nodes = [
            {"name": node.name, "ready": node.name not in problems, "asked": node.name in asked}
            | ({"why": problems[node.name]} if node.name in problems else {})
            for node in bound.plan.nodes
        ]
        found: dict[str, Any] = {"ready": self.readiness.ready and not problems, "nodes": nodes}
        if not self.readiness.ready:
            found["why"] = "draining" if self.readiness.begun else "still loading"
        elif problems:
            found["why"] = "nodes are not well"
        return found

    @property
    def takes_foreign(self) -> bool:
        """Whether a message of form FOREIGN can be served: see `Bound`."""
        return self._bound.takes_foreign

    def new_puid(self) -> str:
        """An id for a request that brings none."""
        return front.new_puid(self._engine)

    def start(
        self,
        walk: Walk,
        method: Method,
        message: message.Message,
        done: Done,
        *,
        headers: Sequence[tuple[str, str]] | http1.Fields = (),
        puid: str | None = None,
        timeout_s: float | None = None,
        timed: Callable[[str], object] | None = None,
        label: tracer.Label | None = None,
    ) -> front.Request:
        """Starts one request through the plan; `done(answer, error)` is called at its end, perhaps before this returns.

        `headers` go to every node; `puid` is made when there is none; `timeout_s` bounds the whole request, None
        and 0 do not. `timed(text)` is told where the time went, if the headers ask for that; spans of the request begin
        with `label`, also where it is refused here. Raises `errors.Error`. What this returns has the puid, and a
        `cancel()`.
        """
        puid = puid or self.new_puid()
        if not isinstance(headers, http1.Fields):
            headers = [pair for pair in headers if pair[0].lower() != "seldon-puid"]
            headers.append(("seldon-puid", puid))
        deadline = time.monotonic() + timeout_s if timeout_s else 0.0
        try:
            if not self.readiness.begun:
                raise errors.NodeError("the graph is still loading")
            return front.submit(
                self._engine, self.program, walk, method, message, headers, puid, deadline, done, timed, label
            )
        except errors.Error as error:
            if label is not None:
                self.span_of(label, headers).end(label.status(error), error, puid)
            raise

    def span_of(
        self, label: tracer.Label, headers: Sequence[tuple[str, str]] | http1.Fields, began: float = 0
    ) -> errand.Errand:
        """The span of a request that does not run through the plan: nodes get the headers that it has."""
        return errand.Errand(self._engine, label, headers, began)

    async def run(
        self,
        walk: Walk,
        method: Method,
        message: message.Message,
        *,
        headers: Sequence[tuple[str, str]] = (),
        puid: str | None = None,
        timeout_s: float | None = None,
        timed: Callable[[str], object] | None = None,
        label: tracer.Label | None = None,
    ) -> Answer:
        """Takes one request through the plan, as `start` does. Cancelling the caller cancels the calls on the wire."""
        future: _Future
        future, done = awaited()
        request = self.start(
            walk, method, message, done, headers=headers, puid=puid, timeout_s=timeout_s, timed=timed, label=label
        )
        try:
            return Answer(await future, request.puid)
        finally:
            request.cancel()

    async def model_metadata(self, name: str, headers: Headers = ()) -> Mapping[str, Any]:
        """What the node `name` says of itself. Raises `errors.RequestError` when there is no such node."""
        with self._bound.asked():
            return await self._node(name).metadata(headers)

    async def metadata_text(self, name: str, headers: Headers = ()) -> message.Message:
        """The same as JSON text: the node's own, where it is reached over REST."""
        with self._bound.asked():
            node = self._node(name)
            if isinstance(node, Worded):
                return await node.metadata_text(headers)
            said = await node.metadata(headers)
            told = json.dumps(said, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
        return message.Message(told.encode("utf-8", "replace"), Encoding.SELDON_JSON)

    async def graph_metadata(self, headers: Headers = ()) -> Mapping[str, Any]:
        """Metadata of all nodes, and what goes into the graph and comes out of it. The first failure is raised."""
        bound = self._bound
        if bound.graph is None:
            raise bound.graphless()
        names = [node.name for node in bound.plan.nodes if node.name in bound.nodes]
        with bound.asked():
            found = await asyncio.gather(*(bound.nodes[name].metadata(headers) for name in names))
        return seldon.graph_metadata(bound.plan.name, bound.graph, dict(zip(names, found, strict=True)))

    async def node_status(self, name: str, headers: Headers = ()) -> message.Message:
        """The health of the node `name`, as it words it."""
        with self._bound.asked():
            return await self._node(name).status(headers)

    def _node(self, name: str) -> Node:
        if not name and len(self.plan.nodes) == 1:
            name = self.plan.root.name
        if name in self._bound.nodes:
            return self._bound.nodes[name]
        if self.plan.find(name) is not None:
            raise errors.RequestError(f"node '{name}' is built in and has no metadata", status=Status.UNKNOWN)
        raise errors.RequestError(f"Failed to find model {name}", status=Status.UNKNOWN)
