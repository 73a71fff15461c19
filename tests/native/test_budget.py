"""Owns tests of the `budget` for received messages, and of what Python holds out of it."""

import gc

import pytest

from executor._native import budget

SMALL = 64 << 10


def test_what_is_held_is_given_back() -> None:
    memory = budget.Budget(1000, 500)
    with memory.hold() as held:
        assert held.add(400)
        assert held.add(100)
        assert memory.used == 500
    assert memory.used == 0


def test_nothing_is_taken_when_there_is_no_room() -> None:
    memory = budget.Budget(16 * SMALL, 8 * SMALL)
    with memory.hold() as first, memory.hold() as second:
        assert first.add(8 * SMALL)
        assert not second.add(SMALL + 1)
        assert memory.used == 8 * SMALL
        assert second.add(SMALL), "small ones have an eighth more"
        assert not memory.hold().add(1)
    assert memory.used == 0


def test_parts_add_up_to_what_is_large() -> None:
    memory = budget.Budget(16 * SMALL, 8 * SMALL)
    with memory.hold() as first, memory.hold() as second:
        assert first.add(8 * SMALL - 10)
        assert second.add(10)
        assert second.add(SMALL - 10)
        assert not second.add(1)


def test_what_is_forgotten_is_given_back_too() -> None:
    memory = budget.Budget(1000, 500)
    held = memory.hold()
    assert held.add(500)
    del held
    assert memory.used == 0


def test_bounds() -> None:
    memory = budget.Budget(1000)
    assert (memory.hard, memory.soft, memory.held_max, memory.waiting, memory.held) == (1000, 500, 125, 0, 0)
    assert budget.Budget().hold().add(1 << 50)


@pytest.mark.parametrize(("hard", "soft"), [(0, 0), (10, 11), (10, 0), (1 << 61, 1)])
def test_bounds_that_make_no_sense(hard: int, soft: int) -> None:
    with pytest.raises(ValueError, match="allowed are 1 <= soft <= hard"):
        budget.Budget(hard, soft)


def test_what_is_held_in_garbage_is_given_back() -> None:
    class Holder:
        pass

    memory = budget.Budget(1000, 500)
    for _ in range(10):
        holder = Holder()
        holder.held, holder.itself = memory.hold(), holder  # type: ignore[attr-defined]
        assert holder.held.add(50)  # type: ignore[attr-defined]
        del holder
    gc.collect()
    assert memory.used == 0
