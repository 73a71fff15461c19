"""Owns what the guard counts: sessions, codecs and flow under recorded requests, in one process, under callgrind.

Must not use a clock or anything random: two runs of the same code execute the same instructions, almost. The client
is a string of bytes recorded beforehand, so that none of its cost is counted.
"""

import argparse
import asyncio
import contextlib
import ctypes
import json
import os
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hpack
import uvloop

from bench import payloads, scenarios
from executor import manifest
from executor._native import exits, flow, message, transport
from executor.graph import plan as plans
from executor.inference import Inference, Readiness
from executor.nodes import Nodes
from executor.protocol import seldon as protocol
from executor.rpc import admin
from executor.rpc.server import RpcServer
from executor.settings import Address, RunSettings, Scheme, ServeLimits
from executor.types import Encoding, Method, Walk

BATCH = 16
"""Requests sent at once, as from a client with that many in flight."""
ALONE = 1
"""For components on the loop: after some milliseconds of them it turns to others, and how many calls those are is a
matter of how fast the machine is.
"""
WARM = 4 * BATCH
WINDOW = 2**31 - 1
END_OF_ANSWER = b"\x01\x05\x00\x00"
"""Type and flags of a HEADERS frame that ends a stream, and half of a stream number: one for each answer."""
# Small payloads: what a byte costs shows in time, what a request costs in instructions.
GRAPHS = {"echo": (64, BATCH), "node": (64, BATCH), "fan3": (64, BATCH), "quick": (64, ALONE)}
"""By scenario: bytes of the payload, requests sent at once."""
JSON = "json-node"
NAMES = (*GRAPHS, JSON)
NOTHING, FAILURES, ACCESS = LOGS = ("nothing", "failures", "access")
"""What the log is told of requests."""


@dataclass(frozen=True)
class Way:
    """How servers are driven."""

    bare: bool = False
    """Without metrics and log."""
    log: str = FAILURES
    traced: float | None = None
    """The share of the requests of which there are spans; None: tracing is off."""

    @property
    def arguments(self) -> list[str]:
        """The same for a command line."""
        traced = [] if self.traced is None else ["--traced", str(self.traced)]
        return [*(["--bare"] if self.bare else []), "--log", self.log, *traced]

    def __str__(self) -> str:
        bare = " without metrics and log" if self.bare else f" with {self.log} logged" if self.log != FAILURES else ""
        return bare + ("" if self.traced is None else f" with {self.traced:.0%} traced")


class Marks:
    """Where counting starts and ends; does nothing without the shared library."""

    def __init__(self, library: str) -> None:
        self._library = ctypes.CDLL(library) if library else None

    def start(self) -> None:
        """Counts from here."""
        if self._library is not None:
            self._library.marks_start()

    @contextlib.contextmanager
    def counted(self, name: str) -> Iterator[None]:
        """What is inside goes into a profile of this name."""
        if self._library is not None:
            self._library.marks_zero()
        yield
        if self._library is not None:
            self._library.marks_dump(name.encode())


class Recorded:
    """A client's bytes: the preface, then requests one after another."""

    def __init__(self, path: str, body: bytes) -> None:
        self._encoder = hpack.Encoder()
        self._stream = 1
        self._path = path
        self._body = b"\0" + len(body).to_bytes(4, "big") + body

    def preface(self) -> bytes:
        """What a client begins with; its windows are wide open."""
        settings = b"\x00\x04" + WINDOW.to_bytes(4, "big")
        return (
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
            + _frame(4, 0, 0, settings)
            + _frame(8, 0, 0, (WINDOW - 65535).to_bytes(4, "big"))
        )

    def requests(self, count: int) -> bytes:
        """The next `count` requests."""
        found = bytearray()
        for _ in range(count):
            headers = self._encoder.encode(
                [
                    *((":method", "POST"), (":scheme", "http"), (":path", self._path), (":authority", "bench")),
                    *(("te", "trailers"), ("content-type", "application/grpc")),
                ]
            )
            found += _frame(1, 4, self._stream, headers) + _frame(0, 1, self._stream, self._body)
            self._stream += 2
        return bytes(found)


