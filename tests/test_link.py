"""What a parent and a worker say to each other, over a real pair of sockets."""

import asyncio
import os
import socket

from executor.link import Link


async def test_messages_come_in_order_with_their_connections() -> None:
    left, right = (Link(each) for each in socket.socketpair())
    ours, theirs = socket.socketpair()
    left.send({"say": "one"})
    left.send({"say": "two"}, theirs)
    left.send({"say": "three"})
    heard = [await right.receive() for _ in range(3)]
    assert [each[0]["say"] for each in heard if each] == ["one", "two", "three"]
    assert heard[0] is not None
    assert heard[0][1] is None
    assert heard[1] is not None
    connection = heard[1][1]
    assert connection is not None
    assert theirs.fileno() == -1
    ours.sendall(b"hello")
    assert connection.recv(5) == b"hello"
    for each in (ours, connection):
        each.close()
    left.close()
    assert await right.receive() is None
    right.close()


async def test_more_than_the_socket_holds_waits_and_arrives() -> None:
    left, right = (Link(each) for each in socket.socketpair())
    text = "x" * 3_000_000
    pairs = [socket.socketpair() for _ in range(3)]
    for _, theirs in pairs:
        left.send({"text": text}, theirs)
    assert left.waiting == 3
    for ours, _ in pairs:
        heard = await asyncio.wait_for(right.receive(), 10)
        assert heard is not None
        assert heard[0]["text"] == text
        assert heard[1] is not None
        ours.sendall(b"!")
        assert heard[1].recv(1) == b"!"
        heard[1].close()
        ours.close()
    assert left.waiting == 0
    left.close()
    right.close()


async def test_what_is_said_to_nobody_is_dropped_and_connections_are_closed() -> None:
    here, there = socket.socketpair()
    left = Link(here)
    there.close()
    ours, theirs = socket.socketpair()
    left.send({}, theirs)
    assert ours.recv(1) == b""
    ours.close()
    assert await left.receive() is None
    left.close()
    left.close()
    ours, theirs = socket.socketpair()
    left.send({}, theirs)
    assert ours.recv(1) == b""
    ours.close()


async def test_connections_that_nobody_took_are_closed() -> None:
    here, there = socket.socketpair()
    left, right = Link(here), Link(there)
    before = set(os.listdir("/proc/self/fd"))
    ours, theirs = socket.socketpair()
    left.send({"say": "first"})
    left.send({"say": "second"}, theirs)
    assert await right.receive() == ({"say": "first"}, None)
    right.close()
    left.close()
    assert ours.recv(1) == b""
    ours.close()
    assert set(os.listdir("/proc/self/fd")) <= before
