"""Randomness: the published algorithm, the spread of its numbers, and well-formed ids."""

import uuid

import pytest

from executor._native import chance

MASK = (1 << 64) - 1


def rotate(x: int, k: int) -> int:
    return (x << k | x >> (64 - k)) & MASK


def xoshiro(state: list[int]) -> int:
    """One step of xoshiro256**, written from its description."""
    result = rotate(state[1] * 5 & MASK, 7) * 9 & MASK
    shifted = state[1] << 17 & MASK
    state[2] ^= state[0]
    state[3] ^= state[1]
    state[1] ^= state[2]
    state[0] ^= state[3]
    state[2] ^= shifted
    state[3] = rotate(state[3], 45)
    return result


def test_numbers_are_those_of_the_algorithm() -> None:
    state = [1, 2, 3, 4]
    ours = chance.Chance((1, 2, 3, 4))
    assert [ours.next() for _ in range(1000)] == [(xoshiro(state) >> 11) * 2.0**-53 for _ in range(1000)]


def test_numbers_are_spread_evenly() -> None:
    ours = chance.Chance()
    counts = [0] * 10
    for _ in range(20_000):
        counts[int(ours.next() * 10)] += 1
    # Binomial(20000, 0.1): six standard deviations are 255.
    assert all(abs(count - 2000) < 255 for count in counts)


def test_uuids_are_version_4_and_differ() -> None:
    ours = chance.Chance()
    made = [uuid.UUID(ours.uuid()) for _ in range(1000)]
    assert {(each.version, each.variant) for each in made} == {(4, uuid.RFC_4122)}
    assert len(set(made)) == 1000
    assert str(made[0]) == str(uuid.UUID(str(made[0])))


def test_generators_are_seeded_apart() -> None:
    assert chance.Chance().uuid() != chance.Chance().uuid()


def test_state_needs_four_numbers() -> None:
    with pytest.raises(ValueError, match="4 numbers, not 2"):
        chance.Chance((1, 2))  # type: ignore[arg-type]
