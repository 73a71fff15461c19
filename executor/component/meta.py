"""Owns meta: what a component adds to it, and how that joins what came in, by the rules of Seldon's wrapper.

Must not touch payloads.
"""

from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any

from executor.component import faults
from executor.errors import ComponentError

METRIC_TYPES = ("COUNTER", "GAUGE", "TIMER")

Meta = dict[str, Any]


def merge(incoming: Iterable[Meta], tags: Mapping[str, Any], metrics: list[Meta], path: Mapping[str, str]) -> Meta:
    """The meta of an answer: what came in, then what the component adds.

    On equal keys a later message's tags and path win over an earlier one's, the component's tags over all,
    and the component's own path entry over none. The first message's puid stays; routing is never copied.
    """
    merged: Meta = {"tags": {}, "requestPath": dict(path), "metrics": []}
    puid = None
    for position, meta in enumerate(incoming):
        merged["tags"].update(meta.get("tags", {}))
        merged["requestPath"].update(meta.get("requestPath", {}))
        merged["metrics"].extend(meta.get("metrics", ()))
        puid = meta.get("puid") if position == 0 else puid
    merged["tags"].update(tags)
    merged["metrics"].extend(metrics)
    said = {key: value for key, value in merged.items() if value}
    return {"puid": puid, **said} if puid else said


def checked_tags(tags: Any, node: str, source: str) -> Mapping[str, Any]:
    """`tags` if they can be tags: a dict with text keys. None is none."""
    if tags is None:
        return {}
    if not isinstance(tags, Mapping):
        raise ComponentError(f"node {node!r}: {source} must be a dict, not {type(tags).__name__}", node=node)
    for key in tags:
        if not isinstance(key, str):
            raise ComponentError(f"node {node!r}: {source} has the key {key!r}; allowed is text", node=node)
    return tags


def checked_metrics(metrics: Any, node: str, source: str) -> list[Meta]:
    """`metrics` as they go into meta, if each is one: key, type, a number, maybe tags of text. None is none."""
    if metrics is None:
        return []
    if not isinstance(metrics, list | tuple):
        raise _bad(node, source, f"must be a list of metrics, not {type(metrics).__name__}")
    return [_metric(metric, node, f"{source}[{index}]") for index, metric in enumerate(metrics)]


def _metric(metric: Any, node: str, where: str) -> Meta:
    if not isinstance(metric, Mapping):
        raise _bad(node, where, f"must be a dict, not {type(metric).__name__}")
    key, kind, value = metric.get("key"), metric.get("type"), metric.get("value")
    if not isinstance(key, str) or not key:
        raise _bad(node, where, f"needs a `key` of text, not {key!r}")
    if kind not in METRIC_TYPES:
        raise _bad(node, where, f"needs a `type`, one of {', '.join(METRIC_TYPES)}, not {kind!r}")
    if not isinstance(value, Real):  # True is a number, as in Seldon's wrapper
        raise _bad(node, where, f"needs a number as `value`, not {value!r}")
    entry: Meta = {"key": key, "type": kind, "value": int(value) if isinstance(value, int) else float(value)}
    tags = metric.get("tags")
    if tags:
        entry["tags"] = _metric_tags(tags, node, where)
    return entry


def _metric_tags(tags: Any, node: str, where: str) -> dict[str, str]:
    if isinstance(tags, Mapping) and all(isinstance(each, str) for item in tags.items() for each in item):
        return dict(tags)
    raise _bad(node, where, f"has `tags` that are no dict of text to text: {tags!r}")


def _bad(node: str, where: str, message: str) -> ComponentError:
    return ComponentError(f"node {node!r}: {where} {message}", reason=faults.BAD_METRIC, node=node)
