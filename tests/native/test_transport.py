"""Timers (`wheel`), connections and the reactor that they hang on."""

import asyncio
import gc
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop
from support.frames import Peer
from support.graphs import Bench, node
from support.h2peer import connected, frame, grpc_head, listening
from support.servers import message, serving, until

from executor import errors
from executor._native import buffer, channel, exits, seldon, transport
from executor._native import message as native
from executor.protocol import seldon as protocol
from executor.rpc.channels import Channel
from executor.types import Method, Mode

HELLO = frame(message("x").SerializeToString())


async def forever(message: native.Message, context: exits.Context) -> native.Message:
    await asyncio.sleep(60)
    return message


def waiting() -> Bench:
    return Bench(node("m"), replaced={"m": {Method.PREDICT: (Mode.ASYNC, forever)}})


# --- timers ---------------------------------------------------------------------------------------


async def test_timers_fire_in_time_and_in_order() -> None:
    bench = waiting()
    began = time.monotonic()
    # Some of these lie more than one turn of the wheel (2.05 s) apart from others.
    delays = [0.3, 0.004, 0.1, 0.1, 0.02, 0.0, -5.0, 0.25]
    requests = [bench.submit(seldon.build("strData", "x"), deadline=began + delay) for delay in delays]
    far = [bench.submit(seldon.build("strData", "x"), deadline=began + delay) for delay in (3.0, 60.0, 2.048, 1e6)]
    assert 8 < bench.reactor.timers <= 12  # the first may be over
    ended: dict[int, float] = {}

    def note(index: int) -> Callable[[Any], None]:
        return lambda future: ended.update({index: time.monotonic() - began})

    for index, request in enumerate(requests):
        request.future.add_done_callback(note(index))
    for request in requests:
        with pytest.raises(errors.DeadlineError):
            await asyncio.wait_for(request.future, 5)
    for index, delay in enumerate(delays):
        assert delay <= ended[index]
    assert bench.reactor.timers == 4
    for request in far:
        request.cancel()
    assert bench.reactor.timers == 0
    bench.close()


async def test_many_timers_that_are_taken_back() -> None:
    bench = waiting()
    now = time.monotonic()
    requests = [bench.submit(seldon.build("strData", "x"), deadline=now + 1 + index % 7) for index in range(700)]
    assert bench.reactor.timers == 700
    for request in requests[::2] + requests[1::2]:
        request.cancel()
    assert bench.reactor.timers == 0
    bench.close()


async def test_timers_of_one_slot_fire_together() -> None:
    bench = waiting()
    due = time.monotonic() + 0.05
    requests = [bench.submit(seldon.build("strData", "x"), deadline=due) for _ in range(300)]
    done = await asyncio.gather(*(request.future for request in requests), return_exceptions=True)
    assert {type(each) for each in done} == {errors.DeadlineError}
    assert bench.reactor.timers == 0
    bench.close()


# --- connections ----------------------------------------------------------------------------------


async def test_closing_the_reactor_ends_everything() -> None:
    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10_000)
        await reader.read()

    async with listening(deaf) as target:
        reactor = transport.Reactor()
        made = Channel(target, reactor=reactor)
        call = asyncio.ensure_future(made.call("/s/M", native.Message(b"")))
        await until(lambda: reactor.open_connections == 1)
        reactor.close()
        with pytest.raises(errors.NodeError, match="shutting down"):
            await call
        assert (reactor.open_connections, reactor.timers) == (0, 0)
        reactor.close()
        await made.close()


async def test_large_answers_to_many_clients_at_once() -> None:
    async def large(asked: native.Message, context: exits.Context) -> native.Message:
        return native.Message(message("y" * 3_000_000).SerializeToString())

    replaced = {"m": {Method.PREDICT: (Mode.ASYNC, large)}}
    async with serving(node("m"), replaced=replaced) as served:

        async def one() -> int:
            async with connected(served.port) as peer:
                peer.h2.update_settings({4: 1 << 24})
                stream = await peer.ask(grpc_head(), HELLO)
                assert stream.status == "0"
                return len(stream.messages[0])

        assert set(await asyncio.gather(*(one() for _ in range(6)))) == {3_000_005}


async def test_peer_that_closes_after_goaway_is_not_waited_for() -> None:
    async with serving(node("m")) as served, connected(served.port) as peer:
        await peer.ask(grpc_head(), HELLO)
        peer.h2.close_connection()
        peer.flush()
        await peer.wait(lambda: peer.closed)
        await until(lambda: served.server.native.connections == 0)
        assert served.bench.reactor.timers == 0


