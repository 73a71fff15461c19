"""grpcio clients, synchronous and asyncio, of our server; test_grpcio_nodes has it as nodes."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest
from support.graphs import node
from support.servers import (
    aio_channel,
    aio_client,
    client,
    grpc_node,
    message,
    serving,
    until,
)

from executor import errors
from executor._native import exits
from executor._native import message as native
from executor._pb import seldon_pb2
from executor.settings import ServeLimits
from executor.status import Status
from executor.types import Method, Mode

pytestmark = pytest.mark.timeout(60)

WAIT_S = 20.0
MIB = 1 << 20


def handlers(handler: Any, mode: Mode = Mode.QUICK) -> dict[Method, tuple[Mode, Any]]:
    return dict.fromkeys(Method, (mode, handler))


def refusing(status: Status, text: str, details: bytes | None = None) -> dict[Method, tuple[Mode, Any]]:
    def handle(message: native.Message, context: exits.Context) -> native.Message:
        raise errors.ComponentError(text, status=status, details=details)

    return handlers(handle)


def same(message: native.Message, context: exits.Context) -> native.Message:
    return message


async def failure(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


def trailer(error: grpc.aio.AioRpcError | grpc.RpcError, name: str) -> Any:
    metadata: Any = error.trailing_metadata()
    return dict(tuple(metadata)).get(name)


# --- our server -----------------------------------------------------------------------------------


async def test_answer_and_puid() -> None:
    async with serving(node("t", "transformer", node("m"))) as served:
        with client(served.target) as stub:
            answer, call = await asyncio.to_thread(stub.Predict.with_call, message("x"), timeout=WAIT_S)
            assert answer.strData == "m.predict(t.transform_input(x))"
            made = dict(call.initial_metadata())["seldon-puid"]
            assert len(made) == 36
            _, call = await asyncio.to_thread(
                stub.Predict.with_call, message("x"), timeout=WAIT_S, metadata=[("seldon-puid", "mine")]
            )
            assert dict(call.initial_metadata())["seldon-puid"] == "mine"
        async with aio_client(served.target) as stub:
            assert (await stub.Predict(message("y"), timeout=WAIT_S)).strData == "m.predict(t.transform_input(y))"


async def test_feedback() -> None:
    async with serving(node("r", "router", node("m0"), node("m1"))) as served, aio_client(served.target) as stub:
        response = seldon_pb2.SeldonMessage(meta=seldon_pb2.Meta(routing={"r": 1}))
        answer = await stub.SendFeedback(seldon_pb2.Feedback(response=response, reward=0.5), timeout=WAIT_S)
        assert answer.strData == "r.send_feedback(feedback(0.5))"
        assert served.bench.calls == ["m1.send_feedback(feedback(0.5))", "r.send_feedback(feedback(0.5))"]


@pytest.mark.parametrize(
    "text",
    ["plain", "", "ümläut ✓ 漢字 🙂", "100% sure, %41 is not A", "line\nbreak\ttab\r\x00\x1b\x7f", "long " * 200],
)
async def test_status_and_message_arrive_as_they_are(text: str) -> None:
    async with serving(node("m"), replaced={"m": refusing(Status.FAILED_PRECONDITION, text)}) as served:
        async with aio_client(served.target) as stub:
            error = await failure(stub.Predict(message("x"), timeout=WAIT_S))
        assert (error.code(), error.details()) == (grpc.StatusCode.FAILED_PRECONDITION, text)


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.OK])
async def test_every_status(status: Status) -> None:
    async with serving(node("m"), replaced={"m": refusing(status, "no")}) as served:
        async with aio_client(served.target) as stub:
            error = await failure(stub.Predict(message("x"), timeout=WAIT_S))
        assert error.code().value[0] == status
        assert error.details() == "no"
        assert len(trailer(error, "seldon-puid")) == 36


async def test_endless_message_is_cut_and_large_details_are_left_out() -> None:
    refuse = refusing(Status.ABORTED, "é" * 50_000, b"d" * 50_000)
    async with serving(node("m"), replaced={"m": refuse}) as served, aio_client(served.target) as stub:
        error = await failure(stub.Predict(message("x"), timeout=WAIT_S))
        assert error.code() is grpc.StatusCode.ABORTED
        assert set(str(error.details()).rstrip("\ufffd")) == {"é"}
        assert trailer(error, "grpc-status-details-bin") is None


async def test_details_up_to_the_bound_are_passed_on_with_a_long_message() -> None:
    refuse = refusing(Status.ABORTED, "%" * 5000, b"\x00\xff" * 2048)
    async with serving(node("m"), replaced={"m": refuse}) as served, aio_client(served.target) as stub:
        for _ in range(20):  # above 8 KiB grpcio would refuse some of them, by chance
            error = await failure(stub.Predict(message("x"), timeout=WAIT_S))
            assert error.code() is grpc.StatusCode.ABORTED
            assert trailer(error, "grpc-status-details-bin") == b"\x00\xff" * 2048


async def test_exception_whose_text_cannot_be_had() -> None:
    class Odd(Exception):
        def __str__(self) -> str:
            raise ValueError("no text")

    def handle(message: native.Message, context: exits.Context) -> native.Message:
        raise Odd

    async with serving(node("m"), replaced={"m": handlers(handle)}) as served, aio_client(served.target) as stub:
        error = await failure(stub.Predict(message("x"), timeout=WAIT_S))
        assert (error.code(), error.details()) == (grpc.StatusCode.INTERNAL, "Odd")


@pytest.mark.parametrize("path", ["/seldon.protos.Seldon/Nothing", "/no.such.Service/Predict", "/x"])
async def test_unknown_method(path: str) -> None:
    async with serving(node("m")) as served, aio_channel(served.target) as channel:
        error = await failure(channel.unary_unary(path)(b"", timeout=WAIT_S))
        assert error.code() is grpc.StatusCode.UNIMPLEMENTED
        assert path in str(error.details())


async def test_hostile_protobuf_is_refused_with_its_place() -> None:
    async with serving(node("m")) as served, aio_channel(served.target) as channel:
        predict = channel.unary_unary("/seldon.protos.Seldon/Predict")
        for data in (b"\x12\xff\xff\xff\xff\x0f", b"\x0a\x05ab", b"\xff" * 20, b"\x0b"):
            error = await failure(predict(data, timeout=WAIT_S))
            assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert "at byte" in str(error.details())
        assert seldon_pb2.SeldonMessage.FromString(await predict(b"", timeout=WAIT_S)).strData == "m.predict(None)"


async def test_request_over_the_limit() -> None:
    limits = ServeLimits(max_message_bytes=100_000)
    async with serving(node("m"), limits=limits, replaced={"m": handlers(same)}) as served:
        async with aio_client(served.target) as stub:
            for size in (100_001, 5_000_000):
                error = await failure(stub.Predict(message("x" * size), timeout=WAIT_S))
                assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
                assert "100000 bytes" in str(error.details())
            whole = message("x" * 99_996)
            assert whole.ByteSize() == 100_000
            assert await stub.Predict(whole, timeout=WAIT_S) == whole


@pytest.mark.parametrize("kind", [grpc.Compression.Gzip, grpc.Compression.Deflate])
async def test_compressed_requests(kind: grpc.Compression) -> None:
    async with serving(node("m"), replaced={"m": handlers(same)}) as served, aio_client(served.target) as stub:
        for size in (0, 10, 100_000, 3 * MIB):
            answer = await stub.Predict(message("x" * size), timeout=WAIT_S, compression=kind)
            assert answer.strData == "x" * size


async def test_gzip_bomb_is_inflated_up_to_the_limit_only() -> None:
    limits = ServeLimits(max_message_bytes=MIB)
    async with serving(node("m"), limits=limits) as served, aio_client(served.target) as stub:
        error = await failure(
            stub.Predict(message("x" * (60 * MIB)), timeout=WAIT_S, compression=grpc.Compression.Gzip)
        )
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "1048576 bytes once inflated" in str(error.details())


async def test_deadline_ends_the_request() -> None:
    async def slow(message: native.Message, context: exits.Context) -> native.Message:
        left = context.remaining()
        assert left is not None
        assert 0 < left <= 0.25
        await asyncio.sleep(30)
        return message

    async with serving(node("m"), replaced={"m": handlers(slow, Mode.ASYNC)}) as served:
        async with aio_client(served.target) as stub:
            error = await failure(stub.Predict(message("x"), timeout=0.25))
            assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await until(lambda: served.bench.engine.in_flight == 0)


async def test_default_deadline_is_ours_to_tell() -> None:
    async def slow(message: native.Message, context: exits.Context) -> native.Message:
        await asyncio.sleep(30)
        return message

    replaced = {"m": handlers(slow, Mode.ASYNC)}
    async with serving(node("m"), replaced=replaced, default_timeout_s=0.1) as served:
        async with aio_client(served.target) as stub:
            error = await failure(stub.Predict(message("x")))
        assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert str(error.details()).startswith("deadline exceeded after 0.1")


async def test_metadata_reaches_a_component() -> None:
    seen: list[Any] = []

    def look(message: native.Message, context: exits.Context) -> native.Message:
        seen.extend([context.puid, context.headers])
        return message

    async with serving(node("m"), replaced={"m": handlers(look)}) as served, aio_client(served.target) as stub:
        await stub.Predict(message("x"), timeout=WAIT_S, metadata=[("seldon-puid", "p-1"), ("k", "v"), ("k", "w")])
    assert seen[0] == "p-1"
    assert sorted(seen[1]) == [("k", "v"), ("k", "w"), ("seldon-puid", "p-1")]


@pytest.mark.parametrize(
    ("metadata", "code", "text"),
    [
        ([(f"k{index}", "v") for index in range(100)], grpc.StatusCode.RESOURCE_EXHAUSTED, "headers"),
    ],
)
async def test_metadata_beyond_bounds(metadata: Any, code: grpc.StatusCode, text: str) -> None:
    async with serving(node("m")) as served, aio_client(served.target) as stub:
        error = await failure(stub.Predict(message("x"), timeout=WAIT_S, metadata=metadata))
        assert error.code() is code
        assert text in str(error.details())
        assert (await stub.Predict(message("x"), timeout=WAIT_S)).strData == "m.predict(x)"


async def test_headers_over_the_limit() -> None:
    async with serving(node("m"), limits=ServeLimits(max_header_bytes=4096)) as served:
        async with aio_client(served.target) as stub:
            error = await failure(stub.Predict(message("x"), timeout=WAIT_S, metadata=[("k", "v" * 5000)]))
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert (await stub.Predict(message("x"), timeout=WAIT_S)).strData == "m.predict(x)"


async def test_unix_socket(tmp_path: Path) -> None:
    with grpc_node(address=f"unix:{tmp_path}/node.sock") as remote:
        async with serving(node("m"), path=f"{tmp_path}/front.sock", remotes={"m": remote.target}) as served:
            assert served.target.startswith("unix:")
            async with aio_client(served.target) as stub:
                assert (await stub.Predict(message("x"), timeout=WAIT_S)).strData == "x"
    assert remote.calls[0].path == "/seldon.protos.Model/Predict"


async def test_drain_lets_requests_finish_and_sends_new_ones_elsewhere() -> None:
    release = asyncio.Event()

    async def held(message: native.Message, context: exits.Context) -> native.Message:
        await release.wait()
        return message

    async with serving(node("m"), replaced={"m": handlers(held, Mode.ASYNC)}) as served:
        async with aio_client(served.target) as stub:
            calls = [stub.Predict(message("y" * 300_000), timeout=WAIT_S) for _ in range(10)]
            waiting = [asyncio.ensure_future(_result(call)) for call in calls]
            await until(lambda: served.bench.engine.in_flight == 10)
            drain = asyncio.ensure_future(served.server.drain(10))
            await asyncio.sleep(0.1)
            late = await failure(stub.Predict(message("x"), timeout=WAIT_S))
            assert late.code() is grpc.StatusCode.UNAVAILABLE
            assert not drain.done()
            release.set()
            assert [answer.strData for answer in await asyncio.gather(*waiting)] == ["y" * 300_000] * 10
            assert await drain
            assert served.server.native.connections == 0


async def _result(call: Any) -> Any:
    return await call


async def test_drain_does_not_cut_a_large_answer_off() -> None:
    # The client is slow to read: most of the answer is still in the kernel when the last stream ends.
    async with serving(node("m"), replaced={"m": handlers(same)}) as served:
        large = message("z" * (12 * MIB))
        with client(served.target) as stub:
            call = stub.Predict.future(large, timeout=WAIT_S)
            await until(lambda: served.server.native.rpcs == 1)
            assert await served.server.drain(10)
            answer = await asyncio.to_thread(call.result, WAIT_S)
        assert answer == large


async def test_drain_gives_up_in_time() -> None:
    async def never(message: native.Message, context: exits.Context) -> native.Message:
        await asyncio.sleep(60)
        return message

    async with serving(node("m"), replaced={"m": handlers(never, Mode.ASYNC)}) as served:
        async with aio_client(served.target) as stub:
            call = stub.Predict(message("x"), timeout=WAIT_S)
            await until(lambda: served.bench.engine.in_flight == 1)
            assert not await served.server.drain(0.1)
            served.server.close()
            error = await failure(call)
            assert error.code() is grpc.StatusCode.UNAVAILABLE
