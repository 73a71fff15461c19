"""Owns serving an ASGI app over TLS from a thread of its own, with keys that change while it serves.

Must not know what is asked.

Anything in the cluster can connect, so everything is bounded: connections, handshakes, heads of requests, idle time.
"""

import asyncio
import logging
import socket
import ssl
import tempfile
import threading
from functools import partial
from pathlib import Path
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from executor.errors import Error
from operator_lite.certificates import Keys

log = logging.getLogger(__name__)

CONNECTIONS_MAX = 256
HEAD_BYTES_MAX = 16 * 1024
HANDSHAKE_S, HEAD_S, GOODBYE_S = 5.0, 10.0, 2.0
IDLE_S = 120
"""Longer than the 90 s after which API servers close idle connections themselves: a request never meets a close."""
DRAIN_S = 10


class Contexts:
    """The TLS context of now. `entry` is for listeners, which never get another: each handshake is given `current`."""

    def __init__(self) -> None:
        self.entry = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.entry.minimum_version = ssl.TLSVersion.TLSv1_2
        self.entry.sni_callback = self._renew
        self.current: ssl.SSLContext | None = None

    def use(self, keys: Keys) -> None:
        """Handshakes from now on are with these keys."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        _load(context, keys)
        if self.current is None:
            _load(self.entry, keys)
        self.current = context

    def _renew(self, connection: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _context: ssl.SSLContext) -> None:
        if self.current is not None:
            connection.context = self.current


def _load(context: ssl.SSLContext, keys: Keys) -> None:
    """OpenSSL reads keys from files alone: they are there for a moment, for nobody else."""
    with tempfile.TemporaryDirectory(prefix="millrace-") as folder:
        cert, key = Path(folder, "tls.crt"), Path(folder, "tls.key")
        cert.write_bytes(keys.cert)
        key.write_bytes(keys.key)
        context.load_cert_chain(cert, key)


class Connection(H11Protocol):
    """One connection. A request has to begin soon, and its head to end soon."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS_MAX:
            log.warning("more than %d connections; one is refused", CONNECTIONS_MAX)
            transport.abort()
        else:
            self._await_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._forget_head()
        elif self._head is None and not self.transport.is_closing():
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_head()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._head = self.loop.call_later(HEAD_S, self.transport.close)

    def _forget_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None


class _Uvicorn(uvicorn.Server):
    """With a bound on handshakes."""

    def __init__(self, config: uvicorn.Config, context: ssl.SSLContext) -> None:
        super().__init__(config)
        self._context = context

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        loop, config = asyncio.get_running_loop(), self.config

        def connection() -> asyncio.Protocol:
            return Connection(config=config, server_state=self.server_state, app_state=self.lifespan.state)

        listen = partial(
            loop.create_server, ssl=self._context, ssl_handshake_timeout=HANDSHAKE_S, ssl_shutdown_timeout=GOODBYE_S
        )
        self.servers = [await listen(connection, sock=each) for each in sockets or []]
        self.started = True


class Server:
    """An app being served. It listens from the start, and answers from `start` on."""

    def __init__(self, app: Any, contexts: Contexts, host: str = "0.0.0.0", port: int = 0) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._socket = socket.create_server((host, port), family=family, backlog=CONNECTIONS_MAX)
        except OSError as cause:
            raise Error(f"the webhook cannot listen on {host}:{port}: {cause.strerror}") from cause
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            app, http=Connection, ws="none", loop="asyncio", lifespan="off", interface="asgi3", log_config=None,
            access_log=False, proxy_headers=False, server_header=False, timeout_keep_alive=IDLE_S,
            timeout_graceful_shutdown=DRAIN_S, h11_max_incomplete_event_size=HEAD_BYTES_MAX,
        )  # fmt: skip
        self._server = _Uvicorn(config, contexts.entry)
        self._thread = threading.Thread(target=self._run, name="webhook", daemon=True)

    @property
    def is_alive(self) -> bool:
        """Whether it serves."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begins to serve."""
        self._thread.start()

    def stop(self) -> None:
        """Serves no more; requests under way are finished."""
        self._server.should_exit = True
        if self._thread.ident is not None:
            self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._socket]))
