"""Owns one REST connection: uvicorn's HTTP/1.1 protocol with the bounds, the cancelling and the short way it lacks.

Must not know what is served. uvicorn parses and writes; here are bounds on headers, time and connections, the end of a
request whose client hung up, and the short way of plain requests: one that came as a whole, in the form that nearly all
have (`_native.http1`), is handed to the front and answered without uvicorn's cycle, ASGI's messages or a Task.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from executor._native import http1
from executor.rest.app import CONNECTION, DISCARD_S, App
from executor.rest.plain import Plain
from executor.settings import ServeLimits

_ANSWERS = {
    400: b"400 Bad Request",
    408: b"408 Request Timeout",
    431: b"431 Request Header Fields Too Large",
    503: b"503 Service Unavailable\r\nretry-after: 1",
}


JOINED_BYTES = 64 * 1024
"""A body up to this size is copied behind its head, which is cheaper than two pieces."""


class HeaderError(Exception):
    """The request line and headers are over their bound."""


class Stamp:
    """The header lines that all answers of a server begin with now."""

    __slots__ = ("line",)

    def __init__(self) -> None:
        self.line = b""

    def set(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Change them."""
        self.line = b"".join([b"%b: %b\r\n" % header for header in headers])


class Connection(HttpToolsProtocol):
    """One client's connection. `limits` is set on a subclass, since uvicorn makes the connections."""

    limits = ServeLimits()
    front: App
    stamp: "Stamp"
    plain: set["Connection"]
    """Connections of the server that serve a plain request now."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.running: asyncio.Task[Any] | None = None
        """The task that serves a request, for as long as it does."""
        self.lost = False
        self._in_message = False
        """Whether the parser is inside a request."""
        self._short: Plain | None = None
        """The plain request being served."""
        self._held: list[bytes] = []
        self._memory = self.front.budget.hold()
        """What the plain request and the bytes held behind it are charged to."""
        self._refused = False
        """Whether there was no memory for bytes behind it; they are dropped, and all after them."""
        self._head_bytes = 0
        self._silent_since: float | None = None
        self._head_since: float | None = None
        self._body_since: float | None = None
        self._unread_since: float | None = None
        self._last = self.limits.idle_timeout_s <= 0
        """Whether the next answer is the last one."""

    # --- transport --------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # The first request may take as long as headers may, where that is longer than others may be waited for.
        self._silent_since = self.loop.time() + max(0.0, self.limits.header_timeout_s - self.limits.idle_timeout_s)
        if len(self.connections) > self.limits.max_connections:
            self.front.on_refused("connections")
            self._close_with(503, f"more than {self.limits.max_connections} connections")

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        super().connection_lost(exc)
        if self.running is not None:
            self.running.cancel()
        if self._short is not None:
            self._short.cancel()
            self._end_short()

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self._refused:
            return
        if self._short is not None:
            self._hold(data)
        elif not self._begin_short(data):
            super().data_received(data)

    # --- the short way ----------------------------------------------------------------------------------------

    def _begin_short(self, data: bytes) -> bool:
        """Serves `data` if it is one plain request, and nothing before it is under way."""
        idle = self.cycle is None or self.cycle.response_complete
        if self._in_message or not idle or self.flow.write_paused:
            return False
        request = http1.read_request(data, self.limits.max_header_bytes, self.limits.max_message_bytes)
        plain = self.front.plain(request) if request is not None else None
        if plain is None or not self._memory.add(len(data)):
            return False
        self._unset_keepalive_if_required()
        self._silent_since = None
        self._short = plain
        self.plain.add(self)
        plain.start(self._answer_short)
        return True

    def _hold(self, data: bytes) -> None:
        """Keeps it for later. Reading stops, so that no more than this is held."""
        self.flow.pause_reading()
        if self._memory.add(len(data)):
            self._held.append(data)
        else:
            self._refused = True
            self._held.clear()

    def _refuse(self) -> None:
        """Answers the first of the requests that were dropped. What else comes is read for a while, and dropped too: a
        close with bytes unread could lose the answers.
        """
        self.front.on_refused("message")
        self._write_error(503, "no memory for this request now: others have it all")
        self.flow.resume_reading()
        self.loop.call_later(DISCARD_S, self.transport.close)

    def _answer_short(self, status: int, lines: bytes, body: bytes) -> None:
        """The answer of the plain request; `lines` are its headers, without those of the connection."""
        self._end_short()
        if self.lost or self.transport.is_closing():
            return
        ending = b"connection: close\r\n" if self._last else b""
        framing = b"content-length: %d\r\n\r\n" % len(body) if status not in (204, 304) else b"\r\n"
        head = b"%b%b%b%b%b" % (STATUS_LINE[status], self.stamp.line, lines, ending, framing)
        if len(body) > JOINED_BYTES:
            self.transport.writelines([head, body])
        else:
            self.transport.write(head + body)
        self.server_state.total_requests += 1
        if self._last:
            self.transport.close()
            return
        self._silent_since = self.loop.time()
        if self._refused:
            self._refuse()
        elif self._held:
            data = b"".join(self._held)
            self._held = []
            self.flow.resume_reading()
            self.data_received(data)

    def _end_short(self) -> None:
        self._short = None
        self.plain.discard(self)
        self._memory.close()

    def cut_off(self) -> None:
        """Ends the plain request under way, with an answer."""
        if self._short is not None:
            self._last = True
            self._short.cut_off()

    # --- parser -----------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_message = True
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
        self._in_message = False
        self._body_since = None

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > self.limits.max_header_bytes:
            raise HeaderError

    def send_400_response(self, msg: str) -> None:
        """uvicorn's answer to what its parser refuses, which a header over the bound makes it do."""
        if self._head_bytes > self.limits.max_header_bytes:
            self.front.on_refused("message")
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
            self._too_slow(f"headers not complete within {limits.header_timeout_s} s")
        elif self._body_since is not None and now - self._body_since > limits.body_timeout_s:
            self._too_slow(f"body not complete within {limits.body_timeout_s} s")
        self._sweep_unread(now)

    def _too_slow(self, info: str) -> None:
        if not self.transport.is_closing():  # it is looked at again until it is gone
            self.front.on_refused("slow")
            self._close_with(408, info)

    def _sweep_unread(self, now: float) -> None:
        if not self.transport.get_write_buffer_size():
            self._unread_since = None
        elif self._unread_since is None:
            self._unread_since = now
        elif now - self._unread_since > self.limits.body_timeout_s:
            self.front.on_refused("unread")
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
        return served and self._short is None and self._head_since is None and self._body_since is None

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
            self._write_error(status, info)
        self.transport.close()

    def _write_error(self, status: int, info: str) -> None:
        body = b'{"status":{"code":%d,"info":"%s","status":"FAILURE"}}' % (status, info.encode())
        head = b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        self.transport.write(head % (_ANSWERS[status], len(body)) + body)
