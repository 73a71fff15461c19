"""Owns stand-ins for what a cluster puts in front of servers: a virtual IP, and a name with several addresses.

Must not know what is spoken over the connections.
"""

import asyncio
import contextlib
import itertools
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from executor.rpc.resolve import Place


def place(target: str) -> Place:
    """The address of a server on loopback."""
    host, _, port = target.rpartition(":")
    return Place(socket.AF_INET, (host, int(port)))


class Name:
    """A host name whose addresses the test decides on; give it to a channel as `resolve`."""

    def __init__(self, *targets: str) -> None:
        self.targets = list(targets)
        self.problem: Exception | None = None
        self.asked = 0

    async def __call__(self, host: str, port: int) -> list[Place]:
        self.asked += 1
        await asyncio.sleep(0)
        if self.problem is not None:
            raise self.problem
        return [place(target) for target in self.targets]


class VirtualIp:
    """Takes connections and passes each on to the next of its servers, which it then stays with."""

    def __init__(self, *targets: str) -> None:
        self.targets = list(targets)
        self.target = ""
        self.connections = 0
        self._turn = itertools.count()
        self._tasks: set[asyncio.Task[None]] = set()
        self._over = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        host, _, port = self.targets[next(self._turn) % len(self.targets)].rpartition(":")
        with contextlib.closing(writer), contextlib.suppress(OSError, asyncio.CancelledError):
            if not self._over:
                behind_reader, behind_writer = await asyncio.open_connection(host, int(port))
                await asyncio.gather(_copy(reader, behind_writer), _copy(behind_reader, writer))
        self._tasks.discard(task)

    async def end(self) -> None:
        """Ends every connection."""
        self._over = True
        await asyncio.sleep(0)  # for those just taken, whose tasks have not begun
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks)
        await asyncio.sleep(0)  # a transport is closed by the loop's next pass


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


@asynccontextmanager
async def virtual_ip(*targets: str) -> AsyncIterator[VirtualIp]:
    """A virtual IP while the block runs."""
    made = VirtualIp(*targets)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.target = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.close()
        await made.end()
