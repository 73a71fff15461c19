"""Bounds of one REST connection, and what happens when its client hangs up."""

import asyncio
import json
from collections.abc import Coroutine
from typing import Any

import pytest
from support.inference import MemoryInference
from support.rest import head, read_reply, served, until

from executor._native import budget
from executor.protocol import seldon
from executor.rest import server as servers
from executor.rest.app import App
from executor.settings import ServeLimits

BODY = b'{"strData":"a"}'
PREDICT = "/api/v1.0/predictions"


@pytest.fixture(autouse=True)
def fast_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "TICK_S", 0.02)


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 20))


def app(inference: MemoryInference | None = None) -> App:
    return App(inference or MemoryInference(), seldon.EXECUTOR_REST)


def test_hanging_up_cancels_the_request() -> None:
    async def test() -> None:
        inference = MemoryInference(delay_s=30)
        async with served(app(inference)) as (server, port):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head("POST", PREDICT, body=BODY))
            await until(lambda: len(inference.asked) == 1)
            writer.close()
            await until(lambda: inference.cancelled == 1)
            await until(lambda: server.requests == 0 and server.connections == 0)

    run(test())


def test_hanging_up_in_the_body_asks_nothing() -> None:
    async def test() -> None:
        inference = MemoryInference()
        async with served(app(inference)) as (server, port):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head("POST", PREDICT, body=BODY)[:-3])
            await until(lambda: server.requests == 1)
            writer.close()
            await until(lambda: server.requests == 0)
            assert inference.asked == []

    run(test())


