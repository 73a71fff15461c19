"""Owns counters, gauges, histograms and sketches in memory that a group of processes shares."""

from collections.abc import Iterable, Sequence

COUNTER: int
GAUGE: int
HISTOGRAM: int
SKETCH: int

def quantiles(counts: Sequence[int], wanted: Iterable[float]) -> dict[float, float]:
    """The values in seconds at the ranks `wanted` (0 to 1) of a sketch's bucket counts; NaN where there are none."""

class Region:
    """Memory for `segments` processes beside the maker's. With `fd`, which it owns, one that another made."""

    segments: int
    fd: int

    def __init__(self, segments: int, fd: int = -1) -> None: ...
    def close(self) -> None:
        """Closes `fd`, which is -1 then. What counts goes on counting. Call it once or often."""

    def read(
        self, now: float, wanted: tuple[bytes, ...] | None = None
    ) -> dict[tuple[int, bytes], float | tuple[tuple[float, ...], list[int], float] | tuple[list[int], int, float]]:
        """All series by kind and key, those of several segments added up. Of sketches what is not over at `now`."""

    @property
    def refused(self) -> int:
        """How many series found no room, of all segments."""

class Segment:
    """The part of a region that this process writes. Asking for a series again gives the same."""

    def __init__(self, region: Region, index: int) -> None: ...
    def counter(self, key: bytes) -> Cell: ...
    def gauge(self, key: bytes) -> Cell: ...
    def histogram(self, key: bytes, bounds: tuple[float, ...]) -> Histogram: ...
    def sketch(self, key: bytes) -> Sketch: ...
    def fold(self, index: int) -> None:
        """Adds what a dead process counted in segment `index`, gauges excepted, and clears that for another process."""

class Cell:
    """A counter or a gauge."""

    def add(self, amount: float = 1.0) -> None: ...
    def set(self, value: float) -> None: ...
    @property
    def value(self) -> float: ...

class Histogram:
    """Values counted by the bounds they lie between."""

    def add(self, value: float) -> None: ...

class Sketch:
    """Values in seconds, for quantiles of the last minutes."""

    def add(self, seconds: float, now: float) -> None: ...
