"""Accepting, bounding, draining and closing connections."""

import asyncio
import errno
import resource
import socket
from pathlib import Path
from typing import Any

import pytest
from support.graphs import node
from support.h2peer import connected, frame, grpc_head
from support.servers import listener, message, serving, until

from executor import listening
from executor._native import exits
from executor._native import message as native
from executor.settings import ServeLimits
from executor.types import Method, Mode

HELLO = frame(message("x").SerializeToString())

pytestmark = pytest.mark.timeout(60)


async def forever(message: native.Message, context: exits.Context) -> native.Message:
    await asyncio.sleep(60)
    return message


FOREVER: dict[str, Any] = {"replaced": {"m": dict.fromkeys(Method, (Mode.ASYNC, forever))}}


async def test_connections_beyond_the_limit_are_closed_at_once() -> None:
    refused: list[None] = []
    async with serving(node("m"), limits=ServeLimits(max_connections=2)) as served:
        served.server.on_refused = lambda: refused.append(None)
        async with connected(served.port), connected(served.port) as second:
            reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
            assert await asyncio.wait_for(reader.read(), 5) == b""
            writer.close()
            assert len(refused) == 1
            assert (await second.ask(grpc_head(), HELLO)).status == "0"
        await until(lambda: served.server.native.connections == 0)
        async with connected(served.port) as third:
            assert (await third.ask(grpc_head(), HELLO)).status == "0"


async def test_several_listeners(tmp_path: Path) -> None:
    async with serving(node("m")) as served:
        more, _ = listener()
        unix, _ = listener(f"{tmp_path}/s")
        served.server.start([more, unix])
        async with connected(more.getsockname()[1]) as peer:
            assert (await peer.ask(grpc_head(), HELLO)).status == "0"
        reader, writer = await asyncio.open_unix_connection(f"{tmp_path}/s")
        assert len(await asyncio.wait_for(reader.read(9), 5)) == 9
        writer.close()


async def test_many_connections_at_once() -> None:
    async with serving(node("m")) as served:
        # More than are accepted in one go.
        socks = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(listening.ACCEPT_AT_ONCE + 20)]
        await until(lambda: served.server.native.connections == len(socks))
        for sock in socks:
            sock.close()
        await until(lambda: served.server.native.connections == 0)


async def test_running_out_of_descriptors_is_survived(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(node("m")) as served:
        async with connected(served.port) as peer:
            clients = [socket.socket() for _ in range(3)]
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            lowest = clients[-1].dup()
            free = lowest.fileno()
            lowest.close()
            resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
            try:
                for client in clients:
                    client.connect(("127.0.0.1", served.port))
                await until(lambda: "cannot accept a connection" in caplog.text)
                assert (await peer.ask(grpc_head(), HELLO)).status == "0"
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            await until(lambda: served.server.native.connections == 4)
            for client in clients:
                client.close()


async def test_drain_says_goaway_twice_and_closes() -> None:
    async with serving(node("m")) as served, connected(served.port) as peer:
        assert (await peer.ask(grpc_head(), HELLO)).status == "0"
        assert await served.server.drain(5)
        await peer.wait(lambda: peer.closed)
        assert [(event.error_code, event.last_stream_id) for event in peer.goaways] == [(0, 2**31 - 1), (0, 1)]
        with pytest.raises(OSError, match="refused") as caught:
            socket.create_connection(("127.0.0.1", served.port))
        assert caught.value.errno == errno.ECONNREFUSED


async def test_drain_without_connections() -> None:
    async with serving(node("m")) as served:
        assert await served.server.drain(5)


async def test_drain_closes_connections_that_never_spoke() -> None:
    async with serving(node("m")) as served:
        with socket.create_connection(("127.0.0.1", served.port)):
            await until(lambda: served.server.native.connections == 1)
            # The client keeps its side open; it is waited for, but not for long.
            assert await served.server.drain(10)


async def test_drain_serves_what_was_on_its_way() -> None:
    async with serving(node("m")) as served, connected(served.port) as peer:
        stream = peer.open(grpc_head(), HELLO[:3], end=False)
        await until(lambda: served.server.native.rpcs == 1)
        drain = asyncio.ensure_future(served.server.drain(10))
        await asyncio.sleep(0.1)
        # By hand: h2 sends no more, and reads no more, once it has been told to go away.
        rest = HELLO[3:]
        peer.writer.write(len(rest).to_bytes(3, "big") + b"\x00\x01" + stream.id.to_bytes(4, "big") + rest)
        assert await drain
        assert served.bench.calls == ["m.predict(x)"]


async def test_streams_opened_after_the_last_word_are_refused() -> None:
    async with serving(node("m"), **FOREVER) as served, connected(served.port) as peer:
        first = peer.open(grpc_head(), HELLO)
        await until(lambda: served.bench.engine.in_flight == 1)
        drain = asyncio.ensure_future(served.server.drain(0.3))
        await peer.wait(lambda: len(peer.goaways) == 2)
        assert served.server.native.rpcs == 1
        assert not await drain
        served.server.close()
        await peer.wait(lambda: peer.closed)
        assert not first.ended


async def test_close_cancels_what_runs() -> None:
    async with serving(node("m"), **FOREVER) as served, connected(served.port) as peer:
        peer.open(grpc_head(), HELLO)
        await until(lambda: served.bench.engine.in_flight == 1)
        served.server.close()
        assert served.bench.engine.in_flight == 0
        assert served.server.native.connections == 0
        await peer.wait(lambda: peer.closed)
        served.server.close()


async def test_default_timeout_holds_where_the_request_brings_none() -> None:
    left: list[float | None] = []

    def look(message: native.Message, context: exits.Context) -> native.Message:
        left.append(context.remaining())
        return message

    replaced = {"m": dict.fromkeys(Method, (Mode.QUICK, look))}
    async with serving(node("m"), replaced=replaced, default_timeout_s=7) as served, connected(served.port) as peer:
        await peer.ask(grpc_head(), HELLO)
        await peer.ask(grpc_head("/seldon.protos.Seldon/Predict", ("grpc-timeout", "90S")), HELLO)
    async with serving(node("m"), replaced=replaced) as served, connected(served.port) as peer:
        await peer.ask(grpc_head(), HELLO)
    assert left[0] is not None
    assert left[1] is not None
    assert 6.5 < left[0] <= 7
    assert 89 < left[1] <= 90
    assert left[2] is None
