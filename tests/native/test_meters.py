"""What requests and calls are counted in: series made when the first of a kind comes."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from executor._native import meters, stats
from executor.types import Method

BOUNDS = (0.01, 1.0)
KEYS: dict[str, Any] = {
    **{name: name.encode() for name in ("in_flight", "sent", "received", "retries", "critical", "queued")},
    "copies": [b"copies %d" % reason for reason in range(6)],
    "copied": [b"copied %d" % reason for reason in range(6)],
}


@pytest.fixture
def region() -> Iterator[stats.Region]:
    made = stats.Region(0)
    yield made
    made.close()


def keys(code: int) -> tuple[bytes, bytes]:
    return b"h%d" % code, b"s%d" % code


def counts(region: stats.Region) -> dict[str, int]:
    """How many values each histogram has."""
    series: dict[Any, Any] = region.read(time.monotonic())
    return {key.decode(): sum(value[1]) for (kind, key), value in series.items() if kind == stats.HISTOGRAM}


def test_series_come_with_the_first_of_their_status(region: stats.Region) -> None:
    meter = meters.Meter(stats.Segment(region, 0), keys, BOUNDS)
    assert region.read(0.0) == {}
    for code in (0, 0, 14):
        meter.since(code, time.monotonic())
    assert counts(region) == {"h0": 2, "h14": 1}
    places, count, total = region.read(time.monotonic())[stats.SKETCH, b"s0"]  # type: ignore[misc]
    assert (sum(places), count, 0 < total < 1) == (2, 2, True)


@pytest.mark.parametrize("code", [-1, 17, 4711])
def test_what_is_no_status_is_unknown(region: stats.Region, code: int) -> None:
    meters.Meter(stats.Segment(region, 0), keys, BOUNDS).since(code, time.monotonic())
    assert counts(region) == {"h2": 1}


def test_http_statuses_are_as_they_are(region: stats.Region) -> None:
    meter = meters.Meter(stats.Segment(region, 0), keys, BOUNDS, http=True)
    for code in (200, 503, 503, 200, 404):
        meter.since(code, time.monotonic() - 0.5)
    assert counts(region) == {"h200": 2, "h503": 2, "h404": 1}
    bounds, found, total = region.read(0.0)[stats.HISTOGRAM, b"h503"]  # type: ignore[misc]
    assert (bounds, found) == (BOUNDS, [0, 2, 0])
    assert total >= 1.0


def test_a_node_has_all_its_series_at_once(region: stats.Region) -> None:
    segment = stats.Segment(region, 0)
    meters.NodeMeter(segment, {Method.PREDICT: meters.Meter(segment, keys, BOUNDS)}, KEYS, BOUNDS)
    assert {key for _, key in region.read(0.0)} == {
        *(b"in_flight", b"sent", b"received", b"retries", b"critical", b"queued"),
        *KEYS["copies"],
        *KEYS["copied"],
    }


def test_what_is_wrong_is_said(region: stats.Region) -> None:
    segment = stats.Segment(region, 0)
    meter = meters.Meter(segment, keys, BOUNDS)
    with pytest.raises(ValueError, match="method 6: there are 0 to 5"):
        meters.NodeMeter(segment, {6: meter}, KEYS, BOUNDS)
    with pytest.raises(ValueError, match="1 reasons: there are 7"):
        meters.EngineMeter(segment, b"in_flight", [b"one"])
    with pytest.raises(KeyError, match="retries"):
        meters.NodeMeter(segment, {}, {key: KEYS[key] for key in KEYS if key != "retries"}, BOUNDS)


def test_what_is_refused_is_counted_by_its_reason(region: stats.Region) -> None:
    reasons = [b"%d" % number for number in range(7)]
    engine = meters.EngineMeter(stats.Segment(region, 0), b"in_flight", reasons)
    for reason in (3, 6, 6):
        engine.refused(reason)
    series = region.read(0.0)
    assert [series[stats.COUNTER, reason] for reason in reasons] == [0, 0, 0, 1, 0, 0, 2]
    for wrong in (-1, 7):
        with pytest.raises(ValueError, match=f"reason {wrong}: there are 0 to 6"):
            engine.refused(wrong)
