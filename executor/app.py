"""Owns putting the parts together: what `millrace run` and `millrace node` start, serve, drain and stop.

Must not hold logic of any part. This is the only module that sees all of them.
"""

import asyncio
import contextlib
import errno
import logging
import os
import signal
import socket
import stat
import sys
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import uvloop

from executor import errors, manifest
from executor._native import exits, flow, seldon, seldon_json, transport
from executor.component import host, load
from executor.graph import plan as plans
from executor.graph import spec
from executor.graph.spec import NodeType
from executor.inference import Inference, Readiness
from executor.nodes import Nodes
from executor.protocol import seldon as protocol
from executor.protocol.table import RestTable, Rpc
from executor.rest.app import App
from executor.rest.server import RestServer
from executor.rpc import admin
from executor.rpc.server import RpcServer
from executor.settings import ListenSettings, NodeSettings, NodeTlsSettings, RunSettings, ServeLimits, TlsSettings
from executor.tls import server_source

log = logging.getLogger("millrace")

Result = TypeVar("Result")

ROUTING_NONE, ROUTING_ROUTED = 0, 1
STOPPING = (signal.SIGINT, signal.SIGTERM)
BACKLOG = 1024
POOL_STOP_S = 1.0
"""How long threads of components may take to come to their end; what still runs then ends with the process."""
# Importing a codec registers it with the flow.
CODECS = (seldon, seldon_json)


def run(settings: RunSettings) -> int:
    """Serves the graph of a manifest until SIGINT or SIGTERM; the exit status."""
    _log_to_stderr(settings.log_level)
    selected = manifest.load(
        Path(settings.manifest),
        manifest.Profile.LOCAL,
        predictor=settings.predictor,
        document=settings.document,
        reached=[*settings.components, *settings.endpoints],
    )
    return uvloop.run(_run(settings, selected))


def node(settings: NodeSettings) -> int:
    """Serves one component until SIGINT or SIGTERM; the exit status."""
    _log_to_stderr(settings.log_level)
    return uvloop.run(_node(settings))


async def _run(settings: RunSettings, selected: manifest.Selected) -> int:
    with _stopped_by_signals():
        process = Process(settings.listen, settings.limits, settings.threads, settings.tls, settings.node_tls)
        try:
            print(plans.tree(graph(process, settings, selected), process.nodes.reached), flush=True)
            return await process.run()
        finally:
            await process.stop()


async def _node(settings: NodeSettings) -> int:
    with _stopped_by_signals():
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
    routing = ROUTING_ROUTED if settings.routing_meta and plan.reports_routing else ROUTING_NONE
    inference = process.inference(plan, routing, selected.predictor.graph)
    process.serve(inference, protocol.EXECUTOR_RPCS, protocol.EXECUTOR_REST, settings.default_timeout_s)
    return plan


def component(process: "Process", settings: NodeSettings) -> plans.Plan:
    """Makes `process` serve one component; the plan of that one node. Raises as `graph` does."""
    process.bind()
    made = load.component(settings.component, settings.parameters)
    plan = plans.node_plan(settings.name or type(made).__name__.lower(), NodeType(settings.type))
    root = plan.root
    wanted = [method for method in (root.input, root.route, root.aggregate, root.output) if method is not None]
    process.nodes.endpoints.append(process.nodes.component(host.Host(made, root.name, methods=wanted)))
    inference = process.inference(plan, ROUTING_NONE)
    process.serve(inference, protocol.NODE_RPCS, protocol.NODE_REST, settings.default_timeout_s)
    return plan


def _log_to_stderr(level: str) -> None:
    logging.basicConfig(
        level=level.upper(), stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )


