"""Owns HTTP/1.1 as a client: kept connections to one server, one request at a time on each.

Must not know what is asked. Answers of the plain form are read natively (`_native.http1`), all others by httptools.
A call has no Task and no future: its answer is told to a function, since a call through asyncio costs more than all
the rest of it.
"""

import asyncio
import collections
import random
import ssl
import time
from collections.abc import Callable, Sequence

from executor._native import budget as budgets
from executor._native import http1 as native
from executor.aside import awaited
from executor.rest import dial
from executor.rest.replies import HEAD_BYTES_MAX, Reading
from executor.rest.replies import NoMemoryError as NoMemoryError
from executor.rest.replies import ProtocolError as ProtocolError
from executor.rest.replies import TooLargeError as TooLargeError
from executor.settings import Address

Reply = native.Reply
Done = Callable[[Reply | None, Exception | None], object]
Buffers = Sequence[bytes | memoryview]

CONNECTION_AGE_S = 120.0
"""After so long, give or take a fifth, a connection gives way to a new one, so that names are looked up again and new
replicas get their share."""
TRUSTED_S = 0.1
"""A connection that was idle for longer is looked at before it is used: its peer may just have closed it."""


class Exchange:
    """One request to the peer: `done(reply, error)` is called once, unless `cancel` comes first."""

    __slots__ = (
        *("connection", "done", "idempotent", "opening", "over", "parts", "pool"),
        *("sent_again", "since", "waited"),
    )

    def __init__(self, pool: "Pool", parts: Buffers, done: Done, idempotent: bool) -> None:
        self.pool = pool
        self.parts = parts
        self.done = done
        self.idempotent = idempotent
        self.sent_again = False
        self.since = self.waited = 0.0
        """When it began to wait for a connection, and how long it did; unit: seconds."""
        self.over = False
        self.connection: _Connection | None = None
        self.opening: asyncio.Task[None] | None = None

    def cancel(self) -> None:
        """Nobody waits any more: the connection is closed, so that the peer can know."""
        if not self.over:
            self.over = True
            self.done = _nobody
            self.pool.leave(self)

    def finish(self, reply: Reply | None, error: Exception | None) -> None:
        """Tell how it ended."""
        if not self.over:
            self.over = True
            self.connection = None
            done, self.done = self.done, _nobody  # it may hold who holds this
            done(reply, error)


