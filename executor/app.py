"""Owns putting the parts together: what `millrace run` and `millrace node` start, serve, drain and stop.

Must not hold logic of any part. This is the only module that sees all of them.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import uvloop

from executor import manifest, workers
from executor._native import exits, flow, seldon, seldon_json, tap, transport
from executor.component import host, load
from executor.graph import plan as plans
from executor.graph.spec import Deployment, NodeType
from executor.inference import Bound, Bounds, Inference, Readiness
from executor.listening import Listeners, told
from executor.nodes import Nodes, Side
from executor.payloads import Payloads
from executor.protocol import seldon as protocol
from executor.protocol.table import RestTable, Rpc
from executor.reload import Reloader, in_thread
from executor.rest.app import App
from executor.rest.server import RestServer
from executor.rpc import admin
from executor.rpc.server import RpcServer
from executor.settings import (
    CorsSettings,
    ListenSettings,
    NodeSettings,
    NodeTlsSettings,
    RunSettings,
    ServeLimits,
    TlsSettings,
)
from executor.signals import Signals, stopped_by_signals, unless
from executor.tls import server_source

log = logging.getLogger("millrace")

ROUTING_NONE, ROUTING_ROUTED, ROUTING_VISITED = 0, 1, 2
RETIRE_POLL_S = 0.1
POOL_STOP_S = 1.0
"""How long threads of components may take to come to their end; what still runs then ends with the process."""
# Importing a codec registers it with the flow.
CODECS = (seldon, seldon_json)


def run(settings: RunSettings, text: str | None = None) -> int:
    """Serves a graph until SIGINT or SIGTERM; the exit status. Without its `text` the manifest's file is read."""
    log_to_stderr(settings.log_level)
    if text is None:
        text = manifest.read(Path(settings.manifest))
    selected = select(settings, text)
    return uvloop.run(workers.run(settings, text) if settings.workers > 1 else _run(settings, selected))


def node(settings: NodeSettings) -> int:
    """Serves one component until SIGINT or SIGTERM; the exit status."""
    log_to_stderr(settings.log_level)
    return uvloop.run(_node(settings))


async def _run(settings: RunSettings, selected: manifest.Selected) -> int:
    with stopped_by_signals():
        process = Process.of(settings)

        async def reload(text: str) -> None:
            process.switch(await prepare(process, settings, text))

        reloader = Reloader(None if settings.alone else Path(settings.manifest), reload)
        try:
            with reloader.on_hangup():
                print(plans.tree(graph(process, settings, selected), process.nodes.reached), flush=True)
                return await process.run(reloader, settings.shutdown_delay_s)
        finally:
            await process.stop()


async def _node(settings: NodeSettings) -> int:
    with stopped_by_signals():
        process = Process(settings.listen, settings.limits, settings.threads, settings.tls)
        try:
            plan = component(process, settings)
            print(f"{plan.root.name}  {settings.type}  {settings.component}", flush=True)
            return await process.run()
        finally:
            await process.stop()


def graph(process: "Process", settings: RunSettings, selected: manifest.Selected) -> plans.Plan:
    """Makes `process` serve a graph; its plan. Raises `errors.Error`: a port in use, a class that cannot be loaded."""
    plan = plans.compile_plan(selected.predictor, selected.deployment.name)
    process.bind()
    process.nodes.bind(plan, settings)
    bounds = _bound(process.nodes, plan, settings, selected, process.payloads.tap_for(plan, selected, settings))
    process.serve(bounds, protocol.EXECUTOR_RPCS, protocol.EXECUTOR_REST, settings.default_timeout_s, settings.cors)
    return plan


async def prepare(process: "Process", settings: RunSettings, text: str) -> "Prepared":
    """The graph of another manifest, loaded beside the one that `process` serves. Raises `errors.Error`."""
    selected = select(settings, text)
    plan = plans.compile_plan(selected.predictor, selected.deployment.name)
    logged = process.payloads.tap_for(plan, selected, settings)
    made = await in_thread(lambda: Nodes.load(plan, settings))
    nodes = process.new_nodes()
    try:
        nodes.bind(plan, settings, made)
        await nodes.start()
        return Prepared(nodes, _bound(nodes, plan, settings, selected, logged))
    except BaseException:
        await nodes.stop()
        raise


def _bound(
    nodes: Nodes, plan: plans.Plan, settings: RunSettings, selected: manifest.Selected, logged: tap.Tap | None
) -> Bounds:
    routing = ROUTING_ROUTED if settings.routing_meta and plan.reports_routing else ROUTING_NONE
    if settings.routing_meta and settings.routing_visited:
        routing = ROUTING_VISITED

    def bound(side: Side) -> Bound:
        return Bound(
            nodes.program(plan, routing, side, logged), plan, side.known, selected.predictor.graph, nodes.health
        )

    grpc = bound(nodes.grpc)
    return Bounds(grpc, grpc if nodes.rest is nodes.grpc else bound(nodes.rest))


