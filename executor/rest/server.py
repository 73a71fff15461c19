"""Owns serving the REST front on given sockets, inside a running event loop.

Must not handle signals nor open listeners: the process's parent owns both.

Bounds, all in `ServeLimits`: size and time of headers, time of a body, idle connections, unread answers, number of
connections; the size of a body is the front's. The parser adds its own: a request line or header that is not HTTP/1
is answered with 400.
"""

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Sequence
from email.utils import formatdate

import uvicorn

from executor.rest.app import App
from executor.rest.connection import Connection, Stamp
from executor.settings import ServeLimits
from executor.tls import ServerContexts, Source, rest_context

HANDSHAKE_TIMEOUT_S = 4.0
TICK_S = 0.5
"""How often the Date header is renewed and connections are looked over."""
NOTICE_S = 0.2
"""How long connections that are kept may still bring a request when the server drains; its answer says that they end.
A client that is busy uses them again within that, and an idle one sees the end before it does."""
POLL_S = 0.02


class _Uvicorn(uvicorn.Server):
    """uvicorn's server, driven from outside: it neither runs the loop nor touches signals."""

    async def listen(self, sockets: Sequence[socket.socket], context: ssl.SSLContext | None) -> None:
        """As `startup` does, but with a bound on handshakes. There is no lifespan to wait for."""
        loop = asyncio.get_running_loop()
        config, state = self.config, self.lifespan.state

        def connection() -> asyncio.Protocol:
            made: asyncio.Protocol = config.http_protocol_class(  # type: ignore[call-arg]
                config=config, server_state=self.server_state, app_state=state
            )
            return made

        patience_s = None if context is None else HANDSHAKE_TIMEOUT_S
        self.servers = [
            await loop.create_server(
                connection, sock=sock, ssl=context, ssl_handshake_timeout=patience_s, backlog=config.backlog
            )
            for sock in sockets
        ]
        self.started = True

    async def tick(self, sweep_s: float, stamp: Stamp) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self.server_state.default_headers = [(b"date", formatdate(time.time(), usegmt=True).encode())]
            stamp.set(self.server_state.default_headers)
            now = loop.time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, Connection):
                    connection.sweep(now)
            await asyncio.sleep(sweep_s)


class RestServer:
    """The REST front being served: `start`, then `drain` to end gracefully, then `stop`. Over TLS with `tls`."""

    def __init__(self, app: App, limits: ServeLimits | None = None, tls: Source[ServerContexts] | None = None) -> None:
        self._app = app
        self._tls = tls
        self._limits = limits or ServeLimits()
        self._plain: set[Connection] = set()
        self._stamp = Stamp()
        own = {"limits": self._limits, "front": app, "plain": self._plain, "stamp": self._stamp}
        bounded = type("BoundedConnection", (Connection,), own)
        config = uvicorn.Config(
            app,
            http=bounded,
            ws="none",
            loop="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=self._limits.idle_timeout_s,  # type: ignore[arg-type]
        )
        self._server = _Uvicorn(config)
        self._ticker: asyncio.Task[None] | None = None
        self._taking: set[asyncio.Task[object]] = set()

    @property
    def connections(self) -> int:
        """Client connections now open."""
        return len(self._server.server_state.connections)

    @property
    def requests(self) -> int:
        """Requests now being served."""
        return len(self._server.server_state.tasks) + len(self._plain)

    @property
    def served(self) -> int:
        """Requests that have been answered."""
        return self._server.server_state.total_requests

    async def start(self, sockets: Sequence[socket.socket]) -> None:
        """Serve on `sockets`, which are bound; they are closed when the server drains."""
        config = self._server.config
        config.load()
        self._server.lifespan = config.lifespan_class(config)
        await self._server.listen(sockets, rest_context(self._tls) if self._tls is not None else None)
        self._ticker = asyncio.get_running_loop().create_task(self._server.tick(TICK_S, self._stamp))

    def accept(self, sock: socket.socket) -> None:
        """Takes over an accepted connection, once `start` has returned."""
        if self._app.draining:
            sock.close()
            return
        sock.setblocking(False)
        task: asyncio.Task[object] = asyncio.create_task(self._take(sock))
        self._taking.add(task)
        task.add_done_callback(self._taking.discard)

    async def _take(self, sock: socket.socket) -> None:
        config, state = self._server.config, self._server.server_state
        loop = asyncio.get_running_loop()

        def protocol() -> asyncio.Protocol:
            app_state = self._server.lifespan.state
            return config.http_protocol_class(config=config, server_state=state, app_state=app_state, _loop=loop)  # type: ignore[call-arg]

        context = self._tls.current.rest if self._tls is not None else None
        patience_s = None if context is None else HANDSHAKE_TIMEOUT_S
        try:
            await loop.connect_accepted_socket(protocol, sock, ssl=context, ssl_handshake_timeout=patience_s)
        except OSError:  # the client has gone already, or does not speak TLS
            sock.close()

    async def drain(self, timeout_s: float | None = None) -> bool:
        """Take no more connections and wait for requests under way; whether all ended in time (unit: seconds)."""
        if self._taking:
            await asyncio.wait(self._taking)
        self._app.draining = True
        state = self._server.server_state
        for server in self._server.servers:
            server.close()
        for connection in list(state.connections):
            connection.shutdown()
        loop = asyncio.get_running_loop()
        begun = loop.time()
        patience_s = self._limits.drain_timeout_s if timeout_s is None else timeout_s
        while state.connections and loop.time() < begun + patience_s:
            if loop.time() >= begun + NOTICE_S:
                self._close_idle()
            await asyncio.sleep(POLL_S)
        return not self.requests

    def _close_idle(self) -> None:
        for connection in list(self._server.server_state.connections):
            if isinstance(connection, Connection) and connection.idle:
                connection.transport.close()

    async def stop(self) -> None:
        """End everything now: what still runs is cancelled, and connections are closed. Call it once or often."""
        ticker, self._ticker = self._ticker, None
        if ticker is None:
            return
        ticker.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await ticker
        state = self._server.server_state
        for server in self._server.servers:
            server.close()
        for connection in list(self._plain):
            connection.cut_off()
        tasks = list(state.tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=1.0)
        for each in list(state.connections):
            each.transport.close()
        await asyncio.sleep(0)
        for each in list(state.connections):
            each.transport.abort()
        for server in self._server.servers:
            await server.wait_closed()
