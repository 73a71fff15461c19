"""Owns what a parent and a worker say to each other: JSON messages over a socket, some with a connection beside them.

Must not know what the messages mean.
"""

import array
import asyncio
import json
import socket
import struct
from collections import deque
from typing import Any

Said = dict[str, Any]

_HEAD = struct.Struct(">I?")
"""Size of the JSON that follows, and whether a connection comes with it."""
_READ_BYTES = 1 << 16
_FDS_MAX = 64


class Link:
    """One end. Messages go out in the order of `send`, which never waits; `receive` answers None at the end."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._out: deque[tuple[memoryview, socket.socket | None]] = deque()
        self._in = bytearray()
        self._connections: deque[socket.socket] = deque()
        self.closed = False

    @property
    def waiting(self) -> int:
        """Messages that the other side has not taken yet."""
        return len(self._out)

    def send(self, said: Said, connection: socket.socket | None = None) -> None:
        """Says something. The connection is the other side's from now on."""
        text = json.dumps(said).encode()
        if self.closed:
            if connection is not None:
                connection.close()
            return
        self._out.append((memoryview(_HEAD.pack(len(text), connection is not None) + text), connection))
        if len(self._out) == 1:
            self._flush()

    async def receive(self) -> tuple[Said, socket.socket | None] | None:
        """What the other side says next, and the connection that came with it."""
        while (message := self._take()) is None:
            if self.closed or not await self._readable():
                return None
        return message

    def close(self) -> None:
        """Ends it; the other side reads the end."""
        if self.closed:
            return
        self.closed = True
        self._loop.remove_reader(self._sock)
        self._loop.remove_writer(self._sock)
        self._sock.close()
        for connection in [*self._connections, *(each for _, each in self._out if each is not None)]:
            connection.close()
        self._out.clear()
        self._connections.clear()

    def _flush(self) -> None:
        try:
            while self._out:
                self._write(*self._out[0])
        except BlockingIOError:
            self._loop.add_writer(self._sock, self._flush)
            return
        except OSError:  # the other side has gone, which `receive` finds out
            for _, connection in self._out:
                if connection is not None:
                    connection.close()
            self._out.clear()
        self._loop.remove_writer(self._sock)

    def _write(self, rest: memoryview, connection: socket.socket | None) -> None:
        beside = (
            []
            if connection is None
            else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [connection.fileno()]))]
        )
        sent = self._sock.sendmsg([rest], beside)
        if connection is not None:
            connection.close()
        self._out.popleft()
        if sent < len(rest):
            self._out.appendleft((rest[sent:], None))

    async def _readable(self) -> bool:
        """Reads what is there, waiting for it if need be; False at the end."""
        while True:
            try:
                data, fds, _, _ = socket.recv_fds(self._sock, _READ_BYTES, _FDS_MAX)
            except BlockingIOError:
                await self._wait()
                if self.closed:
                    return False
                continue
            except OSError:
                return False
            self._connections.extend(socket.socket(fileno=fd) for fd in fds)
            self._in += data
            return bool(data)

    async def _wait(self) -> None:
        ready = self._loop.create_future()
        self._loop.add_reader(self._sock, _set, ready)
        try:
            await ready
        finally:
            if not self.closed:
                self._loop.remove_reader(self._sock)

    def _take(self) -> tuple[Said, socket.socket | None] | None:
        if len(self._in) < _HEAD.size:
            return None
        size, beside = _HEAD.unpack_from(self._in)
        end = _HEAD.size + size
        if len(self._in) < end:
            return None
        said: Said = json.loads(self._in[_HEAD.size : end])
        del self._in[:end]
        return said, self._connections.popleft() if beside else None


def _set(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