def component(process: "Process", settings: NodeSettings) -> plans.Plan:
    """Makes `process` serve one component; the plan of that one node. Raises as `graph` does."""
    process.bind()
    made = load.component(settings.component, settings.parameters)
    plan = plans.node_plan(settings.name or type(made).__name__.lower(), NodeType(settings.type))
    root = plan.root
    wanted = [method for method in (root.input, root.route, root.aggregate, root.output) if method is not None]
    process.nodes.add(host.Host(made, root.name, methods=wanted))
    bound = Bound(process.nodes.program(plan, ROUTING_NONE), plan, process.nodes.known)
    process.serve(Bounds(bound, bound), protocol.NODE_RPCS, protocol.NODE_REST, settings.default_timeout_s)
    return plan


@dataclass(frozen=True, slots=True)
class Prepared:
    """A graph whose nodes are loaded: `Process.switch` makes it the one that is served."""

    nodes: Nodes
    bounds: Bounds


class Process:
    """One serving process: its engine, listeners and fronts. One that does not listen is given its connections."""

    def __init__(
        self,
        listen: ListenSettings,
        limits: ServeLimits,
        threads: int | None,
        tls: TlsSettings | None = None,
        node_tls: NodeTlsSettings | None = None,
        *,
        grpc_max_message_bytes: int | None = None,
        listens: bool = True,
    ) -> None:
        self._listen = listen
        self._limits = limits
        self._grpc_limits = replace(limits, max_message_bytes=grpc_max_message_bytes or limits.max_message_bytes)
        self._listens = listens
        self._tls = server_source(tls) if tls is not None else None
        self._node_tls = node_tls
        self._watching: asyncio.Task[None] | None = None
        self.reactor = transport.Reactor()
        self.engine = flow.Engine(self.reactor)
        self.pool = exits.Pool(self.reactor, threads or max(4, os.cpu_count() or 4))
        self.nodes = self.new_nodes()
        self.payloads = Payloads(self.reactor, node_tls)
        self.readiness = Readiness()
        self._listeners: Listeners | None = None
        self._by_grpc: Inference | None = None
        self._by_rest: Inference | None = None
        self._bounds: Bounds | None = None
        self._retiring: set[asyncio.Task[None]] = set()
        self.rpc: RpcServer | None = None
        self.rest: RestServer | None = None

    @classmethod
    def of(cls, settings: RunSettings, *, listens: bool = True) -> Self:
        """One that serves as `settings` say."""
        return cls(
            settings.listen,
            settings.limits,
            settings.threads,
            settings.tls,
            settings.node_tls,
            grpc_max_message_bytes=settings.grpc_max_message_bytes,
            listens=listens,
        )

    def new_nodes(self) -> Nodes:
        """Room for the nodes of one more plan."""
        return Nodes(self.reactor, self.pool, self._limits, self._node_tls)

    def bind(self) -> None:
        """Takes the ports, so that a port in use is told before anything is loaded. Raises RequestError."""
        if self._listens:
            self._listeners = Listeners(self._listen)

    def serve(
        self,
        bounds: Bounds,
        rpcs: Mapping[str, Rpc],
        rest: RestTable,
        default_timeout_s: float | None,
        cors: CorsSettings | None = None,
    ) -> None:
        """Makes the fronts; they begin to serve in `start`."""
        cors = cors or CorsSettings()
        self._bounds = bounds
        self._by_grpc = Inference.of(self.engine, bounds.grpc, self.readiness)
        self._by_rest = Inference.of(self.engine, bounds.rest, self.readiness)
        self.rpc = RpcServer(
            self.engine,
            bounds.grpc.program,
            rpcs,
            admin.handlers(rpcs, self._by_grpc, ""),
            limits=self._grpc_limits,
            default_timeout_s=default_timeout_s,
            tls=self._tls,
        )
        if self._listen.http_port is not None:
            app = App(
                self._by_rest,
                rest,
                limits=self._limits,
                default_timeout_s=default_timeout_s,
                cors_origins=cors.origins,
                cors_headers=cors.headers,
            )
            self.rest = RestServer(app, self._limits, self._tls)

    def switch(self, prepared: Prepared) -> None:
        """New requests run on `prepared` from now on. The nodes before it stop when no request runs on them."""
        assert self.rpc is not None
        assert self._by_grpc is not None
        assert self._by_rest is not None
        assert self._bounds is not None
        before, old = self.nodes, self._bounds
        self.nodes, self._bounds = prepared.nodes, prepared.bounds
        self._by_grpc.use(prepared.bounds.grpc)
        self._by_rest.use(prepared.bounds.rest)
        self.rpc.native.use(prepared.bounds.grpc.program)
        task = asyncio.create_task(_retire(before, old))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    async def run(self, reloader: Reloader | None = None, shutdown_delay_s: float = 0.0) -> int:
        """Starts, serves until a signal comes and for `shutdown_delay_s` more, then drains. The exit status: 1 when
        requests had to be cut off.
        """
        with Signals() as signals:
            if await unless(signals.first, self.start()) is None:
                return 0
            self._tell_where()
            if reloader is None:
                await signals.first.wait()
            else:
                await unless(signals.first, reloader.run())
            await unless(signals.second, self.leave(shutdown_delay_s))
            return 0 if await unless(signals.second, self.drain()) else 1

    async def leave(self, delay_s: float) -> None:
        """Says that it is not ready any more, and goes on serving for so long: balancers must see that first."""
        self.readiness.set(False)
        if delay_s > 0:
            log.info("not ready any more; stopping in %g s", delay_s)
            await asyncio.sleep(delay_s)

    async def start(self) -> bool:
        """Returns True when requests are served. Raises `errors.Error`.

        REST is there from the beginning: probes are answered, requests refused, while components load. gRPC clients
        are not let in before, so that those who wait for a server to be ready need not know what ready means here.
        """
        await self.start_rest()
        await self.start_nodes()
        return True

    async def start_rest(self) -> None:
        """The first half of `start`."""
        if self._tls is not None:
            self._watching = asyncio.create_task(self._tls.watch())
        if self._listeners is not None:
            self._listeners.listen_http()
        if self.rest is not None:
            await self.rest.start(self._listeners.http if self._listeners is not None else [])

    async def start_nodes(self) -> None:
        """The second half of `start`."""
        assert self.rpc is not None
        await self.nodes.start()
        if self._listeners is not None:
            self._listeners.listen_grpc()
            self.rpc.start(self._listeners.grpc)
        self.readiness.set(True)

    @property
    def grpc_told(self) -> list[str]:
        """Where gRPC is served: `host:port` and `unix:/path`."""
        return [told(each) for each in self._listeners.grpc] if self._listeners is not None else []

    @property
    def rest_told(self) -> list[str]:
        """Where REST is served: `host:port`."""
        return [told(each) for each in self._listeners.http] if self._listeners is not None else []

    def _tell_where(self) -> None:
        if self._listeners is not None:
            print("\n".join(self._listeners.lines(secure=self._tls is not None)), flush=True)

    async def drain(self) -> bool:
        """Takes no more requests; whether all that were under way ended in time."""
        assert self.rpc is not None
        log.info("draining: requests under way have %g s", self._limits.drain_timeout_s)
        self.readiness.set(False)
        drains = [self.rpc.drain(self._limits.drain_timeout_s)]
        if self.rest is not None:
            drains.append(self.rest.drain(self._limits.drain_timeout_s))
        ended = all(await asyncio.gather(*drains))
        if not ended:
            log.warning("some requests did not end in time and were cut off")
        return ended

    async def stop(self) -> None:
        """Ends everything that still runs."""
        if self._watching is not None:
            self._watching.cancel()
        if self.rpc is not None:
            self.rpc.close()
        try:
            if self.rest is not None:
                await self.rest.stop()
        finally:
            for task in self._retiring:
                task.cancel()
            await asyncio.gather(*self._retiring, return_exceptions=True)
            await self.nodes.stop()
            await self.payloads.stop()
        self.reactor.close()
        self.pool.stop(POOL_STOP_S)
        if self._listeners is not None:
            self._listeners.close()


async def _retire(nodes: Nodes, bounds: Bounds) -> None:
    """Stops nodes when the last request on them has ended."""
    try:
        while not bounds.idle:  # noqa: ASYNC110 requests end natively
            await asyncio.sleep(RETIRE_POLL_S)
    finally:
        await nodes.stop()


def select(settings: RunSettings, text: str) -> manifest.Selected:
    """The graph that `settings` choose of a manifest's text, checked. Raises ManifestError."""
    if settings.alone:
        built = manifest.load_predictor(text, lenient=True, reached=[], source=settings.manifest)
        told = settings.deployment
        named = Deployment(told.sdep if told else "", (built,), told.namespace if told else "default")
        return manifest.Selected(named, built)
    return manifest.load(
        text,
        manifest.Profile.LOCAL,
        predictor=settings.predictor,
        document=settings.document,
        reached=[*settings.components, *settings.endpoints],
        name=settings.manifest,
    )


def log_to_stderr(level: str, who: str = "") -> None:
    """Sets logging up; `who` stands before each message."""
    logging.basicConfig(
        level=level.upper(),
        stream=sys.stderr,
        format=f"%(asctime)s %(levelname)s %(name)s: {who}%(message)s",
        force=True,
    )
