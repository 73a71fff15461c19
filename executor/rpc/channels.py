"""Owns how a channel gets its connections: addresses, connecting, backing off.

Must not handle the calls themselves: `_native.channel` does, and asks here when calls wait for a connection.
"""

import asyncio
import contextlib
import logging
import os
import random
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from executor import errors
from executor._native import channel, message, transport
from executor.rpc import sockets
from executor.settings import MEBIBYTE, Address, Scheme, parse_target
from executor.types import Encoding, Method

log = logging.getLogger("millrace.rpc")

CONNECT_TIMEOUT_S = 5.0
BACKOFF_FIRST_S = 0.05
BACKOFF_LAST_S = 1.0
"""A node that comes back after a long time is used again within about this."""
BACKOFF_FACTOR = 1.6
POLL_S = 0.002
CONNECTIONS_MAX = 8
"""Connections of one channel; more than one only when the first has no room for more streams."""


class Channel:
    """Calls to one gRPC server: `Channel("host:port")` or `Channel("unix:/path")`, on the running event loop.

    It connects when the first call comes, and again when the connection is lost. While that does not succeed, calls
    fail at once with UNAVAILABLE and the reason. `paths` says which RPC asks a plan's node for which method; a channel
    made without serves `call` alone. `node` is the plan's node that is reached, for messages. `tls` gives the context
    for each connection; None connects without TLS.
    """

    def __init__(
        self,
        target: str | Address,
        *,
        reactor: transport.Reactor | None = None,
        paths: Mapping[Method, str] | None = None,
        encoding: Encoding = Encoding.SELDON_PROTO,
        max_message_bytes: int = 64 * MEBIBYTE,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        node: str = "",
        tls: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        self._address = parse_target(target) if isinstance(target, str) else target
        self._label = f"node '{node}' at {self.target}" if node else self.target
        self._own_reactor = reactor is None
        self._reactor = reactor or transport.Reactor()
        self._connect_timeout_s = connect_timeout_s
        self._backoff_s = 0.0
        self._not_before = 0.0
        self._connecting: asyncio.Task[None] | None = None
        self._last_error = ""
        self._closed = False
        self._tls = tls
        unix = self._address.scheme is Scheme.UNIX
        self.endpoint = channel.Channel(
            self._reactor,
            self._label,
            "localhost" if unix else self._address.authority,
            paths or {},
            encoding=int(encoding),
            max_message=max_message_bytes,
            secure=tls is not None,
        )
        self.endpoint.on_wanted = self._wanted
        self.endpoint.on_lost = self._lost

    @property
    def target(self) -> str:
        """Where it connects to: `host:port` or `unix:/path`."""
        return self._address.target

    async def call(
        self,
        path: str,
        request: message.Message,
        headers: Iterable[tuple[str, str]] = (),
        timeout_s: float | None = None,
    ) -> message.Message:
        """One unary RPC. Raises `errors.Error` with the server's status, DeadlineError when `timeout_s` is over."""
        deadline = time.monotonic() + timeout_s if timeout_s else 0.0
        ticket = self.endpoint.call(path, request, headers, deadline)
        try:
            async with asyncio.timeout(timeout_s):
                answer: message.Message = await ticket.future
                return answer
        except TimeoutError:
            raise errors.DeadlineError(f"{self.target}{path}: no answer within {timeout_s} s") from None
        finally:
            ticket.cancel()

    async def connect(self) -> None:
        """Connects now, if it is not connected, and waits for the server to speak.

        Raises `errors.NodeError` with the reason.
        """
        if self.endpoint.connections == 0:
            self._not_before = 0.0
            self._wanted()
            if self._connecting is not None:
                await asyncio.shield(self._connecting)  # calls may wait for it too
        while self.endpoint.connections and not self.endpoint.ready:  # noqa: ASYNC110 it is seen natively
            await asyncio.sleep(POLL_S)
        if not self.endpoint.ready:
            raise errors.NodeError(f"{self._label}: {self._last_error}")

    async def close(self) -> None:
        """Ends calls in flight and closes the connections."""
        self._closed = True
        if self._connecting is not None:
            self._connecting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._connecting
        self.endpoint.close()
        if self._own_reactor:
            self._reactor.close()

    def _wanted(self) -> None:
        if self._connecting is not None or self._closed or self.endpoint.connections >= CONNECTIONS_MAX:
            return
        if time.monotonic() < self._not_before:
            # With a connection left, those that wait get their turn on it.
            if self.endpoint.connections == 0:
                asyncio.get_running_loop().call_soon(self.endpoint.refuse, f"{self._last_error} (trying again soon)")
            return
        self._connecting = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                sock = await self._open()
        except TimeoutError:
            self._failed(f"cannot connect: no answer within {self._connect_timeout_s:g} s")
        except OSError as error:
            self._failed(f"cannot connect: {_words_of(error)}")
        else:
            self._connecting = None
            self._attach(sock)
            return
        finally:
            self._connecting = None
        if self.endpoint.connections == 0:
            self.endpoint.refuse(self._last_error)

    def _attach(self, sock: socket.socket) -> None:
        if self._tls is None:
            self.endpoint.attach(sock.detach())
        else:
            host = self._address.host or "localhost"
            self.endpoint.attach(sock.detach(), self._tls(), host)

    def _lost(self, reason: str, was_ready: bool) -> None:
        if was_ready:
            self._backoff_s = 0.0
        elif not self._closed:
            # Connected, but not to anything that speaks HTTP/2: as good as not connected.
            self._failed(f"connection lost: {reason}")
            if self.endpoint.connections == 0:
                self.endpoint.refuse(self._last_error)

    def _failed(self, reason: str) -> None:
        if reason != self._last_error:
            log.warning("%s: %s", self._label, reason)
        self._last_error = reason
        self._backoff_s = min(max(BACKOFF_FIRST_S, self._backoff_s * BACKOFF_FACTOR), BACKOFF_LAST_S)
        # Jitter, so that many executors do not come back to a restarted node in step.
        self._not_before = time.monotonic() + self._backoff_s * random.uniform(0.8, 1.2)

    async def _open(self) -> socket.socket:
        if self._address.scheme is Scheme.UNIX:
            return await _connect_to(socket.AF_UNIX, self._address.path)
        found = await _addresses(self._address.host, self._address.port)
        random.shuffle(found)
        problem: OSError = OSError(f"no address for {self._address.host}")
        for family, _, _, _, where in found:
            try:
                return await _connect_to(family, where)
            except OSError as error:
                problem = error
        raise problem


async def _addresses(host: str, port: int) -> list[Any]:
    numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    try:
        # Needs no lookup, and so no thread: those of the loop may all be busy with what waits for this connection.
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=numeric)
    except socket.gaierror:
        return await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)


def _words_of(error: OSError) -> str:
    """What is wrong, in the system's words: asyncio puts others there. Look-ups have numbers of their own, below 0."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)


async def _connect_to(family: int, where: object) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sockets.tune(sock)
        await asyncio.get_running_loop().sock_connect(sock, where)  # type: ignore[arg-type]
    except BaseException:
        sock.close()
        raise
    return sock
