"""The weight tables that learning routers pick by; test_flow_learning has requests use them."""

import math
import mmap
import threading
from collections import Counter

import pytest

from executor._native import weights
from executor.graph import learners

SLOT = 24


def counts(table: weights.Weights, picks: int) -> list[int]:
    found = Counter(table.pick() for _ in range(picks))
    return [found[branch] for branch in range(len(table))]


def test_at_first_all_branches_are_equal() -> None:
    assert all(abs(count - 1000) < 5 * math.sqrt(750) for count in counts(weights.Weights("abcd", seed=1), 4000))


def test_picks_follow_the_chances() -> None:
    table = weights.Weights("abc", seed=7)
    table.set_chances([1.0, 0.0, 3.0])
    first, none, last = counts(table, 4000)
    assert none == 0
    assert abs(first - 1000) < 5 * math.sqrt(750)
    assert first + last == 4000
    table.set_chances([0.0, 1.0, 0.0])
    assert counts(table, 50) == [0, 50, 0]
    assert table.pulls == [first, 50, last]


def test_a_seed_makes_picks_come_out_the_same() -> None:
    first, second, other = (weights.Weights("abc", seed) for seed in (5, 5, 2**64 - 1))
    drawn = [[each.pick() for _ in range(100)] for each in (first, second, other)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_without_a_seed_they_do_not() -> None:
    drawn = [[weights.Weights("ab").pick() for _ in range(64)] for _ in range(2)]
    assert drawn[0] != drawn[1]


def test_scores_are_those_of_ucb1() -> None:
    table = weights.Weights("abc")
    scores = learners.Scores((0.2, 0.5, 0.4), 0.5)
    base = [3.0, 4.0, 5.0]
    table.set_scores(scores.means, base, scores.rate)
    for _ in range(200):
        now = [before + counted for before, counted in zip(base, table.pulls, strict=True)]
        assert table.pick() == learners.best_scored(scores, now)
    assert min(table.pulls) > 0


def test_branches_that_nobody_tried_come_first_and_equals_take_turns() -> None:
    table = weights.Weights("abc")
    table.set_scores([0.0, 0.0, 0.0], [5.0, 0.0, 0.0], 1.0)
    assert [table.pick() for _ in range(2)] == [1, 2]
    table = weights.Weights("abc")
    table.set_scores([0.0] * 3, [0.0] * 3, 1.0)
    assert sorted(table.pick() for _ in range(9)) == [0, 0, 0, 1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize("chances", [[1.0], [0.0, 0.0], [1.0, -0.1], [math.nan, 1.0], [math.inf, 1.0]])
def test_chances_that_are_none_are_refused(chances: list[float]) -> None:
    with pytest.raises(ValueError, match="chances of 2 branches must be from 0 on"):
        weights.Weights("ab").set_chances(chances)


def test_scores_that_are_none_are_refused() -> None:
    table = weights.Weights("ab")
    for means, base, rate in (([0.1], [1.0, 1.0], 1.0), ([0.1, 0.2], [1.0], 1.0), ([0.1, 0.2], [1.0, 1.0], 0.0)):
        with pytest.raises(ValueError, match="scores need 2 means and pulls, and a rate above 0 up to 1"):
            table.set_scores(means, base, rate)
    with pytest.raises(ValueError, match="at least one branch"):
        weights.Weights([])


def test_picks_are_remembered_by_puid() -> None:
    with mmap.mmap(-1, 4096 * SLOT) as memory:
        table = weights.Weights(["a", "b"], 3, memory)
        table.set_chances([0.25, 0.75])
        taken = {f"puid-{number}": table.pick(f"puid-{number}") for number in range(40)}
        other = weights.Weights(["a", "b"], None, memory)  # another process that shares the memory
        shares = {0: 0.25, 1: 0.75}
        for puid, branch in taken.items():
            recalled = other.recall(puid)
            assert recalled == (weights.mark("ab"[branch]), branch, shares[branch])
        assert other.recall("puid-40") is None
        assert other.recall("") is None
        del table, other


def test_the_last_of_two_picks_in_one_slot_is_remembered() -> None:
    table = weights.Weights(["a", "b"], 3, bytearray(SLOT))
    for puid in ("first", "second"):
        table.pick(puid)
    assert table.recall("first") is None
    assert table.recall("second") is not None


def test_a_torn_slot_is_as_good_as_empty() -> None:
    memory = bytearray(SLOT)
    table = weights.Weights(["a"], None, memory)
    table.pick("x")
    assert table.recall("x") is not None
    memory[12] ^= 1
    assert table.recall("x") is None
    with pytest.raises(ValueError, match="takes at least 24 bytes, not 23"):
        weights.Weights(["a"], None, bytearray(SLOT - 1))


def test_without_memory_nothing_is_remembered() -> None:
    table = weights.Weights(["a"])
    table.pick("x")
    assert table.recall("x") is None


def test_every_byte_of_a_puid_counts() -> None:
    table = weights.Weights(["a"], None, bytearray(100 * SLOT))
    table.pick("x" * 10_000)
    assert table.recall("x" * 10_000) is not None
    assert table.recall("x" * 9_999) is None


def test_tables_change_while_others_pick() -> None:
    table = weights.Weights("abcdefgh", seed=1)
    over = threading.Event()

    def change() -> None:
        number = 0
        while not over.is_set():
            chances = [0.0] * 8
            chances[number % 8] = 1.0
            table.set_chances(chances)
            number += 1

    thread = threading.Thread(target=change)
    thread.start()
    try:
        found = counts(table, 200_000)
    finally:
        over.set()
        thread.join()
    assert sum(found) == 200_000 == sum(table.pulls)
    assert sum(count > 0 for count in found) > 1
