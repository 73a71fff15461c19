"""Owns one serving process: its engine, listeners and fronts; how they start, change graphs, drain and stop.

Must not choose what is served: `executor.app` binds a graph or a component to it.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Self

from executor import aside, counting
from executor import limits as budgets
from executor._native import budget, buffer, exits, flow, journal, seldon, seldon_json, transport
from executor.counting import Counting
from executor.inference import Bounds, Inference, Readiness
from executor.learning import Learning
from executor.listening import Listeners, told
from executor.nodes import Nodes
from executor.overview import Overview
from executor.payloads import Payloads
from executor.protocol.table import RestTable, Rpc
from executor.reload import Reloader
from executor.rest import admin as admins
from executor.rest.answers import Site
from executor.rest.app import App
from executor.rest.server import RestServer
from executor.rpc import admin
from executor.rpc.server import RpcServer
from executor.settings import ListenSettings, NodeTlsSettings, RunSettings, ServeLimits, TlsSettings
from executor.signals import Signals, unless
from executor.telemetry import families, logs, requests
from executor.telemetry.branches import Branches
from executor.telemetry.store import Store
from executor.tls import server_source
from executor.tracing import Tracing
from executor.watching import Watch

log = logging.getLogger("millrace")

RETIRE_POLL_S = 0.1
SAMPLE_S = 2.0
"""How often those gauges are brought up to date that nobody keeps so."""
KEPT_PART = 8
"""Which part of the memory for messages may lie on shelves, to be used again."""
POOL_STOP_S = 1.0
"""How long threads of components may take to come to their end; what still runs then ends with the process."""
# Importing a codec registers it with the flow.
CODECS = (seldon, seldon_json)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A graph whose nodes are loaded: `Process.switch` makes it the one that is served."""

    nodes: Nodes
    bounds: Bounds
    counting: Counting


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
        store: Store | None = None,
        metrics_port: int | None = None,
        watch: Watch | None = None,
    ) -> None:
        self.speaks = True
        """Whether it tells what concerns the graph, which all workers would otherwise tell."""
        self.store = store or Store()
        self._watch = watch or Watch()
        self._metrics_port = metrics_port
        self._listen = listen
        self._limits = limits
        self._grpc_limits = replace(limits, max_message_bytes=grpc_max_message_bytes or limits.max_message_bytes)
        self._listens = listens
        self._tls = server_source(tls) if tls is not None else None
        self._node_tls = node_tls
        self._watching: asyncio.Task[None] | None = None
        memory = budgets.budget(limits)
        self.reactor = transport.Reactor(budget=budget.Budget(memory.hard, memory.soft))
        buffer.keep_at_most(memory.hard // KEPT_PART)
        self.engine = flow.Engine(self.reactor)
        meter = counting.engine_meter(self.store)
        self.engine.count(meter)
        self._refused = counting.refusals(meter)
        self.store.sampled(self._sample)
        self._sampling: asyncio.Task[None] | None = None
        self.pool = exits.Pool(self.reactor, threads or max(4, os.cpu_count() or 4))
        self.learning = Learning(Branches(self.store))
        self.payloads = Payloads(self.reactor, node_tls)
        self.tracing = Tracing(self.reactor, self.engine)
        self.nodes = self.new_nodes()
        self.readiness = Readiness()
        self.overview = Overview(self.store, self.readiness)
        self.journal = journal.Journal(self.reactor, requests.take, self._watch.access_log)
        self.on_level: Callable[[str], object] = lambda level: None
        """Is told the log level that somebody has asked this process for."""
        self._listeners: Listeners | None = None
        self._by_grpc: Inference | None = None
        self._by_rest: Inference | None = None
        self._bounds: Bounds | None = None
        self._retiring: set[asyncio.Task[None]] = set()
        self.rpc: RpcServer | None = None
        self.rest: RestServer | None = None
        self.rest_waits = False
        self.scraped: RestServer | None = None
        """Tells metrics alone, on a port of its own."""
        self.admin: RestServer | None = None
        """Lets the process be watched and told what to do, on a port of its own."""
        self._apps: list[tuple[App, RestTable]] = []

    @classmethod
    def of(cls, settings: RunSettings, *, listens: bool = True, store: Store | None = None) -> Self:
        """One that serves as `settings` say."""
        return cls(
            settings.listen,
            settings.limits,
            settings.threads,
            settings.tls,
            settings.node_tls,
            grpc_max_message_bytes=settings.grpc_max_message_bytes,
            listens=listens,
            store=store,
            watch=settings.watch,
        )

    def new_nodes(self) -> Nodes:
        """Room for the nodes of one more plan."""
        nodes = Nodes(self.reactor, self.pool, self._limits, self._node_tls, self.learning)
        nodes.tracing = self.tracing
        return nodes

    def bind(self) -> None:
        """Takes the ports, so that a port in use is told before anything is loaded. Raises RequestError."""
        if self._listens:
            self._listeners = Listeners(self._listen, self._metrics_port, self._watch)

    def serve(
        self,
        bounds: Bounds,
        rpcs: Mapping[str, Rpc],
        rest: RestTable,
        default_timeout_s: float | None,
        site: Site | None = None,
        *,
        counted: Counting,
        metrics_path: str | None = None,
        metrics_on_http: bool = True,
    ) -> None:
        """Makes the fronts; they begin to serve in `start`. What they serve is `counted`, and told at `metrics_path`.

        Raises RequestError for a path that is taken.
        """
        self._bounds = bounds
        self._rpcs = rpcs
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
            journal=self.journal,
        )
        self.rpc.native.trace(self.tracing.rpcs(rpcs))
        self.rpc.on_refused = partial(self._refused, "connections")
        self.overview.show(bounds.grpc.plan, self.nodes.reached)
        own, moved = admins.Admin(self.overview.text, self._ask_level).actions, self._watch.admin_port is not None
        if self._listen.http_port is not None:
            table = counting.scraped(rest, metrics_path if metrics_on_http and not moved else None)
            if self._watch.page and not moved:
                table = admins.with_page(table)
            app = App(
                self._by_rest,
                table,
                limits=self._limits,
                default_timeout_s=default_timeout_s,
                budget=self.reactor.budget,
                site=site,
                scrape=self.scrape,
                own=own,
            )
            app.on_refused = self._refused
            app.tell(self.journal)
            app.trace(self.tracing.rest(table, "http" if self._tls is None else "https"))
            self.rest = RestServer(app, self._limits, self._tls)
            self._apps.append((app, table))
        if self._metrics_port is not None:
            table = counting.scraped(replace(rest, routes=()), metrics_path)
            self.scraped = self._beside(App(self._by_rest, table, scrape=self.scrape), self._watch.scrapes_told)
        if moved:
            table = counting.scraped(admins.alone(rest, self._watch.page), metrics_path)
            self.admin = self._beside(App(self._by_rest, table, scrape=self.scrape, own=own))
        self._count(counted)

    def _beside(self, app: App, told: bool = True) -> RestServer:
        """Serves what is not the graph, on a port of its own."""
        app.tell(self.journal if told else None)
        return RestServer(app, self._limits)

    def _count(self, counted: Counting) -> None:
        assert self.rpc is not None
        self.rpc.native.count(counted.rpcs(self._rpcs))
        for app, table in self._apps:
            app.count(counted.rest(table))

    def set_level(self, level: str) -> None:
        """Logs at another level from now on. Raises RequestError."""
        self.journal.tell()  # what was before is said as it was before
        logs.set_level(level)

    def _ask_level(self, level: str) -> None:
        self.set_level(level)
        log.info("log level %s, which the admin port was asked for", logs.level())
        self.on_level(logs.level())

    async def scrape(self, accept: str) -> tuple[str, bytes]:
        """What this process and its group have counted: its content type, and the text."""
        self.store.sample()
        return await aside.in_thread(lambda: self.store.text(accept))

    def _sample(self) -> None:
        store, budget = self.store, self.reactor.budget
        store.set(families.MEMORY, "used", to=budget.used)
        store.set(families.MEMORY, "limit", to=budget.hard)
        store.set(families.MEMORY_WAITING, to=budget.waiting)
        if self.rpc is not None:
            store.set(families.CONNECTIONS, "grpc", to=self.rpc.native.connections)
        if self.rest is not None:
            store.set(families.CONNECTIONS, "rest", to=self.rest.connections)
        store.set_all(families.NODE_CONNECTIONS, self.nodes.connections())
        self.learning.count()
        self.payloads.count(store)
        self.tracing.count(store)

    async def _keep_sampling(self) -> None:
        while True:
            self.store.sample()
            await asyncio.sleep(SAMPLE_S)

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
        self._count(prepared.counting)
        self.overview.show(prepared.bounds.grpc.plan, prepared.nodes.reached)
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

        REST is there from the beginning: probes are answered, requests refused, while components load; with
        `rest_waits` connections wait instead. gRPC clients are not let in before, so that those who wait for a server
        to be ready need not know what ready means here.
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
        listeners = self._listeners
        if self.rest is not None and not self.rest_waits:
            await self.rest.start(listeners.http if listeners is not None else [])
        if self.scraped is not None:
            await self.scraped.start(listeners.metrics if listeners is not None else [])
        if self.admin is not None:
            await self.admin.start(listeners.admin if listeners is not None else [])
        self._sampling = asyncio.create_task(self._keep_sampling())
        self.tracing.start()

    async def start_nodes(self) -> None:
        """The second half of `start`."""
        assert self.rpc is not None
        await self.nodes.start()
        if self.rest is not None and self.rest_waits:
            await self.rest.start(self._listeners.http if self._listeners is not None else [])
        if self._listeners is not None:
            self._listeners.listen_grpc()
            self.rpc.start(self._listeners.grpc)
            self.store.set(families.WORKERS, to=1)
        self.readiness.set(True)

    @property
    def grpc_told(self) -> list[str]:
        """Where gRPC is served: `host:port` and `unix:/path`."""
        return [told(each) for each in self._listeners.grpc] if self._listeners is not None else []

    @property
    def admin_told(self) -> list[str]:
        """Where the admin port is: `host:port`."""
        return [told(each) for each in self._listeners.admin] if self._listeners is not None else []

    @property
    def rest_told(self) -> list[str]:
        """Where REST is served: `host:port`."""
        return [told(each) for each in self._listeners.http] if self._listeners is not None else []

    def _tell_where(self) -> None:
        if self._listeners is not None:
            print("\n".join(self._listeners.lines(secure=self._tls is not None)), flush=True)

    async def drain(self, patience_s: float | None = None) -> bool:
        """Takes no more requests; whether all that were under way ended in time."""
        assert self.rpc is not None
        due_s = self._limits.drain_timeout_s if patience_s is None else patience_s
        log.info("draining: requests under way have %g s", due_s)
        self.readiness.set(False)
        drains = [self.rpc.drain(due_s)]
        if self.rest is not None:
            drains.append(self.rest.drain(due_s))
        ended = all(await asyncio.gather(*drains))
        if not ended:
            log.warning("some requests did not end in time and were cut off")
        return ended

    async def stop(self) -> None:
        """Ends everything that still runs."""
        for task in (self._watching, self._sampling):
            if task is not None:
                task.cancel()
        if self.rpc is not None:
            self.rpc.close()
        try:
            for server in (self.rest, self.scraped, self.admin):
                if server is not None:
                    await server.stop()
        finally:
            for task in self._retiring:
                task.cancel()
            await asyncio.gather(*self._retiring, return_exceptions=True)
            await self.nodes.stop()
            self.learning.close()
            await asyncio.gather(self.payloads.stop(), self.tracing.stop())
        self.journal.close()
        self.reactor.close()
        self.pool.stop(POOL_STOP_S)
        if self._listeners is not None:
            self._listeners.close()
        self.store.close()


async def _retire(nodes: Nodes, bounds: Bounds) -> None:
    """Stops nodes when the last request on them has ended."""
    try:
        while not bounds.idle:  # noqa: ASYNC110 requests end natively
            await asyncio.sleep(RETIRE_POLL_S)
    finally:
        await nodes.stop()
