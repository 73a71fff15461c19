"""What the soak calls flat, on series made up for it."""

import random
from collections.abc import Callable

import pytest
from soak import judge
from soak.judge import Sample

MIB = 1024
rng = random.Random(1)


Course = Callable[[float], float]


def series(rss: Course, fds: Course = lambda part: 40, hours: float = 1.0) -> list[Sample]:
    """A sample each ten seconds; what they say depends on which part of the time is over."""
    count = int(hours * 360)
    return [Sample(at * 10.0, int(rss(at / count)), int(fds(at / count)), 12) for at in range(count)]


def noisy(level: float) -> float:
    return level * MIB + rng.uniform(-8, 8) * MIB


@pytest.mark.parametrize(
    "rss",
    [
        lambda part: 100 * MIB,
        lambda part: noisy(100),
        lambda part: noisy(100 if part > 0.3 else 300 * part),  # warming up
        lambda part: noisy(200 - 100 * part),  # giving back
        lambda part: noisy(110 + 4 * part),
    ],
)
def test_flat(rss: Course) -> None:
    assert judge.faults("x", series(rss)) == []
    assert judge.faults("x", series(rss, hours=0.05)) == []


@pytest.mark.parametrize(
    "rss",
    [
        lambda part: noisy(100 + 60 * part),  # creeping
        lambda part: noisy(100 if part < 0.7 else 150),  # a jump that stays
    ],
)
def test_not_flat(rss: Course) -> None:
    (told,) = judge.faults("x", series(rss))
    assert told.startswith("x: memory rose by ")
    assert "allowed are 16.0 MiB" in told


def test_descriptors_and_threads() -> None:
    (told,) = judge.faults("x", series(lambda part: 100 * MIB, lambda part: 40 + 50 * part))
    assert told.startswith("x: descriptors rose by ")
    grown = [Sample(each.at, each.rss, each.fds, int(each.at / 100)) for each in series(lambda part: 100 * MIB)]
    (told,) = judge.faults("x", grown)
    assert told.startswith("x: threads rose by ")


def test_too_short() -> None:
    (told,) = judge.faults("x", series(lambda part: 100 * MIB)[:5])
    assert "too few to judge" in told
    assert judge.told("x", []) == "x: not long enough"


def test_what_is_told() -> None:
    told = judge.told("x", series(lambda part: (100 + 30 * part) * MIB))
    assert told.startswith("x: 100.0 MiB at first, 110.0 after the warm-up, 129.9 at the end, highest 129.9;")
    assert "(+30.0 MiB/h)" in told
