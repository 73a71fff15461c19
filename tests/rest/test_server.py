"""Starting, draining and stopping the REST server inside a running loop."""

import asyncio
import signal
import socket
from pathlib import Path

import pytest
import uvloop
from support.inference import MemoryInference
from support.rest import ask, head, listener, read_reply, until

from executor.protocol import seldon
from executor.rest.app import App
from executor.rest.server import RestServer

BODY = b'{"strData":"a"}'
PREDICT = "/api/v1.0/predictions"


def test_drain_lets_requests_finish_and_takes_no_more() -> None:
    async def test() -> None:
        inference = MemoryInference(delay_s=0.3)
        app = App(inference, seldon.EXECUTOR_REST)
        server, sock = RestServer(app), listener()
        port = sock.getsockname()[1]
        await server.start([sock])
        request = asyncio.create_task(ask(port, head("POST", PREDICT, body=BODY)))
        idle_reader, idle_writer = await asyncio.open_connection("127.0.0.1", port)
        await until(lambda: len(inference.asked) == 1 and server.connections == 2)
        assert await server.drain(5)
        reply = await request
        assert (reply.status, reply.headers["connection"]) == (200, "close")
        assert await idle_reader.read() == b""
        idle_writer.close()
        with pytest.raises(OSError):  # noqa: PT011 - refused or reset, as the system likes
            await ask(port, head("GET", "/live"))
        await server.stop()
        await server.stop()

    asyncio.run(test())


def test_a_request_that_comes_as_the_drain_begins_is_answered() -> None:
    async def test() -> None:
        server, sock = RestServer(App(MemoryInference(), seldon.EXECUTOR_REST)), listener()
        port = sock.getsockname()[1]
        await server.start([sock])
        used, fresh, half = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        request = head("POST", PREDICT, body=BODY)
        used[1].write(request)
        assert (await read_reply(used[0])).headers.get("connection") is None
        half[1].write(request[:-3])
        await until(lambda: server.connections == 3)
        drain = asyncio.create_task(server.drain(10))
        await asyncio.sleep(0)
        for _, writer in (used, fresh):
            writer.write(request)
        for reader, _ in (used, fresh):
            reply = await read_reply(reader)
            assert (reply.status, reply.headers["connection"], reply.body) == (200, "close", BODY)
            assert await reader.read() == b""
        assert not drain.done()
        half[1].write(request[-3:])
        assert (await read_reply(half[0])).body == BODY
        assert await drain
        for _, writer in (used, fresh, half):
            writer.close()
        await server.stop()

    asyncio.run(test())


def test_stop_cancels_what_outlives_the_drain() -> None:
    async def test() -> None:
        inference = MemoryInference(delay_s=30)
        server, sock = RestServer(App(inference, seldon.EXECUTOR_REST)), listener()
        await server.start([sock])
        request = asyncio.create_task(ask(sock.getsockname()[1], head("POST", PREDICT, body=BODY)))
        await until(lambda: len(inference.asked) == 1)
        assert not await server.drain(0.05)
        await server.stop()
        assert (await request).status == 503
        assert inference.cancelled == 1
        assert server.requests == 0

    asyncio.run(test())


def test_readiness_turns_off_while_draining() -> None:
    async def test() -> None:
        inference = MemoryInference()
        app = App(inference, seldon.EXECUTOR_REST)
        server, sock = RestServer(app), listener()
        port = sock.getsockname()[1]
        await server.start([sock])
        assert (await ask(port, head("GET", "/ready"))).status == 200
        app.draining = True
        assert (await ask(port, head("GET", "/ready"))).status == 503
        assert (await ask(port, head("POST", PREDICT, body=BODY))).status == 200
        await server.stop()

    asyncio.run(test())


def test_leaves_signals_alone_and_serves_several_sockets_on_uvloop(tmp_path: Path) -> None:
    async def test(path: str) -> None:
        before = {sig: signal.getsignal(sig) for sig in (signal.SIGINT, signal.SIGTERM)}
        first, second = listener(), socket.socket(socket.AF_UNIX)
        second.bind(path)
        port = first.getsockname()[1]
        server = RestServer(App(MemoryInference(), seldon.EXECUTOR_REST))
        await server.start([first, second])
        assert {sig: signal.getsignal(sig) for sig in before} == before
        assert (await ask(port, head("GET", "/live"))).status == 200
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(head("POST", PREDICT, body=BODY))
        assert (await read_reply(reader)).body == BODY
        writer.close()
        await server.drain(1)
        await server.stop()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(test(str(tmp_path / "socket")))
