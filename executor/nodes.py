"""Owns how the nodes of a plan are reached: each gets the endpoint that its component, address or built-in asks for.

Must not serve anything, nor decide what a plan's nodes do.
"""

import asyncio
import contextlib
import logging
import tempfile
from collections import Counter
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from executor import children, prepackaged, state
from executor._native import endpoint, exits, mean, program, tap, transport
from executor.component import host, load
from executor.counting import Counting
from executor.graph import plan as plans
from executor.graph.builtin import AVERAGE_COMBINER, BUILTINS, Builtin
from executor.graph.spec import Transport
from executor.health import Check, GraphHealth
from executor.inference import Node
from executor.learning import Learning, Router
from executor.protocol import seldon as protocol
from executor.reached import ComponentNode, GrpcNode, Reached, Side
from executor.rest.client import RestNode
from executor.rpc.channels import Channel
from executor.settings import (
    Address,
    ChannelSettings,
    NodeChecks,
    NodeSettings,
    NodeTlsSettings,
    RunSettings,
    Scheme,
    ServeLimits,
)
from executor.supervisor import Child
from executor.tls import NodeContexts, Source, node_source
from executor.tracing import Tracing
from executor.types import Encoding

log = logging.getLogger("millrace")

Made = Mapping[str, Any] | None
"""Components of this process by node; None: not made yet."""


