"""Owns tests of kept blocks of memory: that sessions live on them, give all back, and that what is kept is bounded.

Blocks have no face in Python, so sessions of `probe_http2` take them; a build that watches memory keeps none.
"""

import pytest
from support.frames import OK, REQUEST, RESPONSE, join

from executor._native import buffer, pool, probe_http2

KEEPS = buffer.room(1) > 1
"""Whether this build keeps memory at all."""


def pair(blocks: pool.Pool) -> tuple[probe_http2.Session, probe_http2.Session]:
    """A client and a server that share a pool."""
    client, server = probe_http2.Session(pool=blocks), probe_http2.Session(True, pool=blocks)
    join(client, server)
    return client, server


def ask(client: probe_http2.Session, server: probe_http2.Session, count: int) -> None:
    """So many requests at once, and their answers."""
    streams = [client.request(REQUEST, b"x" * 100) for _ in range(count)]
    join(client, server)
    for stream in streams:
        server.headers(stream, RESPONSE)
        server.send(stream, b"y" * 100)
        server.end(stream, OK)
    events, _ = join(client, server)
    answers = [event for event in events if event[0] == "message"]
    assert answers == [("message", stream, b"y" * 100, False) for stream in streams]


def test_a_session_gives_all_its_blocks_back() -> None:
    blocks = pool.Pool()
    client, server = pair(blocks)
    assert blocks.lent > 0
    ask(client, server, 20)
    client.close()
    server.close()
    assert blocks.lent == 0
    assert blocks.kept > 0 or not KEEPS


def test_a_steady_load_takes_no_new_blocks() -> None:
    blocks = pool.Pool()
    client, server = pair(blocks)
    for _ in range(3):
        ask(client, server, 20)
    before = blocks.lent, blocks.kept
    ask(client, server, 20)
    assert (blocks.lent, blocks.kept) == before
    client.close()
    server.close()


@pytest.mark.parametrize("keep", [0, 1000, 50_000])
def test_what_is_kept_is_bounded(keep: int) -> None:
    blocks = pool.Pool(keep)
    client, server = pair(blocks)
    ask(client, server, 90)
    client.close()
    server.close()
    assert blocks.lent == 0
    assert blocks.kept <= keep
