"""Owns a receiver of events: an aiohttp server on a thread of its own that keeps what it is sent, or behaves badly.

Must not use anything of the executor.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Self

from aiohttp import web
from support.processes import poll

Behaviour = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Received:
    """One event."""

    path: str
    headers: dict[str, str]
    """As they were written."""
    body: bytes

    @property
    def kind(self) -> str:
        """What is after the last dot of its type: request, response or feedback."""
        return self.headers["Ce-Type"].rpartition(".")[2]

    @property
    def node(self) -> str:
        return self.headers["Ce-Modelid"]


async def _accept(_: web.Request) -> web.StreamResponse:
    return web.Response()


async def hang(_: web.Request) -> web.StreamResponse:
    """Never answers."""
    await asyncio.Event().wait()
    return web.Response()


async def refuse(_: web.Request) -> web.StreamResponse:
    """Answers 503."""
    return web.Response(status=503)


def slow(seconds: float) -> Behaviour:
    """Answers late."""

    async def answer(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return web.Response()

    return answer


class Receiver(AbstractContextManager["Receiver"]):
    """The server; `url` is where it is."""

    def __init__(self, behave: Behaviour = _accept, ssl: Any = None) -> None:
        self.received: list[Received] = []
        self.open = 0
        self.open_most = 0
        self._behave = behave
        self._ssl = ssl
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="receiver")

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def wait_for(self, count: int) -> list[Received]:
        """The events, once there are so many."""
        poll(lambda: len(self.received) >= count, what=f"{count} events, not {len(self.received)}")
        return list(self.received)

    def kinds(self) -> Counter[tuple[str, str]]:
        """How many there are of each node and kind."""
        return Counter((each.node, each.kind) for each in self.received)

    async def _start(self) -> None:
        app = web.Application(client_max_size=1 << 30)
        app.router.add_post("/{tail:.*}", self._take)
        self._runner = web.AppRunner(app, shutdown_timeout=0.01)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._ssl)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"{'https' if self._ssl else 'http'}://127.0.0.1:{port}/"

    async def _stop(self) -> None:
        await self._runner.cleanup()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await asyncio.sleep(0.1 if self._ssl else 0)  # TLS says good-bye

    async def _take(self, request: web.Request) -> web.StreamResponse:
        headers = {name.decode(): value.decode() for name, value in request.raw_headers}
        body = await request.read()
        self.received.append(Received(request.path_qs, headers, body))
        self.open += 1
        self.open_most = max(self.open, self.open_most)
        try:
            return await self._behave(request)
        finally:
            self.open -= 1
