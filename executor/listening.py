"""Owns listening sockets: bound, told, listened on, accepted from, and the file that a unix socket leaves behind.

Must not know what is spoken on a connection, nor who serves it.
"""

import asyncio
import contextlib
import errno
import logging
import os
import socket
import stat
from collections.abc import Callable, Sequence

from executor import errors
from executor.settings import ALL_INTERFACES, ListenSettings
from executor.watching import Watch

log = logging.getLogger("millrace")

BACKLOG = 1024
ACCEPT_AT_ONCE = 64
PAUSE_S = 0.1
"""How long accepting rests when the process has no file descriptors left."""


class Listeners:
    """What a server listens on. Bound at once, so that a port in use is told early; `listen` comes later.

    Raises RequestError.
    """

    def __init__(self, settings: ListenSettings, metrics_port: int | None = None, watch: Watch | None = None) -> None:
        self.grpc: list[socket.socket] = []
        self.http: list[socket.socket] = []
        self.metrics: list[socket.socket] = []
        """Where metrics alone are told, over HTTP."""
        self.admin: list[socket.socket] = []
        """Where the process itself is watched and told what to do, over HTTP."""
        self._uds: UnixSocket | None = None
        if settings.grpc_port and settings.grpc_port == settings.http_port:
            raise errors.RequestError(
                f"--grpc-port and --http-port are both {settings.grpc_port}; give one of them another"
            )
        try:
            if settings.grpc_port is not None:
                self.grpc.append(_listener(settings.host, settings.grpc_port, "--grpc-port"))
            if settings.uds is not None:
                self._uds = UnixSocket(settings.uds)
                self.grpc.append(self._uds.listener)
            if settings.http_port is not None:
                self.http.append(_listener(settings.host, settings.http_port, "--http-port"))
            if metrics_port is not None:
                self.metrics.append(_listener(settings.host, metrics_port, "--metrics-port"))
            if watch is not None and watch.admin_port is not None:
                self.admin.append(_listener(watch.admin_host, watch.admin_port, "--admin-port", "--admin-host"))
        except errors.RequestError:
            self.close()
            raise

    def listen_grpc(self) -> None:
        """Lets gRPC clients in. Raises RequestError when another process took the port or path in the meantime."""
        _listen_on(self.grpc, "--grpc-port")
        if self._uds is not None:
            self._uds.check()

    def listen_http(self) -> None:
        """Lets REST clients in. Raises RequestError when another process took the port in the meantime."""
        _listen_on(self.http, "--http-port")
        _listen_on(self.metrics, "--metrics-port")
        _listen_on(self.admin, "--admin-port")

    def lines(self, secure: bool = False) -> list[str]:
        """Where gRPC and REST are served, for the user; with TLS where `secure`, but for unix sockets."""
        scheme = "https" if secure else "http"
        mark = [" (TLS)" if secure and each.family != socket.AF_UNIX else "" for each in self.grpc]
        grpc = [f"gRPC on {told(each)}{tls}" for each, tls in zip(self.grpc, mark, strict=True)]
        metrics = [f"metrics on http://{told(each)}" for each in self.metrics]
        metrics += [f"admin on http://{told(each)}" for each in self.admin]
        return metrics + grpc + [f"REST on {scheme}://{told(each)}" for each in self.http]

    def close(self) -> None:
        """Closes all and removes the unix socket's file."""
        for listener in [*self.grpc, *self.http, *self.metrics, *self.admin]:
            listener.close()
        if self._uds is not None:
            self._uds.remove()


class Acceptor:
    """Accepts the connections of listening sockets and gives each to `take`, from `start` to `stop`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, take: Callable[[socket.socket], None]) -> None:
        self._loop = loop
        self._take = take
        self._listeners: list[socket.socket] = []
        self._held = False

    def start(self, listeners: Sequence[socket.socket]) -> None:
        """Accepts on bound sockets; they listen from now on, if they did not before."""
        for listener in listeners:
            listener.setblocking(False)
            listener.listen(BACKLOG)
            self._listeners.append(listener)
            self._resume(listener)

    def hold(self, held: bool) -> None:
        """While held, connections wait in the backlog."""
        if held != self._held:
            self._held = held
            for listener in self._listeners:
                self._loop.remove_reader(listener)
                self._resume(listener)

    def stop(self) -> None:
        """Closes the sockets."""
        for listener in self._listeners:
            self._loop.remove_reader(listener)
            listener.close()
        self._listeners.clear()

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(ACCEPT_AT_ONCE):
            try:
                sock, _ = listener.accept()
            except BlockingIOError:
                return
            except ConnectionError:
                continue
            except OSError as error:
                if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    raise
                log.error("cannot accept a connection: %s; trying again in %g s", error.strerror, PAUSE_S)
                self._loop.remove_reader(listener)
                self._loop.call_later(PAUSE_S, self._resume, listener)
                return
            self._take(sock)
            if self._held:
                return

    def _resume(self, listener: socket.socket) -> None:
        if listener in self._listeners and not self._held:
            self._loop.add_reader(listener, self._accept, listener)


def told(listener: socket.socket) -> str:
    """Where a socket listens: `host:port` or `unix:/path`."""
    name = listener.getsockname()
    if listener.family == socket.AF_UNIX:
        return f"unix:{name}"
    host, port = name[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _listen_on(listeners: Sequence[socket.socket], option: str) -> None:
    for listener in listeners:
        try:
            listener.listen(BACKLOG)
        except OSError as error:
            # Two sockets may be bound to one port, but only the first of them gets to listen.
            raise errors.RequestError(f"{option}: cannot listen on {told(listener)}: {error.strerror}") from None


def _listener(host: str, port: int, option: str, named: str = "--host") -> socket.socket:
    host = _every_address() if host == ALL_INTERFACES else host
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise errors.RequestError(f"{named} {host}: {error.strerror or error}") from None
    family, _, _, _, where = found[0]
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if host == "::":
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind(where)
    except OSError as error:
        sock.close()
        raise errors.RequestError(f"{option} {port}: cannot listen on {host}: {error.strerror or error}") from None
    return sock


def _every_address() -> str:
    """The host that stands for every address, IPv4 as well as IPv6 where the system has that."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::", 0))
        return "::"
    except OSError:
        return "0.0.0.0"


class UnixSocket:
    """A listening socket with a path, and the file that it leaves behind. Raises RequestError."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._clear()
            self.listener.bind(path)
            self._made = self._look()
        except OSError as error:
            self.listener.close()
            raise errors.RequestError(f"--uds {path}: cannot listen: {error.strerror or error}") from None

    def check(self) -> None:
        """Raises RequestError when a process that started at the same time took this one for dead."""
        with contextlib.suppress(OSError):
            if self._look() == self._made:
                return
        raise errors.RequestError(f"--uds {self._path}: another process has put a socket of its own there")

    def remove(self) -> None:
        """Removes the file, unless a successor has put its own there."""
        with contextlib.suppress(OSError):
            if self._look() == self._made:
                os.unlink(self._path)

    def _look(self) -> tuple[int, int]:
        found = os.stat(self._path)
        return found.st_ino, found.st_mtime_ns

    def _clear(self) -> None:
        """A socket's file left by a process that is gone stands in the way of its successor. No other file does."""
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISSOCK(os.stat(self._path).st_mode) and not self._answers():
                os.unlink(self._path)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)
            return probe.connect_ex(self._path) != errno.ECONNREFUSED
