"""Owns the gRPC server on given listeners: taking connections, draining, closing.

Must not know what RPCs mean: `protocol` says which path goes through the plan, `rpc.admin` answers the others.
"""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence

from executor._native import flow, program, server
from executor._native import journal as journals
from executor.limits import budget
from executor.listening import Acceptor
from executor.protocol.table import Action, Rpc
from executor.rpc import sockets
from executor.settings import ServeLimits
from executor.tls import ServerContexts, Source
from executor.types import Encoding

log = logging.getLogger("millrace.rpc")

Handler = Callable[[server.Stream], Awaitable[None]]

POLL_S = 0.02


class RpcServer:
    """Serves the RPCs of `rpcs` through `program`, and those of `handlers` by Python.

    `default_timeout_s` holds for requests that bring no deadline. One more connection than `limits` allow is closed at
    once. `journal` is told of requests that are over. With `tls`, connections over TCP are TLS, each with the context
    that is current when it comes.
    """

    def __init__(
        self,
        engine: flow.Engine,
        program: program.Program,
        rpcs: Mapping[str, Rpc],
        handlers: Mapping[str, Handler],
        *,
        limits: ServeLimits | None = None,
        default_timeout_s: float | None = None,
        tls: Source[ServerContexts] | None = None,
        encoding: Encoding = Encoding.SELDON_PROTO,
        journal: journals.Journal | None = None,
    ) -> None:
        limits = limits or ServeLimits()
        natives = {path: (rpc.walk, rpc.method, rpc.form) for path, rpc in rpcs.items() if rpc.action is Action.RUN}
        self._tls = tls
        self._connections_max = limits.max_connections
        self._draining = False
        self.on_refused: Callable[[], object] = lambda: None
        """Is called for each connection that is refused."""
        self._acceptor = Acceptor(engine.reactor.loop, self.accept)
        self._loop = engine.reactor.loop
        self.native = server.Server(
            engine,
            program,
            natives,
            handlers,
            encoding=int(encoding),
            default_timeout_s=default_timeout_s or 0.0,
            max_message=limits.max_message_bytes,
            max_header=limits.max_header_bytes,
            unread_max=budget(limits).unread,
            header_timeout_s=limits.header_timeout_s,
            body_timeout_s=limits.body_timeout_s,
            receive_grace_s=limits.receive_grace_s,
            receive_rate=limits.receive_rate,
            journal=journal,
        )

    def start(self, listeners: Sequence[socket.socket]) -> None:
        """Accepts connections on sockets that listen; they are closed by `drain` or `close`."""
        self._acceptor.start(listeners)

    def accept(self, sock: socket.socket) -> None:
        """Takes over an accepted connection."""
        if self._draining:
            sock.close()
            return
        if self.native.connections >= self._connections_max:
            self._refuse(sock, f"{self._connections_max} are open, which is the limit")
            return
        secure = self._tls is not None and sock.family != socket.AF_UNIX
        try:
            sock.setblocking(False)
            sockets.tune(sock)
            self.native.accept(sock.fileno(), self._tls.current.grpc if self._tls is not None and secure else None)
        except OSError as error:  # no more can be watched, or the client has gone already
            self._refuse(sock, str(error))
        else:
            sock.detach()  # the server has it now

    def _refuse(self, sock: socket.socket, why: str) -> None:
        log.warning("connection refused: %s", why)
        self.on_refused()
        sock.close()

    async def drain(self, timeout_s: float) -> bool:
        """Takes no more connections and requests; whether all that ran ended within `timeout_s`.

        Connections close by themselves when their last answer has left; streams of admin services are ended.
        """
        self._acceptor.stop()
        self._draining = True
        self.native.drain()
        # The notice needs a round trip before the final word, or requests on their way would be refused.
        await asyncio.sleep(POLL_S)
        self.native.drain(last=True)
        due = self._loop.time() + timeout_s
        while self.native.connections and self._loop.time() < due:  # noqa: ASYNC110 connections end natively
            await asyncio.sleep(POLL_S)
        return self.native.connections == 0

    def close(self) -> None:
        """Ends every connection now."""
        self._acceptor.stop()
        self.native.close()
