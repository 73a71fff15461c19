"""Owns real servers on loopback sockets for tests: ours around a Bench, and grpcio's as nodes, here or in a process.

Must not assert anything about what they answer; `serving` checks that nothing is left behind.
"""

import asyncio
import contextlib
import gc
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent import futures
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from support.graphs import Bench
from support.processes import freeze

from executor._native import buffer, flow, program
from executor._pb import seldon_pb2, seldon_pb2_grpc
from executor.graph.spec import Node as SpecNode
from executor.inference import Inference, Node, Readiness
from executor.protocol import seldon as protocol
from executor.protocol.table import Rpc
from executor.rpc import admin
from executor.rpc.channels import Channel
from executor.rpc.server import Handler, RpcServer
from executor.settings import ServeLimits
from executor.tls import ServerContexts, Source

ECHO_NODE = Path(__file__).with_name("echo_node.py")
UNLIMITED = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.so_reuseport", 0),
)
PREDICT = "/seldon.protos.Seldon/Predict"

Metadata = Sequence[tuple[str, str | bytes]]


def message(text: str) -> seldon_pb2.SeldonMessage:
    """A strData message."""
    return seldon_pb2.SeldonMessage(strData=text)


async def until(condition: Callable[[], object], timeout_s: float = 10.0) -> None:
    """Waits until `condition` holds."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.005)


# --- ours ---------------------------------------------------------------------------------------


@dataclass
class Served:
    """A graph being served, on the running loop."""

    bench: Bench
    server: RpcServer
    inference: Inference
    target: str
    """For grpcio clients: `127.0.0.1:port` or `unix:/path`."""
    channels: dict[str, Channel]
    """To remote nodes, by node."""

    @property
    def readiness(self) -> Readiness:
        return self.inference.readiness

    @property
    def port(self) -> int:
        return int(self.target.rpartition(":")[2])


def listener(path: str | None = None) -> tuple[socket.socket, str]:
    """A bound socket and the target that reaches it: on a free port, or on the unix socket `path`."""
    if path is not None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.bind(path)
        return sock, f"unix:{path}"
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.bind(("127.0.0.1", 0))
    return sock, f"127.0.0.1:{sock.getsockname()[1]}"


async def _at_rest(server: RpcServer, bench: Bench) -> None:
    await until(lambda: server.native.rpcs == 0 and bench.engine.in_flight == 0)


@asynccontextmanager
async def serving(
    root: SpecNode,
    *,
    remotes: Mapping[str, str] | None = None,
    known: Mapping[str, Node] | None = None,
    rpcs: Mapping[str, Rpc] = protocol.EXECUTOR_RPCS,
    limits: ServeLimits | None = None,
    default_timeout_s: float | None = None,
    path: str | None = None,
    node_limit: int = 64 << 20,
    extra: Mapping[str, Handler] | None = None,
    in_flight_max: int | None = None,
    tls: Source[ServerContexts] | None = None,
    **options: Any,
) -> AsyncIterator[Served]:
    """The graph `root` being served; nodes named in `remotes` are reached there, the others are recorders.

    `extra` are handlers for further RPCs. At the end no request, buffer or timer may be left.
    """
    gc.collect()
    before = buffer.live_buffers()
    bench = Bench(root, **options)
    if in_flight_max is not None:
        bench.engine = flow.Engine(bench.reactor, in_flight_max)
    channels = {
        name: Channel(target, reactor=bench.reactor, paths=protocol.NODE_GRPC_PATHS, max_message_bytes=node_limit)
        for name, target in (remotes or {}).items()
    }
    bound = [
        channels[each.name].endpoint if each.name in channels else bench.endpoints[each.name] if each.calls else None
        for each in bench.plan.nodes
    ]
    bench.program = program.Program(bench.plan.nodes, bound, options.get("routing", 0))
    inference = Inference(bench.engine, bench.program, bench.plan, known or {}, graph=root)
    inference.readiness.set(True)
    handlers = {**admin.handlers(rpcs, inference, root.name), **(extra or {})}
    server = RpcServer(
        bench.engine, bench.program, rpcs, handlers, limits=limits, default_timeout_s=default_timeout_s, tls=tls
    )
    sock, target = listener(path)
    server.start([sock])
    try:
        yield Served(bench, server, inference, target, channels)
        await _at_rest(server, bench)
    finally:
        server.close()
        for channel in channels.values():
            await channel.close()
        await asyncio.sleep(0)
        bench.close()
    del handlers, inference, bound, channels, server, bench
    await no_more_buffers_than(before)


async def no_more_buffers_than(before: int) -> None:
    """Fails when buffers are left; cancelled Tasks and caught errors may hold them for a moment."""
    for _ in range(40):
        await asyncio.sleep(0)
        gc.collect()
        if buffer.live_buffers() <= before:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"{buffer.live_buffers() - before} buffers are left")


@contextmanager
def client(target: str, **options: Any) -> Iterator[seldon_pb2_grpc.SeldonStub]:
    """A synchronous grpcio client of a graph; its calls belong in `asyncio.to_thread`."""
    with grpc.insecure_channel(target, options=(*UNLIMITED, *options.items())) as channel:
        yield seldon_pb2_grpc.SeldonStub(channel)


@asynccontextmanager
async def aio_channel(target: str) -> AsyncIterator[grpc.aio.Channel]:
    """An asyncio grpcio channel."""
    async with grpc.aio.insecure_channel(target, options=UNLIMITED) as channel:
        yield channel


@asynccontextmanager
async def aio_client(target: str) -> AsyncIterator[seldon_pb2_grpc.SeldonStub]:
    """An asyncio grpcio client of a graph."""
    async with aio_channel(target) as channel:
        yield seldon_pb2_grpc.SeldonStub(channel)


# --- grpcio's, in this process ------------------------------------------------------------------


@dataclass
class Call:
    """What a node was asked."""

    path: str
    data: bytes
    metadata: Metadata
    remaining: float | None
    """Seconds of its deadline that were left when it came."""
    over: threading.Event = field(default_factory=threading.Event)
    """Set when the call is over, by whatever."""

    def header(self, name: str) -> str | bytes | None:
        """The value of the first header of that name."""
        return next((value for key, value in self.metadata if key == name), None)


Behaviour = Callable[[Call, grpc.ServicerContext], bytes]


def echo(call: Call, context: grpc.ServicerContext) -> bytes:
    """Answers with the request."""
    return call.data


def wait(call: Call, context: grpc.ServicerContext) -> bytes:
    """Waits until the caller is gone, at most 10 s."""
    call.over.wait(10)
    return call.data


class GrpcNode(grpc.GenericRpcHandler):
    """A grpcio server that treats every path alike: `behaviour` gets the bytes and gives the answer's."""

    def __init__(
        self,
        behaviour: Behaviour = echo,
        address: str = "127.0.0.1:0",
        compression: grpc.Compression | None = None,
        workers: int = 32,
        credentials: grpc.ServerCredentials | None = None,
    ) -> None:
        self.calls: list[Call] = []
        self._behaviour = behaviour
        self._pool = futures.ThreadPoolExecutor(workers)
        self._server = grpc.server(self._pool, handlers=[self], options=UNLIMITED, compression=compression)
        if credentials is None:
            port = self._server.add_insecure_port(address)
        else:
            port = self._server.add_secure_port(address, credentials)
        self.target = address if address.startswith("unix:") else f"127.0.0.1:{port}"
        self._server.start()

    def service(self, details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes]":
        def serve(data: bytes, context: grpc.ServicerContext) -> bytes:
            left = context.time_remaining()
            # Without a deadline, grpcio says a number of centuries.
            remaining = left if left is not None and left < 1e8 else None
            call = Call(details.method, data, tuple(context.invocation_metadata()), remaining)
            if not context.add_callback(call.over.set):
                call.over.set()
            self.calls.append(call)
            return self._behaviour(call, context)

        return grpc.unary_unary_rpc_method_handler(serve)

    def stop(self, grace: float | None = None) -> None:
        """Ends it; `grace` seconds for calls under way."""
        self._server.stop(grace).wait(10)
        self._pool.shutdown()

    def stopping(self, grace: float) -> None:
        """Begins to end it, without waiting: GOAWAY at once, calls under way have `grace` seconds."""
        self._server.stop(grace)


