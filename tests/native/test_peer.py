"""Clients that are slow, one beside others that are not: what `peer` does about them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import h2.settings
import pytest
from support import frames
from support.graphs import node
from support.h2peer import Peer, Stream, connected, frame, grpc_head
from support.refusals import Refusals
from support.servers import Served, message, serving, until

from executor._native import server
from executor._pb import seldon_pb2
from executor.settings import ServeLimits

HELLO = frame(message("x").SerializeToString())
WINDOW = h2.settings.SettingCodes.INITIAL_WINDOW_SIZE
HURRY = ServeLimits(receive_grace_s=0.1, receive_rate=1000)


def said(stream: Stream) -> str:
    assert stream.status == "0", stream.field("grpc-message")
    return seldon_pb2.SeldonMessage.FromString(stream.messages[0]).strData


@asynccontextmanager
async def served_beside(limits: ServeLimits, **more: Any) -> AsyncIterator[tuple[Served, Peer]]:
    """A server and a connection to it; another client is answered as well, before and after."""
    async with serving(node("m"), limits=limits, **more) as served:
        async with connected(served.port) as peer, connected(served.port) as other:
            assert said(await other.ask(grpc_head(), HELLO)) == "m.predict(x)"
            yield served, peer
            assert said(await other.ask(grpc_head(), HELLO)) == "m.predict(x)"


@pytest.mark.parametrize(
    ("chunks", "came"),
    [([], 0), ([HELLO[:2]], 2), ([frame(bytes(100_000))[:50]], 50), ([HELLO], 0)],
    ids=["nothing", "half a prefix", "a little", "all but the end"],
)
async def test_request_that_comes_too_slowly_is_refused(chunks: list[bytes], came: int) -> None:
    async with served_beside(HURRY) as (served, peer):
        refused = Refusals(served.bench.engine)
        stream = peer.open(grpc_head(), *chunks, end=False)
        await peer.wait(lambda: stream.ended)
        assert refused() == {"slow": 1}
        text = stream.field("grpc-message") or ""
        assert stream.status == "4"
        assert text.startswith(f"request came too slowly: {came} bytes in 0.")
        assert text.endswith("the least is 1000 bytes/s after 0.1 s")
        assert said(await peer.ask(grpc_head(), HELLO)) == "m.predict(x)", "the connection is as good as before"


async def test_request_that_is_slow_but_not_too_slow_is_answered() -> None:
    limits = ServeLimits(receive_grace_s=0.05, receive_rate=1)
    async with served_beside(limits) as (_, peer):
        data = message("x" * 5000).SerializeToString()
        stream = peer.open(grpc_head(), frame(data)[:4000], end=False)
        await asyncio.sleep(0.3)
        peer.send(stream, frame(data)[4000:], end=True)
        await peer.wait(lambda: stream.ended)
        assert said(stream) == f"m.predict({'x' * 5000})"


async def test_no_rate_is_asked_for_where_it_is_zero() -> None:
    async with served_beside(ServeLimits(receive_grace_s=0.05, receive_rate=0)) as (_, peer):
        stream = peer.open(grpc_head(), end=False)
        await asyncio.sleep(0.3)
        peer.send(stream, HELLO, end=True)
        await peer.wait(lambda: stream.ended)
        assert said(stream) == "m.predict(x)"


async def test_streams_of_python_handlers_take_their_time() -> None:
    async def talk(stream: server.Stream) -> None:
        while (data := await stream.receive()) is not None:
            stream.send(data)

    async with served_beside(HURRY, extra={"/t/Talk": talk}) as (_, peer):
        stream = peer.open(grpc_head("/t/Talk"), end=False)
        await asyncio.sleep(0.4)
        peer.send(stream, frame(b"a"), end=True)
        await peer.wait(lambda: stream.ended)
        assert (stream.status, stream.messages) == ("0", [b"a"])


async def echoing(stream: server.Stream) -> None:
    while (data := await stream.receive()) is not None:
        stream.send(data)


async def test_message_of_a_python_handler_that_stays_half_is_refused() -> None:
    ended: list[str] = []

    async def talk(stream: server.Stream) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.append(stream.path)

    async with served_beside(HURRY, extra={"/t/Talk": talk}) as (served, peer):
        stream = peer.open(grpc_head("/t/Talk"), frame(bytes(5000))[:50], end=False)
        await peer.wait(lambda: stream.ended)
        assert stream.status == "4"
        assert (stream.field("grpc-message") or "").startswith("request came too slowly: 50 bytes")
        await until(lambda: ended == ["/t/Talk"])
        await until(lambda: served.bench.reactor.budget.used == 0)


async def test_messages_of_python_handlers_are_small() -> None:
    async with served_beside(ServeLimits(), extra={"/t/Talk": echoing}) as (served, peer):
        stream = peer.open(grpc_head("/t/Talk"), b"\0" + (64 << 20).to_bytes(4, "big") + b"x", end=False)
        await peer.wait(lambda: stream.ended)
        assert stream.status == "8"
        assert stream.field("grpc-message") == "message of 67108864 bytes is larger than the limit of 65536 bytes"
        assert served.bench.reactor.budget.used == 0
        large = send_all(peer, frame(message("x" * (2 << 20)).SerializeToString()))
        await peer.wait(lambda: large.ended)
        assert said(large) == f"m.predict({'x' * (2 << 20)})"


async def test_stream_that_always_has_a_message_half_here_is_let_be() -> None:
    limits = ServeLimits(receive_grace_s=0.5, receive_rate=1_000_000)
    async with served_beside(limits, extra={"/t/Talk": echoing}) as (_, peer):
        stream = peer.open(grpc_head("/t/Talk"), frame(b"ab")[:6], end=False)
        for _ in range(10):
            await asyncio.sleep(0.1)
            peer.send(stream, b"b" + frame(b"ab")[:6])
        peer.send(stream, b"b", end=True)
        await peer.wait(lambda: stream.ended)
        assert (stream.status, stream.messages) == ("0", [b"ab"] * 11)


async def test_header_block_that_never_ends_ends_the_connection() -> None:
    async with served_beside(ServeLimits(header_timeout_s=0.1)) as (served, _):
        refused = Refusals(served.bench.engine)
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        talk = frames.Peer()
        head = talk.headers(1, frames.REQUEST, parts=[10, 10])
        writer.write(talk.preface() + talk.settings(ack=True) + head[: 9 + 10 + 9 + 10])
        async with asyncio.timeout(10):
            while await reader.read(65536):
                pass
        writer.close()
        await until(lambda: served.server.native.connections == 2)
        assert refused() == {"slow": 1}


async def test_connection_that_waits_for_its_client_to_ask_is_let_be() -> None:
    async with served_beside(ServeLimits(header_timeout_s=0.05, body_timeout_s=0.05)) as (served, peer):
        assert said(await peer.ask(grpc_head(), HELLO)) == "m.predict(x)"
        await asyncio.sleep(0.3)
        assert said(await peer.ask(grpc_head(), HELLO)) == "m.predict(x)"
        assert served.server.native.connections == 2


@pytest.mark.parametrize("how", ["socket", "window"])
async def test_answers_that_nobody_reads_end_the_connection(how: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "millrace.rpc")
    async with served_beside(ServeLimits(body_timeout_s=0.2)) as (served, peer):
        refused = Refusals(served.bench.engine)
        large = message("x" * (8 << 20 if how == "socket" else 200_000)).SerializeToString()
        if how == "window":
            peer.h2.update_settings({WINDOW: 0})
            peer.flush()
        send_all(peer, frame(large))
        await until(lambda: served.bench.calls[1:])
        if how == "socket":
            peer.pause()
        await until(lambda: served.server.native.connections == 1)
        assert refused() == {"unread": 1}
    assert [record.message for record in caplog.records if "answers lie there" in record.message]


async def test_reading_a_byte_now_and_then_is_not_reading() -> None:
    async with served_beside(ServeLimits(body_timeout_s=0.3)) as (served, peer):
        peer.h2.update_settings({WINDOW: 0})
        peer.h2.acknowledge_received_data = lambda size, number: None  # type: ignore[assignment]
        peer.flush()
        stream = peer.open(grpc_head(), HELLO)
        more = peer.open(grpc_head(), frame(message("x" * 20_000).SerializeToString()))
        await peer.wait(lambda: stream.headers and more.headers)
        while not peer.closed:
            peer.h2.increment_flow_control_window(1, more.id)
            peer.flush()
            await asyncio.sleep(0.02)
        assert 0 < len(more.data) < 1000
        await until(lambda: served.server.native.connections == 1)


async def test_reading_slowly_is_reading() -> None:
    async with served_beside(ServeLimits(body_timeout_s=0.4, receive_rate=1000)) as (_, peer):
        peer.h2.update_settings({WINDOW: 0})
        peer.h2.acknowledge_received_data = lambda size, number: None  # type: ignore[assignment]
        peer.flush()
        stream = peer.open(grpc_head(), frame(message("x" * 8000).SerializeToString()))
        await peer.wait(lambda: stream.headers)
        while not (stream.ended or peer.closed):
            peer.h2.increment_flow_control_window(500, stream.id)
            peer.flush()
            await asyncio.sleep(0.05)
        await peer.wait(lambda: stream.ended)
        assert said(stream) == f"m.predict({'x' * 8000})"


def send_all(peer: Peer, data: bytes) -> Stream:
    """One request of any size, as its windows allow."""
    stream = peer.open(grpc_head(), end=False)
    tasks.add(task := asyncio.create_task(_send_all(peer, stream, data)))
    task.add_done_callback(tasks.discard)
    return stream


tasks: set[asyncio.Task[None]] = set()


async def _send_all(peer: Peer, stream: Stream, data: bytes) -> None:
    at = 0
    while at < len(data):
        await peer.wait(lambda: peer.h2.local_flow_control_window(stream.id) > 0)
        size = min(16_384, peer.h2.local_flow_control_window(stream.id))
        peer.send(stream, data[at : at + size], end=at + size >= len(data))
        at += size
        await asyncio.sleep(0)


async def test_answers_over_the_bound_of_what_may_lie_unread_are_refused() -> None:
    async with served_beside(ServeLimits(unread_bytes=30_000)) as (served, peer):
        refused = Refusals(served.bench.engine)
        peer.h2.update_settings({WINDOW: 0})
        peer.flush()
        asked = frame(message("x" * 20_000).SerializeToString())
        # The first may be as large as it likes; the second would be one too many. What it says is read at once.
        first = peer.open(grpc_head(), asked)
        await peer.wait(lambda: first.headers)
        second = await peer.ask(grpc_head(), asked)
        assert second.status == "8"
        assert (second.field("grpc-message") or "").startswith("answers wait unread: 20")
        assert (second.field("grpc-message") or "").endswith("over the limit of 30000")
        assert refused() == {"unread": 1}
        peer.h2.update_settings({WINDOW: 1 << 20})
        peer.flush()
        await peer.wait(lambda: first.ended)
        assert said(first) == f"m.predict({'x' * 20_000})"
        assert said(await peer.ask(grpc_head(), asked)) == f"m.predict({'x' * 20_000})"
        assert len(served.bench.calls) == 4
