"""What all places for learned state have in common: `memory`, `sqlite` and `redis` behind one interface.

The last two are also shared; test_sqlite and test_redis kill their processes.
"""

import functools
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.redis_server import RedisServer, redis_server

from executor import state
from executor.state import Branch, Pulls, Reward, Store
from executor.state.memory import MemoryStore
from executor.state.redis import RedisStore
from executor.state.sqlite import SqliteStore

Open = Callable[..., Store]
SHARED = pytest.mark.parametrize("place", ["sqlite", "redis"], indirect=True)


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with redis_server() as running:
        yield running


numbers = itertools.count()


@pytest.fixture(params=["memory", "sqlite", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens the same place each time, except in memory. Nothing is in it."""
    if request.param == "memory":
        return MemoryStore
    if request.param == "sqlite":
        return functools.partial(SqliteStore, str(tmp_path / "deep" / "state.sqlite"))
    url = request.getfixturevalue("server").url.replace("db=0", f"db={next(numbers) % 16}")
    store = RedisStore(url)
    store._client.flushdb()
    store.close()
    return functools.partial(RedisStore, url)


@pytest.fixture
def store(place: Open) -> Iterator[Store]:
    opened = place(window=5)
    yield opened
    opened.close()


def test_sums_add_up(store: Store) -> None:
    assert store.read("r") == {}
    assert store.add([], []) == []
    counted = store.add(
        [Reward("r", "a", 0.5, 2.0), Reward("r", "a", 0.25, 0.5), Reward("s", "a", 1.0)], [Pulls("r", "b", 3)]
    )
    assert counted == [True] * 3
    assert store.add([], [Pulls("r", "b", 4), Pulls("r", "a", 1)]) == []
    assert store.read("r") == {"a": Branch(1, 2, 0.75, 2.5), "b": Branch(7)}
    assert store.read("s") == {"a": Branch(0, 1, 1.0)}
    assert store.routers() == ["r", "s"]


def test_a_second_reward_of_a_request_is_not_counted(store: Store) -> None:
    first, second = Reward("r", "a", 1.0, puid="p"), Reward("r", "b", 0.5, puid="p")
    assert store.add([first, second, Reward("s", "a", 1.0, puid="p")]) == [True, False, True]
    assert store.add([second]) == [False]
    assert store.read("r") == {"a": Branch(0, 1, 1.0)}


def test_rewards_without_puid_are_always_counted(store: Store) -> None:
    assert store.add([Reward("r", "a", 1.0)] * 3) == [True] * 3
    assert store.read("r")["a"].rewards == 3


def test_the_window_is_of_the_last_puids_of_each_router(store: Store) -> None:
    def ask(router: str, number: int) -> bool:
        return store.add([Reward(router, "a", 1.0, puid=f"p{number}")])[0]

    assert ask("s", 0)
    assert all(ask("r", number) for number in range(5))
    assert not any(ask("r", number) for number in range(5))
    assert ask("r", 5)  # the sixth: the first is forgotten
    assert not any(ask("r", number) for number in range(1, 6))
    assert ask("r", 0)
    assert not ask("s", 0)


def test_long_and_foreign_puids_and_names(store: Store) -> None:
    puids = ["x" * 500, "x" * 501, "é☃", "a'b\"c", "sha256:"]
    name = "a:b/c d☃"
    assert [store.add([Reward("r/☃", name, 1.0, puid=puid)])[0] for puid in puids] == [True] * 5
    assert store.add([Reward("r/☃", name, 1.0, puid=puid) for puid in puids]) == [False] * 5
    assert store.read("r/☃") == {name: Branch(0, 5, 5.0)}


def test_numbers_keep_all_their_digits(store: Store) -> None:
    store.add([Reward("r", "a", 0.1, 1 / 3)])
    store.add([Reward("r", "b", -1e15, 1e-9)])
    assert store.read("r") == {"a": Branch(0, 1, 0.1, 1 / 3), "b": Branch(0, 1, -1e15, 1e-9)}


@SHARED
def test_two_share_a_place_and_notice_each_other(place: Open) -> None:
    first, second = place(), place()
    assert second.changed()  # nothing was looked at yet
    second.changed()
    assert first.add([Reward("r", "a", 1.0, puid="p")], [Pulls("r", "a", 2)]) == [True]
    assert second.changed()
    assert second.read("r") == {"a": Branch(2, 1, 1.0)}
    assert second.add([Reward("r", "a", 1.0, puid="p")]) == [False]
    first.close()
    second.close()


@SHARED
def test_what_was_added_is_there_after_the_end(place: Open) -> None:
    first = place()
    first.add([Reward("r", "a", 1.0, puid="p")], [Pulls("r", "a", 2)])
    first.close()
    second = place()
    assert second.read("r") == {"a": Branch(2, 1, 1.0)}
    assert second.add([Reward("r", "a", 1.0, puid="p")]) == [False]
    second.close()


def test_places_by_name(tmp_path: Path, server: RedisServer) -> None:
    opened = [state.open_store(where) for where in ("memory", str(tmp_path / "s"), server.url)]
    assert [type(each) for each in opened] == [MemoryStore, SqliteStore, RedisStore]
    for each in opened:
        each.close()