async def test_peer_that_stays_after_goaway_is_left_after_a_while() -> None:
    async with serving(node("m")) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04" + bytes(5))
        writer.write(b"\x00\x00\x08\x07" + bytes(5) + bytes(8))
        await asyncio.wait_for(reader.read(), 5)  # our side is shut
        assert served.server.native.connections == 1
        await until(lambda: served.server.native.connections == 0)
        writer.close()


# --- the end of the loop --------------------------------------------------------------------------


def test_reactor_that_was_never_closed() -> None:
    """The loop goes first, with connections and requests still there: nothing may be touched afterwards."""
    before = buffer.live_buffers()
    tasks: list[Any] = []

    async def main(target: str) -> None:
        made = Channel(target)
        tasks.append(made.endpoint.call("/s/M", seldon.build("strData", "x")))
        await until(lambda: made.endpoint.connections == 1)

    with socket.create_server(("127.0.0.1", 0)) as deaf:
        asyncio.run(main(f"127.0.0.1:{deaf.getsockname()[1]}"))
    tasks.clear()
    gc.collect()
    # The one message that waited for ever is not given back: its owner was never told.
    assert buffer.live_buffers() <= before + 2


PROGRAM = """
import asyncio, socket
from executor._native import seldon
from executor.rpc.channels import Channel

deaf = socket.create_server(("127.0.0.1", 0))

async def main():
    made = Channel("127.0.0.1:%d" % deaf.getsockname()[1])
    for _ in range(10):
        made.endpoint.call("/s/M", seldon.build("strData", "x"))
    while not made.endpoint.connections:
        await asyncio.sleep(0.01)

asyncio.run(main())
deaf.close()
print("ended well")
"""


def test_process_that_forgets_to_close() -> None:
    done = subprocess.run([sys.executable, "-X", "dev", "-c", PROGRAM], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, "ended well\n", "")


def test_the_loop_that_the_product_runs_on() -> None:
    async def doze(asked: native.Message, context: exits.Context) -> native.Message:
        await asyncio.sleep(0.05 if len(asked) < 100 else 0)
        return asked

    async def main() -> None:
        offered = {"m": {Method.PREDICT: (Mode.ASYNC, doze)}}
        async with serving(node("m"), replaced=offered, rpcs=protocol.NODE_RPCS) as remote:
            async with serving(node("m"), remotes={"m": remote.target}) as served, connected(served.port) as peer:
                late = peer.open(grpc_head("/seldon.protos.Seldon/Predict", ("grpc-timeout", "20m")), HELLO)
                large = frame(message("x" * 50_000).SerializeToString())
                assert [(await peer.ask(grpc_head(), data)).status for data in (HELLO, large, HELLO)] == ["0"] * 3
                assert late.status == "4"
                assert await remote.server.drain(5)
                assert (await peer.ask(grpc_head(), HELLO)).status == "14"
                assert await served.server.drain(5)

    uvloop.run(main())


def test_a_reset_right_behind_data_is_seen() -> None:
    # libuv tells of an error once, together with the data before it, and then watches the socket no more.
    async def main() -> None:
        async with serving(node("m")) as served:
            peer = Peer()
            sock = socket.create_connection(("127.0.0.1", served.port))
            sock.sendall(peer.preface() + peer.settings(ack=True))
            await until(lambda: served.server.native.connections == 1)
            await asyncio.sleep(0.05)  # what it says first is on its way
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.sendall(peer.window(0, 1))  # is not answered
            sock.close()
            await until(lambda: served.server.native.connections == 0)

    uvloop.run(main())


async def test_what_cannot_be_watched_is_not_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    fd = os.open(path, os.O_RDONLY)
    async with serving(node("m")) as served:
        with pytest.raises(OSError, match="not permitted"):  # epoll takes no files
            served.server.native.accept(fd)
        with pytest.raises(OSError, match="not permitted"):
            channel.Channel(served.bench.reactor, "t", "a", {}).attach(fd)
        assert (served.server.native.connections, served.bench.reactor.open_connections) == (0, 0)
        served.server.native.drain()
    os.close(fd)  # it is ours still


def test_reactor_needs_a_loop() -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        transport.Reactor()
    loop = asyncio.new_event_loop()
    reactor = transport.Reactor(loop)
    assert reactor.loop is loop
    assert channel.Channel(reactor, "t", "a", {}).connections == 0
    loop.close()
    reactor.close()
