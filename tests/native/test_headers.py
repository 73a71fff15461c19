from collections.abc import Iterator

import pytest
from hyperframe import frame as frames
from support.frames import (
    NO_ERROR,
    OK,
    PROTOCOL_ERROR,
    REQUEST,
    RESPONSE,
    Field,
    Peer,
    join,
    kinds,
    message,
    opened_client,
    opened_pair,
    opened_server,
)

from executor._native import buffer
from executor.status import Status


@pytest.fixture(autouse=True)
def _no_leaks() -> Iterator[None]:
    before = buffer.live_buffers()
    yield
    assert buffer.live_buffers() == before


def counted(fields: list[Field]) -> int:
    """What a header block counts (RFC 9113, 6.5.2)."""
    return sum(len(name) + len(value) + 32 for name, value in fields)


def test_fields_come_as_they_were_sent() -> None:
    fields = [*REQUEST, (b"x-high", bytes(range(0x81, 0x100))), (b"x-empty", b""), (b"x", b"1"), (b"x", b"2")]
    peer = Peer()
    server = opened_server(peer)
    assert server.feed(peer.headers(1, fields)) == [("headers", 1, fields, False)]


@pytest.mark.parametrize("count", [1, 16, 17, 33, 200])
def test_any_number_of_fields_goes_both_ways(count: int) -> None:
    client, server = opened_pair()
    more = [(b"x-%d" % number, b"v" * (number % 40)) for number in range(count)]
    stream = client.request([*REQUEST, *more], b"x")
    assert join(client, server)[1][0] == ("headers", stream, [*REQUEST, *more], False)
    server.headers(stream, [*RESPONSE, *more])
    server.end(stream, [*OK, *more])
    assert join(client, server)[0][:2] == [
        ("headers", stream, [*RESPONSE, *more], False),
        ("end", stream, [*OK, *more]),
    ]


def test_names_are_sent_in_lower_case() -> None:
    client, server = opened_pair()
    stream = client.request([*REQUEST, (b"X-Mixed", b"Value")], b"x")
    assert (b"x-mixed", b"Value") in join(client, server)[1][0][2]
    client.reset(stream)
    join(client, server)


@pytest.mark.parametrize("parts", [[1], [0, 0, 3], [10, 11, 12, 20]])
def test_continuation_frames_make_one_block(parts: list[int]) -> None:
    peer = Peer()
    server = opened_server(peer)
    assert server.feed(peer.headers(1, REQUEST, parts=parts)) == [("headers", 1, REQUEST, False)]


def test_too_many_continuation_frames_end_the_connection() -> None:
    peer = Peer()
    server = opened_server(peer)
    server.feed(peer.headers(1, REQUEST, parts=[0] * 40))
    server.take_output()
    assert server.failed


def test_block_at_the_limit_is_taken_and_one_above_refused() -> None:
    fields = [*REQUEST, (b"x", b"v" * 100)]
    peer = Peer()
    server = opened_server(peer, max_header_bytes=counted(fields))
    assert server.feed(peer.headers(1, fields)) == [("headers", 1, fields, False)]
    larger = [*REQUEST, (b"x", b"v" * 101)]
    text = f"header block of more than {counted(fields)} bytes, which is the limit"
    # Refused as a whole, and the connection's header table stays in step.
    seen = server.feed(peer.headers(3, larger) + peer.data(3, message(b"x"), end=True) + peer.headers(5, fields))
    assert seen == [("refused", 3, Status.RESOURCE_EXHAUSTED, text), ("headers", 5, fields, False)]
    server.end(3, [*RESPONSE, (b"grpc-status", b"8")])
    assert kinds(peer.read(server.take_output())) == ["Headers END_STREAM"]
    assert server.take_events() == [("close", 3, NO_ERROR)]


def test_trailers_have_the_same_limit() -> None:
    peer = Peer()
    client = opened_client(peer, max_header_bytes=300)
    stream = client.request(REQUEST, b"x")
    client.take_output()
    seen = client.feed(peer.headers(stream, RESPONSE) + peer.headers(stream, [(b"x", b"v" * 300)], end=True))
    assert seen[-2][:3] == ("refused", stream, Status.RESOURCE_EXHAUSTED)
    # Both sides had finished: there is nothing to reset.
    assert seen[-1] == ("close", stream, NO_ERROR)
    assert kinds(peer.read(client.take_output())) == []