@contextmanager
def grpc_node(
    behaviour: Behaviour = echo,
    address: str = "127.0.0.1:0",
    compression: grpc.Compression | None = None,
    credentials: grpc.ServerCredentials | None = None,
) -> Iterator[GrpcNode]:
    """A grpcio node while the block runs."""
    node = GrpcNode(behaviour, address, compression, credentials=credentials)
    try:
        yield node
    finally:
        node.stop()


# --- grpcio's, in a process of its own ----------------------------------------------------------


class NodeProcess:
    """A grpcio node in a process: echoes, but waits for 30 s when the request holds `hang`."""

    def __init__(self, address: str = "127.0.0.1:0") -> None:
        self._process = subprocess.Popen([sys.executable, str(ECHO_NODE), address], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.target = self._process.stdout.readline().strip()

    def signal(self, number: signal.Signals) -> None:
        """Sends it a signal."""
        if number is signal.SIGSTOP:
            freeze(self._process.pid)
        else:
            self._process.send_signal(number)

    def kill(self) -> None:
        """Ends the process at once, as a crash does."""
        self._process.kill()
        self._process.wait(10)
        if self._process.stdout is not None:
            self._process.stdout.close()


@asynccontextmanager
async def node_process(address: str = "127.0.0.1:0") -> AsyncIterator[NodeProcess]:
    """A node process while the block runs."""
    node = await asyncio.to_thread(NodeProcess, address)
    try:
        yield node
    finally:
        node.kill()


def free_port() -> int:
    """A port that nobody listened on a moment ago."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as sock:
        port: int = sock.getsockname()[1]
        return port


def wait_for_port(port: int, timeout_s: float = 10.0) -> None:
    """Returns when somebody accepts connections there."""
    due = time.monotonic() + timeout_s
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > due:
                raise
            time.sleep(0.02)
        else:
            return
