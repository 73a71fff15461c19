"""grpcio servers as nodes of a graph: what reaches them, what comes back, and what when they are in trouble."""

import asyncio
import threading
import time
from collections.abc import Mapping
from typing import Any

import grpc
import pytest
from support.graphs import node
from support.servers import (
    Call,
    aio_client,
    client,
    free_port,
    grpc_node,
    message,
    node_process,
    serving,
    until,
    wait,
    wait_for_port,
)

from executor._pb import seldon_pb2

pytestmark = pytest.mark.timeout(60)

WAIT_S = 20.0
MIB = 1 << 20


async def failure(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


def trailer(error: grpc.aio.AioRpcError | grpc.RpcError, name: str) -> Any:
    metadata: Any = error.trailing_metadata()
    return dict(tuple(metadata)).get(name)


async def _result(call: Any) -> Any:
    return await call


# --- through our channels to grpcio nodes --------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 100, 4095, 65_536, 700_000, 4 * MIB, 20 * MIB])
async def test_payloads_of_all_sizes_both_ways(size: int) -> None:
    with grpc_node() as remote:
        async with serving(node("m"), remotes={"m": remote.target}) as served, aio_client(served.target) as stub:
            sent = seldon_pb2.SeldonMessage(binData=bytes(range(256)) * (size // 256) + b"\x01" * (size % 256))
            assert await stub.Predict(sent, timeout=WAIT_S) == sent


async def test_metadata_travels_to_nodes() -> None:
    with grpc_node() as remote:
        async with serving(node("a", "model", node("b")), remotes=dict.fromkeys("ab", remote.target)) as served:
            async with aio_client(served.target) as stub:
                await stub.Predict(
                    message("x"),
                    metadata=[("a", "1"), ("bytes-bin", b"\x00\xff\x10"), ("seldon-puid", "p-7")],
                )
    assert [call.path for call in remote.calls] == ["/seldon.protos.Model/Predict"] * 2
    for call in remote.calls:
        assert (call.header("a"), call.header("bytes-bin")) == ("1", b"\x00\xff\x10")
        assert call.header("seldon-puid") == "p-7"
        assert call.remaining is None
        assert str(call.header("user-agent")).startswith("millrace")


async def test_puid_is_made_once_for_all_nodes() -> None:
    with grpc_node() as remote:
        async with serving(node("a", "model", node("b")), remotes=dict.fromkeys("ab", remote.target)) as served:
            async with aio_client(served.target) as stub:
                call = stub.Predict(message("x"), timeout=WAIT_S)
                await call
                puid = dict(await call.initial_metadata())["seldon-puid"]
    assert [call.header("seldon-puid") for call in remote.calls] == [puid, puid]


@pytest.mark.parametrize(("sent", "kept"), [([""], None), (["", "b"], "b"), (["a", "b"], "a")])
async def test_nodes_get_one_puid(sent: list[str], kept: str | None) -> None:
    with grpc_node() as remote:
        async with serving(node("m"), remotes={"m": remote.target}) as served, aio_client(served.target) as stub:
            call = stub.Predict(message("x"), timeout=WAIT_S, metadata=[("seldon-puid", each) for each in sent])
            await call
            puid = dict(await call.initial_metadata())["seldon-puid"]
    assert [value for name, value in remote.calls[0].metadata if name == "seldon-puid"] == [puid]
    assert kept is None or puid == kept


async def test_what_is_left_of_the_deadline_travels_to_nodes() -> None:
    def slow(call: Call, context: grpc.ServicerContext) -> bytes:
        time.sleep(0.2)
        return call.data

    with grpc_node(slow) as remote:
        async with serving(node("a", "model", node("b")), remotes=dict.fromkeys("ab", remote.target)) as served:
            async with aio_client(served.target) as stub:
                await stub.Predict(message("x"), timeout=5)
    first, second = (call.remaining for call in remote.calls)
    assert first is not None
    assert second is not None
    # The node's library may count from a moment that it looked up a while ago.
    assert 4 < first < 5.5
    assert 3 < second < first - 0.1


async def test_deadline_resets_the_call_to_the_node() -> None:
    with grpc_node(wait) as remote:
        async with serving(node("m"), remotes={"m": remote.target}, default_timeout_s=0.1) as served:
            async with aio_client(served.target) as stub:
                error = await failure(stub.Predict(message("x")))
            # The node knows the deadline too, and may be the first to say so.
            assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            await asyncio.to_thread(remote.calls[0].over.wait, 20)
            assert remote.calls[0].over.is_set()
            await until(lambda: served.channels["m"].endpoint.active == 0)


async def test_status_message_and_details_of_a_node_are_kept() -> None:
    def refuse(call: Call, context: grpc.ServicerContext) -> bytes:
        context.set_trailing_metadata([("grpc-status-details-bin", b"\x08\x09\x00\xff")])
        context.abort(grpc.StatusCode.DATA_LOSS, "gone: ü%\n漢")
        raise AssertionError("abort raises")

    with grpc_node(refuse) as remote:
        async with serving(node("m"), remotes={"m": remote.target}) as served, aio_client(served.target) as stub:
            error = await failure(stub.Predict(message("x"), timeout=WAIT_S))
    assert (error.code(), error.details()) == (grpc.StatusCode.DATA_LOSS, "gone: ü%\n漢")
    assert trailer(error, "grpc-status-details-bin") == b"\x08\x09\x00\xff"


async def test_compressed_answers_of_a_node() -> None:
    with grpc_node(compression=grpc.Compression.Gzip) as remote:
        async with serving(node("m"), remotes={"m": remote.target}) as served, aio_client(served.target) as stub:
            for size in (0, 1000, 3 * MIB):
                assert (await stub.Predict(message("x" * size), timeout=WAIT_S)).strData == "x" * size


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
async def test_answer_over_the_limit(compression: grpc.Compression) -> None:
    def flood(call: Call, context: grpc.ServicerContext) -> bytes:
        return call.data if len(call.data) < 100 else message("x" * 2 * MIB).SerializeToString()

    with grpc_node(flood, compression=compression) as remote:
        async with serving(node("m"), remotes={"m": remote.target}, node_limit=MIB) as served:
            async with aio_client(served.target) as stub:
                error = await failure(stub.Predict(message("y" * 200), timeout=WAIT_S))
                assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
                assert "1048576 bytes" in str(error.details())
                assert (await stub.Predict(message("y"), timeout=WAIT_S)).strData == "y"


async def test_client_cancel_resets_the_calls_to_all_nodes() -> None:
    with grpc_node(wait) as remote:
        graph = node("c", "combiner", node("a"), node("b"))
        async with serving(graph, remotes=dict.fromkeys("ab", remote.target)) as served:
            async with aio_client(served.target) as stub:
                call = stub.Predict(message("x"), timeout=WAIT_S)
                await until(lambda: len(remote.calls) == 2)
                call.cancel()
                for asked in remote.calls:
                    assert await asyncio.to_thread(asked.over.wait, 20)
                assert served.bench.engine.in_flight == 0


async def test_fifty_cancellations_leave_nothing_behind() -> None:
    with grpc_node(wait) as remote:
        async with serving(node("m"), remotes={"m": remote.target}, default_timeout_s=30) as served:
            async with aio_client(served.target) as stub:
                calls = [stub.Predict(message("x" * (index * 1000)), timeout=WAIT_S) for index in range(50)]
                for index, call in enumerate(calls):
                    if index % 5 == 0:
                        await asyncio.sleep(0.004)
                    call.cancel()
                await asyncio.gather(*calls, return_exceptions=True)
                await until(lambda: served.bench.engine.in_flight == 0)
                await until(lambda: served.channels["m"].endpoint.active == 0)
                assert served.channels["m"].endpoint.waiting == 0
                await until(lambda: served.bench.reactor.timers == 0)


async def test_three_hundred_mixed_calls_at_once() -> None:
    def mixed(call: Call, context: grpc.ServicerContext) -> bytes:
        if b"fail" in call.data[:20]:
            context.abort(grpc.StatusCode.NOT_FOUND, "as asked")
        if b"slow" in call.data[:20]:
            time.sleep(0.02)
        return call.data

    async def one(stub: Any, index: int) -> str:
        kind = ("ok", "fail", "slow", "large")[index % 4]
        text = f"{kind} {index} " + "x" * (300_000 if kind == "large" else index)
        if kind == "fail":
            error = await failure(stub.Predict(message(text), timeout=WAIT_S))
            assert (error.code(), error.details()) == (grpc.StatusCode.NOT_FOUND, "as asked")
        else:
            assert (await stub.Predict(message(text), timeout=WAIT_S)).strData == text
        return kind

    with grpc_node(mixed) as remote:
        graph = node("t", "transformer", node("m"))
        async with serving(graph, remotes=dict.fromkeys("tm", remote.target)) as served:
            async with aio_client(served.target) as first, aio_client(served.target) as second:
                kinds = await asyncio.gather(*(one((first, second)[index % 2], index) for index in range(300)))
    assert [kinds.count(kind) for kind in ("ok", "fail", "slow", "large")] == [75] * 4
    assert len(remote.calls) == 525


async def test_sync_clients_in_threads() -> None:
    with grpc_node() as remote:
        async with serving(node("m"), remotes={"m": remote.target}) as served:
            with client(served.target) as stub:
                said = await asyncio.gather(
                    *(asyncio.to_thread(stub.Predict, message(str(index)), timeout=WAIT_S) for index in range(40))
                )
    assert [answer.strData for answer in said] == [str(index) for index in range(40)]


# --- nodes in trouble -----------------------------------------------------------------------------


async def test_node_that_is_not_there() -> None:
    port = free_port()
    async with serving(node("m"), remotes={"m": f"127.0.0.1:{port}"}) as served:
        async with aio_client(served.target) as stub:
            for _ in range(2):  # the second meets the back-off
                error = await failure(stub.Predict(message("x"), timeout=WAIT_S))
                assert error.code() is grpc.StatusCode.UNAVAILABLE
                assert f"127.0.0.1:{port}" in str(error.details())
                assert "refused" in str(error.details())


async def test_node_that_dies_in_mid_call() -> None:
    async with node_process() as remote, serving(node("m"), remotes={"m": remote.target}) as served:
        async with aio_client(served.target) as stub:
            assert (await stub.Predict(message("x"), timeout=WAIT_S)).strData == "x"
            call = asyncio.ensure_future(failure(stub.Predict(message("hang"), timeout=WAIT_S)))
            await until(lambda: served.channels["m"].endpoint.active == 1)
            await asyncio.sleep(0.05)
            remote.kill()
            error = await call
            assert error.code() is grpc.StatusCode.UNAVAILABLE
            assert remote.target in str(error.details())


async def answered(stub: Any) -> str:
    """The answer that comes once the node is there."""
    while True:
        try:
            answer = await stub.Predict(message("again"), timeout=WAIT_S)
            return str(answer.strData)
        except grpc.aio.AioRpcError as failed:
            assert failed.code() is grpc.StatusCode.UNAVAILABLE
        await asyncio.sleep(0.02)


async def test_node_that_comes_back_is_reached_again() -> None:
    address = f"127.0.0.1:{free_port()}"
    async with serving(node("m"), remotes={"m": address}) as served, aio_client(served.target) as stub:
        for _ in range(2):
            async with node_process(address) as remote:
                assert remote.target == address
                wait_for_port(served.port)
                assert await asyncio.wait_for(answered(stub), WAIT_S) == "again"
            error = await failure(stub.Predict(message("x"), timeout=WAIT_S))
            assert error.code() is grpc.StatusCode.UNAVAILABLE


async def test_node_that_drains_finishes_what_it_has_and_gets_no_more() -> None:
    release = threading.Event()

    def held(call: Call, context: grpc.ServicerContext) -> bytes:
        release.wait(10)
        return call.data

    with grpc_node(held) as remote:
        async with serving(node("m"), remotes={"m": remote.target}) as served, aio_client(served.target) as stub:
            calls = [asyncio.ensure_future(_result(stub.Predict(message(f"{i}"), timeout=WAIT_S))) for i in range(5)]
            await until(lambda: len(remote.calls) == 5)
            remote.stopping(10)
            await until(lambda: served.channels["m"].endpoint.connections == 0)
            late = await failure(stub.Predict(message("late"), timeout=WAIT_S))
            assert late.code() is grpc.StatusCode.UNAVAILABLE
            release.set()
            assert [answer.strData for answer in await asyncio.gather(*calls)] == [f"{i}" for i in range(5)]
    assert len(remote.calls) == 5


async def test_failing_branch_cancels_the_other_on_the_wire() -> None:
    def one_fails(call: Call, context: grpc.ServicerContext) -> bytes:
        context.abort(grpc.StatusCode.OUT_OF_RANGE, "first")
        raise AssertionError("abort raises")

    with grpc_node(wait) as slow, grpc_node(one_fails) as bad:
        remotes: Mapping[str, str] = {"slow": slow.target, "bad": bad.target}
        async with serving(node("c", "combiner", node("slow"), node("bad")), remotes=remotes) as served:
            async with aio_client(served.target) as stub:
                error = await failure(stub.Predict(message("x"), timeout=WAIT_S))
                assert (error.code(), error.details()) == (grpc.StatusCode.OUT_OF_RANGE, "first")
                # The slow node may have been cancelled before it saw the call at all.
                for call in slow.calls:
                    assert await asyncio.to_thread(call.over.wait, 20)