class Nodes:
    """The nodes of one plan, bound. The two sides are one, unless nodes are spoken to as the client speaks: then remote
    nodes are reached over REST on one and over gRPC on the other, and all others are the same on both.
    """

    def __init__(
        self,
        reactor: transport.Reactor,
        pool: exits.Pool,
        limits: ServeLimits,
        node_tls: NodeTlsSettings | None = None,
        learning: Learning | None = None,
    ) -> None:
        self.grpc = self.rest = Side()
        self.health: GraphHealth | None = None
        self.routers: dict[str, Router] = {}
        """The routers that learn."""
        self.reached: dict[str, str] = {}
        """How each node is reached, in words for the user."""
        self.tracing: Tracing | None = None
        """What their calls' spans are of."""
        self.counting: Counting | None = None
        """What counts their calls; None: nothing does."""
        self.has_service = False
        """Whether a node's component has a service of its own, that somebody is to run beside."""
        self._reactor = reactor
        self._pool = pool
        self._limits = limits
        self._channel_settings = ChannelSettings()
        self._made: Mapping[str, Any] = {}
        self._tls_settings = node_tls or NodeTlsSettings()
        self._tls: Source[NodeContexts] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._learning = learning or Learning()
        self._hosts: list[host.Host] = []
        self._rest: list[RestNode] = []
        self._channels: list[Channel] = []
        self._children: list[children.Isolated] = []
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._beside: Child | None = None

    @staticmethod
    def load(plan: plans.Plan, settings: RunSettings) -> dict[str, Any]:
        """The components of this process, made: user code runs. Any thread may. Raises ComponentError."""
        plan, settings = prepackaged.placed(plan, settings)
        return {
            node.name: load.component(settings.components[node.name], node.arguments)
            for node in plan.nodes
            if node.calls and node.builtin is None and node.name in settings.components
            if node.name not in settings.isolate
        }

    def bind(self, plan: plans.Plan, settings: RunSettings, made: Made = None, counted: Counting | None = None) -> None:
        """Finds the endpoint of every node; `made` are components by node. Raises ComponentError."""
        self.counting = counted
        self._made = self.load(plan, settings) if made is None else made
        plan, settings = prepackaged.placed(plan, settings)
        self._channel_settings = settings.channels
        if settings.by_front and not _is_mixed(plan):
            self.rest = Side()
        for node in plan.nodes:
            if node.bandit is not None:
                self.routers[node.name] = self._learning.router(node, plan, settings.state)
            grpc, rest = self._reach(plan, node, settings)
            self.grpc.add(node.name, grpc)
            if self.rest is not self.grpc:
                self.rest.add(node.name, rest)
        if settings.node_checks is not NodeChecks.NONE:
            self.health = GraphHealth(self._checks(plan, settings))

    @property
    def endpoints(self) -> list[endpoint.Endpoint | None]:
        """How gRPC requests, and where the sides are one all requests, reach the nodes."""
        return self.grpc.endpoints

    @property
    def known(self) -> dict[str, Node]:
        """Whom they ask for metadata."""
        return self.grpc.known

    def program(
        self,
        plan: plans.Plan,
        routing: int,
        side: Side | None = None,
        logged: tap.Tap | None = None,
        owes_answer: bool = False,
    ) -> program.Program:
        """The plan in native form; `logged` says which payloads are. With `owes_answer`, feedback over gRPC to a root
        that takes none fails.
        """
        side = side or self.grpc
        tables = {plan.index[name]: router.weights for name, router in self.routers.items()}
        counted = self.counting.nodes(plan, side.kinds) if self.counting is not None else None
        spans = self.tracing.nodes(plan, side.addresses) if self.tracing is not None else None
        return program.Program(
            plan.nodes, side.endpoints, routing, plan.learns, tables, logged, counted, spans, owes_answer
        )

    def connections(self) -> Counter[tuple[str, ...]]:
        """How many connections there are, by node, address and state."""
        found = [(made.node, each.address, each.state) for made in self._channels for each in made.report()]
        found += [(rest.name, *each) for rest in self._rest for each in rest.report()]
        return Counter(found)

    def add(self, hosted: host.Host) -> None:
        """Binds the next node of a plan to a component in this process."""
        self.grpc.add(hosted.name, Reached(self._component(hosted), ComponentNode(hosted)))

    def beside(self, settings: NodeSettings) -> None:
        """Has `start` also start a process that runs the `custom_service()` of the node's component."""
        self._beside = children.service(settings)

    async def start(self) -> None:
        """Loads components and starts isolated ones; returns when all are there. Raises `errors.Error`."""
        if self._tls is not None:
            self._watching = asyncio.create_task(self._tls.watch())
        await self._learning.start(list(self.routers.values()))
        isolated = [child.start() for child in self._children]
        await _all([*isolated, *(hosted.load() for hosted in self._hosts)])
        if self._beside is not None:
            await self._beside.start()

    async def stop(self) -> None:
        """Closes channels and stops child processes."""
        if self._watching is not None:
            self._watching.cancel()
        ending = [rest.close() for rest in self._rest] + [channel.close() for channel in self._channels]
        ending += [self.health.close()] if self.health is not None else []
        ending += [child.stop() for child in self._children]
        ending += [self._beside.stop()] if self._beside is not None else []
        ending.append(self._learning.stop(list(self.routers.values())))
        for problem in await asyncio.gather(*ending, return_exceptions=True):
            if problem is not None:
                log.error("a node was not closed properly", exc_info=problem)
        if self._folder is not None:
            self._folder.cleanup()
        for component in self._made.values():
            load.forget(component)

    # --- how each is reached ----------------------------------------------------------------------------------

    def _reach(self, plan: plans.Plan, node: plans.PlanNode, settings: RunSettings) -> tuple[Reached, Reached]:
        """One node, as gRPC and as REST requests reach it."""
        if not node.needs_endpoint or node.name in settings.components:
            here = self._here(plan, node, settings)
            return here, here
        if self.rest is self.grpc or node.name in settings.endpoints:
            address = settings.endpoints.get(node.name) or own_address(node)
            self.reached[node.name] = str(address)
            there = self._remote(node, address, settings)
            return there, there
        grpc, rest = own_address(node, Transport.GRPC), own_address(node, Transport.REST)
        self.reached[node.name] = " and ".join(dict.fromkeys((str(grpc), str(rest))))
        first = self._remote(node, grpc, settings)
        return first, first if grpc == rest else self._remote(node, rest, settings)

    def _here(self, plan: plans.Plan, node: plans.PlanNode, settings: RunSettings) -> Reached:
        if not node.calls:
            return Reached(None)
        if node.name in self.routers:
            self.reached[node.name] = f"built in; learns in {state.told(self._learning.where)}"
            handlers = self._learning.handlers(self.routers[node.name])
            return Reached(exits.Component(self._reactor, node.name, handlers, self._pool))
        if node.builtin is not None:
            below = [plan.nodes[child].name for child in node.children]
            return Reached(self._computed(node.name, BUILTINS[node.builtin], below, plans.feeders(plan, node)))
        target = settings.components[node.name]
        if node.name in settings.isolate:
            return self._isolated(node, target, settings)
        self.reached[node.name] = f"in this process: {target}"
        wanted = [method for method in (node.input, node.route, node.aggregate, node.output) if method is not None]
        recorder = None if self.counting is None else self.counting.recorder(node.name, node.image)
        hosted = host.Host(
            self._made[node.name],
            node.name,
            image=node.image or None,
            methods=wanted,
            fed=plans.feeders(plan, node),
            recorder=recorder,
        )
        made = self._component(hosted)
        made.timeout_s = settings.node_timeouts.component_s
        return Reached(made, ComponentNode(hosted))

    def _computed(self, name: str, builtin: Builtin, children: Sequence[str], fed: host.Fed) -> endpoint.Endpoint:
        assert builtin.component is not None
        self.reached[name] = "built in"
        hosted = host.Host(builtin.component(children), name, fed=fed)
        computed = exits.Component(self._reactor, name, hosted.handlers, self._pool)
        # What is added to answers, only the component knows.
        return mean.Mean(computed) if builtin is AVERAGE_COMBINER and not hosted.adds_path else computed

    def _component(self, hosted: host.Host) -> exits.Component:
        self._hosts.append(hosted)
        return exits.Component(self._reactor, hosted.name, hosted.handlers, self._pool)

    def _remote(self, node: plans.PlanNode, address: Address, settings: RunSettings) -> Reached:
        if not address.scheme.is_rest:
            channel = self._channel(node.name, address)
            channel.endpoint.timeout_s = settings.node_timeouts.grpc_s
            return Reached(channel.endpoint, GrpcNode(channel, node.name, settings.node_timeouts.grpc_s), address)
        contexts = self._contexts(address)
        secure = None if contexts is None else lambda: contexts.current.rest
        rest = RestNode(address, name=node.name, limits=self._limits, tls=secure, memory=self._reactor.budget)
        rest.look_timeout_s = settings.node_timeouts.rest_s
        self._rest.append(rest)
        made = exits.Component(self._reactor, node.name, rest.handlers, self._pool, encoding=int(Encoding.SELDON_JSON))
        made.timeout_s = settings.node_timeouts.rest_s
        return Reached(made, rest, address)

    def _isolated(self, node: plans.PlanNode, target: str, settings: RunSettings) -> Reached:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="millrace-")
        path = str(Path(self._folder.name) / f"{node.index}.sock")
        address = Address(Scheme.UNIX, path=path)
        channel = self._channel(node.name, address)
        channel.endpoint.timeout_s = settings.node_timeouts.component_s
        self._children.append(children.isolated(node, target, path, settings.threads, self._limits))
        self.reached[node.name] = f"in a process of its own: {target}"
        return Reached(channel.endpoint, GrpcNode(channel, node.name), address)

    def _checks(self, plan: plans.Plan, settings: RunSettings) -> dict[str, Check]:
        """How remote nodes are asked whether they are well, children first."""
        found: dict[str, Check] = {}
        for node in reversed(plan.nodes):
            if not node.needs_endpoint or not node.endpoint.reachable:
                continue
            if settings.node_checks is NodeChecks.DIAL:
                end = node.endpoint
                found[node.name] = partial(_dial, end.host, end.port or end.http_port or end.grpc_port)
            else:
                asked = (self.grpc if node.endpoint.type is Transport.GRPC else self.rest).known[node.name]
                found[node.name] = asked.healthy if isinstance(asked, RestNode) else asked.status
        return found

    def _contexts(self, address: Address) -> Source[NodeContexts] | None:
        """What TLS to a node is done with, read when the first needs it; None for one without TLS."""
        if not address.scheme.is_tls:
            return None
        if self._tls is None:
            self._tls = node_source(self._tls_settings)
        return self._tls

    def _channel(self, name: str, address: Address) -> Channel:
        contexts = self._contexts(address)
        channel = Channel(
            address,
            reactor=self._reactor,
            paths=protocol.NODE_GRPC_PATHS,
            max_message_bytes=self._limits.max_message_bytes,
            max_header_bytes=self._limits.max_header_bytes,
            node=name,
            tls=None if contexts is None else lambda: contexts.current.grpc,
            settings=self._channel_settings,
        )
        self._channels.append(channel)
        return channel


def own_address(node: plans.PlanNode, front: Transport | None = None) -> Address:
    """Where the manifest says that the node listens: for requests of the front that speaks `front`, or by its type,
    which is gRPC unless it says REST.
    """
    end = node.endpoint
    kind = front or end.type or Transport.GRPC
    special = end.http_port if kind is Transport.REST else end.grpc_port
    if not special and end.type is not None:
        kind = end.type  # its one port speaks that
    if not end.port_for(kind):
        kind = Transport.GRPC if kind is Transport.REST else Transport.REST
    return Address(Scheme.HTTP if kind is Transport.REST else Scheme.GRPC, end.host, end.port_for(kind))


def _is_mixed(plan: plans.Plan) -> bool:
    """Whether the manifest has nodes of both types."""
    return {Transport.REST, Transport.GRPC} <= {node.endpoint.type for node in plan.nodes if node.needs_endpoint}


async def _dial(host: str, port: int) -> None:
    _, writer = await asyncio.open_connection(host, port)
    writer.close()
    with contextlib.suppress(OSError):  # that it was there is enough
        await writer.wait_closed()


async def _all(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Runs them at once. The first failure ends the others and is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            for work in works:
                group.create_task(work)
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
