"""Owns how a result of user code becomes an answer: payload, names and meta, by the rules of Seldon's wrapper.

Must not call user code.
"""

from collections.abc import Mapping
from typing import Any

import numpy

from executor._native import message as native
from executor.component import convert, faults, meta, steps
from executor.component.codecs import ARRAYS, CODECS
from executor.component.convert import Payload
from executor.component.extras import Added
from executor.component.steps import Call, Step
from executor.types import Encoding, Method


def build(
    step: Step, call: Call, result: Any, added: Added, path: Mapping[str, str], encoding: int, node: str
) -> native.Message:
    """The answer to `call`. `path` is the component's own entry of requestPath, empty for none."""
    data, tags, metrics = _unwrapped(result, added, node, step.name)
    payload = _payload(step, call, data, node)
    names = _names(step, call, payload, added.names)
    return _written(payload, names, meta.merge(call.metas, tags, metrics, path), encoding, node, step.name)


def health(result: Any, added: Added, encoding: int, node: str) -> native.Message:
    """The answer to a health check that the component answered with `result`."""
    data, tags, metrics = _unwrapped(result, added, node, "health_status")
    payload = convert.payload_of(data, "", node, "health_status")
    return _written(payload, (), meta.merge((), tags, metrics, {}), encoding, node, "health_status")


def _written(
    payload: Payload, names: tuple[str, ...], said: meta.Meta, encoding: int, node: str, method: str
) -> native.Message:
    # Seldon's wrapper writes `meta` into every JSON answer, and clients read it unasked.
    wanted = said if said or encoding == Encoding.SELDON_JSON else None
    try:
        return CODECS[encoding].build(payload.kind, payload.value, names, wanted)
    except Exception as exc:
        raise faults.unsendable(node, method, payload.value, f"which cannot be sent: {exc}") from exc


def _unwrapped(result: Any, added: Added, node: str, method: str) -> tuple[Any, Mapping[str, Any], list[meta.Meta]]:
    """Payload, tags and metrics of `result`: it may be an object with `data`, `tags` and `metrics`, as Seldon's is."""
    if hasattr(result, "__array__") or not all(hasattr(result, name) for name in ("data", "tags", "metrics")):
        return result, added.tags, added.metrics
    tags = meta.checked_tags(result.tags, node, f"tags of {method}'s answer")
    metrics = meta.checked_metrics(result.metrics, node, f"metrics of {method}'s answer")
    return result.data, {**added.tags, **tags}, added.metrics + metrics


def _payload(step: Step, call: Call, data: Any, node: str) -> Payload:
    if step.method is Method.ROUTE:
        return Payload("ndarray", [[steps.route_of(data, node)]])
    if step.method is Method.SEND_FEEDBACK and data is None:
        data = numpy.array([])
    return convert.payload_of(data, call.asked, node, step.name)


def _names(step: Step, call: Call, payload: Payload, given: tuple[str, ...] | None) -> tuple[str, ...]:
    """The columns' names: the component's, else the data frame's; else an input step keeps those that came in."""
    if payload.kind not in ARRAYS or not step.naming:
        return ()
    if given is not None:
        return given
    if payload.names is not None:
        return payload.names
    if step.method is Method.TRANSFORM_INPUT:
        return tuple(call.places[1])
    return convert.default_names(payload.width)
