"""The gRPC server, and how its `answers` leave, asked by h2 what no gRPC library would ask."""

import asyncio
import gzip
import zlib
from typing import Any

import h2.errors
import h2.settings
import pytest
from support import h2peer
from support.graphs import node
from support.h2peer import connected, frame, grpc_head
from support.servers import message, serving, until

from executor._native import exits, program, server
from executor._native import message as native
from executor._pb import seldon_pb2
from executor.settings import ServeLimits
from executor.types import Method, Mode

HELLO = frame(message("x").SerializeToString())
GZIP = ("grpc-encoding", "gzip")


def said(stream: h2peer.Stream) -> str:
    assert stream.status == "0"
    assert stream.ended
    assert len(stream.messages) == 1
    return seldon_pb2.SeldonMessage.FromString(stream.messages[0]).strData


def asynchronous(handler: Any) -> dict[str, Any]:
    return {"replaced": {"m": dict.fromkeys(Method, (Mode.ASYNC, handler))}}


async def forever(message: native.Message, context: exits.Context) -> native.Message:
    await asyncio.sleep(60)
    return message


# --- what is gRPC and what is not -----------------------------------------------------------------


@pytest.mark.parametrize("kind", ["application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8"])
async def test_content_types_that_are_grpc(kind: str) -> None:
    async with serving(node("m")) as served, connected(served.port) as peer:
        head = [(key, kind if key == "content-type" else value) for key, value in grpc_head()]
        stream = await peer.ask(head, HELLO)
        assert said(stream) == "m.predict(x)"
        assert stream.headers[":status"] == "200"
        assert stream.headers["content-type"] == "application/grpc"
        assert stream.headers["grpc-accept-encoding"] == "gzip, deflate, identity"
        assert "grpc-message" not in stream.trailers


@pytest.mark.parametrize("kind", ["application/json", "application/grpcish", "text/html", None])
async def test_content_types_that_are_not(kind: str | None) -> None:
    async with serving(node("m")) as served, connected(served.port) as peer:
        head = [(key, value) for key, value in grpc_head() if key != "content-type"]
        stream = await peer.ask([*head, *([("content-type", kind)] if kind else [])], HELLO)
        assert (stream.headers[":status"], stream.status) == ("415", "13")
        assert stream.headers["grpc-message"] == "content-type must be application/grpc"
        assert said(await peer.ask(grpc_head(), HELLO)) == "m.predict(x)"


async def test_other_verbs_are_refused() -> None:
    async with serving(node("m")) as served, connected(served.port) as peer:
        stream = await peer.ask([(":method", "GET"), *grpc_head()[1:]])
        assert (stream.headers[":status"], stream.headers["grpc-message"]) == ("415", "gRPC requests are POST")


async def test_errors_come_as_trailers_only() -> None:
    async with serving(node("m")) as served, connected(served.port) as peer:
        stream = await peer.ask(grpc_head("/a/%C3%BC"), HELLO)
        assert (stream.headers[":status"], stream.headers["grpc-status"]) == ("200", "12")
        assert stream.headers["grpc-message"] == "unknown method /a/%25C3%25BC"
        assert (stream.data, stream.trailers) == (b"", {})


# --- the messages of a unary request --------------------------------------------------------------


async def test_message_that_comes_byte_by_byte_and_ends_late() -> None:
    async with serving(node("m")) as served, connected(served.port) as peer:
        stream = peer.open(grpc_head(), *(bytes([byte]) for byte in HELLO), end=False)
        await asyncio.sleep(0.02)
        assert not stream.headers
        peer.h2.end_stream(stream.id)
        peer.flush()
        await peer.wait(lambda: stream.ended)
        assert said(stream) == "m.predict(x)"