class Process:
    """One serving process: its engine, listeners and fronts."""

    def __init__(
        self,
        listen: ListenSettings,
        limits: ServeLimits,
        threads: int | None,
        tls: TlsSettings | None = None,
        node_tls: NodeTlsSettings | None = None,
    ) -> None:
        self._listen = listen
        self._limits = limits
        self._tls = server_source(tls) if tls is not None else None
        self._watching: asyncio.Task[None] | None = None
        self.reactor = transport.Reactor()
        self.engine = flow.Engine(self.reactor)
        self.pool = exits.Pool(self.reactor, threads or max(4, os.cpu_count() or 4))
        self.nodes = Nodes(self.reactor, self.pool, limits, node_tls)
        self.readiness = Readiness()
        self._grpc_listeners: list[socket.socket] = []
        self._http_listeners: list[socket.socket] = []
        self._uds: _UnixSocket | None = None
        self._rpc: RpcServer | None = None
        self._rest: RestServer | None = None

    def bind(self) -> None:
        """Takes the ports, so that a port in use is told before anything is loaded. Raises RequestError."""
        if self._listen.grpc_port is not None:
            self._grpc_listeners.append(_listener(self._listen.host, self._listen.grpc_port, "--grpc-port"))
        if self._listen.uds is not None:
            self._uds = _UnixSocket(self._listen.uds)
            self._grpc_listeners.append(self._uds.listener)
        if self._listen.http_port is not None:
            self._http_listeners.append(_listener(self._listen.host, self._listen.http_port, "--http-port"))

    def inference(self, plan: plans.Plan, routing: int, graph: spec.Node | None = None) -> Inference:
        """The request path of `plan`, whose nodes are bound."""
        program = self.nodes.program(plan, routing)
        return Inference(self.engine, program, plan, self.nodes.known, graph=graph, readiness=self.readiness)

    def serve(
        self, inference: Inference, rpcs: Mapping[str, Rpc], rest: RestTable, default_timeout_s: float | None
    ) -> None:
        """Makes the fronts; they begin to serve in `start`."""
        node = inference.plan.root.name if len(inference.plan.nodes) == 1 else ""
        self._rpc = RpcServer(
            self.engine,
            inference.program,
            rpcs,
            admin.handlers(rpcs, inference, node),
            limits=self._limits,
            default_timeout_s=default_timeout_s,
            tls=self._tls,
        )
        if self._http_listeners:
            app = App(inference, rest, limits=self._limits, default_timeout_s=default_timeout_s, node=node)
            self._rest = RestServer(app, self._limits, self._tls)

    async def run(self) -> int:
        """Starts, serves until a signal comes, then drains. The exit status: 1 when requests had to be cut off."""
        with _Signals() as signals:
            if await _unless(signals.first, self.start()) is None:
                return 0
            self._tell_where()
            await signals.first.wait()
            return 0 if await _unless(signals.second, self.drain()) else 1

    async def start(self) -> bool:
        """Returns True when requests are served. Raises `errors.Error`.

        REST is there from the beginning: probes are answered, requests refused, while components load. gRPC clients
        are not let in before, so that those who wait for a server to be ready need not know what ready means here.
        """
        assert self._rpc is not None
        if self._tls is not None:
            self._watching = asyncio.create_task(self._tls.watch())
        if self._rest is not None:
            self._listen_on(self._http_listeners, "--http-port")
            await self._rest.start(self._http_listeners)
        await self.nodes.start()
        self._listen_on(self._grpc_listeners, "--grpc-port")
        if self._uds is not None:
            self._uds.check()
        self._rpc.start(self._grpc_listeners)
        self.readiness.set(True)
        return True

    def _listen_on(self, listeners: Sequence[socket.socket], option: str) -> None:
        for listener in listeners:
            try:
                listener.listen(BACKLOG)
            except OSError as error:
                # Two sockets may be bound to one port, but only the first of them gets to listen.
                raise errors.RequestError(f"{option}: cannot listen on {_told(listener)}: {error.strerror}") from None

    @property
    def grpc_told(self) -> list[str]:
        """Where gRPC is served: `host:port` and `unix:/path`."""
        return [_told(listener) for listener in self._grpc_listeners]

    @property
    def rest_told(self) -> list[str]:
        """Where REST is served: `host:port`."""
        return [_told(listener) for listener in self._http_listeners]

    def _tell_where(self) -> None:
        told, scheme = (" (TLS)", "https") if self._tls is not None else ("", "http")
        for where in self.grpc_told:
            print(f"gRPC on {where}{'' if where.startswith('unix:') else told}", flush=True)
        for where in self.rest_told:
            print(f"REST on {scheme}://{where}", flush=True)

    async def drain(self) -> bool:
        """Takes no more requests; whether all that were under way ended in time."""
        assert self._rpc is not None
        log.info("draining: requests under way have %g s", self._limits.drain_timeout_s)
        self.readiness.set(False)
        drains = [self._rpc.drain(self._limits.drain_timeout_s)]
        if self._rest is not None:
            drains.append(self._rest.drain(self._limits.drain_timeout_s))
        ended = all(await asyncio.gather(*drains))
        if not ended:
            log.warning("some requests did not end in time and were cut off")
        return ended

    async def stop(self) -> None:
        """Ends everything that still runs."""
        if self._watching is not None:
            self._watching.cancel()
        if self._rpc is not None:
            self._rpc.close()
        try:
            if self._rest is not None:
                await self._rest.stop()
        finally:
            await self.nodes.stop()
        self.reactor.close()
        self.pool.stop(POOL_STOP_S)
        for listener in [*self._grpc_listeners, *self._http_listeners]:
            listener.close()
        if self._uds is not None:
            self._uds.remove()


