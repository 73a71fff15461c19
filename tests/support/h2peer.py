"""Owns one end of an HTTP/2 connection by the h2 library, so that tests can say what no well-behaved peer would.

Must not know gRPC beyond its five-byte prefix.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import h2.config
import h2.connection
import h2.events
import h2.settings

Field = tuple[str, str]
TIMEOUT_S = 10.0
FRAME = 16_384
"""What a peer takes in one frame unless it says otherwise."""


def frame(data: bytes, compressed: int = 0) -> bytes:
    """A gRPC message with its prefix."""
    return bytes([compressed]) + len(data).to_bytes(4, "big") + data


def grpc_head(path: str = "/seldon.protos.Seldon/Predict", *more: Field) -> list[Field]:
    """The headers of a gRPC request."""
    return [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "test"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        *more,
    ]


@dataclass
class Stream:
    """What has come on one stream."""

    id: int
    headers: dict[str, str] = field(default_factory=dict)
    data: bytes = b""
    trailers: dict[str, str] = field(default_factory=dict)
    ended: bool = False
    reset: int | None = None
    """HTTP/2 error code of a reset."""

    @property
    def messages(self) -> list[bytes]:
        """The gRPC messages in the data."""
        found, at = [], 0
        while at < len(self.data):
            size = int.from_bytes(self.data[at + 1 : at + 5], "big")
            found.append(self.data[at + 5 : at + 5 + size])
            at += 5 + size
        return found

    def field(self, name: str) -> str | None:
        """A trailer, or where there is none a header."""
        return self.trailers.get(name, self.headers.get(name))

    @property
    def status(self) -> str | None:
        return self.field("grpc-status")


class Peer:
    """One end of a connection. Everything that comes is read in the background."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, client: bool) -> None:
        self._reader = reader
        self.writer = writer
        config = h2.config.H2Configuration(
            client_side=client,
            header_encoding="latin-1",
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
        self.h2 = h2.connection.H2Connection(config)
        self.streams: dict[int, Stream] = {}
        self.goaways: list[h2.events.ConnectionTerminated] = []
        self.settled = False
        """Whether the other side's settings have come."""
        self.closed = False
        self._changed = asyncio.Event()
        self._seen = 0
        self._task: asyncio.Task[None] | None = None

    def start(self, settings: dict[h2.settings.SettingCodes, int] | None = None) -> None:
        """Says hello and begins to read."""
        if settings:
            client = self.h2.config.client_side
            self.h2.local_settings = h2.settings.Settings(client=client, initial_values=settings)
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window(1 << 24)
        self.flush()
        self._task = asyncio.get_running_loop().create_task(self._read())

    def flush(self) -> None:
        self.writer.write(self.h2.data_to_send())

    async def _read(self) -> None:
        try:
            while data := await self._reader.read(65536):
                for event in self.h2.receive_data(data):
                    self._take(event)
                self.flush()
                self._tell()
        except (ConnectionError, h2.exceptions.ProtocolError):
            self.flush()
        self.writer.close()
        self.closed = True
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _take(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.ConnectionTerminated):
            self.goaways.append(event)
        self.settled = self.settled or isinstance(event, h2.events.RemoteSettingsChanged)
        number = getattr(event, "stream_id", None)
        if not number:
            return
        stream = self.streams.setdefault(number, Stream(number))
        if isinstance(event, h2.events.RequestReceived | h2.events.ResponseReceived):
            stream.headers = dict(event.headers)  # type: ignore[arg-type]
        elif isinstance(event, h2.events.TrailersReceived):
            stream.trailers = dict(event.headers)  # type: ignore[arg-type]
        elif isinstance(event, h2.events.DataReceived):
            stream.data += event.data
            self.h2.acknowledge_received_data(event.flow_controlled_length, number)
        elif isinstance(event, h2.events.StreamEnded):
            stream.ended = True
        elif isinstance(event, h2.events.StreamReset):
            stream.reset = int(event.error_code)

    async def wait(self, condition: Callable[[], object], timeout_s: float = TIMEOUT_S) -> None:
        """Waits until something that came makes `condition` true."""
        async with asyncio.timeout(timeout_s):
            while not condition():
                await self._changed.wait()

    def open(self, headers: Iterable[Field], *chunks: bytes, end: bool = True) -> Stream:
        """Client: opens a stream and sends; with `end` that is all."""
        number = self.h2.get_next_available_stream_id()
        stream = self.streams[number] = Stream(number)
        self.h2.send_headers(number, list(headers), end_stream=end and not chunks)
        self._send(number, chunks, end)
        self.flush()
        return stream

    def send(self, stream: Stream, data: bytes, end: bool = False) -> None:
        """More data on a stream."""
        self._send(stream.id, (data,), end)
        self.flush()

    def _send(self, number: int, chunks: Iterable[bytes], end: bool) -> None:
        pieces = [chunk[at : at + FRAME] for chunk in chunks for at in range(0, len(chunk) or 1, FRAME)]
        for index, piece in enumerate(pieces):
            self.h2.send_data(number, piece, end_stream=end and index == len(pieces) - 1)

    async def ask(self, headers: Iterable[Field], *chunks: bytes) -> Stream:
        """Client: one whole exchange."""
        stream = self.open(headers, *chunks)
        await self.wait(lambda: stream.ended or stream.reset is not None or self.closed)
        return stream

    async def request(self) -> Stream:
        """Server: the next request that has come whole (or was reset)."""
        number = self._seen * 2 + 1
        await self.wait(lambda: number in self.streams and (self.streams[number].ended or self.streams[number].reset))
        self._seen += 1
        return self.streams[number]

    def answer(
        self,
        stream: Stream,
        *chunks: bytes,
        headers: Iterable[Field] | None = None,
        trailers: Iterable[Field] | None = None,
    ) -> None:
        """Server: response headers, data, and trailers; None is gRPC's own."""
        if headers is None:
            headers = [(":status", "200"), ("content-type", "application/grpc")]
        if trailers is None:
            trailers = [("grpc-status", "0")]
        trailers = list(trailers)
        self.h2.send_headers(stream.id, list(headers))
        self._send(stream.id, chunks, not trailers)
        if trailers:
            self.h2.send_headers(stream.id, trailers, end_stream=True)
        elif not chunks:
            self.h2.end_stream(stream.id)
        self.flush()

    def only(self, stream: Stream, *fields: Field) -> None:
        """Server: headers that end the stream."""
        self.h2.send_headers(stream.id, list(fields), end_stream=True)
        self.flush()

    def reset(self, stream: Stream, code: int) -> None:
        self.h2.reset_stream(stream.id, code)
        self.flush()

    def pause(self) -> None:
        """Reads no more; what comes stays with the kernel."""
        cast(asyncio.Transport, self.writer.transport).pause_reading()

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self.writer.close()


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Peer]:
    """A client on a connection of its own."""
    peer = Peer(*await asyncio.open_connection("127.0.0.1", port), client=True)
    peer.start()
    try:
        await peer.wait(lambda: peer.settled)
        yield peer
    finally:
        await peer.close()


Script = Callable[[Peer], Awaitable[None]]


@asynccontextmanager
async def scripted(script: Script, settings: dict[h2.settings.SettingCodes, int] | None = None) -> AsyncIterator[str]:
    """A server whose connections each run `script`: where it listens."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer, client=False)
        peer.start(settings)
        try:
            await script(peer)
            await peer.wait(lambda: peer.closed, 60)
        finally:
            await peer.close()

    async with listening(serve) as target:
        yield target


@asynccontextmanager
async def listening(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    """A TCP server that does with each connection what `serve` does: where it listens."""
    tasks: set[asyncio.Task[None]] = set()

    async def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())  # type: ignore[arg-type]
        with contextlib.suppress(asyncio.CancelledError, TimeoutError):
            await serve(reader, writer)
        writer.close()

    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
