"""Owns the fuzzer of the gRPC server: a real one, on a unix socket, before a graph of handlers of every mode.

The contract, for any bytes of a client, cut anywhere, who may hang up at any time: what the server sends are
well-formed frames and answers as gRPC has them; when the client is gone nothing of its requests is left, and another
client's connection has not noticed.
"""

import asyncio
import gc
import gzip
import itertools
import random
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from functools import cache

import uvloop
from fuzz import seldon
from fuzz.drive import Case, Fuzzer, Try
from fuzz.http2 import SETTINGS, cuts_of
from fuzz.http2 import TOKENS as BYTES
from fuzz.mutate import changed, shuffled
from hyperframe import frame as frames
from support.frames import Field, Peer, message
from support.graphs import Recorder, node
from support.servers import Served, serving

from executor._native import buffer
from executor._pb import seldon_pb2
from executor.protocol import seldon as protocol
from executor.settings import ServeLimits
from executor.types import Mode

PREDICT = b"/seldon.protos.Seldon/Predict"
HEALTH = b"/grpc.health.v1.Health/"
REFLECTION = b"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
PATHS = [path.encode() for path in protocol.EXECUTOR_RPCS]
PATHS += [PREDICT] * 4 + [HEALTH + b"Check", HEALTH + b"Watch", REFLECTION, b"/a.B/C", b"", b"/", b"/\xc3\xbc%zz", b"*"]
TIMEOUTS = [b"1H", b"10S", b"0n", b"1m", b"1u", b"99999999H", b"999999999S", b"-1S", b"5", b"S", b"", b"1.5S"]
ODD: list[Field] = [(b"te", b"x"), (b"grpc-encoding", b"br"), (b"x-bin", b"AAE"), (b"x-bin", b"!"), (b"X", b"upper")]
ODD += [(b"seldon-puid", b"p" * 300), (b"seldon-puid", b"\xff"), (b"content-length", b"7"), (b"connection", b"close")]
ODD += [(b"grpc-timeout", value) for value in TIMEOUTS] + [(b"grpc-encoding", b"gzip"), (b"x", b"y" * 7000)]
TOKENS = [*BYTES, b"grpc-timeout", b"\0\0\0\0\x05", b"\x01\0\0\0\x05", *(value for _, value in ODD)]
WAIT_S = 10.0


class Replies:
    """What a server sends on one connection, checked as it comes."""

    def __init__(self) -> None:
        self.peer = Peer()
        self.block: frames.HeadersFrame | None = None  # of HEADERS whose CONTINUATION is still to come
        self.status: dict[int, int] = {}  # gRPC status of streams that have ended
        self.data: dict[int, bytes] = {}
        self.over: set[int] = set()

    def take(self, data: bytes) -> list[frames.Frame]:
        """The frames in it."""
        found = self.peer.read(data)
        for one in found:
            assert self.block is None or isinstance(one, frames.ContinuationFrame), "a header block was interrupted"
            if isinstance(one, frames.HeadersFrame):
                self.block = one
            elif isinstance(one, frames.ContinuationFrame) and self.block is not None:
                self.block.data += one.data
            elif isinstance(one, frames.DataFrame):
                assert one.stream_id in self.data, "DATA before HEADERS"
                assert one.stream_id not in self.over, "DATA after the end"
                self.data[one.stream_id] += one.data
            elif isinstance(one, frames.RstStreamFrame):
                self.over.add(one.stream_id)
            if self.block is not None and "END_HEADERS" in one.flags:
                self.headers(self.block)
                self.block = None
        return found

    def headers(self, frame: frames.HeadersFrame) -> None:
        fields = dict(self.peer.fields(frame))
        stream = frame.stream_id
        assert stream not in self.over, "HEADERS after the end"
        first = stream not in self.data
        assert first == (b":status" in fields), fields
        self.data.setdefault(stream, b"")
        if "END_STREAM" in frame.flags:
            self.over.add(stream)
            status = self.status[stream] = int(fields[b"grpc-status"])
            assert 0 <= status <= 16, fields
        else:
            assert first, "headers in the middle of a stream"