class _Connection(asyncio.Protocol):
    """One connection. `exchange` is what is being served on it, if anything."""

    def __init__(self, pool: "Pool") -> None:
        self._pool = pool
        self.transport: asyncio.Transport | None = None
        self.exchange: Exchange | None = None
        self.idle_since = 0.0
        self.retires_at = 0.0
        self._used = False
        self._reading: Reading | None = None
        self._plain: Reply | None = None
        self._missing = 0
        self._chunks: list[bytes] = []

    def start(self, exchange: Exchange) -> None:
        """Send a request."""
        assert self.transport is not None
        self.exchange = exchange
        exchange.connection = self
        self._reading = self._plain = None
        if len(exchange.parts) == 1:
            self.transport.write(exchange.parts[0])
        else:
            self.transport.writelines(exchange.parts)

    @property
    def usable(self) -> bool:
        """Whether a request may be sent on it, as far as is known without asking the system."""
        return self.transport is not None and not self.transport.is_closing()

    # --- transport --------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self.exchange is None:
            # Nobody asked: whatever this is, the connection cannot be trusted with a request.
            self.abort()
        elif self._plain is not None:
            self._go_on(self._plain, data)
        elif self._reading is not None:
            self._read(self._reading, data)
        else:
            found = native.read_reply(data, HEAD_BYTES_MAX, self._pool.max_reply_bytes)
            if found is None:
                self._reading = Reading(self._pool.max_reply_bytes, self._pool.memory)
                self._read(self._reading, data)
            elif not found[0].take(self._pool.memory, size := len(found[0].body) + found[1]):
                self._fail(NoMemoryError(size, self._pool.memory))
            elif found[1] == 0:
                self._finish(found[0], True)
            else:
                self._plain, self._missing = found
                self._chunks = [found[0].body]

    def _go_on(self, reply: Reply, data: bytes) -> None:
        """More of the body of a plain answer."""
        self._chunks.append(data)
        self._missing -= len(data)
        if self._missing <= 0:
            body = b"".join(self._chunks)
            self._chunks = []
            reply.body = body if self._missing == 0 else body[: self._missing]
            self._finish(reply, self._missing == 0)

    def _read(self, reading: Reading, data: bytes) -> None:
        try:
            reading.feed(data)
        except (ProtocolError, TooLargeError, NoMemoryError) as error:
            self._fail(error)
            return
        if reading.complete:
            self._finish(reading.reply, reading.keeps and not reading.excess)

    def connection_lost(self, exc: Exception | None) -> None:
        self._pool.forget(self)
        if self.exchange is None:
            return
        if self._plain is not None:
            self._fail(exc or ProtocolError("the connection ended inside the answer"))
        elif self._reading is not None:
            if exc is None and self._reading.ends_with_connection:
                self._finish(self._reading.end(), False)
            else:
                self._fail(exc or ProtocolError("the connection ended inside the answer"))
        else:
            self._unanswered(exc or ProtocolError("the connection ended before the answer"))

    def _unanswered(self, error: Exception) -> None:
        """Not one byte came. On a connection used before, its peer may have closed it as the request went out."""
        exchange = self.exchange
        assert exchange is not None
        assert self.transport is not None
        unsent = self.transport.get_write_buffer_size() >= sum(map(len, exchange.parts))
        if self._used and (unsent or exchange.idempotent) and not exchange.sent_again and not exchange.over:
            self.exchange = exchange.connection = None
            exchange.sent_again = True
            self._pool.admit(exchange)
        else:
            self._fail(error)

    def abort(self) -> None:
        """Close at once, unread and unsent bytes lost."""
        if self._reading is not None:
            self._reading.reply.give()
            self._reading.close()
        self._reading = self._plain = None
        self._chunks = []
        self._pool.forget(self)
        if self.transport is not None:
            self.transport.abort()

    def _fail(self, error: Exception) -> None:
        exchange, self.exchange = self.exchange, None
        self.abort()
        if exchange is not None:
            exchange.finish(None, error)

    def _finish(self, reply: Reply, keep: bool) -> None:
        """The answer is there. The connection goes back first: what is told may need one."""
        exchange, self.exchange = self.exchange, None
        if self._reading is not None:
            self._reading.close()
        self._reading = self._plain = None
        self._used = True
        if keep and self.usable:
            self._pool.give_back(self)
        else:
            self.abort()
        if exchange is not None:
            exchange.finish(reply, None)


