"""Owns a TCP proxy in this process that does to connections what networks do: cut, half-closed, frozen, in trickles.

Must not know what is spoken on them.
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from typing import Self

CHUNK = 65_536
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: closing then sends RST."""


class Flow:
    """What a proxy does at the moment to the bytes of one direction."""

    def __init__(self) -> None:
        self.passed = 0
        self.piece = CHUNK
        """How many bytes move at once."""
        self.pause_s = 0.0
        """How long it rests after each piece."""
        self.left: int | None = None
        """How many more bytes pass before connections are cut; None is all."""
        self.moving = asyncio.Event()
        self.moving.set()


class Pair:
    """One client, and the server that it was given."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client, self.server = client, server
        self.tasks: list[asyncio.Task[None]] = []

    def end(self, how: str) -> None:
        """Parts them: "reset", "close", or "half", which ends the answer though the server may still be asked."""
        if how == "half":
            with contextlib.suppress(OSError):
                self.client.shutdown(socket.SHUT_WR)
            return
        for each in self.tasks:
            if each is not asyncio.current_task():
                each.cancel()
        if how == "reset" and self.client.fileno() >= 0:
            self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.client.close()
        self.server.close()


class Proxy:
    """Stands before `target` (`host:port`), at an address of its own. Leaving the `with` block ends everything."""

    def __init__(self, target: str) -> None:
        self._goes_to = target
        self.up, self.down = Flow(), Flow()
        """The bytes of clients, and those of servers."""
        self._how = "reset"
        self._pairs: set[Pair] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._listener.setblocking(False)
        self.target = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="proxy")

    @property
    def connections(self) -> int:
        """How many there are."""
        return len(self._pairs)

    def to(self, target: str) -> None:
        """New connections go there; the others stay where they are, as behind a cluster's virtual address."""
        self._goes_to = target

    def freeze(self) -> None:
        """From now on nothing moves, and nobody is told."""
        self._do(lambda: self._move(False))

    def thaw(self) -> None:
        """It all moves again."""
        self._do(lambda: self._move(True))

    def cut_answers(self, after: int, how: str = "reset") -> None:
        """When so many more bytes of answers have passed, connections end as `Pair.end` says."""
        self._how = how
        self.down.left = after

    def heal(self) -> None:
        """New connections are not cut."""
        self.down.left = None

    def cut(self, how: str = "reset") -> None:
        """Ends every connection now."""
        self._do(lambda: self._end(how))

    # --- on the loop ------------------------------------------------------------------------------------------

    def _move(self, moving: bool) -> None:
        for flow in (self.up, self.down):
            if moving:
                flow.moving.set()
            else:
                flow.moving.clear()

    def _end(self, how: str) -> None:
        for pair in list(self._pairs):
            pair.end(how)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._accept())
        self._loop.close()

    def _do(self, work: Callable[[], object]) -> None:
        done = threading.Event()

        def run() -> None:
            try:
                work()
            finally:
                done.set()

        self._loop.call_soon_threadsafe(run)
        assert done.wait(10)

    async def _accept(self) -> None:
        self._over = asyncio.Event()
        over = asyncio.create_task(self._over.wait())
        tasks: set[asyncio.Task[None]] = set()
        while not self._over.is_set():
            coming = asyncio.create_task(self._loop.sock_accept(self._listener))
            await asyncio.wait([coming, over], return_when=asyncio.FIRST_COMPLETED)
            if coming.done():
                tasks.add(asyncio.create_task(self._serve(coming.result()[0])))
            else:
                coming.cancel()
        self._end("close")
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._listener.close()

    async def _serve(self, client: socket.socket) -> None:
        server = socket.socket()
        pair = Pair(client, server)
        self._pairs.add(pair)
        try:
            for each in (client, server):
                each.setblocking(False)
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            host, _, port = self._goes_to.rpartition(":")
            await self._loop.sock_connect(server, (host, int(port)))
            pair.tasks = [
                asyncio.create_task(self._pump(pair, client, server, self.up)),
                asyncio.create_task(self._pump(pair, server, client, self.down)),
            ]
            await asyncio.gather(*pair.tasks, return_exceptions=True)
            pair.end("close")
        except OSError:
            pair.end("reset")
        finally:
            pair.end("close")
            self._pairs.discard(pair)

    async def _pump(self, pair: Pair, source: socket.socket, sink: socket.socket, flow: Flow) -> None:
        try:
            while data := await self._loop.sock_recv(source, flow.piece):
                await flow.moving.wait()
                if flow.left is not None and flow.left < len(data):
                    await self._loop.sock_sendall(sink, data[: flow.left])
                    pair.end(self._how)
                    return
                flow.left = None if flow.left is None else flow.left - len(data)
                await self._loop.sock_sendall(sink, data)
                flow.passed += len(data)
                if flow.pause_s:
                    await asyncio.sleep(flow.pause_s)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pair.end("close")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._do(lambda: self._over.set())
        self._thread.join()
