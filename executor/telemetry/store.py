"""Owns what this process counts in, and the text of what its whole group has counted.

Must not know what is counted when: whoever counts asks here for a series.
"""

import contextlib
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Self

from executor import __version__
from executor._native import stats
from executor.telemetry import exposition, system
from executor.telemetry.families import BUILD, CPU, DROPPED, FDS, RESIDENT, Family, Kind
from executor.telemetry.users import UserMetrics

SERIES_MAX = 512
"""Series of one of our families that one process makes; addresses come and go for months."""


class Store:
    """The series of a process: segment `index` of a region. A process alone makes its own; `of` maps a group's."""

    def __init__(self, region: stats.Region | None = None, index: int = 0) -> None:
        self.region = region or stats.Region(0)
        self.segment = stats.Segment(self.region, index)
        self.index = index
        self._grown: dict[bytes, float] = {}
        self._cells: dict[bytes, stats.Cell] = {}
        self._made: dict[str, int] = {}
        self._samples: list[Callable[[], object]] = []
        self._dropped = {reason: self.cell(DROPPED, reason) for reason in ("name", "type", "series", "value")}
        self.users = UserMetrics(self.segment, partial(_drop, self._dropped))  # not `self.drop`, which is a cycle

    @classmethod
    def of(cls, fd: int, segments: int, index: int) -> Self:
        """Segment `index` of a region that another process made for so many, by its file descriptor."""
        return cls(stats.Region(segments, fd), index)

    def cell(self, family: Family, *values: str) -> stats.Cell | None:
        """A counter or gauge; None, and counted as dropped, when the family has too many."""
        key = family.key(*values)
        found = self._cells.get(key)
        if found is not None:
            return found
        if self._made.get(family.name, 0) >= SERIES_MAX:
            self.drop("series")
            return None
        self._made[family.name] = self._made.get(family.name, 0) + 1
        make = self.segment.counter if family.kind is Kind.COUNTER else self.segment.gauge
        self._cells[key] = cell = make(key)
        return cell

    def add(self, family: Family, *values: str, amount: float = 1.0) -> None:
        """Adds to a counter."""
        cell = self.cell(family, *values)
        if cell is not None:
            cell.add(amount)

    def grow(self, family: Family, *values: str, to: float) -> None:
        """Adds to a counter what it grew since the last time: `to` is what this process has counted by itself."""
        key = family.key(*values)
        # Added, not set: those who have died are counted in the same series.
        self.add(family, *values, amount=to - self._grown.get(key, 0.0))
        self._grown[key] = to

    def set(self, family: Family, *values: str, to: float) -> None:
        """Sets a gauge."""
        cell = self.cell(family, *values)
        if cell is not None:
            cell.set(to)

    @contextlib.contextmanager
    def counted(self, family: Family, done: str, failed: str) -> Iterator[None]:
        """Counts how what is inside ends."""
        try:
            yield
        except BaseException:
            self.add(family, failed)
            raise
        self.add(family, done)

    def set_all(self, family: Family, values: Mapping[tuple[str, ...], float]) -> None:
        """Sets the series of a gauge, by the values of their labels; all others of it are 0 from now on."""
        start, now = f"{family.name}{{".encode(), {family.key(*labels) for labels in values}
        for key, cell in self._cells.items():
            if key.startswith(start) and key not in now:
                cell.set(0.0)
        for labels, value in values.items():
            self.set(family, *labels, to=value)

    def drop(self, reason: str) -> None:
        """Counts a value that is not counted."""
        _drop(self._dropped, reason)

    def sampled(self, sample: Callable[[], object]) -> None:
        """Has `sample` called before each look, and now and then: it sets gauges."""
        self._samples.append(sample)

    def sample(self) -> None:
        """Brings the gauges up to date that nobody keeps so."""
        self._sample_process()
        for each in self._samples:
            each()

    def text(self, accept: str = "") -> tuple[str, bytes]:
        """What the whole group has counted, and its content type. Any thread may."""
        openmetrics = exposition.wants_openmetrics(accept)
        series = self.region.read(time.monotonic())
        series[stats.GAUGE, BUILD.key(__version__, platform.python_version())] = 1.0
        series[stats.COUNTER, DROPPED.key("room")] = float(self.region.refused)
        kind = exposition.OPENMETRICS if openmetrics else exposition.TEXT
        return kind, exposition.render(series, openmetrics)

    def close(self) -> None:
        """Gives the region back, as far as this process is concerned, and asks nobody for gauges any more. Call it once
        or often.
        """
        self._samples.clear()
        self.region.close()

    def _sample_process(self) -> None:
        now = system.look()
        self.grow(CPU, to=now.cpu_s)
        self.set(RESIDENT, to=now.resident_bytes)
        self.set(FDS, to=now.fds)


def _drop(cells: Mapping[str, stats.Cell | None], reason: str) -> None:
    cell = cells[reason]
    if cell is not None:
        cell.add()
