"""Owns tests of shared counters: what several processes count is one sum, also when one of them has died."""

import math
import mmap
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor._native import stats

COUNT_FOR_EVER = """
import sys, time
from executor._native import stats
segment = stats.Segment(stats.Region(2, int(sys.argv[1])), int(sys.argv[2]))
number, timing = segment.counter(b"calls"), segment.histogram(b"seconds", (0.5,))
segment.gauge(b"running").set(1)
number.add()
print("up", flush=True)
while True:
    number.add()
    timing.add(0.25)
"""


@pytest.fixture
def region() -> Iterator[stats.Region]:
    made = stats.Region(2)
    yield made
    made.close()


def test_series_of_all_processes_are_added_up(region: stats.Region) -> None:
    one, two = stats.Segment(region, 1), stats.Segment(region, 2)
    for segment in (one, two, two):
        segment.counter(b"calls").add(2)
        segment.gauge(b"open").set(3)
        segment.histogram(b"seconds", (0.1, 1.0)).add(0.1)
        segment.histogram(b"seconds", (0.1, 1.0)).add(7)
        segment.sketch(b"times").add(0.5, 100.0)
    found = region.read(101.0)
    assert found[stats.COUNTER, b"calls"] == 6
    assert found[stats.GAUGE, b"open"] == 6
    bounds, counts, total = found[stats.HISTOGRAM, b"seconds"]  # type: ignore[misc]
    assert (bounds, counts, total) == ((0.1, 1.0), [3, 0, 3], pytest.approx(21.3))
    places, count, total = found[stats.SKETCH, b"times"]  # type: ignore[misc]
    assert (sum(places), count, total) == (3, 3, 1.5)


def test_a_series_is_found_again(region: stats.Region) -> None:
    stats.Segment(region, 1).counter(b"calls").add()
    again = stats.Segment(region, 1)
    again.counter(b"calls").add()
    assert again.counter(b"calls").value == 2
    assert region.read(0.0) == {(stats.COUNTER, b"calls"): 2}


@given(st.lists(st.floats(1e-6, 4000), min_size=1, max_size=200), st.floats(0, 1))
def test_a_quantile_is_off_by_little(values: list[float], rank: float) -> None:
    region = stats.Region(0)
    try:
        sketch = stats.Segment(region, 0).sketch(b"times")
        for value in values:
            sketch.add(value, 10.0)
        counts = region.read(10.0)[stats.SKETCH, b"times"][0]  # type: ignore[index]
        exact = sorted(values)[max(0, math.ceil(rank * len(values)) - 1)]
        assert stats.quantiles(counts, [rank])[rank] == pytest.approx(exact, rel=0.0165)  # type: ignore[arg-type]
    finally:
        region.close()


def test_quantiles_of_nothing_and_of_extremes(region: stats.Region) -> None:
    assert math.isnan(stats.quantiles([0] * 1024, [0.5])[0.5])
    sketch = stats.Segment(region, 0).sketch(b"times")
    for value in (0.0, -1.0, 1e9):
        sketch.add(value, 0.0)
    found = stats.quantiles(region.read(0.0)[stats.SKETCH, b"times"][0], [0.0, 1.0])  # type: ignore[arg-type, index]
    assert found[0.0] < 2e-6
    assert found[1.0] > 4000


def test_a_sketch_forgets_what_is_old(region: stats.Region) -> None:
    sketch = stats.Segment(region, 1).sketch(b"times")

    def seen(now: float) -> tuple[int, int]:
        counts, count, _ = region.read(now)[stats.SKETCH, b"times"]  # type: ignore[misc]
        return sum(counts), count  # type: ignore[arg-type, return-value]

    sketch.add(1.0, 1000.0)
    sketch.add(1.0, 1299.0)
    assert seen(1299.0) == (2, 2)
    sketch.add(1.0, 1301.0)  # in the next window
    assert seen(1301.0) == (3, 3)
    sketch.add(1.0, 1602.0)  # the first is over
    assert seen(1602.0) == (2, 4)
    assert seen(1950.0) == (1, 4)
    assert seen(2300.0) == (0, 4)


