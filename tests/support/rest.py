"""REST servers on loopback sockets for tests, and a raw look at what they answer."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from support.inference import MemoryInference

from executor.protocol import seldon
from executor.rest.app import App
from executor.rest.server import RestServer
from executor.settings import ServeLimits
from executor.tls import ServerContexts, Source


def listener() -> socket.socket:
    """A bound and listening socket on a free loopback port."""
    return socket.create_server(("127.0.0.1", 0))


@dataclass
class RawReply:
    status: int
    headers: dict[str, str]
    body: bytes


@asynccontextmanager
async def served(
    app: App, limits: ServeLimits | None = None, tls: Source[ServerContexts] | None = None
) -> AsyncIterator[tuple[RestServer, int]]:
    """`app` being served: the server and its port."""
    sock = listener()
    server = RestServer(app, limits, tls)
    await server.start([sock])
    try:
        yield server, sock.getsockname()[1]
    finally:
        await server.stop()


def head(verb: str, path: str, *headers: str, body: bytes = b"") -> bytes:
    """The bytes of a request."""
    length = [f"Content-Length: {len(body)}"] if body or verb == "POST" else []
    lines = [f"{verb} {path} HTTP/1.1", "Host: test", *length, *headers, "", ""]
    return "\r\n".join(lines).encode() + body


async def read_reply(reader: asyncio.StreamReader) -> RawReply:
    """One answer with a Content-Length, or until the connection ends."""
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {}
    for line in lines[1:-2]:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return RawReply(int(lines[0].split()[1]), headers, body)


async def ask(port: int, request: bytes) -> RawReply:
    """One request on a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        return await asyncio.wait_for(read_reply(reader), 10)
    finally:
        writer.close()


def exchange(request: bytes, inference: MemoryInference | None = None, *, node: bool = False, **more: Any) -> RawReply:
    """One request to an executor's front, or a node's."""

    async def run() -> RawReply:
        table = seldon.NODE_REST if node else seldon.EXECUTOR_REST
        app = App(inference or MemoryInference(), table, node="classifier" if node else "", **more)
        async with served(app) as (_, port):
            return await ask(port, request)

    return asyncio.run(run())


async def until(condition: Callable[[], bool], timeout_s: float = 5.0) -> None:
    """Waits until `condition` holds."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def raw_server(answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]) -> AsyncIterator[int]:
    """A TCP server that does with each connection what `answer`, a coroutine function, does: its port."""
    server = await asyncio.start_server(answer, "127.0.0.1", 0)  # type: ignore[arg-type]
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
