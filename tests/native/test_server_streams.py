"""RPCs of the gRPC server that Python handlers serve."""

import asyncio

import h2.errors
import h2.settings
import pytest
from support.graphs import node
from support.h2peer import connected, frame, grpc_head
from support.servers import serving, until

from executor import errors
from executor._native import budget, buffer, server

# --- RPCs that Python serves ----------------------------------------------------------------------


async def test_stream_of_a_handler() -> None:
    async def double(stream: server.Stream) -> None:
        assert stream.path == "/t/Double"
        assert ("k", "v") in stream.headers
        while (data := await stream.receive()) is not None:
            stream.send(data + data)
        raise errors.RequestError("that was all: ü")

    async with serving(node("m"), extra={"/t/Double": double}) as served, connected(served.port) as peer:
        stream = peer.open(grpc_head("/t/Double", ("k", "v")), frame(b"a"), end=False)
        await peer.wait(lambda: stream.messages == [b"aa"])
        peer.send(stream, frame(b"") + frame(b"c"), end=True)
        await peer.wait(lambda: stream.ended)
        assert stream.messages == [b"aa", b"", b"cc"]
        assert stream.trailers == {"grpc-status": "3", "grpc-message": "that was all: %C3%BC"}


async def test_handler_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(stream: server.Stream) -> None:
        raise ZeroDivisionError("oh")

    async with serving(node("m"), extra={"/t/Fail": fail}) as served, connected(served.port) as peer:
        stream = await peer.ask(grpc_head("/t/Fail"), frame(b""))
        assert (stream.status, stream.field("grpc-message")) == ("13", "ZeroDivisionError: oh")
        assert "/t/Fail failed" in caplog.text


async def test_handler_is_cancelled_when_its_client_leaves() -> None:
    ended: list[bool] = []

    async def watch(stream: server.Stream) -> None:
        stream.send(b"hello")
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(stream.open)
            stream.send(b"nobody")
            stream.finish()

    async with serving(node("m"), extra={"/t/Watch": watch}) as served, connected(served.port) as peer:
        stream = peer.open(grpc_head("/t/Watch"), frame(b""))
        await peer.wait(lambda: stream.messages == [b"hello"])
        peer.reset(stream, h2.errors.ErrorCodes.CANCEL)
        await until(lambda: ended == [False])


async def test_bad_message_ends_a_stream_that_has_answered_already() -> None:
    ended: list[str] = []

    async def talk(stream: server.Stream) -> None:
        try:
            while (data := await stream.receive()) is not None:
                stream.send(data)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    async with serving(node("m"), extra={"/t/Talk": talk}) as served, connected(served.port) as peer:
        stream = peer.open(grpc_head("/t/Talk"), frame(b"a"), end=False)
        await peer.wait(lambda: stream.messages == [b"a"])
        peer.send(stream, b"\x09" + frame(b"")[1:])
        await peer.wait(lambda: stream.ended)
        assert stream.trailers["grpc-status"] == "13"
        assert ":status" not in stream.trailers
        await until(lambda: ended == ["cancelled"])


TOO_MUCH = "more than 64 KiB of messages wait for an answer, or 1 MiB of answers"


async def test_what_waits_for_a_handler_or_its_client_is_bounded() -> None:
    async def deaf(stream: server.Stream) -> None:
        await asyncio.sleep(60)

    async def loud(stream: server.Stream) -> None:
        while await stream.receive() is not None:
            stream.send(b"x" * (2 << 20))

    async with serving(node("m"), extra={"/t/Deaf": deaf, "/t/Loud": loud}) as served:
        async with connected(served.port) as peer:
            stream = peer.open(grpc_head("/t/Deaf"), frame(b""), end=False)
            for _ in range(6):
                await peer.wait(lambda: stream.ended or peer.h2.local_flow_control_window(stream.id) > 15_005)
                if not stream.ended:
                    peer.send(stream, frame(b"x" * 15_000))
            await peer.wait(lambda: stream.ended)
            assert (stream.status, stream.field("grpc-message")) == ("8", TOO_MUCH)
            # The peer reads all that it is allowed to: its own window keeps most of the answer back.
            peer.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0})
            stream = peer.open(grpc_head("/t/Loud"), frame(b"1"), end=False)
            await peer.wait(lambda: stream.headers)
            peer.send(stream, frame(b"2"))
            await peer.wait(lambda: peer.h2.remote_flow_control_window(stream.id) == 0)
            peer.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 1 << 24})
            peer.flush()
            await peer.wait(lambda: stream.ended)
            assert stream.trailers["grpc-message"] == TOO_MUCH
            assert [len(each) for each in stream.messages] == [2 << 20]


async def test_what_waits_for_a_handler_is_charged() -> None:
    memory = budget.Budget(16 << 20)
    go_on = asyncio.Event()

    async def slow(stream: server.Stream) -> None:
        await go_on.wait()
        while await stream.receive() is not None:
            pass

    async with serving(node("m"), memory=memory, extra={"/t/Slow": slow}) as served:
        async with connected(served.port) as peer:
            stream = peer.open(grpc_head("/t/Slow"), frame(b"") + frame(b"x" * 10_000), end=False)
            await until(lambda: memory.used == buffer.room(0) + buffer.room(10_000))
            peer.send(stream, frame(b"x" * 10_000), end=True)
            await until(lambda: memory.used == buffer.room(0) + 2 * buffer.room(10_000))
            go_on.set()
            await peer.wait(lambda: stream.ended)
            assert stream.status == "0"
            await until(lambda: memory.used == 0)


async def test_what_waited_for_a_handler_is_given_back_with_its_stream() -> None:
    memory = budget.Budget(16 << 20)

    async def deaf(stream: server.Stream) -> None:
        await asyncio.sleep(60)

    async with serving(node("m"), memory=memory, extra={"/t/Deaf": deaf}) as served:
        async with connected(served.port) as peer:
            stream = peer.open(grpc_head("/t/Deaf"), frame(b"x" * 10_000), end=False)
            await until(lambda: memory.used == buffer.room(10_000))
            peer.reset(stream, h2.errors.ErrorCodes.CANCEL)
            await until(lambda: memory.used == 0)


async def test_answers_of_a_handler_are_charged() -> None:
    memory = budget.Budget(1 << 20)
    size = 300_000
    ended: list[bool] = []

    async def loud(stream: server.Stream) -> None:
        try:
            while await stream.receive() is not None:
                stream.send(b"x" * size)
        finally:
            ended.append(True)

    async with serving(node("m"), memory=memory, extra={"/t/Loud": loud}) as served:
        async with connected(served.port) as peer:
            peer.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0})
            peer.flush()
            stream = peer.open(grpc_head("/t/Loud"), frame(b""), end=False)
            await until(lambda: memory.used == size)
            peer.send(stream, frame(b"") + frame(b"") + frame(b""))
            await until(lambda: ended)
            peer.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 1 << 24})
            peer.flush()
            await peer.wait(lambda: stream.ended)
            assert stream.trailers == {"grpc-status": "8", "grpc-message": "no memory for an answer now"}
            assert [len(each) for each in stream.messages] == [size] * 3
            await until(lambda: memory.used == 0)
