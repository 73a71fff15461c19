"""The short way of plain requests, which must answer just as the long one: `rest.plain` against `rest.app`."""

import asyncio
from typing import Any

import pytest
from support.inference import MemoryInference
from support.rest import RawReply, head, read_reply, served, until

from executor import errors
from executor.protocol import seldon
from executor.rest.answers import Site
from executor.rest.app import App
from executor.settings import ServeLimits

BODY = b'{"strData":"<a>"}'
PREDICT = "/api/v1.0/predictions"
PUID = "Seldon-Puid: p"


async def sent(port: int, request: bytes, cut: int) -> RawReply:
    """The answer to a request that comes in two pieces, or as a whole when `cut` is 0."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        if cut:
            writer.write(request[:cut])
            await asyncio.sleep(0.02)
        writer.write(request[cut:])
        return await asyncio.wait_for(read_reply(reader), 10)
    finally:
        writer.close()


def asked_both_ways(request: bytes, *, node: bool = False, **told: Any) -> tuple[list[RawReply], list[MemoryInference]]:
    async def run() -> tuple[list[RawReply], list[MemoryInference]]:
        replies, asked = [], []
        for cut in (0, 9):
            inference = MemoryInference(**told)
            table = seldon.NODE_REST if node else seldon.EXECUTOR_REST
            app = App(inference, table, site=Site("d", "n"), default_timeout_s=5.0)
            async with served(app, ServeLimits(max_message_bytes=10_000)) as (server, port):
                replies.append(await sent(port, request, cut))
                await until(lambda server=server: server.requests == 0)  # type: ignore[misc]
            asked.append(inference)
        return replies, asked

    return asyncio.run(run())


ERROR = errors.NodeError("x", http_status=409, body=b"<busy>", body_type="text/plain")


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        (head("POST", PREDICT, PUID, body=BODY), {}),
        (head("POST", PREDICT, PUID, "Content-Type: application/json", "X-One: 1", "x-one: 2", body=BODY), {}),
        (head("POST", PREDICT, PUID), {}),
        (head("POST", "/api/v0.1/feedback", PUID, body=b'{"reward":1}'), {}),
        (head("POST", PREDICT, PUID, "Millrace-Timeout: 20ms", body=BODY), {"delay_s": 5.0}),
        (head("POST", PREDICT, PUID, "Millrace-Timeout: soon", body=BODY), {}),
        (head("POST", PREDICT, PUID, body=BODY), {"error": ERROR}),
        (head("POST", PREDICT, PUID, body=BODY), {"error": errors.NodeError("x", http_status=204)}),
        (head("POST", PREDICT, PUID, body=BODY), {"error": errors.RouteError("no such route")}),
        (head("POST", PREDICT, PUID, body=BODY), {"error": ZeroDivisionError("oops")}),
        (head("POST", PREDICT, PUID, body=b"x" * 10_001), {}),
        (head("POST", PREDICT, PUID, "Content-Type: text/plain", body=BODY), {}),
        (head("POST", "/api/v1.0/metadata", PUID, body=BODY), {}),
        (head("POST", "/nothing", PUID, body=BODY), {}),
        (head("POST", "/api//v1.0/predictions", PUID, body=BODY), {}),
    ],
)
def test_the_same_is_asked_and_answered(request_: bytes, told: dict[str, Any]) -> None:
    (short, long), (first, second) = asked_both_ways(request_, **told)
    assert (short.status, short.body) == (long.status, long.body)
    assert {**short.headers, "date": ""} == {**long.headers, "date": ""}
    assert first.asked == second.asked


@pytest.mark.parametrize("path", ["/predict", "/route", "/aggregate", "/api/v1.0/predictions"])
def test_the_same_for_a_node(path: str) -> None:
    reply = b'{"status":{"code":400}}'
    (short, long), (first, second) = asked_both_ways(head("POST", path, body=BODY), node=True, reply=reply)
    assert (short.status, short.body) == (long.status, long.body)
    assert {**short.headers, "date": ""} == {**long.headers, "date": ""}
    assert first.asked == second.asked


async def test_pipelined_requests_wait_their_turn() -> None:
    async with served(App(MemoryInference(delay_s=0.02), seldon.EXECUTOR_REST)) as (server, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        texts = [b'{"strData":"%d"}' % number for number in range(6)]
        for text in texts:
            writer.write(head("POST", PREDICT, body=text))
            await asyncio.sleep(0.005)
        assert [(await read_reply(reader)).body for _ in texts] == texts
        writer.write(head("POST", PREDICT, body=texts[0]) + head("GET", "/live") + head("POST", PREDICT, body=texts[1]))
        assert [(await read_reply(reader)).body for _ in range(3)] == [texts[0], b"", texts[1]]
        assert server.connections == 1
        writer.close()


async def test_hanging_up_cancels() -> None:
    inference = MemoryInference(delay_s=30)
    async with served(App(inference, seldon.EXECUTOR_REST)) as (server, port):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head("POST", PREDICT, body=BODY))
        await until(lambda: server.requests == 1 and len(inference.asked) == 1)
        writer.close()
        await until(lambda: inference.cancelled == 1 and server.requests == 0 and server.connections == 0)


async def test_keep_alive_timers_of_the_long_way_do_not_end_the_short_one() -> None:
    inference = MemoryInference(delay_s=0.4)
    async with served(App(inference, seldon.EXECUTOR_REST), ServeLimits(idle_timeout_s=0.2)) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head("GET", "/live"))
        assert (await read_reply(reader)).status == 200
        writer.write(head("POST", PREDICT, body=BODY))
        assert (await read_reply(reader)).status == 200
        writer.close()