class Pool:
    """Connections to one server, kept while they are of use. Belongs to one event loop."""

    def __init__(
        self,
        address: Address,
        *,
        max_reply_bytes: int,
        connections_max: int,
        connect_timeout_s: float,
        idle_s: float,
        tls: Callable[[], ssl.SSLContext] | None = None,
        memory: budgets.Budget | None = None,
    ) -> None:
        self.max_reply_bytes = max_reply_bytes
        self.memory = memory or budgets.Budget()
        """What answers are charged to, for as long as they last."""
        self._address = address
        self._tls = tls
        self._connections_max = connections_max
        self._connect_timeout_s = connect_timeout_s
        self._idle_s = idle_s
        self._all: set[_Connection] = set()
        self._idle: collections.deque[_Connection] = collections.deque()
        self._waiting: collections.deque[Exchange] = collections.deque()
        self._opening: set[asyncio.Task[None]] = set()
        self._sweeper: asyncio.TimerHandle | None = None

    def begin(self, parts: Buffers, done: Done, *, idempotent: bool = False) -> Exchange:
        """Send a request, given as the bytes of its head and body. `done(reply, error)` is called when it is over; the
        error is an OSError for a peer that cannot be reached, a ProtocolError for one that does not answer in HTTP, a
        TooLargeError or a NoMemoryError. Time is the caller's. An `idempotent` request may be sent twice.
        """
        exchange = Exchange(self, parts, done, idempotent)
        self.admit(exchange)
        return exchange

    async def request(self, parts: Buffers, *, idempotent: bool = False) -> Reply:
        """The same for a coroutine: the answer, or the error raised."""
        future: asyncio.Future[Reply]
        future, done = awaited()
        exchange = self.begin(parts, done, idempotent=idempotent)
        try:
            return await future
        finally:
            exchange.cancel()

    def states(self) -> list[str]:
        """The state of each connection."""
        return ["ready"] * len(self._all) + ["connecting"] * len(self._opening)

    @property
    def busy(self) -> bool:
        """Whether some request uses a connection, or waits for one."""
        return bool(len(self._all) > len(self._idle) or self._opening or self._waiting)

    def end_idle(self) -> None:
        """Close the connections that no request uses."""
        while self._idle:
            self._idle[0].abort()

    async def close(self) -> None:
        """Close all connections; requests under way fail. Call it once or often."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        for task in list(self._opening):
            task.cancel()
        while self._waiting:
            self._waiting.popleft().finish(None, ConnectionError("shutting down"))
        for connection in list(self._all):
            connection.abort()
        await asyncio.gather(*self._opening, return_exceptions=True)
        # Closing is done by the loop's next turn; sockets are gone when this returns.
        await asyncio.sleep(0)

    # --- who is served next -----------------------------------------------------------------------------------

    def admit(self, exchange: Exchange) -> None:
        """Give it a connection that is free, else one that is opened for it, else its turn when there is one."""
        connection = self._take()
        if connection is not None:
            connection.start(exchange)
            return
        exchange.since = time.monotonic()  # the loop's own clock may tick in ms
        self._waiting.append(exchange)
        self._open_for(exchange)

    def leave(self, exchange: Exchange) -> None:
        """It was cancelled."""
        connection, exchange.connection = exchange.connection, None
        if connection is not None:
            if connection.exchange is exchange:
                connection.exchange = None
                connection.abort()
            return
        if exchange in self._waiting:
            self._waiting.remove(exchange)
            exchange.waited += time.monotonic() - exchange.since
        if exchange.opening is not None and not self._waiting:
            exchange.opening.cancel()

    def give_back(self, connection: _Connection) -> None:
        """Keep `connection` for another request."""
        now = asyncio.get_running_loop().time()
        if now > connection.retires_at:
            connection.abort()
            return
        connection.idle_since = now
        if self._waiting:
            exchange = self._waiting.popleft()
            exchange.waited += time.monotonic() - exchange.since
            connection.start(exchange)
            return
        self._idle.append(connection)
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(self._idle_s, self._sweep)

    def forget(self, connection: _Connection) -> None:
        """`connection` is closed, or about to be."""
        if connection in self._all:
            self._all.discard(connection)
            if connection in self._idle:
                self._idle.remove(connection)
            self._next()

    def _take(self) -> _Connection | None:
        """A free connection that its peer has not closed, the one used last."""
        while self._idle:
            connection = self._idle.pop()
            long = asyncio.get_running_loop().time() - connection.idle_since > TRUSTED_S
            if connection.usable and not (long and dial.has_something(connection.transport)):
                return connection
            connection.abort()
        return None

    def _next(self) -> None:
        """There is room for one more connection."""
        exchange = next((each for each in self._waiting if each.opening is None), None)
        if exchange is not None:
            self._open_for(exchange)

    # --- opening ----------------------------------------------------------------------------------------------

    def _open_for(self, exchange: Exchange) -> None:
        if len(self._all) + len(self._opening) < self._connections_max:
            exchange.opening = task = asyncio.get_running_loop().create_task(self._open(exchange))
            self._opening.add(task)
            task.add_done_callback(self._opened)

    def _opened(self, task: asyncio.Task[None]) -> None:
        self._opening.discard(task)
        self._next()

    async def _open(self, exchange: Exchange) -> None:
        """Opens a connection for whoever waits longest; `exchange` is told when that fails."""
        error: Exception | None = None
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                context = None if self._tls is None else self._tls()
                connection = await dial.connect(self._address, lambda: _Connection(self), context)
        except TimeoutError:
            error = ConnectionError(f"no connection within {self._connect_timeout_s:g} s")
        except OSError as cause:
            error = cause
        except Exception as cause:  # whatever it is, who waits is told
            error = ConnectionError(f"the connection could not be opened: {cause}")
            error.__cause__ = cause
        else:
            age_s = CONNECTION_AGE_S * random.uniform(0.8, 1.2)
            connection.retires_at = asyncio.get_running_loop().time() + age_s
            self._all.add(connection)
            self.give_back(connection)
        exchange.opening = None
        if error is not None and exchange in self._waiting:
            self._waiting.remove(exchange)
            exchange.waited += time.monotonic() - exchange.since
            exchange.finish(None, error)

    def _sweep(self) -> None:
        """Closes what has been idle too long; the longest idle stand first."""
        self._sweeper = None
        loop = asyncio.get_running_loop()
        while self._idle and loop.time() - self._idle[0].idle_since >= self._idle_s:
            self._idle[0].abort()
        if self._idle:
            self._sweeper = loop.call_at(self._idle[0].idle_since + self._idle_s, self._sweep)


def _nobody(reply: Reply | None, error: Exception | None) -> None:
    """Takes the place of a function that nothing more is to be told."""
