"""Tests `backoff`."""

from operator_lite.backoff import Backoff


def test_it_doubles_up_to_a_bound_and_begins_anew() -> None:
    found = Backoff(first_s=1.0, most_s=10.0, chance=lambda: 1.0)
    assert [found.next() for _ in range(6)] == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    found.reset()
    assert found.next() == 1.0


def test_many_do_not_come_at_once() -> None:
    assert Backoff(first_s=4.0, chance=lambda: 0.0).next() == 2.0
    assert all(2.0 <= Backoff(first_s=4.0).next() <= 4.0 for _ in range(100))


def test_it_may_fail_for_ever() -> None:
    found = Backoff(failures=10_000, chance=lambda: 1.0)
    assert found.next() == found.most_s
