"""Owns telling what changed between two results. Must not decide whether that is good enough (`bench.guard` does).

Machines are noisy, so a change is called one only beyond both sides' own spread and a few percent; and beside the
times stands the ratio to the baseline of the same run, which a busy machine moves least.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.payloads import show_size
from bench.results import Result, Run, key
from bench.table import aligned, cells, number, reference_of

FLOOR = 0.05
"""Differences below this share are not told from noise, whatever the spread."""
DISTURBED = 0.3
"""Cores that others kept busy, beyond which absolute numbers say little."""
COMPARED = (
    ("cpu_us_per_request", "CPU µs/req"),
    ("cpu_ratio", "CPU ratio"),
    ("requests_per_s", "req/s"),
    ("p50_us", "p50 µs"),
    ("p99_us", "p99 µs"),
)


@dataclass(frozen=True)
class Change:
    """One number of one run, before and after. None: it was not measured on that side."""

    scenario: str
    payload_bytes: int
    target: str
    what: str
    before: float | None
    after: float | None
    noise: float
    """The share below which a difference means nothing."""

    @property
    def share(self) -> float | None:
        """By how much of itself it rose."""
        return self.after / self.before - 1 if self.before and self.after is not None else None

    @property
    def verdict(self) -> str:
        """What it comes to."""
        if self.before is None or self.after is None:
            return "only before" if self.after is None else "only after"
        if self.share is None or abs(self.share) <= self.noise:
            return "same"
        better = (self.share > 0) == (self.what == "requests_per_s")
        return "better" if better else "worse"


def changes(before: Result, after: Result) -> list[Change]:
    """All numbers of all runs of both."""
    old, new = ({key(run): run for run in _with_ratios(result["runs"])} for result in (before, after))
    found = []
    for place in [*old, *(place for place in new if place not in old)]:
        sides = old.get(place), new.get(place)
        for name, _ in COMPARED:
            was, now = (side.get(name) if side else None for side in sides)
            if was is not None or now is not None:
                found.append(Change(*place, name, was, now, _noise(sides)))
    return found


def render(found: list[Change]) -> str:
    """A table."""
    heads = dict(COMPARED)
    rows = [["scenario", "target", "what", "before", "after", "change", "noise", ""]]
    for each in found:
        share = "" if each.share is None else f"{100 * each.share:+.1f}%"
        place = f"{each.scenario} {show_size(each.payload_bytes)}"
        numbers = [number(each.before), number(each.after), share, f"{100 * each.noise:.0f}%", each.verdict]
        rows.append([place, each.target, heads[each.what], *numbers])
    return aligned(rows)


def caution(*results: Result) -> str:
    """What to bear in mind, when there is something."""
    foreign = [each["foreign_cores"] for result in results for run in result["runs"] for each in run.get("samples", [])]
    if max(foreign, default=0.0) <= DISTURBED:
        return ""
    return f"others kept up to {max(foreign):.2f} cores busy: go by CPU ratio, not by times"


def _with_ratios(runs: Sequence[Run]) -> list[Run]:
    found = []
    for cell in cells(runs).values():
        reference = reference_of(cell)
        for run in cell:
            ratio = None
            if reference is not None and reference is not run and run["cpu_us_per_request"] is not None:
                ratio = run["cpu_us_per_request"] / reference["cpu_us_per_request"]
            found.append({**run, "cpu_ratio": ratio})
    return found


def _noise(sides: tuple[Run | None, Run | None]) -> float:
    return max(FLOOR, *(float(side.get("cpu_spread") or 0.0) for side in sides if side))