@pytest.mark.parametrize(
    ("chunks", "status", "text"),
    [
        ([], "13", "one message, not none"),
        ([HELLO, HELLO], "13", "one message, not several"),
        ([HELLO[:3]], "13", "inside a message prefix, after 3 of 5 bytes"),
        ([HELLO[:-1]], "13", "inside a message, after 2 of 3 bytes"),
        ([b"\x07" + HELLO[1:]], "13", "compressed flag 7"),
        ([b"\x00\xff\xff\xff\xff"], "8", "4294967295 bytes is larger than the limit of 67108864"),
        ([b"\x01" + HELLO[1:]], "13", "grpc-encoding names no compression"),
    ],
)
async def test_messages_that_are_refused(chunks: list[bytes], status: str, text: str) -> None:
    async with serving(node("m")) as served, connected(served.port) as peer:
        stream = await peer.ask(grpc_head(), *chunks)
        assert stream.status == status
        assert text in (stream.field("grpc-message") or "")
        assert said(await peer.ask(grpc_head(), HELLO)) == "m.predict(x)"
        assert served.bench.calls == ["m.predict(x)"]


async def test_refusal_comes_before_the_request_has_ended() -> None:
    async with serving(node("m"), limits=ServeLimits(max_message_bytes=100)) as served:
        async with connected(served.port) as peer:
            stream = peer.open(grpc_head(), frame(b"")[:1] + b"\x00\x01\x00\x00", end=False)
            await peer.wait(lambda: stream.reset is not None)
            assert stream.status == "8"
            assert stream.reset == h2.errors.ErrorCodes.NO_ERROR


@pytest.mark.parametrize(
    ("encoding", "data", "status", "text"),
    [
        ("br", b"abc", "12", "'br' is not supported; allowed are gzip, deflate, identity"),
        ("gzip", b"abc", "13", "cannot be inflated"),
        ("gzip", gzip.compress(b"\x1a\x01x", mtime=0)[:-4], "13", "cut short"),
        ("gzip", gzip.compress(b"\x1a\x01x", mtime=0) + b"more", "13", "followed by more bytes"),
        ("deflate", zlib.compress(b"x" * 2000), "8", "larger than 1000 bytes once inflated"),
        ("gzip", gzip.compress(b"\x0a\x05ab", mtime=0), "3", "at byte"),
    ],
)
async def test_compressed_messages_that_are_refused(encoding: str, data: bytes, status: str, text: str) -> None:
    async with serving(node("m"), limits=ServeLimits(max_message_bytes=1000)) as served:
        async with connected(served.port) as peer:
            head = grpc_head("/seldon.protos.Seldon/Predict", ("grpc-encoding", encoding))
            stream = await peer.ask(head, frame(data, 1))
            assert stream.status == status
            assert text in stream.headers["grpc-message"]


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "identity"])
async def test_flag_says_whether_a_message_is_compressed(encoding: str) -> None:
    async with serving(node("m")) as served, connected(served.port) as peer:
        head = grpc_head("/seldon.protos.Seldon/Predict", ("grpc-encoding", encoding))
        assert said(await peer.ask(head, HELLO)) == "m.predict(x)"


async def test_compressed_message_at_the_limit() -> None:
    async def count(asked: native.Message, context: exits.Context) -> native.Message:
        return native.Message(message(str(len(asked))).SerializeToString())

    async with serving(node("m"), limits=ServeLimits(max_message_bytes=1000), **asynchronous(count)) as served:
        async with connected(served.port) as peer:
            whole = message("x" * 997).SerializeToString()
            assert len(whole) == 1000
            head = grpc_head("/seldon.protos.Seldon/Predict", GZIP)
            assert said(await peer.ask(head, frame(gzip.compress(whole), 1))) == "1000"


async def test_answer_over_the_limit() -> None:
    async def double(asked: native.Message, context: exits.Context) -> native.Message:
        return native.Message(message("y" * 2 * len(asked)).SerializeToString())

    async with serving(node("m"), limits=ServeLimits(max_message_bytes=100), **asynchronous(double)) as served:
        async with connected(served.port) as peer:
            assert said(await peer.ask(grpc_head(), frame(message("x").SerializeToString()))) == "y" * 6
            stream = await peer.ask(grpc_head(), frame(message("x" * 60).SerializeToString()))
            assert (stream.status, stream.field("grpc-message")) == (
                "8",
                "answer of 126 bytes is larger than the limit of 100 bytes",
            )


