"""REST nodes of tests, and a stand-in for the flow that calls them."""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import uvloop
from aiohttp import web
from support.rest import listener

from executor._native import message as messages
from executor.rest.client import RestNode
from executor.settings import Address, Scheme
from executor.types import Encoding, Form, Method, Mode

BODY = b'{"data":{"ndarray":[[1,2]]}}'


@dataclass
class Context:
    """A context with a deadline `left_s` from the start."""

    puid: str = "p1"
    headers: tuple[tuple[str, str], ...] = ()
    left_s: float | None = None

    def __post_init__(self) -> None:
        self.start = time.monotonic()

    @property
    def fields(self) -> list[tuple[bytes, bytes]]:
        return [(name.lower().encode(), value.encode()) for name, value in self.headers]

    def remaining(self) -> float | None:
        return None if self.left_s is None else self.left_s - (time.monotonic() - self.start)


class Waiting:
    """Stands for the flow: keeps a call's one answer."""

    def __init__(self) -> None:
        self.future: asyncio.Future[messages.Message] = asyncio.get_running_loop().create_future()

    def answer(self, message: messages.Message) -> None:
        self.future.set_result(message)

    def fail(self, error: Exception) -> None:
        self.future.set_exception(error)


def run(test: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.wait_for(test, 20))


@asynccontextmanager
async def node_at(port: int, path: str = "", **more: Any) -> AsyncIterator[RestNode]:
    node = RestNode(Address(Scheme.HTTP, "127.0.0.1", port, path), name="n1", **more)
    try:
        yield node
    finally:
        await node.close()


@asynccontextmanager
async def web_node(handler: Any, **more: Any) -> AsyncIterator[RestNode]:
    """A node whose every path is served by `handler` in aiohttp."""
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{tail:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    sock = listener()
    await web.SockSite(runner, sock).start()
    try:
        async with node_at(sock.getsockname()[1], **more) as node:
            yield node
    finally:
        await runner.cleanup()


async def call(
    node: RestNode, context: Context | None = None, method: Method = Method.PREDICT, body: bytes = BODY
) -> bytes:
    mode, handler = node.handlers[method]
    assert mode is Mode.CALLBACK
    waiting = Waiting()
    begun = handler(messages.Message(body, Encoding.SELDON_JSON), context or Context(), waiting)
    try:
        answer = await waiting.future
    finally:
        begun.cancel()
    assert (answer.encoding, answer.form) == (Encoding.SELDON_JSON, Form.MESSAGE)
    return bytes(answer)