def test_a_block_far_over_the_limit_ends_the_connection() -> None:
    peer = Peer()
    server = opened_server(peer, max_header_bytes=1000)
    # One table entry, named a thousand times: a kilobyte that inflates to megabytes.
    server.feed(peer.headers(1, [*REQUEST, *[(b"x", b"v" * 3000)] * 1000]))
    assert server.failed
    assert server.error == "a header block many times over its limit"
    assert server.close() == []


@pytest.mark.parametrize("bad", [(b"UPPER", b"x"), (b"x\0", b"x"), (b"connection", b"close"), (b":status", b"200")])
def test_malformed_fields_reset_the_stream_which_is_never_shown(bad: Field) -> None:
    peer = Peer()
    server = opened_server(peer)
    assert server.feed(peer.headers(1, [*REQUEST, bad])) == []
    reset = peer.read(server.take_output())[0]
    assert (reset.stream_id, reset.error_code) == (1, PROTOCOL_ERROR)  # type: ignore[attr-defined]
    assert server.take_events() == []
    assert server.open_streams == 0
    assert server.feed(peer.headers(3, REQUEST)) == [("headers", 3, REQUEST, False)]


def test_malformed_answer_closes_the_call() -> None:
    peer = Peer()
    client = opened_client(peer)
    stream = client.request(REQUEST, b"x")
    client.take_output()
    client.feed(peer.headers(stream, [(b"no-status", b"1")]))
    client.take_output()
    assert client.take_events() == [("close", stream, PROTOCOL_ERROR)]


def test_informational_answers_are_passed_over() -> None:
    peer = Peer()
    client = opened_client(peer)
    stream = client.request(REQUEST, b"x")
    client.take_output()
    wire = peer.headers(stream, [(b":status", b"103"), (b"link", b"x")]) + peer.headers(stream, [(b":status", b"100")])
    wire += peer.headers(stream, RESPONSE) + peer.data(stream, message(b"y")) + peer.headers(stream, OK, end=True)
    assert client.feed(wire) == [
        ("headers", stream, RESPONSE, False),
        ("message", stream, b"y", False),
        ("end", stream, OK),
        ("close", stream, NO_ERROR),
    ]


def test_request_trailers_are_given_at_the_end() -> None:
    peer = Peer()
    server = opened_server(peer)
    wire = peer.headers(1, REQUEST) + peer.data(1, message(b"x")) + peer.headers(1, [(b"x-last", b"1")], end=True)
    assert server.feed(wire)[-1] == ("end", 1, [(b"x-last", b"1")])


def test_what_is_too_large_to_send_is_refused() -> None:
    client, server = opened_pair(max_header_bytes=1 << 20)
    huge = [(b"x", b"v" * 50_000)]
    with pytest.raises(RuntimeError, match="request refused"):
        client.request([*REQUEST, *huge], b"x")
    large = [(b"x", b"v" * 40_000)]
    stream = client.request([*REQUEST, *large], b"x")
    assert join(client, server)[1][0] == ("headers", stream, [*REQUEST, *large], False)
    with pytest.raises(RuntimeError, match="headers refused"):
        server.headers(stream, [*RESPONSE, *huge])
    server.headers(stream, [*RESPONSE, *large])
    with pytest.raises(RuntimeError, match="end refused"):
        server.end(stream, huge)
    server.end(stream, large)
    assert join(client, server)[0][-2:] == [("end", stream, large), ("close", stream, NO_ERROR)]


def test_values_that_change_with_each_call_enter_the_header_table_once() -> None:
    peer = Peer()
    client = opened_client(peer)
    volatile = (b"seldon-puid", b"grpc-timeout", b"traceparent")
    sizes = []
    for number in range(30):
        changing = [*((name, b"%d" % number) for name in volatile), (b"x-id", b"%d" % number)]
        client.request([*REQUEST, *changing], b"x")
        headers = peer.read(client.take_output())[0]
        assert isinstance(headers, frames.HeadersFrame)
        assert peer.fields(headers)[-4:] == changing
        sizes.append(len(headers.data))
    names = [bytes(name) for name, _ in peer.decoder.header_table.dynamic_entries]
    assert [names.count(name) for name in (*volatile, b"x-id")] == [1, 1, 1, 30]
    # Once a name is in the table, it is not spelled again.
    assert sizes[0] - sizes[1] > sum(map(len, volatile)) // 2
    assert len(set(sizes[1:10])) == 1
    client.close()
