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
from executor.telemetry.users import METHODS
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
    metrics = [_with_method(each, METHODS[step.method]) for each in metrics] if tells_metrics else []
    # Seldon's wrapper takes lists through numpy for gRPC alone.
    payload = _payload(step, call, data, node, encoding == Encoding.SELDON_JSON)
    names = _names(step, call, payload, added.names)
    said = meta.merge(call.metas, tags, metrics, path)
    if step.method is Method.SEND_FEEDBACK and encoding == Encoding.SELDON_JSON:
        payload, said = payload._replace(value=_through_proto(payload.value)), _meta_through_proto(said)
        return _written(payload, names or None, said, encoding, node, step.name)
    return _written(payload, names, said, encoding, node, step.name)


def _with_method(metric: meta.Meta, method: str) -> meta.Meta:
    """A metric that has tags gets one more, as in Seldon's wrapper."""
    return {**metric, "tags": {**metric["tags"], "method": method}} if metric.get("tags") else metric


def _meta_through_proto(said: meta.Meta) -> meta.Meta:
    """Meta as protobuf's JSON has it: a type that is the default is left out, and numbers are real."""
    metrics = [
        {key: value for key, value in metric.items() if (key, value) != ("type", "COUNTER")}
        for metric in said.get("metrics", ())
    ]
    whole = _through_proto({**said, "metrics": metrics} if metrics else said)
    return whole if isinstance(whole, dict) else {}


def _through_proto(value: Any) -> Any:
    """The answer to feedback goes through protobuf in Seldon's wrapper, which makes all its numbers real ones."""
    if isinstance(value, numpy.ndarray) and value.dtype.kind in "iu":
        return value.astype("float64")
    if isinstance(value, dict):
        return {key: _through_proto(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_through_proto(each) for each in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def health(result: Any, added: Added, path: Mapping[str, str], encoding: int, node: str) -> native.Message:
    """The answer to a health check that the component answered with `result`."""
    data, tags, metrics = _unwrapped(result, added, node, "health_status")
    payload = convert.payload_of(data, "", node, "health_status")
    return _written(payload, (), meta.merge((), tags, metrics, path), encoding, node, "health_status")


def _written(
    payload: Payload, names: tuple[str, ...] | None, said: meta.Meta, encoding: int, node: str, method: str
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
        route = steps.route_of(data, node)
        if isinstance(route, bool):  # no number for numpy, so that Seldon's executor reads 0 in it, whichever it is
            return Payload("ndarray", [[route]], 1)
        return Payload(_ROUTE_KINDS.get(call.asked, "tensor"), numpy.array([[route]]), 1)
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
