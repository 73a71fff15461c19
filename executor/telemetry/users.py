"""Owns the metrics of components: what their entries become, with which labels, and how many there may be.

Must not know how a component is called, nor how its entries reach its answers.
"""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from executor._native import stats
from executor.telemetry.families import FAMILIES, Names, key, split_image
from executor.types import Method

UNSET = "NOT_IMPLEMENTED"
"""What Seldon's wrapper writes for what it does not know."""
FAMILIES_MAX = 100
SERIES_MAX = 200
"""Of one family."""
TEXT_MAX = 200
"""Characters of a label's value; the rest is cut off."""
TIMER_SECONDS = tuple(0.001 * 30_000 ** (step / 49) for step in range(50))
"""Seldon's bounds of timers: 50 from a millisecond to half a minute, at equal ratios."""
FEEDBACK = "seldon_api_model_feedback"
FEEDBACK_REWARD = "seldon_api_model_feedback_reward"
METHODS = {
    Method.PREDICT: "predict",
    Method.TRANSFORM_INPUT: "inputtransform",
    Method.TRANSFORM_OUTPUT: "outputtransform",
    Method.ROUTE: "router",
    Method.AGGREGATE: "aggregate",
    Method.SEND_FEEDBACK: "feedback",
}
HEALTH = "health"
_OURS = ("millrace_", "seldon_api_executor_", "process_")
_WRITTEN = ("le", "quantile")
_TOTAL = "_total"

Labels = tuple[tuple[str, str], ...]
Place = tuple[Labels, str, str, Labels]


class UserMetrics:
    """The series of all components of a process. `drop` is told the reason for each value that is not counted."""

    def __init__(self, segment: stats.Segment, drop: Callable[[str], None]) -> None:
        self._segment = segment
        self._drop = drop
        self._kinds: dict[str, str] = {}
        self._members: dict[str, int] = {}
        self._series: dict[Place, Any] = {}

    def add(self, labels: Labels, entry: Mapping[str, Any]) -> None:
        """Counts an entry, as `executor.component.meta` has checked it: key, type, value, maybe tags."""
        kind, value = entry["type"], float(entry["value"])
        if math.isnan(value) or (kind == "COUNTER" and math.isinf(value)):
            self._drop("value")
            return
        place = labels, entry["key"], kind, tuple(entry.get("tags", {}).items())
        series = self._series.get(place) or self._make(place)
        if series is None:
            return
        if kind == "GAUGE":
            series.set(value)
        else:
            series.add(value / 1000.0 if kind == "TIMER" else value)

    def _make(self, place: Place) -> Any:
        labels, name, kind, tags = place
        name = _named(name, r"[^a-zA-Z0-9_:]")
        if kind == "COUNTER":
            name = name.removesuffix(_TOTAL) + _TOTAL
        refused = self._refused(name, kind)
        if refused:
            self._drop(refused)
            return None
        self._kinds[name] = kind
        self._members[name] = self._members.get(name, 0) + 1
        told = key(name, _joined(labels, tags))
        if kind == "TIMER":
            self._series[place] = self._segment.histogram(told, TIMER_SECONDS)
        else:
            self._series[place] = (self._segment.counter if kind == "COUNTER" else self._segment.gauge)(told)
        return self._series[place]

    def _refused(self, name: str, kind: str) -> str:
        if name in FAMILIES or name.startswith(_OURS):
            return "name"
        if self._kinds.get(name, kind) != kind:
            return "type"
        full = name not in self._kinds and len(self._kinds) >= FAMILIES_MAX
        return "series" if full or self._members.get(name, 0) >= SERIES_MAX else ""


class Recorder:
    """Counts what one component has to say, under labels that say which it is."""

    def __init__(self, metrics: UserMetrics, labels: Mapping[str, str]) -> None:
        self._metrics = metrics
        self._labels = {method: _labelled(labels, method) for method in (*METHODS.values(), HEALTH)}

    def record(self, method: str, entries: Iterable[Mapping[str, Any]]) -> None:
        """Counts the entries of one call."""
        labels = self._labels[method]
        for entry in entries:
            self._metrics.add(labels, entry)

    def reward(self, reward: float) -> None:
        """Counts a feedback's reward, unless that is 0. Rewards may be below 0, as Seldon has them."""
        if reward:
            labels = self._labels["feedback"]
            self._metrics.add(labels, {"key": FEEDBACK, "type": "COUNTER", "value": 1.0})
            self._metrics.add(labels, {"key": FEEDBACK_REWARD, "type": "COUNTER", "value": reward})


def node_labels(names: Names, node: str, image: str, worker: int) -> dict[str, str]:
    """The labels of the component at a node. The worker's number keeps the gauges of several apart."""
    model_image, model_version = split_image(image)
    return {
        "deployment_name": names.deployment,
        "predictor_name": names.predictor,
        "predictor_version": names.version,
        "model_name": node,
        "model_image": model_image,
        "model_version": model_version,
        "seldon_deployment_name": names.deployment,
        "image_name": model_image,
        "image_version": model_version,
        "worker_id": str(worker),
    }


def names_from(environment: Mapping[str, str]) -> Names:
    """What an operator's environment says of the graph that this process is a node of."""
    try:
        labels = json.loads(environment.get("PREDICTOR_LABELS") or "{}")
        version = str(labels.get("version", ""))
    except (ValueError, AttributeError):
        version = ""
    return Names(environment.get("SELDON_DEPLOYMENT_ID", ""), environment.get("PREDICTOR_ID", ""), version)


def _labelled(labels: Mapping[str, str], method: str) -> Labels:
    return (*((name, value or UNSET) for name, value in labels.items()), ("method", method))


def _joined(labels: Labels, tags: Labels) -> Iterable[tuple[str, str]]:
    """Labels and tags; a tag whose name is taken gets another."""
    found = dict(labels)
    for tag, value in tags:
        name = _named(tag, r"[^a-zA-Z0-9_]").lstrip("_") or "tag"
        found[f"tag_{name}" if name in found or name in _WRITTEN or name[0].isdigit() else name] = value[:TEXT_MAX]
    return found.items()


def _named(text: str, strange: str) -> str:
    name = re.sub(strange, "_", text)[:TEXT_MAX]
    return f"_{name}" if name[:1].isdigit() else name
