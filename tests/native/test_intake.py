"""Requests that wait for memory, as a session sees it: `intake`, `budget` and `sending` through `probe_http2`."""

import itertools
import random
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hyperframe import frame as frames
from support.frames import NO_ERROR, OK, REQUEST, RESPONSE, Event, Peer, join, kinds, message, opened_client
from support.frames import opened_server as opened

from executor._native import budget, buffer, probe_http2
from executor.status import Status

LARGE = 100_000
"""Of a message that does not count as small."""
ROOM = buffer.room(LARGE)


@pytest.fixture(autouse=True)
def _no_leaks() -> Iterator[None]:
    before = buffer.live_buffers()
    yield
    assert buffer.live_buffers() == before


@pytest.fixture
def memory() -> Iterator[budget.Budget]:
    """Room for eight large messages, and for two of what waits."""
    made = budget.Budget(64 * ROOM, 8 * ROOM)
    yield made
    assert (made.used, made.waiting, made.held) == (0, 0, 0)


def server_of(peer: Peer, memory: budget.Budget, **more: Any) -> probe_http2.Session:
    windows = {"stream_window": 1 << 18, "connection_window": 1 << 19}
    return opened(peer, **{**windows, "budget": memory, **more})


def in_pieces(session: probe_http2.Session, data: bytes, size: int = 10_000) -> list[Event]:
    return list(itertools.chain.from_iterable(session.feed(data[at : at + size]) for at in range(0, len(data), size)))