class Line:
    """One client's connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.replies = Replies()
        self.closed = False

    @classmethod
    async def to(cls, target: str) -> "Line":
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, target.removeprefix("unix:"))
        return cls(sock)

    async def send(self, data: bytes) -> None:
        """Sends, unless the server has hung up."""
        try:
            await asyncio.wait_for(asyncio.get_running_loop().sock_sendall(self.sock, data), WAIT_S)
        except ConnectionError:
            self.closed = True

    def read(self) -> bool:
        """Takes what has come. Whether there was anything."""
        try:
            data = self.sock.recv(1 << 20)
        except BlockingIOError:
            return False
        except ConnectionError:
            data = b""
        self.closed = self.closed or not data
        for frame in self.replies.take(data):
            self.answer(frame)
        return bool(data)

    def answer(self, frame: frames.Frame) -> None:
        """What a client owes on a frame; the one that is fuzzed owes nothing."""


class Healthy(Line):
    """A client that does everything right."""

    stream = -1

    def answer(self, frame: frames.Frame) -> None:
        peer, size = self.replies.peer, getattr(frame, "flow_controlled_length", 0)
        if isinstance(frame, frames.PingFrame) and "ACK" not in frame.flags:
            self.sock.send(peer.ping(frame.opaque_data, ack=True))
        elif isinstance(frame, frames.SettingsFrame) and "ACK" not in frame.flags:
            self.sock.send(peer.settings(ack=True))
        elif size:
            self.sock.send(peer.window(0, size))

    async def ask(self, text: str) -> None:
        """One request, which has to be answered."""
        replies, self.stream = self.replies, self.stream + 2
        asked = seldon_pb2.SeldonMessage(strData=text).SerializeToString()
        begin = replies.peer.preface() if self.stream == 1 else b""
        head = replies.peer.headers(self.stream, head_of(PREDICT))
        await self.send(begin + head + replies.peer.data(self.stream, message(asked), True))
        async with asyncio.timeout(WAIT_S):
            while self.stream not in replies.over:
                assert not self.closed, "the connection of another client was closed"
                self.read()
                await asyncio.sleep(0)
        assert replies.status.pop(self.stream) == 0
        said = seldon_pb2.SeldonMessage.FromString(replies.data.pop(self.stream)[5:]).strData
        assert said == f"m.predict(t.transform_input({text}))", said
        replies.over.clear()


class Stage:
    """The server, and the client that must not notice."""

    ASKS = 500

    def __init__(self, served: Served) -> None:
        self.served = served
        self.healthy: Healthy | None = None

    async def open(self) -> None:
        """A fresh client beside, and one request, so that what is allocated once is there."""
        if self.healthy is not None:
            self.healthy.sock.close()
        line = await Healthy.to(self.served.target)
        self.healthy = Healthy(line.sock)
        await self.healthy.ask("hello")
        await self.until_alone()

    async def until_alone(self) -> None:
        """Waits until the healthy client is the only one and asks nothing."""
        native, engine = self.served.server.native, self.served.bench.engine
        async with asyncio.timeout(WAIT_S):
            while native.connections > 1 or native.rpcs or engine.in_flight:
                await asyncio.sleep(0)

    async def one(self, rng: random.Random, case: Case) -> bool:
        """One connection, to its end. Whether the server still wanted to listen then."""
        if self.healthy is None or self.healthy.stream > self.ASKS:
            await self.open()
        before = buffer.live_buffers()
        line = await Line.to(self.served.target)
        try:
            await self.speak(rng, line, case.data)
            alive = not line.closed
        finally:
            line.sock.close()
        assert self.healthy is not None
        await self.healthy.ask("still there?")
        await self.until_alone()
        await self.until_freed(before)
        return alive

    async def speak(self, rng: random.Random, line: Line, data: bytes) -> None:
        cuts = cuts_of(rng, len(data)) if rng.random() < 0.5 else [0, len(data)]
        for start, stop in itertools.pairwise(cuts):
            await line.send(data[start:stop])
            await asyncio.sleep(0)
            if rng.random() < 0.5:
                line.read()
        # At times the client hangs up at once, at times it waits for what answers there may be.
        for _ in range(rng.choice([0, 1, 30])):
            await asyncio.sleep(0)
            line.read()
        while line.read():
            pass

    async def until_freed(self, before: int) -> None:
        """Waits until buffers are back; caught errors may hold them until they are collected."""
        for _ in range(50):
            if buffer.live_buffers() <= before:
                return
            gc.collect()
            await asyncio.sleep(0.01)


@contextmanager
def standing() -> Iterator[Try]:
    """The server while cases are tried: a quick transformer before a model, which is asynchronous."""
    model = Recorder("m", []).handlers(Mode.ASYNC)
    limits = ServeLimits(max_message_bytes=5000, max_header_bytes=6000)
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        stack = AsyncExitStack()
        served = serving(node("t", "transformer", node("m")), path=f"{folder}/s", limits=limits, replaced={"m": model})
        stage = Stage(runner.run(stack.enter_async_context(served)))
        gc.collect()
        gc.freeze()  # so that looking for what a case left behind is quick
        try:
            yield lambda rng, case: runner.run(stage.one(rng, case))
            if stage.healthy is not None:
                stage.healthy.sock.close()
        finally:
            gc.unfreeze()
            runner.run(stack.aclose())


def head_of(path: bytes) -> list[Field]:
    """The headers of a gRPC request."""
    fields = {b":method": b"POST", b":scheme": b"http", b":path": path, b":authority": b"test"}
    return [*fields.items(), (b"te", b"trailers"), (b"content-type", b"application/grpc")]


@cache
def payloads() -> list[bytes]:
    """Messages to send."""
    return [case.data for case in seldon.FUZZER.corpus()]


class Caller:
    """Makes up what a client sends: mostly what a gRPC client would."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.peer = Peer()

    def head(self) -> tuple[list[Field], bool]:
        """The headers of a request, and whether they say that messages are gzip's."""
        rng, zipped = self.rng, self.rng.random() < 0.15
        fields = head_of(rng.choice(PATHS)) + ([(b"grpc-encoding", b"gzip")] if zipped else [])
        for _ in range(rng.choice([0, 0, 0, 1, 2])):
            if rng.random() < 0.7:
                fields.append(rng.choice(ODD))
            else:
                fields.pop(rng.randrange(len(fields)))
        return fields, zipped

    def body(self, zipped: bool) -> bytes:
        """The messages of a request."""
        rng = self.rng
        made = rng.choice(payloads())
        if rng.random() < 0.3:
            made = changed(rng, made, seldon.TOKENS, payloads())
        if zipped:
            made = gzip.compress(made, 1)
            made = changed(rng, made, BYTES, [made]) if rng.random() < 0.3 else made
        size = None if rng.random() < 0.95 else rng.choice([0, 1, len(made) + 1, 5001, 2**32 - 1])
        return message(made, int(zipped) if rng.random() < 0.95 else 2, size) * rng.choice([1] * 9 + [0, 2])

    def call(self, stream: int) -> list[bytes]:
        """The frames of one request."""
        rng, peer = self.rng, self.peer
        fields, zipped = self.head()
        body = self.body(zipped)
        frames = [peer.headers(stream, fields, rng.random() < 0.03, [9] * rng.choice([0, 0, 0, 1]))]
        cuts = sorted(rng.randrange(len(body) + 1) for _ in range(rng.choice([0, 0, 1, 3])))
        for start, stop in zip([0, *cuts], [*cuts, len(body)], strict=True):
            last = stop == len(body) and rng.random() < 0.9
            frames.append(peer.data(stream, body[start:stop], last, rng.choice([None] * 9 + [3])))
        if rng.random() < 0.15:
            frames.append(rng.choice([peer.reset(stream), peer.headers(stream, [(b"x", b"y")], True)]))
        return frames

    def make(self) -> bytes:
        """A connection's worth: several requests, at times interleaved."""
        rng, peer = self.rng, self.peer
        calls = [self.call(2 * number + 1) for number in range(rng.choice([1, 1, 2, 3, 8]))]
        flat = [frame for call in calls for frame in call]
        if len(calls) > 1 and rng.random() < 0.2:
            # Header blocks keep their order, or no decoder could follow; the rest of each call comes as it likes.
            flat = [call[0] for call in calls] + rng.sample(rest := flat_rest(calls), len(rest))
        for _ in range(rng.choice([0, 0, 1, 2])):
            other = [peer.ping(), peer.window(rng.choice([0, 1]), 1000), peer.settings(rng.choice(SETTINGS))]
            flat.insert(rng.randrange(len(flat) + 1), rng.choice(other))
        return b"".join([peer.preface(rng.choice(SETTINGS)), *flat])


def flat_rest(calls: list[list[bytes]]) -> list[bytes]:
    """What follows the first frame of each call; trailers stay away, for they are header blocks."""
    return [frame for call in calls for frame in call[1:] if frame[3] != frames.HeadersFrame.type]


def make(rng: random.Random, seeds: Sequence[Case]) -> Case:
    """A connection of the corpus with its frames shuffled, or one thought up; some bytes are damaged now and then."""
    if rng.random() < 0.4:
        data = shuffled(rng, rng.choice(seeds).data, rng.choice(seeds).data)
    else:
        data = Caller(rng).make()
    if rng.random() < 0.4:
        data = changed(rng, data, TOKENS, [each.data for each in seeds])
    return Case("server", data)


FUZZER = Fuzzer("server", make, standing)
run = FUZZER.run
