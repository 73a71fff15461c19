import gc
from collections.abc import Iterator

import pytest
from hyperframe import frame as frames
from hypothesis import given, settings
from hypothesis import strategies as st
from support.frames import OK, REQUEST, RESPONSE, Peer, kinds, message, opened_client, opened_server

from executor._native import buffer, probe_http2


@pytest.fixture(autouse=True)
def _no_leaks() -> Iterator[None]:
    before = buffer.live_buffers()
    yield
    gc.collect()
    assert buffer.live_buffers() <= before  # what others left may go meanwhile


def answered(peer: Peer, size: int, **limits: int) -> tuple[probe_http2.Session, bytes]:
    """A server with one answer of `size` bytes to send."""
    server = opened_server(peer, **limits)
    server.feed(peer.window(0, 1 << 30) + peer.call(1, message(b"x")) + peer.window(1, 1 << 30))
    payload = b"".join(b"%08x" % number for number in range(size // 8 + 1))[:size]
    server.headers(1, RESPONSE)
    server.send(1, payload)
    server.end(1, OK)
    return server, payload


def body_of(found: list[frames.Frame]) -> bytes:
    return b"".join(one.data for one in found if isinstance(one, frames.DataFrame))


@settings(max_examples=30)
@given(size=st.integers(0, 60_000), steps=st.lists(st.integers(1, 30_000), min_size=1, max_size=10))
def test_partial_writes_lose_nothing(size: int, steps: list[int]) -> None:
    peer = Peer()
    server, payload = answered(peer, size)
    sent = b""
    while server.pump(20_000) > 0:
        for step in steps:
            waiting = b"".join(server.pieces())
            step = min(step, len(waiting))
            sent += waiting[:step]
            server.wrote(step)
    assert body_of(peer.read(sent)) == message(payload)


def test_the_pump_stops_at_the_high_water_mark() -> None:
    peer = Peer()
    server, payload = answered(peer, 3_000_000)
    sent = b""
    largest = 0
    while (waiting := server.pump(64_000)) > 0:
        largest = max(largest, waiting)
        piece = b"".join(server.pieces(1))
        sent += piece
        server.wrote(len(piece))
    # A peer that says nothing else takes frames of 16 KiB: the mark is passed by one frame at most.
    assert largest < 64_000 + 16_384 + 100
    assert body_of(peer.read(sent)) == message(payload)


@pytest.mark.parametrize(("size", "pieces"), [(100, 1), (4095, 1), (4096, 3), (12_000, 3)])
def test_large_payloads_leave_by_reference_and_small_ones_in_one_piece(size: int, pieces: int) -> None:
    peer = Peer()
    server, payload = answered(peer, size)
    server.pump()
    assert len(server.pieces()) == pieces
    found = peer.read(server.take_output())
    assert kinds(found) == ["Headers", "Data", "Headers END_STREAM"]
    assert body_of(found) == message(payload)


def test_frames_are_as_large_as_the_peer_takes() -> None:
    peer = Peer()
    settings = frames.SettingsFrame
    client = opened_client(peer, {settings.MAX_FRAME_SIZE: 100_000, settings.INITIAL_WINDOW_SIZE: 1 << 24})
    client.feed(peer.window(0, 1 << 24))
    client.request(REQUEST, bytes(1_000_000))
    sizes = [len(one.data) for one in peer.read(client.take_output()) if isinstance(one, frames.DataFrame)]
    assert sizes == [100_000] * 10 + [5]
    client.close()


def test_a_shut_window_holds_the_rest_back() -> None:
    peer = Peer()
    server = opened_server(peer)
    server.feed(peer.call(1, message(b"x")) + peer.call(3, message(b"x")))
    for stream in (1, 3):
        server.headers(stream, RESPONSE)
        server.send(stream, bytes(100_000))
        server.end(stream, OK)
    assert len(body_of(peer.read(server.take_output()))) == 65_535
    assert not server.wants_write
    server.feed(peer.window(0, 10_000) + peer.window(1, 10_000) + peer.window(3, 10_000))
    assert len(body_of(peer.read(server.take_output()))) == 10_000
    server.feed(peer.window(0, 1_000_000) + peer.window(1, 1_000_000) + peer.window(3, 1_000_000))
    found = peer.read(server.take_output())
    assert len(body_of(found)) == 2 * 100_005 - 75_535
    assert [one.stream_id for one in found if "END_STREAM" in one.flags] in ([1, 3], [3, 1])


def test_a_waiting_stream_does_not_hold_up_another() -> None:
    peer = Peer()
    server = opened_server(peer)
    server.feed(peer.window(0, 1 << 20) + peer.call(1, message(b"x")) + peer.call(3, message(b"x")))
    server.headers(1, RESPONSE)
    server.send(1, bytes(100_000))
    server.take_output()
    server.headers(3, RESPONSE)
    server.send(3, b"quick")
    server.end(3, OK)
    assert kinds(peer.read(server.take_output())) == ["Headers", "Data", "Headers END_STREAM"]


def test_received_bytes_open_the_windows_again() -> None:
    peer = Peer()
    server = opened_server(peer, stream_window=65_535, connection_window=65_535, max_message=1 << 20)
    server.feed(peer.headers(1, REQUEST) + peer.data(1, message(b"", size=100_000)))
    for _ in range(3):
        server.feed(peer.data(1, bytes(15_000), padding=200))
    updates = [one for one in peer.read(server.take_output()) if isinstance(one, frames.WindowUpdateFrame)]
    assert {one.stream_id for one in updates} == {0, 1}
    assert all(32_000 < one.window_increment <= 45_608 for one in updates)


@pytest.mark.parametrize("cause", ["refused", "answered", "reset"])
def test_discarded_bytes_open_the_connection_but_not_their_stream(cause: str) -> None:
    peer = Peer()
    server = opened_server(peer, max_message=10)
    server.feed(peer.headers(1, REQUEST))
    if cause == "refused":
        server.feed(peer.data(1, message(bytes(11))))
    elif cause == "answered":
        server.end(1, [*RESPONSE, *OK])
    else:
        server.reset(1)
    for _ in range(3):
        server.feed(peer.data(1, bytes(16_000)))
    updates = [one for one in peer.read(server.take_output()) if isinstance(one, frames.WindowUpdateFrame)]
    assert [one.stream_id for one in updates] == [0]


def test_a_peer_that_passes_a_window_which_stays_shut_breaks_the_protocol() -> None:
    peer = Peer()
    server = opened_server(peer, max_message=10)
    seen = server.feed(peer.headers(1, REQUEST) + peer.data(1, message(bytes(11))))
    assert [event[0] for event in seen] == ["headers", "refused"]
    for _ in range(5):
        server.feed(peer.data(1, bytes(16_000)))
    found = peer.read(server.take_output())
    codes = [one.error_code for one in found if isinstance(one, frames.RstStreamFrame | frames.GoAwayFrame)]
    assert codes == [3]  # FLOW_CONTROL_ERROR