def body(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def names(events: list[Event]) -> list[tuple[Any, ...]]:
    return [event[:2] for event in events]


def occupied(memory: budget.Budget) -> budget.Hold:
    """All of it, but the part for small ones."""
    held = memory.hold()
    assert held.add(8 * ROOM)
    return held


def test_message_is_charged_while_it_comes() -> None:
    memory = budget.Budget(4 * ROOM)
    peer = Peer()
    server = server_of(peer, memory)
    server.feed(peer.headers(1, REQUEST) + peer.data(1, message(b"x" * 10, size=LARGE)))
    assert memory.used == ROOM, "all of it, though ten bytes have come"
    server.feed(peer.reset(1))
    assert memory.used == 0


def test_message_waits_and_comes_whole_when_there_is_room(memory: budget.Budget) -> None:
    peer, sent = Peer(), body(LARGE)
    server = server_of(peer, memory)
    with occupied(memory):
        seen = in_pieces(server, peer.call(1, message(sent)))
        assert names(seen) == [("headers", 1)]
        assert (server.waits(1), memory.waiting, server.held) == (True, 1, LARGE)
        assert LARGE <= memory.held <= memory.held_max
        assert server.admit() == []
        assert kinds(peer.read(server.take_output())) == [], "no window is opened for what waits"
    assert server.admit() == [("message", 1, sent, False), ("end", 1, [])]
    assert (server.held, memory.waiting) == (0, 0)
    assert server.admit() == []
    server.close()


def test_windows_open_again_when_it_goes_on(memory: budget.Budget) -> None:
    peer, sent = Peer(), body(LARGE)
    server = server_of(peer, memory, stream_window=65_535, connection_window=2 * ROOM)
    with occupied(memory):
        in_pieces(server, peer.headers(1, REQUEST) + peer.data(1, message(sent)[:65_535]))
        assert peer.read(server.take_output()) == []
    server.admit()
    opened_again = peer.read(server.take_output())
    assert {frame.stream_id for frame in opened_again} == {1}
    assert credit(opened_again, 1) >= LARGE + 5 - 65_535
    seen = in_pieces(server, peer.data(1, message(sent)[65_535:], end=True))
    assert seen == [("message", 1, sent, False), ("end", 1, [])]
    server.close()


def test_small_messages_do_not_wait_behind_large_ones(memory: budget.Budget) -> None:
    peer = Peer()
    server = server_of(peer, memory)
    with occupied(memory):
        in_pieces(server, peer.call(1, message(body(LARGE))))
        assert server.waits(1)
        seen = server.feed(peer.call(3, message(b"small")))
        assert names(seen) == [("headers", 3), ("message", 3), ("end", 3)]
        full = [memory.hold(), memory.hold()]
        assert [each.add(ROOM // 2) for each in full] == [True, True], "their own part is finite as well"
        server.feed(peer.call(5, message(b"one more")))
        assert server.waits(5)
        full[0].close()
        assert names(server.admit()) == [("message", 5), ("end", 5)]
        full[1].close()
    assert names(server.admit()) == [("message", 1), ("end", 1)]
    server.close()


def test_oldest_goes_first(memory: budget.Budget) -> None:
    peer = Peer()
    server = server_of(peer, memory)
    held = [memory.hold() for _ in range(8)]
    assert all(each.add(ROOM) for each in held)
    for stream in (1, 3, 5):
        server.feed(peer.headers(stream, REQUEST) + peer.data(stream, message(b"", size=LARGE - stream)))
    assert memory.waiting == 3
    held.pop().close()
    server.admit()
    assert [server.waits(stream) for stream in (1, 3, 5)] == [False, True, True]
    server.feed(peer.reset(1))
    server.admit()
    assert [server.waits(stream) for stream in (3, 5)] == [False, True]
    server.close()
    for each in held:
        each.close()


def test_empty_message_may_wait_too() -> None:
    memory = budget.Budget(1000, 256)
    peer = Peer()
    server = server_of(peer, memory)
    with memory.hold() as held:
        assert held.add(256)
        server.feed(peer.headers(1, REQUEST) + peer.data(1, message(b"", size=200)) + peer.call(3, message(b"")))
        assert (server.waits(1), server.waits(3)) == (True, True)
    seen = server.admit()
    server.feed(peer.reset(1))
    assert seen + server.admit() == [("message", 3, b"", False), ("end", 3, [])]
    server.close()
    assert memory.used == 0


@pytest.mark.parametrize("sizes", [[LARGE, LARGE], [LARGE, 10, LARGE], [LARGE, 0, 0, LARGE, 1]])
def test_each_message_of_a_stream_waits_for_itself(memory: budget.Budget, sizes: list[int]) -> None:
    peer, sent = Peer(), [body(size) for size in sizes]
    server = server_of(peer, memory)
    wire = b"".join(map(message, sent))
    with occupied(memory):
        in_pieces(server, peer.headers(1, REQUEST) + peer.data(1, wire[:150_000]))
        server.feed(peer.headers(3, REQUEST) + peer.data(3, message(b"", size=LARGE)))
        assert memory.waiting == 2
    seen = server.admit() + in_pieces(server, peer.data(1, wire[150_000:], end=True))
    assert [event[2] for event in seen if event[0] == "message"] == sent
    assert seen[-1] == ("end", 1, [])
    server.close()


@pytest.mark.parametrize("how", ["reset by the peer", "reset by us", "answered", "lost", "cut short"])
def test_streams_that_end_while_they_wait(memory: budget.Budget, how: str) -> None:
    peer, sent = Peer(), message(body(LARGE))
    server = server_of(peer, memory)
    with occupied(memory):
        first = sent[:20_000] if how == "cut short" else sent
        in_pieces(server, peer.headers(1, REQUEST) + peer.data(1, first, end=how == "answered"))
        if how == "reset by the peer":
            assert server.feed(peer.reset(1)) == [("close", 1, 8)]
        elif how == "reset by us":
            server.reset(1)
        elif how == "answered":
            server.headers(1, RESPONSE)
            server.end(1, OK)
        elif how == "lost":
            assert server.close() == [("close", 1, 8)]
        else:
            server.feed(peer.call(3, sent[:-1]))
            assert server.waits(3)
            server.feed(peer.reset(1))
        assert (memory.held > 0) == (how == "cut short")
        assert memory.waiting == (how == "cut short")
    if how == "lost":
        return
    if how == "cut short":
        seen = server.admit()
        assert seen == [
            ("refused", 3, Status.INTERNAL, f"the stream ended inside a message, after {LARGE - 1} of {LARGE} bytes")
        ]
    assert server.admit() == []
    given = credit(peer.read(server.take_output()), 0)
    # What the connection is owed it gets: far more than its window goes through it afterwards.
    for stream in range(5, 105, 2):
        seen = server.feed(peer.call(stream, message(b"y" * 16_000)))
        assert [name for name, number in names(seen) if number == stream] == ["headers", "message", "end"]
        server.end(stream, OK)
        given += credit(peer.read(server.take_output()), 0)
    assert given >= 50 * 16_000 + LARGE - (1 << 18)
    assert not server.failed
    server.close()


def credit(found: list[frames.Frame], stream: int) -> int:
    """By how much windows of a stream, 0 for the connection's, were opened."""
    updates = [each for each in found if isinstance(each, frames.WindowUpdateFrame) and each.stream_id == stream]
    return sum(each.window_increment for each in updates)


def test_those_that_wait_may_fill_half_a_connection(memory: budget.Budget) -> None:
    memory_of_many = budget.Budget(64 * ROOM, 32 * ROOM)
    held = memory_of_many.hold()
    assert held.add(32 * ROOM)
    peer = Peer()
    server = server_of(peer, memory_of_many, stream_window=ROOM, connection_window=2 * LARGE + 110_000)
    seen: list[Event] = []
    for stream in (1, 3):
        seen += in_pieces(server, peer.headers(stream, REQUEST) + peer.data(stream, message(body(LARGE))))
    refused = [event for event in seen if event[0] == "refused"]
    assert [event[1:3] for event in refused] == [(3, Status.RESOURCE_EXHAUSTED)]
    text = r"no memory for more requests now: those of this connection that wait for it hold \d+ bytes, allowed are "
    assert re.fullmatch(text + "155000", refused[0][3])
    assert server.held == LARGE
    held.close()
    assert names(server.admit()) == [("message", 1)]
    server.close()
    assert (memory_of_many.used, memory_of_many.held) == (0, 0)


def test_those_that_wait_hold_a_quarter_of_the_memory_together(memory: budget.Budget) -> None:
    with occupied(memory):
        sessions, refused = [], []
        for _ in range(4):
            peer = Peer()
            sessions.append(server_of(peer, memory))
            seen = in_pieces(sessions[-1], peer.headers(1, REQUEST) + peer.data(1, message(body(LARGE))))
            refused += [event for event in seen if event[0] == "refused"]
        assert 0 < len(refused) < len(sessions)
        assert refused[0][2] == Status.RESOURCE_EXHAUSTED
        assert f"allowed are {memory.held_max}" in refused[0][3]
        assert 0 < memory.held <= memory.held_max
        for session in sessions:
            session.close()


def test_message_that_can_never_have_room_is_refused_at_once() -> None:
    memory = budget.Budget(ROOM, ROOM // 2)
    peer = Peer()
    server = server_of(peer, memory)
    seen = server.feed(peer.call(1, message(b"x", size=LARGE)))
    text = f"message of {LARGE} bytes is larger than the {ROOM // 2} bytes of memory that requests may take"
    assert seen[1:] == [("refused", 1, Status.RESOURCE_EXHAUSTED, text)]
    server.close()


def test_answers_do_not_wait_and_go_on_to_the_hard_limit() -> None:
    memory = budget.Budget(2 * ROOM, ROOM)
    peer = Peer()
    client = opened_client(peer, budget=memory, stream_window=1 << 18, connection_window=1 << 20)
    streams = [client.request(REQUEST, b"x") for _ in range(3)]
    client.take_output()
    seen: list[Event] = []
    for stream in streams:
        seen += client.feed(peer.headers(stream, RESPONSE) + peer.data(stream, message(b"x", size=LARGE)))
    assert (memory.used, memory.waiting) == (2 * ROOM, 0)
    assert seen[-1] == (
        "refused", streams[2], Status.RESOURCE_EXHAUSTED,
        f"no memory for a message of {LARGE} bytes: {2 * ROOM} of the {2 * ROOM} bytes for messages are in use",
    )  # fmt: skip
    client.close()
    assert memory.used == 0


def test_memory_of_a_message_is_given_back_wherever_it_is_freed() -> None:
    memory = budget.Budget(8 * ROOM)
    client = probe_http2.Session(False)
    server = probe_http2.Session(True, budget=memory, stream_window=1 << 18, connection_window=1 << 18)
    join(client, server)
    stream = client.request(REQUEST, body(LARGE))
    join(client, server)
    server.headers(stream, RESPONSE)
    server.end(stream, OK)
    assert join(client, server)[0][-1] == ("close", stream, NO_ERROR)
    assert memory.used == 0
    client.close()
    server.close()
