"""Owns how series are told: Prometheus' text format 0.0.4, and OpenMetrics 1.0 to those who ask for it.

Must not count, nor know what any series means.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from executor._native import stats
from executor.telemetry.families import FAMILIES, QUANTILES, Kind

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
KINDS = {
    stats.COUNTER: Kind.COUNTER,
    stats.GAUGE: Kind.GAUGE,
    stats.HISTOGRAM: Kind.HISTOGRAM,
    stats.SKETCH: Kind.SUMMARY,
}
_USERS_HELP = "Counted by a component."
_TOTAL = "_total"

Series = Mapping[tuple[int, bytes], Any]
"""What `stats.Region.read` answers."""


def wants_openmetrics(accept: str) -> bool:
    """Whether an Accept header asks for OpenMetrics."""
    for each in accept.lower().split(","):
        kind, *parameters = (part.strip() for part in each.split(";"))
        if kind == "application/openmetrics-text":
            return not any(part.replace(" ", "") in ("q=0", "q=0.0", "q=0.00", "q=0.000") for part in parameters)
    return False


def render(series: Series, openmetrics: bool = False) -> bytes:
    """All series as text, family by family."""
    lines: list[str] = []
    for name, (kind, members) in sorted(_families(series).items()):
        family = FAMILIES.get(name)
        said = name.removesuffix(_TOTAL) if openmetrics and kind is Kind.COUNTER else name
        lines.append(f"# HELP {said} {family.help if family is not None else _USERS_HELP}")
        lines.append(f"# TYPE {said} {kind.value}")
        for labels, value in members:
            lines.extend(_LINES[kind](name, labels, value))
    if openmetrics:
        lines.append("# EOF")
    return ("\n".join(lines) + "\n").encode()


def _families(series: Series) -> dict[str, tuple[Kind, list[tuple[str, Any]]]]:
    """The series by family: their labels as text, without braces, and values."""
    found: dict[str, tuple[Kind, list[tuple[str, Any]]]] = {}
    for (number, key), value in sorted(series.items()):
        name, _, rest = key.decode().partition("{")
        kind = KINDS[number]
        first, members = found.setdefault(name, (kind, []))
        if kind is first:  # two components may call different things by one name
            members.append((rest[:-1], value))
    return found


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


def _plain(name: str, labels: str, value: float) -> Iterator[str]:
    yield f"{name}{{{labels}}} {_number(value)}" if labels else f"{name} {_number(value)}"


def _histogram(name: str, labels: str, value: Any) -> Iterator[str]:
    bounds, counts, total = value
    before = f"{labels}," if labels else ""
    count = 0
    for bound, here in zip((*bounds, math.inf), counts, strict=True):
        count += here
        yield f'{name}_bucket{{{before}le="{_number(bound)}"}} {count}'
    yield from _plain(f"{name}_sum", labels, total)
    yield from _plain(f"{name}_count", labels, count)


def _summary(name: str, labels: str, value: Any) -> Iterator[str]:
    counts, count, total = value
    before = f"{labels}," if labels else ""
    for quantile, seconds in stats.quantiles(counts, QUANTILES).items():
        yield f'{name}{{{before}quantile="{_number(quantile)}"}} {_number(seconds)}'
    yield from _plain(f"{name}_sum", labels, total)
    yield from _plain(f"{name}_count", labels, count)


_LINES = {Kind.COUNTER: _plain, Kind.GAUGE: _plain, Kind.HISTOGRAM: _histogram, Kind.SUMMARY: _summary}
