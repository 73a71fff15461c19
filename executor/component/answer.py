"""Owns how a result of user code becomes an answer: payload, names and meta, by the rules of Seldon's wrapper.

Must not call user code.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy

from executor._native import message as native
from executor.component import convert, faults, meta, steps
from executor.component.codecs import ARRAYS, CODECS
from executor.component.convert import Payload
from executor.component.extras import Added
from executor.component.steps import Call, Step
from executor.types import Encoding, Method

_ROUTE_KINDS = {"ndarray": "ndarray"}
"""What a route is written as, by the kind of the request's payload; else as a tensor."""


def build(
    step: Step,
    call: Call,
    result: Any,
    added: Added,
    path: Mapping[str, str],
    encoding: int,
    node: str,
    tells_metrics: bool = True,
    record: Callable[[list[meta.Meta]], object] | None = None,
) -> native.Message:
    """The answer to `call`. `path` is the component's own entry of requestPath, empty for none. `record` gets the
    component's metrics.
    """
    data, tags, metrics = _unwrapped(result, added, node, step.name)
    if metrics and record is not None:
        record(metrics)
    metrics = metrics if tells_metrics else []
    # Seldon's wrapper takes lists through numpy for gRPC alone.
    payload = _payload(step, call, data, node, encoding == Encoding.SELDON_JSON)
    names = _names(step, call, payload, added.names)
    return _written(payload, names, meta.merge(call.metas, tags, metrics, path), encoding, node, step.name)


def health(result: Any, added: Added, path: Mapping[str, str], encoding: int, node: str) -> native.Message:
    """The answer to a health check that the component answered with `result`."""
    data, tags, metrics = _unwrapped(result, added, node, "health_status")
    payload = convert.payload_of(data, "", node, "health_status")
    return _written(payload, (), meta.merge((), tags, metrics, path), encoding, node, "health_status")


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


def _payload(step: Step, call: Call, data: Any, node: str, as_said: bool) -> Payload:
    if step.method is Method.ROUTE:
        return Payload(_ROUTE_KINDS.get(call.asked, "tensor"), numpy.array([[steps.route_of(data, node)]]), 1)
    if step.method is Method.SEND_FEEDBACK and data is None:
        data = numpy.array([])
    return convert.payload_of(data, call.asked, node, step.name, as_said)


def _names(step: Step, call: Call, payload: Payload, given: tuple[str, ...] | None) -> tuple[str, ...]:
    """The columns' names: the component's, else the data frame's, else numbers."""
    if payload.kind not in ARRAYS or not step.naming:
        return ()
    if given is not None:
        return given
    if payload.names is not None:
        return payload.names
    return convert.default_names(payload.width)
