"""Owns one REST connection: uvicorn's HTTP/1.1 protocol with the bounds and the cancelling it lacks.

Must not know what is served. uvicorn parses and writes; here are bounds on headers, time and connections, and
the end of a request whose client hung up.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from executor.rest.app import CONNECTION
from executor.settings import ServeLimits

_ANSWERS = {
    400: b"400 Bad Request",
    408: b"408 Request Timeout",
    431: b"431 Request Header Fields Too Large",
    503: b"503 Service Unavailable",
}


class HeaderError(Exception):
    """The request line and headers are over their bound."""


class Connection(HttpToolsProtocol):
    """One client's connection. `limits` is set on a subclass, since uvicorn makes the connections."""

    limits = ServeLimits()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.running: asyncio.Task[Any] | None = None
        """The task that serves a request, for as long as it does."""
        self.lost = False
        self._head_bytes = 0
        self._silent_since: float | None = None
        self._head_since: float | None = None
        self._body_since: float | None = None
        self._unread_since: float | None = None
        self._last = False

    # --- transport --------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._silent_since = self.loop.time()
        if len(self.connections) > self.limits.max_connections:
            self._close_with(503, f"more than {self.limits.max_connections} connections")

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        super().connection_lost(exc)
        if self.running is not None:
            self.running.cancel()

    def data_received(self, data: bytes) -> None:
        if not self.transport.is_closing():
            super().data_received(data)

    # --- parser -----------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {CONNECTION: self}  # type: ignore[dict-item]
        self._head_bytes = 0
        self._silent_since = None
        self._head_since = self.loop.time()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self._count(len(name) + len(value) + 4)

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if self._last:
            self.cycle.keep_alive = False
        self._head_since = None
        self._body_since = self.loop.time()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._body_since = None

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > self.limits.max_header_bytes:
            raise HeaderError

    def send_400_response(self, msg: str) -> None:
        """uvicorn's answer to what its parser refuses, which a header over the bound makes it do."""
        if self._head_bytes > self.limits.max_header_bytes:
            self._close_with(431, f"request line and headers are over {self.limits.max_header_bytes} bytes")
        else:
            self._close_with(400, "this is not an HTTP/1 request")

    # --- time -------------------------------------------------------------------------------------------------

    def sweep(self, now: float) -> None:
        """Ends what has taken too long. Called about once a second, which spares every request its timers."""
        limits = self.limits
        if self.pipeline:
            # Reading waits for an earlier request; that is not the client's delay.
            self._head_since = self._head_since and now
            self._body_since = self._body_since and now
        elif self._silent_since is not None and now - self._silent_since > limits.idle_timeout_s:
            self.transport.close()
        elif self._head_since is not None and now - self._head_since > limits.header_timeout_s:
            self._close_with(408, f"headers not complete within {limits.header_timeout_s} s")
        elif self._body_since is not None and now - self._body_since > limits.body_timeout_s:
            self._close_with(408, f"body not complete within {limits.body_timeout_s} s")
        self._sweep_unread(now)

    def _sweep_unread(self, now: float) -> None:
        if not self.transport.get_write_buffer_size():
            self._unread_since = None
        elif self._unread_since is None:
            self._unread_since = now
        elif now - self._unread_since > self.limits.body_timeout_s:
            self.transport.abort()

    # --- the end ----------------------------------------------------------------------------------------------

    def shutdown(self) -> None:
        """The server drains: the request under way is the last one, or the next if it comes at once.

        uvicorn would close an idle connection here. Then a request that is on its way is lost, and its client cannot
        know whether it was served.
        """
        self._last = True
        if self.cycle is not None:
            self.cycle.keep_alive = False

    @property
    def idle(self) -> bool:
        """Whether no request is under way, not even half of one."""
        served = self.cycle is None or self.cycle.response_complete
        return served and self._head_since is None and self._body_since is None

    # --- errors below the front -------------------------------------------------------------------------------

    @property
    def may_answer(self) -> bool:
        """Whether the request being served can still be answered."""
        return not self.lost and not self.transport.is_closing() and not self.cycle.response_started

    def _close_with(self, status: int, info: str) -> None:
        """Close, with an error where the client can tell which request it is for."""
        if self.transport.is_closing():
            return
        idle = self.cycle is None or self.cycle.response_complete
        reading = self._body_since is not None and not idle and not self.cycle.response_started
        if not self.pipeline and (idle or reading):
            body = b'{"status":{"code":%d,"info":"%s","status":"FAILURE"}}' % (status, info.encode())
            head = b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
            self.transport.write(head % (_ANSWERS[status], len(body)) + body)
        self.transport.close()
