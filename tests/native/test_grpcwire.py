"""gRPC's conventions: times, reserved names, text both ways; test_server and test_channel have more."""

import gzip
import random
from typing import Any

import grpc
import pytest
from support.graphs import node, text
from support.h2peer import Peer, Stream, frame, scripted
from support.servers import aio_client, grpc_node, message, serving

from executor import errors
from executor._native import exits, seldon
from executor._native import message as native
from executor.rpc.channels import Channel
from executor.status import Status
from executor.types import Method, Mode

ANSWER = frame(message("answer").SerializeToString())


async def head_of(timeout_s: float | None) -> dict[str, str]:
    """The headers that a call with that time brings."""
    seen: list[Stream] = []

    async def serve(peer: Peer) -> None:
        seen.append(await peer.request())
        peer.answer(seen[0], ANSWER)

    async with scripted(serve) as target:
        channel = Channel(target)
        assert text(await channel.call("/s/M", seldon.build("strData", "x"), timeout_s=timeout_s)) == "answer"
        await channel.close()
    return seen[0].headers


@pytest.mark.parametrize(
    ("seconds", "unit", "scale"),
    [(5.0, "u", 1e6), (99.0, "u", 1e6), (101.0, "m", 1e3), (99e3, "m", 1e3), (2e5, "S", 1), (1e9, "H", 1 / 3600)],
)
async def test_timeouts_keep_to_eight_digits(seconds: float, unit: str, scale: float) -> None:
    value = (await head_of(seconds))["grpc-timeout"]
    assert value[-1] == unit
    assert len(value) <= 9
    assert seconds * scale * 0.99 - 1 <= int(value[:-1]) <= seconds * scale


async def test_reserved_names_are_not_passed_on() -> None:
    names = [
        "te", "host", "upgrade", "connection", "keep-alive", "user-agent", "content-type", "content-length",
        "proxy-connection", "transfer-encoding", "grpc-timeout", "grpc-encoding", "grpc-anything",
    ]  # fmt: skip
    seen: list[Stream] = []

    async def serve(peer: Peer) -> None:
        seen.append(await peer.request())
        peer.answer(seen[0], ANSWER)

    async with scripted(serve) as target:
        channel = Channel(target)
        headers = [(name, "mine") for name in [*names, "t", "tf", "hosts", "upgrades", "x-grpc-timeout"]]
        await channel.call("/s/M", seldon.build("strData", "x"), headers, timeout_s=10)
        await channel.close()
    assert sorted(name for name, value in seen[0].headers.items() if value == "mine") == [
        "hosts", "t", "tf", "upgrades", "x-grpc-timeout",
    ]  # fmt: skip


async def test_any_text_and_details_survive_two_hops() -> None:
    dice = random.Random(7)
    cases = [
        (
            "".join(chr(dice.choice((dice.randrange(1, 128), dice.randrange(0xA0, 0xD800)))) for _ in range(size)),
            bytes(dice.randrange(256) for _ in range(size)),
        )
        for size in range(1, 60)
    ]
    left = iter(cases)

    def refuse(call: Any, context: grpc.ServicerContext) -> bytes:
        said, details = next(left)
        context.set_trailing_metadata([("grpc-status-details-bin", details)])
        context.abort(grpc.StatusCode.ABORTED, said)
        raise AssertionError("abort raises")

    with grpc_node(refuse) as remote:
        async with serving(node("m"), remotes={"m": remote.target}) as served, aio_client(served.target) as stub:
            for said, details in cases:
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await stub.Predict(message("x"), timeout=20)
                trailing: Any = caught.value.trailing_metadata()
                assert caught.value.details() == said
                assert dict(tuple(trailing))["grpc-status-details-bin"] == details


async def test_answer_is_inflated_once_and_bounded() -> None:
    bomb = gzip.compress(bytes(50 << 20))
    head = [(":status", "200"), ("content-type", "application/grpc"), ("grpc-encoding", "gzip")]

    async def serve(peer: Peer) -> None:
        peer.answer(await peer.request(), frame(bomb, 1), headers=head)
        once = gzip.compress(gzip.compress(b"inner"))
        peer.answer(await peer.request(), frame(once, 1), headers=head)

    async with scripted(serve) as target:
        channel = Channel(target, max_message_bytes=1 << 20)
        with pytest.raises(errors.LimitError, match="larger than 1048576 bytes once inflated"):
            await channel.call("/s/M", native.Message(b""), timeout_s=10)
        answer = await channel.call("/s/M", native.Message(b""), timeout_s=10)
        assert gzip.decompress(bytes(answer)) == b"inner"
        await channel.close()


async def test_status_of_a_message_that_cannot_be_said_is_still_told() -> None:
    def surrogates(asked: native.Message, context: exits.Context) -> native.Message:
        raise errors.ComponentError("half \ud83d", status=Status.ABORTED)

    replaced = {"m": {Method.PREDICT: (Mode.QUICK, surrogates)}}
    async with serving(node("m"), replaced=replaced) as served, aio_client(served.target) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Predict(message("x"), timeout=20)
        assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.ABORTED, "half ?")