# --- deadlines ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "seconds"), [
    ("2H", 7200), ("3M", 180), ("99S", 99), ("20000m", 20), ("8000000u", 8), ("99999999n", 0.1),
    ("99999999H", 99999999 * 3600),
])  # fmt: skip
async def test_timeouts(text: str, seconds: float) -> None:
    left: list[float] = []

    async def look(message: native.Message, context: exits.Context) -> native.Message:
        left.append(context.remaining() or 0)
        return message

    async with serving(node("m"), **asynchronous(look)) as served, connected(served.port) as peer:
        await peer.ask(grpc_head("/seldon.protos.Seldon/Predict", ("grpc-timeout", text)), HELLO)
    # A tenth of a second may be over before anybody looks.
    assert seconds < 1 or 0.5 * seconds < left[0] <= seconds
    assert all(each <= seconds for each in left)


@pytest.mark.parametrize(("text", "status"), [
    ("5", "13"), ("S", "13"), ("1s", "13"), ("-1S", "13"), ("123456789S", "13"), ("1.5S", "13"), ("0m", "4"),
])  # fmt: skip
async def test_timeouts_that_are_none(text: str, status: str) -> None:
    async with serving(node("m")) as served, connected(served.port) as peer:
        stream = await peer.ask(grpc_head("/seldon.protos.Seldon/Predict", ("grpc-timeout", text)), HELLO)
        assert stream.status == status
        assert served.bench.calls == []


async def test_deadline_is_answered_and_the_connection_goes_on() -> None:
    async with serving(node("m"), **asynchronous(forever)) as served, connected(served.port) as peer:
        head = grpc_head("/seldon.protos.Seldon/Predict", ("grpc-timeout", "50m"))
        streams = await asyncio.gather(*(peer.ask(head, HELLO) for _ in range(20)))
        assert {stream.status for stream in streams} == {"4"}
        assert {stream.headers["grpc-message"][:24] for stream in streams} == {"deadline exceeded after "}


# --- clients that leave, flood or stall -----------------------------------------------------------


async def test_client_that_hangs_up_cancels_its_requests() -> None:
    async with serving(node("m"), **asynchronous(forever)) as served:
        async with connected(served.port) as peer:
            for _ in range(5):
                peer.open(grpc_head(), HELLO)
            peer.open(grpc_head(), HELLO[:4], end=False)
            await until(lambda: served.bench.engine.in_flight == 5)
            assert served.server.native.rpcs == 6
            peer.writer.transport.abort()
            await until(lambda: served.bench.engine.in_flight == 0)
        assert served.server.native.connections == 0
        await until(lambda: served.bench.endpoints["m"].running == 0)


async def test_reset_while_a_message_is_half_there() -> None:
    async with serving(node("m")) as served, connected(served.port) as peer:
        for code in (h2.errors.ErrorCodes.CANCEL, h2.errors.ErrorCodes.INTERNAL_ERROR):
            stream = peer.open(grpc_head(), frame(b"x" * 50_000)[:20_000], end=False)
            await until(lambda: served.server.native.rpcs == 1)
            peer.reset(stream, code)
            await until(lambda: served.server.native.rpcs == 0)
        assert said(await peer.ask(grpc_head(), HELLO)) == "m.predict(x)"


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        b"\x00" * 100,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 200,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x04\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00",
    ],
)
async def test_garbage_ends_that_connection_alone(data: bytes) -> None:
    async with serving(node("m")) as served, connected(served.port) as peer:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(data)
        await asyncio.wait_for(reader.read(), 5)
        writer.close()
        assert said(await peer.ask(grpc_head(), HELLO)) == "m.predict(x)"
        await until(lambda: served.server.native.connections == 1)


