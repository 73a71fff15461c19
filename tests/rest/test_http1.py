"""The HTTP/1.1 client: framing of answers, what a connection is worth after them, and the bounds of the pool."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from support.rest import raw_server, until

from executor.rest import dial, http1
from executor.settings import Address, Scheme

REQUEST = (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Peer:
    """Answers each request with the next of `answers`, the last one again and again, and counts."""

    def __init__(self, *answers: bytes, wait: asyncio.Event | None = None, then_close: bool = False) -> None:
        self.answers = list(answers)
        self.connections = 0
        self.requests = 0
        self.open = 0
        self.wait = wait
        self.then_close = then_close

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                self.requests += 1
                if self.wait is not None:
                    await self.wait.wait()
                writer.write(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])
                if self.then_close:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            writer.close()


@asynccontextmanager
async def pool_to(answer: Callable[..., Any], **more: Any) -> AsyncIterator[http1.Pool]:
    async with raw_server(answer) as port:
        settings: dict[str, Any] = {
            "max_reply_bytes": 1000, "connections_max": 4, "connect_timeout_s": 5.0, "idle_s": 30.0,
        }  # fmt: skip
        pool = http1.Pool(Address(Scheme.HTTP, "127.0.0.1", port), **(settings | more))
        try:
            yield pool
        finally:
            await pool.close()


async def within(work: Awaitable[Any]) -> Any:
    return await asyncio.wait_for(work, 5)


@pytest.mark.parametrize(
    ("answer", "status", "body", "reused"),
    [
        (OK, 200, b"ok", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2;x=1\r\nbc\r\n0\r\n\r\n", 200, b"abc", True),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK, 200, b"ok", True),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", False),
    ],
)
async def test_framing(answer: bytes, status: int, body: bytes, reused: bool) -> None:
    peer = Peer(answer)
    async with pool_to(peer) as pool:
        for _ in range(3):
            reply = await within(pool.request(REQUEST))
            assert (reply.status, reply.body) == (status, body)
        assert peer.connections == (1 if reused else 3)


async def test_a_body_may_end_with_the_connection() -> None:
    peer = Peer(b"HTTP/1.1 200 OK\r\n\r\nall of it", then_close=True)
    async with pool_to(peer) as pool:
        assert (await within(pool.request(REQUEST))).body == b"all of it"


async def test_an_answer_in_single_bytes() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for byte in b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n":
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        writer.close()

    async with pool_to(drip) as pool:
        reply = await within(pool.request(REQUEST))
        assert (reply.content_type, reply.body) == ("a/b", b"ok")


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (b"nonsense\r\n\r\n", http1.ProtocolError, "not HTTP/1"),
        (b"", http1.ProtocolError, "ended before the answer"),
        (b"HTTP/1.1 200", http1.ProtocolError, "ended inside the answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab", http1.ProtocolError, "ended inside the answer"),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", http1.ProtocolError, "switched"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000, http1.ProtocolError, "headers are over 65536 bytes"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + b"x" * 1001, http1.TooLargeError, "^$"),
    ],
)
async def test_bad_answers(answer: bytes, error: type[Exception], said: str) -> None:
    peer = Peer(answer, then_close=True)
    async with pool_to(peer) as pool:
        with pytest.raises(error, match=said):
            await within(pool.request(REQUEST))
        await until(lambda: peer.open == 0)


async def test_answers_that_nobody_asked_for_end_the_connection() -> None:
    peer = Peer(OK + OK, OK)
    async with pool_to(peer) as pool:
        assert (await within(pool.request(REQUEST))).body == b"ok"
        await until(lambda: peer.open == 0)
        assert (await within(pool.request(REQUEST))).body == b"ok"
        assert (peer.connections, peer.requests) == (2, 2)


async def test_no_more_connections_than_allowed() -> None:
    gate = asyncio.Event()
    peer = Peer(OK, wait=gate)
    async with pool_to(peer, connections_max=2) as pool:
        tasks = [asyncio.create_task(pool.request(REQUEST)) for _ in range(6)]
        await until(lambda: peer.requests == 2)
        tasks[2].cancel()
        gate.set()
        replies = await within(asyncio.gather(*tasks, return_exceptions=True))
        assert isinstance(replies[2], asyncio.CancelledError)
        assert [reply.body for reply in replies if isinstance(reply, http1.Reply)] == [b"ok"] * 5
        assert (peer.connections, peer.requests) == (2, 5)


async def test_cancelled_turns_are_passed_on() -> None:
    gate = asyncio.Event()
    peer = Peer(OK, wait=gate)
    async with pool_to(peer, connections_max=1) as pool:
        first, second, third = (asyncio.create_task(pool.request(REQUEST)) for _ in range(3))
        await until(lambda: peer.requests == 1)
        first.cancel()
        await asyncio.sleep(0)
        second.cancel()
        gate.set()
        assert (await within(third)).body == b"ok"
        for task in (first, second):
            with pytest.raises(asyncio.CancelledError):
                await task


async def test_idle_connections_end() -> None:
    peer = Peer(OK)
    async with pool_to(peer, idle_s=0.05) as pool:
        await within(asyncio.gather(*(pool.request(REQUEST) for _ in range(3))))
        assert peer.open == 3
        await until(lambda: peer.open == 0)
        assert (await within(pool.request(REQUEST))).body == b"ok"


async def test_connecting_fails_and_the_next_waits_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    peer = Peer(OK)
    async with pool_to(peer, connections_max=1, connect_timeout_s=0.05) as pool:
        loop = asyncio.get_running_loop()
        connect = loop.create_connection
        slow = [True]

        async def create(*args: Any, **more: Any) -> Any:
            if slow.pop() if slow else False:
                await asyncio.sleep(10)
            return await connect(*args, **more)

        monkeypatch.setattr(loop, "create_connection", create)
        first, second = (asyncio.create_task(pool.request(REQUEST)) for _ in range(2))
        with pytest.raises(ConnectionError, match=r"no connection within 0\.05 s"):
            await within(first)
        assert (await within(second)).body == b"ok"


async def test_closing_fails_what_is_under_way() -> None:
    peer = Peer(OK, wait=asyncio.Event())
    async with pool_to(peer) as pool:
        task = asyncio.create_task(pool.request(REQUEST))
        await until(lambda: peer.requests == 1)
        await pool.close()
        with pytest.raises((http1.ProtocolError, OSError)):
            await within(task)
        assert peer.wait is not None
        peer.wait.set()
        await until(lambda: peer.open == 0)
        gc.collect()


class Quitter:
    """Answers the first request of each connection; ends it without a word at the next."""

    def __init__(self) -> None:
        self.connections = 0
        self.requests = 0
        self.open = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        for answer in (OK, b""):
            try:
                await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            self.requests += 1
            writer.write(answer)
        self.open -= 1
        writer.close()


async def test_a_request_that_may_have_been_processed_is_not_sent_again() -> None:
    peer = Quitter()
    async with pool_to(peer) as pool:
        await within(pool.request(REQUEST))
        with pytest.raises(http1.ProtocolError, match="ended before the answer"):
            await within(pool.request(REQUEST))
        assert (peer.connections, peer.requests) == (1, 2)
        await pool.close()
        await until(lambda: peer.open == 0)


async def test_an_idempotent_request_is_sent_again_once() -> None:
    peer = Quitter()
    async with pool_to(peer) as pool:
        await within(pool.request(REQUEST))
        assert (await within(pool.request(REQUEST, idempotent=True))).body == b"ok"
        assert (peer.connections, peer.requests) == (2, 3)
        await pool.close()
        await until(lambda: peer.open == 0)


async def test_a_first_request_is_never_sent_again() -> None:
    peer = Peer(b"", then_close=True)
    async with pool_to(peer) as pool:
        with pytest.raises(http1.ProtocolError):
            await within(pool.request(REQUEST, idempotent=True))
        assert peer.requests == 1
        await pool.close()
        await until(lambda: peer.open == 0)


async def test_old_connections_give_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http1, "CONNECTION_AGE_S", 0.05)
    peer = Peer(OK)
    async with pool_to(peer) as pool:
        for _ in range(3):
            await within(pool.request(REQUEST))
            await asyncio.sleep(0.07)
        # It serves what it is given, and is not kept after that.
        assert peer.connections == 2
        await pool.close()
        await until(lambda: peer.open == 0)


async def test_a_connection_that_was_idle_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http1, "TRUSTED_S", 0.0)
    looked: list[Any] = []

    def has_something(transport: Any) -> bool:
        looked.append(transport)
        return True

    monkeypatch.setattr(dial, "has_something", has_something)
    peer = Peer(OK)
    async with pool_to(peer) as pool:
        for _ in range(3):
            await within(pool.request(REQUEST))
            await asyncio.sleep(0.001)
        assert (peer.connections, len(looked)) == (3, 2)
        await pool.close()
        await until(lambda: peer.open == 0)


async def test_what_waits_for_a_connection_knows_how_long() -> None:
    go = asyncio.Event()
    peer = Peer(OK, wait=go)
    async with pool_to(peer, connections_max=1) as pool:
        ended: list[Any] = []
        first, second, left = [pool.begin(REQUEST, lambda *end: ended.append(end)) for _ in range(3)]
        assert pool.states() == ["connecting"]
        await until(lambda: peer.requests == 1)
        assert (pool.states(), second.waited) == (["ready"], 0)
        left.cancel()
        go.set()
        await until(lambda: len(ended) == 2)
        assert 0 < first.waited < second.waited
        assert 0 < left.waited < second.waited
        again = pool.begin(REQUEST, lambda *end: ended.append(end))
        await until(lambda: len(ended) == 3)
        assert again.waited == 0
        await pool.close()
        await until(lambda: peer.open == 0)
        assert pool.states() == []
