"""Owns the soak's verdict: whether what was measured of a process stayed as it was.

Must not measure anything.

How memory is judged. The first third of the time is warm-up: pools fill, caches and threads come. Through the rest a
line is fitted by least squares. What it rises from end to end may be `RISE_KIB`, or `RISE_SHARE` of the mean if that is
more; and so may the median of the last quarter of that time over the median of its first quarter. The first finds what
creeps, the second what jumped and stayed. In an hour's soak the bound is 24 MiB an hour; shorter ones see less.
Descriptors and threads may rise by `MORE_FDS` and `MORE_THREADS`, from median to median.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import linear_regression, mean, median

WARM_UP = 1 / 3
RISE_KIB = 16 * 1024
RISE_SHARE = 0.1
MORE_FDS = 16
MORE_THREADS = 4
SAMPLES_MIN = 8
"""With fewer after the warm-up there is no verdict."""


@dataclass(frozen=True)
class Sample:
    """A process at one time."""

    at: float
    """Seconds since the soak began."""
    rss: int
    """KiB in memory."""
    fds: int
    threads: int


def settled(samples: Sequence[Sample]) -> list[Sample]:
    """Those after the warm-up."""
    if not samples:
        return []
    begin, end = samples[0].at, samples[-1].at
    return [each for each in samples if each.at >= begin + (end - begin) * WARM_UP]


def fitted_rise(points: Sequence[tuple[float, float]]) -> float:
    """How much a line through the points rises from the first to the last."""
    times, values = zip(*points, strict=True)
    slope: float = linear_regression(times, values).slope
    return slope * float(times[-1] - times[0])


def step(values: Sequence[float]) -> float:
    """How far the median of the last quarter is above that of the first."""
    quarter = max(1, len(values) // 4)
    return float(median(values[-quarter:]) - median(values[:quarter]))


def faults(name: str, samples: Sequence[Sample]) -> list[str]:
    """What did not stay as it was, in words; nothing when all is well."""
    later = settled(samples)
    if len(later) < SAMPLES_MIN:
        return [f"{name}: {len(later)} samples after the warm-up are too few to judge; soak longer"]
    allowed = max(RISE_KIB, RISE_SHARE * mean(each.rss for each in later))
    rise = fitted_rise([(each.at, each.rss) for each in later])
    jump = step([each.rss for each in later])
    found = []
    if max(rise, jump) > allowed:
        found.append(
            f"{name}: memory rose by {rise / 1024:.1f} MiB (fitted), {jump / 1024:.1f} MiB (medians) in "
            f"{later[-1].at - later[0].at:.0f} s; allowed are {allowed / 1024:.1f} MiB"
        )
    for what, values, more in (
        ("descriptors", [each.fds for each in later], MORE_FDS),
        ("threads", [each.threads for each in later], MORE_THREADS),
    ):
        if step(values) > more:
            found.append(f"{name}: {what} rose by {step(values):.0f}; allowed are {more}")
    return found


def told(name: str, samples: Sequence[Sample]) -> str:
    """How it went, in one line."""
    later = settled(samples)
    if len(later) < 2:
        return f"{name}: not long enough"
    rise = fitted_rise([(each.at, each.rss) for each in later])
    hour = rise / (later[-1].at - later[0].at) * 3600
    return (
        f"{name}: {samples[0].rss / 1024:.1f} MiB at first, {later[0].rss / 1024:.1f} after the warm-up, "
        f"{later[-1].rss / 1024:.1f} at the end, highest {max(each.rss for each in samples) / 1024:.1f}; "
        f"fitted rise {rise / 1024:+.2f} MiB ({hour / 1024:+.1f} MiB/h), medians "
        f"{step([each.rss for each in later]) / 1024:+.2f} MiB; descriptors {later[0].fds} -> {later[-1].fds}, "
        f"threads {later[0].threads} -> {later[-1].threads}"
    )
