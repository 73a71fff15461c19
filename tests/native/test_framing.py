import itertools
import os
import resource
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.frames import (
    CANCEL,
    OK,
    REQUEST,
    RESPONSE,
    Event,
    Peer,
    join,
    kinds,
    message,
    opened_client,
    opened_pair,
    opened_server,
)

from executor._native import buffer, codec_face, seldon
from executor.status import Status


@pytest.fixture(autouse=True)
def _no_leaks() -> Iterator[None]:
    before = buffer.live_buffers()
    yield
    assert buffer.live_buffers() == before


def body(size: int) -> bytes:
    """Bytes in which a misplaced piece shows."""
    return b"".join(b"%08x" % number for number in range(size // 8 + 1))[:size]


@pytest.mark.parametrize("cut", range(1, 150))
def test_a_call_cut_anywhere_is_the_same_call(cut: int) -> None:
    peer = Peer()
    server = opened_server(peer)
    wire = peer.headers(1, REQUEST, parts=[5])
    wire += peer.data(1, message(b"one") + message(b"") + message(b"three", 1), end=True)
    seen = server.feed(wire[:cut]) + server.feed(wire[cut:])
    assert seen == [
        ("headers", 1, REQUEST, False),
        ("message", 1, b"one", False),
        ("message", 1, b"", False),
        ("message", 1, b"three", True),
        ("end", 1, []),
    ]


@settings(max_examples=60)
@given(
    texts=st.lists(st.binary(max_size=300), max_size=5),
    cuts=st.lists(st.integers(0, 2000), max_size=6),
    chunk=st.integers(1, 400),
    padding=st.none() | st.integers(0, 255),
)
def test_messages_do_not_depend_on_frames_nor_reads(
    texts: list[bytes], cuts: list[int], chunk: int, padding: int | None
) -> None:
    peer = Peer()
    server = opened_server(peer)
    payload = b"".join(map(message, texts))
    places = sorted({0, len(payload), *(cut for cut in cuts if cut < len(payload))})
    wire = peer.headers(1, REQUEST)
    for start, stop in itertools.pairwise(places):
        wire += peer.data(1, payload[start:stop], padding=padding)
    wire += peer.data(1, b"", end=True)
    seen = [event for start in range(0, len(wire), chunk) for event in server.feed(wire[start : start + chunk])]
    assert [event[2] for event in seen if event[0] == "message"] == texts
    assert seen[-1] == ("end", 1, [])


@pytest.mark.parametrize("size", [0, 1, 4090, 4096, 16384, 65530, 1 << 20, (1 << 20) + 1, 5_000_000])
@pytest.mark.parametrize("window", [65_535, 8 << 20])
def test_messages_of_any_size_go_both_ways(size: int, window: int) -> None:
    client, server = opened_pair(stream_window=window, connection_window=window, max_message=8 << 20)
    payload = body(size)
    stream = client.request(REQUEST, payload)
    seen = join(client, server, chunk=60_000)[1]
    assert [event[0] for event in seen] == ["headers", "message", "end"]
    assert seen[1][2] == payload
    server.headers(stream, RESPONSE)
    server.send(stream, payload)
    server.end(stream, OK)
    seen = join(client, server, chunk=60_000)[0]
    assert [event[0] for event in seen] == ["headers", "message", "end", "close"]
    assert seen[1][2] == payload


def test_message_at_the_limit_is_taken_and_one_above_refused_before_its_bytes() -> None:
    peer = Peer()
    server = opened_server(peer, max_message=1000)
    seen = server.feed(peer.call(1, message(bytes(1000))))
    assert [event[0] for event in seen] == ["headers", "message", "end"]
    seen = server.feed(peer.headers(3, REQUEST) + peer.data(3, message(b"", size=1001)))
    assert seen[-1] == (
        "refused",
        3,
        Status.RESOURCE_EXHAUSTED,
        "message of 1001 bytes is larger than the limit of 1000 bytes",
    )
    # The rest is discarded; the server still answers.
    assert server.feed(peer.data(3, bytes(1001), end=True)) == []
    server.end(3, [*RESPONSE, (b"grpc-status", b"8")])
    assert kinds(peer.read(server.take_output())) == ["Headers END_STREAM"]
    assert server.take_events() == [("close", 3, 0)]


def test_a_client_resets_what_it_refuses() -> None:
    peer = Peer()
    client = opened_client(peer, max_message=10)
    stream = client.request(REQUEST, b"x")
    client.take_output()
    seen = client.feed(peer.headers(stream, RESPONSE) + peer.data(stream, message(bytes(11))))
    assert seen[-1][:3] == ("refused", stream, Status.RESOURCE_EXHAUSTED)
    assert kinds(peer.read(client.take_output())) == ["RstStream"]
    assert client.take_events() == [("close", stream, CANCEL)]


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (b"\0\0\0", "the stream ended inside a message prefix, after 3 of 5 bytes"),
        (message(b"abc", size=10), "the stream ended inside a message, after 3 of 10 bytes"),
        (message(b"whole") + b"\0", "the stream ended inside a message prefix, after 1 of 5 bytes"),
        (message(b"abc", 2), "compressed flag 2 before a message: allowed are 0 and 1"),
        (message(b"", 255), "compressed flag 255 before a message: allowed are 0 and 1"),
    ],
)
@pytest.mark.parametrize("trailers", [False, True])
def test_what_is_not_grpc_is_refused_with_the_reason(payload: bytes, text: str, trailers: bool) -> None:
    peer = Peer()
    server = opened_server(peer)
    wire = peer.call(1, payload, end=not trailers)
    if trailers:
        wire += peer.headers(1, [(b"x-last", b"1")], end=True)
    seen = server.feed(wire)
    assert seen[-1] == ("refused", 1, Status.INTERNAL, text)
    assert "end" not in [event[0] for event in seen]


def test_a_length_commits_no_memory_before_its_bytes_come() -> None:
    peer = Peer()
    server = opened_server(peer, max_message=(1 << 32) - 1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for stream in range(1, 129, 2):
        server.feed(peer.headers(stream, REQUEST) + peer.data(stream, message(b"x", size=(1 << 32) - 1)))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert server.open_streams == 64
    # ru_maxrss counts KiB on Linux and bytes on macOS: 32 MiB, or far less.
    assert grown < 32 << (10 if os.uname().sysname == "Linux" else 20)


@pytest.mark.parametrize("high_water", [1, 10_000, 1 << 20])
def test_a_message_of_many_spans_is_sent_whole(high_water: int) -> None:
    parts = [seldon.build("binData", body(size)) for size in (1, 5000, 0, 300, 4096, 4090, 100_000, 7, 300_000)]
    whole = codec_face.make_list(parts)
    assert whole.spans > len(parts)
    client, server = opened_pair()
    stream = client.request(REQUEST, whole, more=True)
    client.send(stream, whole)
    client.end(stream)
    seen: list[Event] = []
    while not seen or seen[-1][0] != "end":
        seen += server.feed(client.take_output(high_water))
        client.feed(server.take_output())
    assert [event[2] for event in seen if event[0] == "message"] == [bytes(whole)] * 2
    client.close()


def test_messages_waiting_share_frames() -> None:
    peer = Peer()
    client = opened_client(peer)
    stream = client.request(REQUEST, b"0", more=True)
    for number in range(1, 50):
        client.send(stream, b"%d" % number)
    client.end(stream)
    assert client.queued(stream) == sum(5 + len(b"%d" % number) for number in range(50))
    assert kinds(peer.read(client.take_output())) == ["Headers", "Data END_STREAM"]
    assert client.queued(stream) == 0
    client.close()
