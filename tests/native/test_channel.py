"""Client channels and each `exchange` on them, answered by h2 what no gRPC server would answer."""

import asyncio
import base64
import gzip

import h2.errors
import h2.settings
import pytest
from support.calling import ANSWER, always, ask, calling, refusal
from support.h2peer import Field, Peer, Stream, frame, scripted
from support.servers import message, until

from executor import errors
from executor.status import Status


async def failing_with(*fields: Field) -> errors.Error:
    """What becomes of a trailers-only answer."""
    head = ((":status", "200"), ("content-type", "application/grpc"))
    async with scripted(always(lambda peer, stream: peer.only(stream, *head, *fields))) as target:
        async with calling(target) as made:
            return await refusal(made)


# --- answers --------------------------------------------------------------------------------------


async def test_request_and_answer() -> None:
    seen: list[Stream] = []

    def answer(peer: Peer, stream: Stream) -> None:
        seen.append(stream)
        peer.answer(stream, ANSWER[:7], ANSWER[7:])

    async with scripted(always(answer)) as target, calling(target) as made:
        assert await ask(made, headers=[("K", "v "), ("te", "no"), ("grpc-x", "no"), ("connection", "no")]) == "answer"
        assert await ask(made, timeout_s=None) == "answer"
        assert made.endpoint.connections == 1
        assert made.target == target
    head = seen[0].headers
    assert head.pop("user-agent").startswith("millrace")
    assert 9e6 < int(head.pop("grpc-timeout").removesuffix("u")) <= 1e7
    assert head == {
        ":method": "POST", ":scheme": "http", ":path": "/s/M", ":authority": target, "te": "trailers",
        "content-type": "application/grpc", "grpc-accept-encoding": "gzip,identity", "k": "v",
    }  # fmt: skip
    assert seen[0].messages == [message("question").SerializeToString()]
    assert "grpc-timeout" not in seen[1].headers


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("", ""),
        ("plain", "plain"),
        ("%C3%BC %25 %0A", "ü % \n"),
        ("100%", "100%"),
        ("%4", "%4"),
        ("%zz%", "%zz%"),
        ("%41%4a", "AJ"),
        ("%ff", "\ufffd"),
    ],
)
async def test_messages_are_unescaped_and_bad_escapes_stay(raw: str, said: str) -> None:
    error = await failing_with(("grpc-status", "9"), ("grpc-message", raw))
    assert (error.status, error.message) == (Status.FAILED_PRECONDITION, said)


@pytest.mark.parametrize("status", ["17", "99", "1000", "abc", "-1", ""])
async def test_statuses_that_are_none_are_unknown(status: str) -> None:
    error = await failing_with(("grpc-status", status), ("grpc-message", "why"))
    assert (error.status, error.message) == (Status.UNKNOWN, "why")


@pytest.mark.parametrize(
    ("raw", "details"),
    [
        ("AP8Q", b"\x00\xff\x10"),
        ("AP8=", b"\x00\xff"),
        ("AP8", b"\x00\xff"),
        ("AA==", b"\x00"),
        ("", None),
        ("*!", None),
    ],
)
async def test_details_with_and_without_padding(raw: str, details: bytes | None) -> None:
    error = await failing_with(("grpc-status", "9"), ("grpc-status-details-bin", raw))
    assert (error.details or None) == details


async def test_details_of_all_sizes() -> None:
    for size in range(8):
        details = bytes(range(200, 200 + size))
        raw = base64.b64encode(details).decode().rstrip("=")
        error = await failing_with(("grpc-status", "5"), ("grpc-status-details-bin", raw))
        assert (error.details or b"") == details


@pytest.mark.parametrize(
    ("code", "kind", "status"),
    [
        ("400", "text/plain", Status.INTERNAL),
        ("401", "text/plain", Status.UNAUTHENTICATED),
        ("403", "text/plain", Status.PERMISSION_DENIED),
        ("404", "text/plain", Status.UNIMPLEMENTED),
        ("429", "text/plain", Status.UNAVAILABLE),
        ("503", "text/html", Status.UNAVAILABLE),
        ("500", "text/html", Status.UNKNOWN),
        ("200", "text/html", Status.UNKNOWN),
        ("200", "application/json", Status.UNKNOWN),
    ],
)
async def test_answers_that_are_not_grpc(code: str, kind: str, status: Status) -> None:
    def answer(peer: Peer, stream: Stream) -> None:
        peer.answer(stream, b"<html>", headers=[(":status", code), ("content-type", kind)], trailers=[])

    async with scripted(always(answer)) as target, calling(target) as made:
        error = await refusal(made)
        assert error.status is status
        assert error.message == f"not a gRPC answer: HTTP status {code}, content-type {kind}"


async def test_page_without_end_is_not_waited_for() -> None:
    resets: list[Stream] = []

    async def answer(peer: Peer, stream: Stream) -> None:
        peer.h2.send_headers(stream.id, [(":status", "200"), ("content-type", "text/html")])
        peer.h2.send_data(stream.id, b"<html>" * 100)
        peer.flush()
        await peer.wait(lambda: stream.reset is not None)
        resets.append(stream)

    async with scripted(always(answer)) as target, calling(target) as made:
        assert "text/html" in (await refusal(made)).message
        await until(lambda: resets)
        assert resets[0].reset == h2.errors.ErrorCodes.CANCEL