def test_keep_alive_and_pipelining_answer_in_order() -> None:
    async def test() -> None:
        async with served(app(MemoryInference(delay_s=0.01))) as (server, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            texts = [b'{"strData":"%d"}' % number for number in range(5)]
            writer.write(b"".join(head("POST", PREDICT, body=text) for text in texts))
            assert [(await read_reply(reader)).body for _ in texts] == texts
            assert server.connections == 1
            writer.close()

    run(test())


@pytest.mark.parametrize("what", ["header", "url", "many"])
def test_headers_over_the_bound(what: str) -> None:
    big = {"header": head("GET", "/live", "X: " + "y" * 5000), "url": head("GET", "/live?" + "y" * 5000)}
    request = big.get(what, head("GET", "/live", *(f"X-{number}: y" for number in range(500))))

    async def test() -> None:
        limits, refused, front = ServeLimits(max_header_bytes=2000), list[str](), app()
        front.on_refused = refused.append
        async with served(front, limits) as (_, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request)
            reply = await read_reply(reader)
            assert reply.status == 431
            assert "2000 bytes" in json.loads(reply.body)["status"]["info"]
            assert refused == ["message"]
            assert await reader.read() == b""
            writer.close()

    run(test())


def test_garbage_is_answered_with_400() -> None:
    async def test() -> None:
        async with served(app()) as (_, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"\x16\x03\x01 hello\r\n\r\n")
            assert (await read_reply(reader)).status == 400
            assert await reader.read() == b""
            writer.close()

    run(test())


@pytest.mark.parametrize(("cut", "what"), [(20, "headers"), (-3, "body")])
def test_slow_requests_time_out(cut: int, what: str) -> None:
    async def test() -> None:
        limits, refused, front = ServeLimits(header_timeout_s=0.1, body_timeout_s=0.1), list[str](), app()
        front.on_refused = refused.append
        async with served(front, limits) as (server, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head("POST", PREDICT, body=BODY)[:cut])
            reply = await read_reply(reader)
            assert reply.status == 408
            assert json.loads(reply.body)["status"]["info"].startswith(what)
            await until(lambda: server.connections == 0 and server.requests == 0)
            assert refused == ["slow"]
            writer.close()

    run(test())


@pytest.mark.parametrize("used", [False, True])
def test_idle_connections_are_closed(used: bool) -> None:
    async def test() -> None:
        async with served(app(), ServeLimits(idle_timeout_s=0.1, header_timeout_s=0.1)) as (_, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            if used:
                writer.write(head("GET", "/live"))
                assert (await read_reply(reader)).status == 200
            assert await reader.read() == b""
            writer.close()

    run(test())


@pytest.mark.parametrize("ask", [head("POST", PREDICT, body=BODY), head("GET", "/live")])
def test_connections_that_are_not_kept_say_so(ask: bytes) -> None:
    async def test() -> None:
        async with served(app(), ServeLimits(idle_timeout_s=0.0)) as (_, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(ask)
            reply = await read_reply(reader)
            assert (reply.status, reply.headers["connection"]) == (200, "close")
            assert await reader.read() == b""
            writer.close()

    run(test())


def test_a_slow_graph_is_not_a_slow_client() -> None:
    async def test() -> None:
        limits = ServeLimits(header_timeout_s=0.3, body_timeout_s=0.3, idle_timeout_s=0.3)
        async with served(app(MemoryInference(delay_s=1.2)), limits) as (_, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            two = head("POST", PREDICT, body=BODY) * 2
            writer.write(two[:-3])
            await asyncio.sleep(1.0)
            assert (await read_reply(reader)).status == 200
            writer.write(two[-3:])
            assert (await read_reply(reader)).status == 200
            writer.close()

    run(test())


def test_unread_answers_end_the_connection() -> None:
    async def test() -> None:
        reply = b'"' + b"x" * 30_000_000 + b'"'
        refused, front = list[str](), app(MemoryInference(reply=reply))
        front.on_refused = refused.append
        async with served(front, ServeLimits(body_timeout_s=0.2)) as (server, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1000)
            writer.write(head("POST", PREDICT, body=BODY))
            await until(lambda: server.connections == 1)
            await until(lambda: server.connections == 0)
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await reader.readexactly(len(reply))
            assert refused == ["unread"]
            writer.close()

    run(test())


def test_too_many_connections() -> None:
    async def test() -> None:
        refused, front = list[str](), app()
        front.on_refused = refused.append
        async with served(front, ServeLimits(max_connections=2)) as (server, port):
            opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
            await until(lambda: server.connections == 2)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            assert (await read_reply(reader)).status == 503
            assert refused == ["connections"]
            for _, other in opened:
                other.write(head("GET", "/live"))
            assert (await read_reply(opened[0][0])).status == 200
            for each in (writer, *(other for _, other in opened)):
                each.close()

    run(test())


# --- memory


def test_plain_requests_and_what_is_held_behind_them_are_charged() -> None:
    async def test() -> None:
        memory = budget.Budget(100_000, 50_000)
        inference = MemoryInference(delay_s=0.2)
        front = App(inference, seldon.EXECUTOR_REST, budget=memory)
        request = head("POST", PREDICT, body=BODY)
        async with served(front) as (_, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request)
            await until(lambda: len(inference.asked) == 1)
            assert memory.used == len(request)
            writer.write(request)
            await until(lambda: memory.used == 2 * len(request))
            assert [(await read_reply(reader)).body for _ in range(2)] == [BODY, BODY]
            assert memory.used == 0
            writer.write(request)
            await until(lambda: memory.used > 0)
            writer.close()
            await until(lambda: memory.used == 0)

    run(test())


def test_without_memory_for_what_comes_behind_a_plain_request_it_is_refused_in_its_turn() -> None:
    async def test() -> None:
        memory = budget.Budget(4000, 400)
        inference, told = MemoryInference(delay_s=0.2), list[str]()
        front = App(inference, seldon.EXECUTOR_REST, budget=memory)
        front.on_refused = told.append
        async with served(front) as (server, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head("POST", PREDICT, body=BODY))
            await until(lambda: len(inference.asked) == 1)
            writer.write(head("POST", PREDICT, body=b'"' + b"x" * 1000 + b'"') * 20)
            assert (await read_reply(reader)).body == BODY
            refused = await read_reply(reader)
            assert (refused.status, refused.headers["retry-after"]) == (503, "1")
            assert told == ["message"]
            assert refused.headers["connection"] == "close"
            assert "no memory for this request now" in json.loads(refused.body)["status"]["info"]
            writer.write(b"more that nobody reads")
            assert await reader.read() == b""
            await until(lambda: server.connections == 0)
            assert (memory.used, len(inference.asked)) == (0, 1)
            writer.close()

    run(test())
