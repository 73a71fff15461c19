"""Owns what is read out of the generator's histograms: quantiles, maxima, merging.

Must not record: `executor._native.probe_load` does, in buckets of the same shape (its SUB_BITS is BITS here).
"""

from collections.abc import Iterable, Sequence

BITS = 7
"""A power of two is divided into 2**BITS buckets, so a value read back is off by 0.4 % at most."""
CURVE = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9995, 0.9999, 0.99999, 1.0)
"""The quantiles that a percentile curve is drawn from."""

Pairs = Sequence[tuple[int, int]]
"""Buckets and how often they were hit, by rising bucket."""


def middle_of(bucket: int) -> float:
    """The duration that stands for a bucket, in nanoseconds."""
    shift = max(0, (bucket >> BITS) - 1)
    low = (bucket - (shift << BITS)) << shift
    return low + ((1 << shift) - 1) / 2


def merged(histograms: Iterable[Pairs]) -> list[tuple[int, int]]:
    """All of them in one."""
    total: dict[int, int] = {}
    for pairs in histograms:
        for bucket, number in pairs:
            total[bucket] = total.get(bucket, 0) + number
    return sorted(total.items())


def quantile_us(pairs: Pairs, quantile: float) -> float | None:
    """The duration in µs that this share of all does not exceed; None when there is none."""
    count = sum(number for _, number in pairs)
    if count == 0:
        return None
    wanted, seen = quantile * count, 0
    for bucket, number in pairs:
        seen += number
        if seen >= wanted:
            return middle_of(bucket) / 1000
    return middle_of(pairs[-1][0]) / 1000


def curve(pairs: Pairs) -> list[tuple[float, float]]:
    """Quantiles and durations in µs, as far out as the number of values supports."""
    count = sum(number for _, number in pairs)
    points = []
    for quantile in CURVE:
        if quantile < 1.0 and quantile > 0.5 and count * (1 - quantile) < 1:
            continue
        value = quantile_us(pairs, quantile)
        if value is not None:
            points.append((quantile, value))
    return points