@pytest.mark.parametrize(
    ("chunks", "trailers", "status", "said"),
    [
        ([], [("grpc-status", "0")], Status.INTERNAL, "answered OK without a message"),
        ([ANSWER, ANSWER], [("grpc-status", "0")], Status.INTERNAL, "answered more than one message"),
        ([ANSWER], [], Status.UNKNOWN, "ended without grpc-status"),
        ([ANSWER], [("other", "x")], Status.UNKNOWN, "ended without grpc-status"),
        ([ANSWER[:-1]], [("grpc-status", "0")], Status.INTERNAL, "ended inside a message"),
        ([b"\x05" + ANSWER[1:]], [("grpc-status", "0")], Status.INTERNAL, "compressed flag 5"),
        ([b"\x01" + ANSWER[1:]], [("grpc-status", "0")], Status.INTERNAL, "grpc-encoding names no compression"),
        ([b"\x00\x7f\xff\xff\xff"], [("grpc-status", "0")], Status.RESOURCE_EXHAUSTED, "limit of 1000 bytes"),
        ([ANSWER], [("grpc-status", "2"), ("grpc-message", "after all")], Status.UNKNOWN, "after all"),
    ],
)
async def test_answers_that_break_the_rules(
    chunks: list[bytes], trailers: list[Field], status: Status, said: str
) -> None:
    async with scripted(always(lambda peer, stream: peer.answer(stream, *chunks, trailers=trailers))) as target:
        async with calling(target, max_message_bytes=1000) as made:
            error = await refusal(made)
            assert error.status is status
            assert said in error.message


async def test_compressed_answers() -> None:
    head = [(":status", "200"), ("content-type", "application/grpc"), ("grpc-encoding", "gzip")]
    data = message("x" * 990).SerializeToString()
    texts = iter([data, data * 2])

    def answer(peer: Peer, stream: Stream) -> None:
        peer.answer(stream, frame(gzip.compress(next(texts)), 1), headers=head)

    async with scripted(always(answer)) as target, calling(target, max_message_bytes=1000) as made:
        assert await ask(made) == "x" * 990
        error = await refusal(made)
        assert error.status is Status.RESOURCE_EXHAUSTED
        assert "larger than 1000 bytes once inflated" in error.message


# --- resets and GOAWAY ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [
        (h2.errors.ErrorCodes.CANCEL, Status.CANCELLED, "the peer cancelled the stream"),
        (h2.errors.ErrorCodes.ENHANCE_YOUR_CALM, Status.RESOURCE_EXHAUSTED, "fewer requests"),
        (h2.errors.ErrorCodes.INTERNAL_ERROR, Status.INTERNAL, "HTTP/2 error code 2"),
        (h2.errors.ErrorCodes.NO_ERROR, Status.INTERNAL, "HTTP/2 error code 0"),
        (h2.errors.ErrorCodes.REFUSED_STREAM, Status.UNAVAILABLE, "refused the stream"),
    ],
)
async def test_resets_by_the_peer(code: h2.errors.ErrorCodes, status: Status, said: str) -> None:
    async with scripted(always(lambda peer, stream: peer.reset(stream, code))) as target, calling(target) as made:
        error = await refusal(made)
        assert error.status is status
        assert said in error.message
        assert target in error.message


async def test_refused_stream_is_tried_once_more() -> None:
    seen: list[int] = []

    def answer(peer: Peer, stream: Stream) -> None:
        seen.append(stream.id)
        if len(seen) == 1:
            peer.reset(stream, h2.errors.ErrorCodes.REFUSED_STREAM)
        else:
            peer.answer(stream, ANSWER)

    async with scripted(always(answer)) as target, calling(target) as made:
        assert await ask(made) == "answer"
    assert seen == [1, 3]


async def test_what_was_answered_in_part_is_not_asked_again() -> None:
    seen: list[int] = []

    def answer(peer: Peer, stream: Stream) -> None:
        seen.append(stream.id)
        peer.h2.send_headers(stream.id, [(":status", "200"), ("content-type", "application/grpc")])
        peer.h2.send_data(stream.id, ANSWER)
        peer.reset(stream, h2.errors.ErrorCodes.REFUSED_STREAM)

    async with scripted(always(answer)) as target, calling(target) as made:
        error = await refusal(made)
        assert (error.status, seen) == (Status.UNAVAILABLE, [1])


async def test_answer_that_came_whole_counts_whatever_follows() -> None:
    def answer(peer: Peer, stream: Stream) -> None:
        peer.answer(stream, ANSWER)
        peer.h2.close_connection()
        peer.flush()

    async with scripted(always(answer)) as target, calling(target) as made:
        assert await ask(made) == "answer"
        assert await ask(made) == "answer"


async def test_streams_above_goaway_go_to_the_next_connection() -> None:
    seen: list[tuple[int, str]] = []
    connections: list[Peer] = []

    async def serve(peer: Peer) -> None:
        connections.append(peer)
        first = len(connections) == 1
        while not peer.closed:
            stream = await peer.request()
            seen.append((len(connections), stream.messages[0][2:].decode()))
            if first and stream.id == 3:
                # By hand: h2 would then send nothing more, but the first stream is still answered.
                peer.writer.write(b"\x00\x00\x08\x07" + bytes(5) + (1).to_bytes(4, "big") + bytes(4))
                peer.answer(peer.streams[1], ANSWER)
            elif not first:
                peer.answer(stream, ANSWER)

    async with scripted(serve) as target, calling(target) as made:
        assert list(await asyncio.gather(ask(made, "one"), ask(made, "two"))) == ["answer", "answer"]
    assert seen == [(1, "one"), (1, "two"), (2, "two")]
