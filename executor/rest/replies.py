"""Owns reading one HTTP/1.1 answer of any form, with httptools.

Must not do I/O. What a connection is worth after the answer is said here, and decided by `http1`.
"""

import httptools

from executor._native import budget as budgets
from executor._native import http1

HEAD_BYTES_MAX = 64 * 1024
"""Of an answer's status line and headers."""
_NO_BODY = (204, 304)
_KEPT = {
    b"content-type": "content_type",
    b"content-encoding": "content_encoding",
    b"location": "location",
    b"server-timing": "timing",
}


class ProtocolError(Exception):
    """The peer's answer is not HTTP/1, or broke off."""


class TooLargeError(Exception):
    """The peer's answer is over its bound."""


class NoMemoryError(Exception):
    """There is no memory for the peer's answer just now."""

    def __init__(self, size: int, memory: budgets.Budget) -> None:
        taken = f"{memory.used} of the {memory.hard} bytes for messages are in use"
        super().__init__(f"no memory for an answer of {size} bytes: {taken}")


class Reading:
    """One answer being read, charged to `memory`: `feed` it until it is `complete`."""

    def __init__(self, body_max: int, memory: budgets.Budget | None = None) -> None:
        self.reply = http1.Reply()
        self.complete = False
        self.keeps = False
        """Whether the connection may serve another request, once the answer is complete."""
        self.excess = False
        """Whether something came after it, which nobody asked for."""
        self._body_max = body_max
        self._memory = memory or budgets.Budget()
        self._parser = httptools.HttpResponseParser(self)
        self._chunks: list[bytes] = []
        self._head_size = 0
        self._body_size = 0
        self._told = 0
        self._charged = 0
        self._framed = False
        self._in_body = False

    def feed(self, data: bytes) -> None:
        """Raises ProtocolError, TooLargeError and NoMemoryError."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            raise ProtocolError("the peer switched to another protocol") from None
        except httptools.HttpParserError as cause:
            self._refused(cause)
        if not self._in_body and not self.complete:
            self._head_size += len(data)
            if self._head_size > HEAD_BYTES_MAX:
                raise ProtocolError(f"the answer's headers are over {HEAD_BYTES_MAX} bytes")

    def _refused(self, cause: httptools.HttpParserError) -> None:
        own = cause.__context__
        if isinstance(own, TooLargeError | NoMemoryError):
            raise own from None
        if not self.complete:
            raise ProtocolError(f"the answer is not HTTP/1: {cause}") from cause
        self.excess = True

    def close(self) -> None:
        """Nothing more is fed: without its parser, which refers back, it goes at once and so does its answer."""
        del self._parser

    @property
    def ends_with_connection(self) -> bool:
        """Whether nothing but the end of the connection says where the body ends."""
        return self._in_body and not self._framed

    def end(self) -> http1.Reply:
        """The answer, whose body the connection has ended."""
        self.reply.body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        return self.reply

    # --- parser -----------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self.complete:
            self.excess = True

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.excess:
            return
        name = name.lower()
        if name == b"server-timing" and not value.startswith(b"millrace;"):
            return  # of a proxy on the way
        if name in _KEPT:
            setattr(self.reply, _KEPT[name], value.decode("latin-1"))
        elif name in (b"content-length", b"transfer-encoding"):
            self._framed = True
            if name == b"content-length" and value.isdigit():
                self._told = int(value[:20])

    def on_headers_complete(self) -> None:
        if self.excess:
            return
        self.reply.status = self._parser.get_status_code()
        self._framed = self._framed or self.reply.status in _NO_BODY
        self._in_body = True
        if self.reply.status >= 200 and self.reply.status not in _NO_BODY:
            self._charge(self._told)

    def on_body(self, body: bytes) -> None:
        if self.excess:
            return
        self._body_size += len(body)
        self._charge(self._body_size)
        self._chunks.append(body)

    def _charge(self, size: int) -> None:
        """The body has `size` bytes at least."""
        if size > self._body_max:
            raise TooLargeError
        if size > self._charged:
            if not self.reply.take(self._memory, size - self._charged):
                raise NoMemoryError(size, self._memory)
            self._charged = size

    def on_message_complete(self) -> None:
        if self.excess:
            return
        if self.reply.status < 200:
            # An interim answer such as 100 Continue: the real one follows.
            self.reply, self._in_body, self._framed, self._told = http1.Reply(), False, False, 0
            return
        self.keeps = self._parser.should_keep_alive()
        self.end()
        self.complete = True