class Server:
    """A graph served in this process, on one end of a pair of sockets and on a port."""

    def __init__(
        self,
        graph: dict[str, Any],
        settings: RunSettings,
        folder: Path,
        node: bool = False,
        way: Way = Way(),
    ) -> None:
        path = folder / "graph.json"
        path.write_text(json.dumps(graph))
        reached = [*settings.components, *settings.endpoints]
        selected = manifest.load(path, manifest.Profile.LOCAL, reached=reached)
        plan = plans.compile_plan(selected.predictor, selected.deployment.name)
        self.reactor = transport.Reactor()
        self.nodes = Nodes(self.reactor, exits.Pool(self.reactor, 1), ServeLimits())
        engine = flow.Engine(self.reactor)
        counted = None if way.bare else _counting(engine)
        self.nodes.bind(plan, settings, **({} if counted is None else {"counted": counted}))
        tracing = None if way.traced is None else self._trace(engine, way.traced)
        readiness = Readiness()
        program = self.nodes.program(plan, 0)
        self.inference = Inference(engine, program, plan, self.nodes.known, readiness=readiness)
        readiness.set(True)
        rpcs = dict(protocol.EXECUTOR_RPCS)
        if node:  # the built-in model, asked as a node
            rpcs = {scenarios.NODE_GRPC: rpcs[scenarios.FRONT_GRPC]}
        handlers = admin.handlers(rpcs, self.inference, "")
        told = {} if way.bare or way.log == NOTHING else _journal(self.reactor, way.log)
        self._rpc = RpcServer(engine, program, rpcs, handlers, default_timeout_s=600, **told)
        if counted is not None:
            self._rpc.native.count(counted.rpcs(rpcs))
        if tracing is not None:
            self._rpc.native.trace(tracing.rpcs(rpcs))
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self._rpc.start([self.listener])

    def _trace(self, engine: flow.Engine, share: float) -> Any:
        """Has that share of the requests traced; the spans stay where they are."""
        from executor.tracing import Tracing

        asked = {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_BSP_MAX_QUEUE_SIZE": "1000000"}
        sampled = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": str(share)}
        self.nodes.tracing = Tracing(self.reactor, engine, {**asked, **sampled})
        return self.nodes.tracing

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.listener.getsockname()[1])

    def connect(self) -> socket.socket:
        """A client's end of a new connection."""
        here, there = socket.socketpair()
        for end in (here, there):
            end.setblocking(False)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
        self._rpc.native.accept(there.detach())
        return here

    def close(self) -> None:
        """Ends it."""
        self._rpc.close()
        self.reactor.close()


