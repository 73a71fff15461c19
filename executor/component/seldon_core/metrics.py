"""Owns the stand-in for `seldon_core.metrics`: makers of metrics, and the check of them.

Must not count anything: what `metrics()` answers travels in meta.
"""

from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any

COUNTER = "COUNTER"
GAUGE = "GAUGE"
TIMER = "TIMER"
_TYPES = (COUNTER, GAUGE, TIMER)


def create_counter(key: str, value: float) -> dict[str, Any]:
    """A number to add; raises TypeError where `value` is none."""
    return _metric(key, COUNTER, value)


def create_gauge(key: str, value: float) -> dict[str, Any]:
    """A number that replaces the one before."""
    return _metric(key, GAUGE, value)


def create_timer(key: str, value: float) -> dict[str, Any]:
    """A time, in milliseconds."""
    return _metric(key, TIMER, value)


def _metric(key: str, kind: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, Real):
        raise TypeError(f"the {kind} {key!r} needs a number, not {value!r}")
    return {"key": key, "type": kind, "value": value}


def validate_metrics(metrics: Iterable[Mapping[str, Any]] | None) -> bool:
    """Whether all are metrics: a list of dicts with a key, a known type and a number."""
    return isinstance(metrics, list) and all(_is_metric(each) for each in metrics)


def _is_metric(metric: Any) -> bool:
    if not isinstance(metric, Mapping) or metric.get("type") not in _TYPES or "key" not in metric:
        return False
    value = metric.get("value")
    return isinstance(value, Real)
