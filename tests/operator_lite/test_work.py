"""Tests `work`: the queue of keys."""

import threading

from operator_lite.backoff import Backoff
from operator_lite.work import Key, Queue

A, B = ("ns", "a"), ("ns", "b")


class Clock:
    """Time as the test says it."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def queue() -> tuple[Queue, Clock]:
    clock = Clock()
    return Queue(clock, lambda: Backoff(first_s=1.0, most_s=8.0, chance=lambda: 1.0)), clock


def taken(found: Queue) -> list[Key]:
    """All that can be taken now; they are held."""
    keys = []
    while (key := found.take(wait=False)) is not None:
        keys.append(key)
    return keys


def test_a_key_waits_once_and_in_turn() -> None:
    found, _ = queue()
    for key in (A, B, A, A):
        found.add(key)
    assert len(found) == 2
    assert taken(found) == [A, B]


def test_one_worker_at_a_time_has_it() -> None:
    found, _ = queue()
    found.add(A)
    assert taken(found) == [A]
    found.add(A)
    found.add(A)
    assert taken(found) == []
    found.done(A)
    assert taken(found) == [A]
    found.done(A)
    assert taken(found) == []


def test_a_failure_comes_again_later_and_later() -> None:
    found, clock = queue()
    found.add(A)
    for pause in (1.0, 2.0, 4.0, 8.0, 8.0):
        assert taken(found) == [A]
        found.done(A, failed=True)
        assert found.failing == 1
        clock.now += pause - 0.01
        assert taken(found) == []
        clock.now += 0.01
    assert taken(found) == [A]
    found.done(A)
    assert (found.failing, len(found)) == (0, 0)
    found.add(A)
    assert taken(found) == [A]
    found.done(A, failed=True)
    clock.now += 1.0
    assert taken(found) == [A]


def test_one_that_fails_holds_up_no_other_and_is_looked_at_when_it_changes() -> None:
    found, _ = queue()
    found.add(A)
    assert taken(found) == [A]
    found.done(A, failed=True)
    found.add(B)
    assert taken(found) == [B]
    found.add(A)
    assert taken(found) == [A]


def test_the_earliest_time_counts() -> None:
    found, clock = queue()
    found.add(A, after=10.0)
    found.add(A, after=5.0)
    found.add(A, after=7.0)
    assert len(found) == 1
    clock.now += 5.0
    assert taken(found) == [A]
    found.done(A)
    clock.now += 10.0
    assert taken(found) == []


def test_what_is_due_while_it_is_held_waits_for_its_worker() -> None:
    found, clock = queue()
    found.add(A)
    assert taken(found) == [A]
    found.add(A, after=1.0)
    clock.now += 2.0
    assert taken(found) == []
    found.done(A)
    assert taken(found) == [A]


def test_a_look_may_ask_for_the_next() -> None:
    found, clock = queue()
    found.add(A)
    assert taken(found) == [A]
    found.done(A, after=3.0)
    clock.now += 3.0
    assert taken(found) == [A]
    found.done(A, after=0.5, failed=True)
    clock.now += 0.5
    assert taken(found) == [A]


def test_workers_wait_until_there_is_something_or_it_stops() -> None:
    found = Queue()
    got: list[Key | None] = []

    def work() -> None:
        while (key := found.take()) is not None:
            got.append(key)
            found.done(key)
        got.append(None)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for each in threads:
        each.start()
    found.add(A, after=0.01)
    found.add(B)
    while len(got) < 2:
        threading.Event().wait(0.005)
    found.stop()
    for each in threads:
        each.join(10.0)
    assert set(got[:2]) == {A, B}
    assert got[2:] == [None, None, None]
    found.add(A)
    assert found.take() is None