class Client:
    """Sends recorded bytes and counts answers."""

    def __init__(self, sock: socket.socket, recorded: Recorded) -> None:
        self._sock, self._recorded = sock, recorded
        self._wanted, self._seen, self._tail = 0, 0, b""
        self._batches: Iterator[tuple[int, bytes]] = iter(())
        self._done = asyncio.Event()
        sock.send(recorded.preface())
        asyncio.get_running_loop().add_reader(sock, self._read)

    def _read(self) -> None:
        data = self._tail + self._sock.recv(4 << 20)
        self._seen += data.count(END_OF_ANSWER)
        self._tail = data[1 - len(END_OF_ANSWER) :]
        if self._seen >= self._wanted:
            self._next()

    def _next(self) -> None:
        count, batch = next(self._batches, (0, b""))
        if count:
            self._wanted += count
            self._sock.send(batch)
        else:
            self._done.set()

    def record(self, count: int, batch: int) -> list[tuple[int, bytes]]:
        """The next `count` requests, so many in each batch; each comes with its number."""
        return [(batch, self._recorded.requests(batch)) for _ in range(count // batch)]

    async def play(self, batches: list[tuple[int, bytes]]) -> None:
        """Sends a batch, waits for its answers, and so on."""
        self._batches = iter(batches)
        self._done.clear()
        self._next()
        await asyncio.wait_for(self._done.wait(), 300)

    def close(self) -> None:
        """Ends it."""
        asyncio.get_running_loop().remove_reader(self._sock)
        self._sock.close()


def _counting(engine: flow.Engine) -> Any:
    """What counts, as it does wherever requests are served; None in a commit from before there were metrics."""
    try:
        from executor import counting
        from executor.telemetry import families, store
    except ImportError:
        return None
    kept = store.Store()
    engine.count(counting.engine_meter(kept))
    return counting.Counting(kept, families.Names("bench", "main"))


def _journal(reactor: transport.Reactor, log: str) -> dict[str, Any]:
    """What tells the log of requests, as it does wherever they are served; none in a commit from before there was one.
    The log is written for nobody.
    """
    try:
        from executor._native import journal
        from executor.telemetry import logs, requests
    except ImportError:
        return {}
    if logs.current() is None:
        logs.start("info", stream=open(os.devnull, "w"))  # noqa: SIM115 it is written to until the end
    return {"journal": journal.Journal(reactor, requests.take, log == ACCESS)}


def settings_of(scenario: scenarios.Scenario, node: Server) -> RunSettings:
    """Endpoints and components of a scenario whose remote nodes are all `node`."""
    where = Address(Scheme.GRPC, "127.0.0.1", node.port)
    return RunSettings("", components=scenario.inside, endpoints=dict.fromkeys(scenario.remote, where))


async def drive(names: list[str], count: int, marks: Marks, way: Way) -> None:
    """Each scenario: warm, then `count` requests, then twice as many."""
    echo = scenarios.SCENARIOS["echo"]
    with tempfile.TemporaryDirectory() as folder:
        node = Server(scenarios.manifest(echo), RunSettings(""), Path(folder), node=True, way=Way(way.bare, NOTHING))
        for name in names:
            scenario = scenarios.SCENARIOS["node" if name == JSON else name]
            server = Server(scenarios.manifest(scenario), settings_of(scenario, node), Path(folder), way=way)
            await server.nodes.start()
            await (_json(server, count, marks) if name == JSON else _grpc(name, server, count, marks))
            server.close()
            print(f"{name} done", flush=True)
        node.close()


async def _grpc(name: str, server: Server, count: int, marks: Marks) -> None:
    size, batch = GRAPHS[name]
    client = Client(server.connect(), Recorded(scenarios.FRONT_GRPC, payloads.tensor_request(size)))
    await client.play(client.record(WARM, batch))
    recorded = {times: client.record(times * count, batch) for times in (1, 2)}
    marks.start()
    for times, batches in recorded.items():
        with marks.counted(f"{name} {times}"):
            await client.play(batches)
    client.close()


async def _json(server: Server, count: int, marks: Marks) -> None:
    request = message.Message(payloads.numbers_request(0), int(Encoding.SELDON_JSON))

    async def exchange(number: int) -> None:
        for _ in range(number):
            await server.inference.run(Walk.PREDICT, Method.PREDICT, request)

    marks.start()
    await exchange(WARM)
    for times in (1, 2):
        with marks.counted(f"{JSON} {times}"):
            await exchange(times * count)


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def main() -> None:
    """Reads the arguments and drives."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", default=list(NAMES))
    parser.add_argument("--count", type=int, default=256)
    parser.add_argument("--marks", default="")
    parser.add_argument("--bare", action="store_true", help="without metrics and log")
    parser.add_argument("--log", choices=LOGS, default=FAILURES, help="what the log is told")
    parser.add_argument("--traced", type=float, metavar="SHARE", help="trace so many of the requests")
    said = parser.parse_args()
    uvloop.run(drive(said.names or list(NAMES), said.count, Marks(said.marks), Way(said.bare, said.log, said.traced)))


if __name__ == "__main__":
    main()