def test_what_a_killed_process_counted_is_kept(region: stats.Region) -> None:
    keeper = stats.Segment(region, 0)
    keeper.counter(b"calls").add(10)
    for index in (1, 2, 1):  # a segment is used again
        with subprocess.Popen(
            [sys.executable, "-c", COUNT_FOR_EVER, str(region.fd), str(index)],
            pass_fds=[region.fd],
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"up\n"
            before = 0.0
            for _ in range(50):  # numbers only grow while it counts
                found = region.read(0.0)
                assert found[stats.COUNTER, b"calls"] >= before  # type: ignore[operator]
                before = found[stats.COUNTER, b"calls"]  # type: ignore[assignment]
            process.send_signal(signal.SIGKILL)
        last = region.read(0.0)
        assert last[stats.GAUGE, b"running"] == 1
        keeper.fold(index)
        kept = region.read(0.0)
        assert kept == {key: value for key, value in last.items() if key[0] != stats.GAUGE}
    assert kept[stats.COUNTER, b"calls"] >= 13  # type: ignore[operator]


def test_names_without_end_cost_nothing(region: stats.Region) -> None:
    segment = stats.Segment(region, 1)
    for number in range(4500):
        segment.counter(b"made up %d" % number).add()
    assert len(region.read(0.0)) == 4096
    assert region.refused == 404
    sketches = stats.Segment(region, 2)
    for number in range(1000):  # here memory ends first
        sketches.sketch(b"made up %d" % number).add(1.0, 0.0)
    assert 400 < len(region.read(0.0)) - 4096 < 600


def test_what_cannot_be_is_refused(region: stats.Region) -> None:
    with pytest.raises(IndexError, match="segment 3: there are 0 to 2"):
        stats.Segment(region, 3)
    with pytest.raises(ValueError, match="not in ascending order"):
        stats.Segment(region, 0).histogram(b"x", (1.0, 0.5))
    for index in (0, 1):
        with pytest.raises(ValueError, match="segment 0 is where the others are folded in"):
            stats.Segment(region, index).fold(index)
    with pytest.raises(ValueError, match="-1 segments"):
        stats.Region(-1)


def test_what_is_closed_goes_on_counting() -> None:
    region = stats.Region(1)
    number = stats.Segment(region, 1).counter(b"calls")
    descriptor = region.fd
    for _ in range(2):
        region.close()
    assert region.fd == -1
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
    number.add(3)
    assert region.read(0.0) == {(stats.COUNTER, b"calls"): 3}
    with pytest.raises(OSError, match="Bad file descriptor"):
        stats.Region(1, descriptor)


def test_a_region_that_is_gone_leaves_nothing() -> None:
    region = stats.Region(0)
    number, descriptor = stats.Segment(region, 0).counter(b"calls"), region.fd
    del region
    os.fstat(descriptor)
    number.add(1)
    del number
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


HEAD = 24  # bytes before the first entry, which is: its kind, size and place of its key, place of its value


@pytest.mark.parametrize(
    ("at", "what"),
    [
        (HEAD + 12, b"\0\0\0\0"),  # the value's place
        (HEAD + 12, b"\xf8\xff\x3f\0"),
        (HEAD + 12, b"\xf8\xff\xff\xff"),
        (HEAD + 8, b"\xff\xff\xff\xff"),  # the key's
        (HEAD + 4, b"\xff\xff\xff\xff"),  # its size
        (HEAD, b"\x07\0\0\0"),  # the kind
        (8, b"\xff\xff\xff\xff"),  # how many there are
        (12, b"\xff\xff\xff\xff"),  # how much is used
        (None, b"\0" * 8),  # bounds of the histogram, as while it is cleared
        (None, b"\xff" * 8),
        (None, b"\0\0\0\0\1\0\0\0"),
    ],
)
def test_what_a_crash_left_is_not_believed(region: stats.Region, at: int | None, what: bytes) -> None:
    """A series that makes no sense is left out, in whatever state others find it; the rest is counted."""
    for number in (1, 2):
        segment = stats.Segment(region, number)
        segment.histogram(b"first", (1.0, 2.0)).add(1.5)
        segment.counter(b"second").add(3.0)
    size = os.fstat(region.fd).st_size // region.segments
    with mmap.mmap(region.fd, 0) as memory:
        first = 2 * size + HEAD
        value = 2 * size + int.from_bytes(memory[first + 12 : first + 16], "little")
        place = value if at is None else 2 * size + at
        memory[place : place + len(what)] = what
        found: dict[Any, Any] = region.read(0.0)
        assert found[stats.COUNTER, b"second"] in (3.0, 6.0)
        assert found[stats.HISTOGRAM, b"first"][1][1] >= 1
        stats.Segment(region, 2).counter(b"third")
        stats.Segment(region, 0).fold(1)
        stats.Segment(region, 0).fold(2)
        folded: dict[Any, Any] = region.read(0.0)
        assert folded[stats.COUNTER, b"second"] == 6.0
        assert folded[stats.HISTOGRAM, b"first"][0] == (1.0, 2.0)
        assert memory[size : 3 * size].count(0) == 2 * size


def test_a_maker_that_died_while_it_folded_holds_up_nobody(region: stats.Region) -> None:
    stats.Segment(region, 0)
    stats.Segment(region, 1).counter(b"calls").add(3.0)
    with mmap.mmap(region.fd, 0) as memory:
        memory[4] += 1  # the generation: odd from the beginning of a fold until its end
    assert region.read(0.0) == {(stats.COUNTER, b"calls"): 3.0}
