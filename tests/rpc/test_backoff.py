"""How long is waited before the next attempt."""

import pytest

from executor.rpc.backoff import FIRST_S, LAST_S, Backoff


def test_waits_grow_up_to_a_bound_and_start_over() -> None:
    backoff = Backoff()
    assert backoff.until == 0
    waits = []
    for _ in range(20):
        backoff.grow(100.0)
        waits.append(backoff.until - 100)
    assert FIRST_S * 0.8 <= waits[0] <= FIRST_S * 1.2
    assert all(LAST_S * 0.79 <= wait <= LAST_S * 1.21 for wait in waits[-8:])
    assert len(set(waits)) == 20
    backoff.reset()
    backoff.grow(100.0)
    assert backoff.until <= 100 + FIRST_S * 1.21


def test_a_longer_bound_and_hurry() -> None:
    backoff = Backoff()
    for _ in range(20):
        backoff.grow(100.0, last_s=5.0)
    assert backoff.until - 100 == pytest.approx(5.0, rel=0.21)
    backoff.hurry(100.0)
    assert backoff.until == 100 + LAST_S
    backoff.hurry(200.0)
    assert backoff.until == 100 + LAST_S
