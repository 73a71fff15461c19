"""What is known of one address: connections, ages, attempts; and when calls crowd on it."""

import math
import socket
import time

import pytest
from support.servers import free_port

from executor.rpc.places import CALM_PER_S, CROWD, JAM, WATCH_S, Crowd, Site, open_socket
from executor.rpc.resolve import Place

PLACE = Place(socket.AF_INET, ("127.0.0.1", 80))


def site(*ages: float, width: int = 1) -> tuple[Site, float]:
    """A site with a ready connection for each age, in units of the greatest age; and now."""
    made, now = Site(PLACE), time.monotonic()
    made.width = width
    for number, age in enumerate(ages, 1):
        made.began(number, 100.0)
        made.see(number, "ready", 0)
        made.links[number].due = now + 100.0 * (1 - age)
    return made, now


def test_ages_differ() -> None:
    made = Site(PLACE)
    for number in range(20):
        made.began(number, 100.0)
    ages = [link.due - link.born for link in made.links.values()]
    assert len(set(ages)) == 20
    assert all(80 <= age <= 120 for age in ages)
    made.began(99, None)
    assert made.links[99].due == math.inf


def test_a_successor_comes_before_the_old_one_goes() -> None:
    made, now = site(0.5, 1.5, width=2)
    assert made.outlive(now)
    assert not made.outlive(now)
    assert made.lacks(now)
    assert list(made.surplus(now)) == []
    made.began(3, 100.0)
    assert not made.lacks(now)
    assert list(made.surplus(now)) == []
    made.see(3, "ready", 0)
    assert [link.number for link in made.surplus(now)] == [2]


def test_without_need_there_is_no_successor() -> None:
    made, now = site(0.5, 1.5, 1.6, width=3)
    made.narrow(2)
    assert made.width == 2
    assert [link.number for link in made.surplus(now)] == [3]
    made.narrow(0)
    made.narrow(0)
    assert made.width == 1


def test_attempts() -> None:
    made, now = site()
    assert made.lacks(now)
    assert made.may_try(now, False)
    made.failed("no", others=False)
    assert not made.may_try(now, True)
    assert made.may_try(made.backoff.until, False)
    made.listed = False
    assert not made.lacks(now)


def test_a_connection_that_ends_soon_is_replaced_at_once_only_for_calls() -> None:
    made, now = site(0)
    made.lost(1, True)
    assert not made.may_try(now, False)
    assert made.may_try(now, True)
    made, now = site(0)
    made.links[1].born -= 60
    made.lost(1, True)
    assert made.may_try(now, False)


def test_leaving_is_told_once() -> None:
    made, _ = site(0, 0)
    assert not made.see(1, "ready", 3)
    assert made.see(1, "leaving", 3)
    assert not made.see(1, "leaving", 2)
    made.links[2].retired = True
    assert not made.see(2, "leaving", 0)
    assert (made.alive, made.pending) == ([], False)
    made.began(3, None)
    assert made.pending


@pytest.mark.parametrize(
    ("streams", "rate", "crowded"),
    [
        (CROWD + 1, CALM_PER_S / 2, True),
        (CROWD, CALM_PER_S / 2, False),
        (CROWD + 1, CALM_PER_S * 2, False),
        (JAM - 1, CALM_PER_S * 2, False),
        (JAM, CALM_PER_S * 2, True),
    ],
)
def test_calls_crowd_where_they_are_slow_or_very_many(streams: int, rate: float, crowded: bool) -> None:
    crowd = Crowd()
    assert crowd.until == math.inf
    assert not crowd.over(100.0, 0, streams)
    crowd.watch(100.0, 50)
    crowd.watch(100.1, 60)
    assert crowd.until == 100 + WATCH_S
    assert not crowd.over(100.1, 60, streams)
    assert crowd.over(101.0, 50 + int(rate), streams) is crowded
    assert crowd.until == math.inf


async def test_sockets() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        sock = await open_socket(Place(socket.AF_INET, server.getsockname()))
        assert (sock.getpeername(), sock.getblocking()) == (server.getsockname(), False)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        sock.close()
    with pytest.raises(ConnectionRefusedError):
        await open_socket(Place(socket.AF_INET, ("127.0.0.1", free_port())))