class _Signals:
    """SIGINT and SIGTERM as events: the first asks to stop, the second to stop at once."""

    def __init__(self) -> None:
        self.first = asyncio.Event()
        self.second = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def __enter__(self) -> Self:
        for number in STOPPING:
            self._loop.add_signal_handler(number, self._came)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in STOPPING:
            self._loop.remove_signal_handler(number)
            signal.signal(number, signal.default_int_handler)

    def _came(self) -> None:
        (self.second if self.first.is_set() else self.first).set()


@contextlib.contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Outside of `Process.run`, where user code is imported for instance, a signal ends the process, but cleanly:
    sockets' files and child processes go. Both signals do, even where a shell has SIGINT ignored in the background.
    """
    before = {number: signal.signal(number, signal.default_int_handler) for number in STOPPING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def _unless(event: asyncio.Event, work: Coroutine[Any, Any, Result]) -> Result | None:
    """What `work` answers; None if `event` is set first, and the work is then cancelled."""
    task = asyncio.create_task(work)
    wait = asyncio.create_task(event.wait())
    try:
        await asyncio.wait([task, wait], return_when=asyncio.FIRST_COMPLETED)
        return await task if task.done() else None
    finally:
        for each in (task, wait):
            each.cancel()
        await asyncio.gather(task, wait, return_exceptions=True)


def _listener(host: str, port: int, option: str) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise errors.RequestError(f"--host {host}: {error.strerror or error}") from None
    family, _, _, _, where = found[0]
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(where)
    except OSError as error:
        sock.close()
        raise errors.RequestError(f"{option} {port}: cannot listen on {host}: {error.strerror or error}") from None
    return sock


class _UnixSocket:
    """A listening socket with a path, and the file that it leaves behind. Raises RequestError."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._clear()
            self.listener.bind(path)
            self._made = self._look()
        except OSError as error:
            self.listener.close()
            raise errors.RequestError(f"--uds {path}: cannot listen: {error.strerror or error}") from None

    def check(self) -> None:
        """Raises RequestError when a process that started at the same time took this one for dead."""
        with contextlib.suppress(OSError):
            if self._look() == self._made:
                return
        raise errors.RequestError(f"--uds {self._path}: another process has put a socket of its own there")

    def remove(self) -> None:
        """Removes the file, unless a successor has put its own there."""
        with contextlib.suppress(OSError):
            if self._look() == self._made:
                os.unlink(self._path)

    def _look(self) -> tuple[int, int]:
        found = os.stat(self._path)
        return found.st_ino, found.st_mtime_ns

    def _clear(self) -> None:
        """A socket's file left by a process that is gone stands in the way of its successor. No other file does."""
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISSOCK(os.stat(self._path).st_mode) and not self._answers():
                os.unlink(self._path)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)
            return probe.connect_ex(self._path) != errno.ECONNREFUSED


def _told(listener: socket.socket) -> str:
    name = listener.getsockname()
    if listener.family == socket.AF_UNIX:
        return f"unix:{name}"
    host, port = name[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