async def test_peer_that_floods_and_does_not_read_is_not_waited_for() -> None:
    large = "y" * (4 << 20)

    async def answer_large(asked: native.Message, context: exits.Context) -> native.Message:
        return native.Message(message(large).SerializeToString())

    async with serving(node("m"), **asynchronous(answer_large)) as served:
        async with connected(served.port) as peer:
            peer.h2.increment_flow_control_window(1 << 28)
            peer.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 1 << 28})
            peer.flush()
            peer.pause()
            for _ in range(4):
                peer.open(grpc_head(), HELLO)
            await asyncio.sleep(0.1)  # its socket is full by now
            assert served.server.native.connections == 1
            # Each asks for an answer, which would have to wait as well.
            peer.writer.write((b"\x00\x00\x08\x06" + bytes(5 + 8)) * 12_000)
            await until(lambda: served.server.native.connections == 0)


async def test_answer_waits_for_the_clients_window() -> None:
    async def answer_large(asked: native.Message, context: exits.Context) -> native.Message:
        return native.Message(message("y" * 200_000).SerializeToString())

    async with serving(node("m"), **asynchronous(answer_large)) as served:
        async with connected(served.port) as peer:
            peer.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 100})
            stream = await peer.ask(grpc_head(), HELLO)
            assert said(stream) == "y" * 200_000


async def test_thousand_requests_reset_at_once() -> None:
    async with serving(node("m"), **asynchronous(forever)) as served, connected(served.port) as peer:
        for _ in range(10):
            for _ in range(90):
                peer.reset(peer.open(grpc_head(), HELLO), h2.errors.ErrorCodes.CANCEL)
            await peer.writer.drain()
        await until(lambda: served.server.native.rpcs == 0 and served.bench.engine.in_flight == 0)


async def test_more_streams_than_allowed_are_refused() -> None:
    async with serving(node("m"), **asynchronous(forever)) as served, connected(served.port) as peer:
        await peer.wait(lambda: peer.h2.remote_settings.max_concurrent_streams == 1000)


# --- bounds and programs --------------------------------------------------------------------------


async def test_requests_beyond_the_engines_bound() -> None:
    async with serving(node("m"), in_flight_max=2, **asynchronous(forever)) as served:
        async with connected(served.port) as peer:
            streams = [peer.open(grpc_head(), HELLO) for _ in range(3)]
            await peer.wait(lambda: streams[2].ended)
            assert (streams[2].status, streams[2].headers["grpc-message"]) == ("8", "too many requests in flight")


async def test_new_requests_run_on_the_new_program() -> None:
    release = asyncio.Event()

    async def old(message: native.Message, context: exits.Context) -> native.Message:
        await release.wait()
        return message

    def new(asked: native.Message, context: exits.Context) -> native.Message:
        return native.Message(message("new").SerializeToString())

    async with serving(node("m"), **asynchronous(old)) as served, connected(served.port) as peer:
        bench = served.bench
        first = peer.open(grpc_head(), HELLO)
        await until(lambda: bench.engine.in_flight == 1)
        component = exits.Component(bench.reactor, "m", {Method.PREDICT: (Mode.QUICK, new)}, bench.pool)
        served.server.native.use(program.Program(bench.plan.nodes, [component]))
        assert said(await peer.ask(grpc_head(), HELLO)) == "new"
        assert bench.program.in_flight == 1
        release.set()
        await peer.wait(lambda: first.ended)
        assert said(first) == "x"


async def test_too_many_rpcs() -> None:
    async with serving(node("m")) as served:

        async def nothing(stream: server.Stream) -> None:
            pass

        with pytest.raises(ValueError, match="65 RPCs: at most 64"):
            server.Server(served.bench.engine, served.bench.program, {}, {f"/a/{i}": nothing for i in range(65)})
