"""Owns the stand-ins for `construct_response` and `construct_response_json` of `seldon_core.utils`, by which methods
that are given whole messages make a whole answer of a result.

Must not have rules of its own: payload, names and meta are those of any other answer.
"""

import json
import os
from typing import Any, NamedTuple

from executor._native import message as native
from executor.component import convert, extras, meta, raw
from executor.component.codecs import ARRAYS, CODECS
from executor.component.host import NO_IMAGE
from executor.types import Encoding

_METHOD = "construct_response"


def construct_response_json(
    user_model: Any,
    is_request: bool,
    client_request_raw: Any,
    client_raw_response: Any,
    meta: dict[str, Any] | None = None,
    custom_metrics: list[dict[str, Any]] | None = None,
    runtime_tags: dict[str, Any] | None = None,
) -> Any:
    """The JSON form of an answer that says `client_raw_response` to a request in JSON form."""
    data, request_meta = client_request_raw.get("data") or {}, client_request_raw.get("meta") or {}
    asked = next((kind for kind in data if kind in ARRAYS), "")
    names = data.get("names", []) if is_request else None
    incoming = {**(meta or {}), "puid": request_meta.get("puid")}
    added = Added(user_model, names, incoming, custom_metrics, runtime_tags)
    return json.loads(_built(Encoding.SELDON_JSON, asked, client_raw_response, added))


def construct_response(
    user_model: Any,
    is_request: bool,
    client_request: Any,
    client_raw_response: Any,
    meta: dict[str, Any] | None = None,
    custom_metrics: list[dict[str, Any]] | None = None,
    runtime_tags: dict[str, Any] | None = None,
) -> Any:
    """A SeldonMessage that says `client_raw_response` to another SeldonMessage."""
    asked = client_request.data.WhichOneof("data_oneof") or ""
    names = list(client_request.data.names) if is_request else None
    incoming = {**(meta or {}), "puid": client_request.meta.puid}
    added = Added(user_model, names, incoming, custom_metrics, runtime_tags)
    return raw.messages().SeldonMessage.FromString(_built(Encoding.SELDON_PROTO, asked, client_raw_response, added))


class Added(NamedTuple):
    """What there is beside the result."""

    model: Any
    names: list[str] | None
    """Those of a request, which stay unless the class names its features; None for an answer."""
    incoming: meta.Meta
    metrics: list[dict[str, Any]] | None
    tags: dict[str, Any] | None


def _built(encoding: int, asked: str, result: Any, said: Added) -> bytes:
    node, names = os.environ.get("PREDICTIVE_UNIT_ID", ""), said.names
    added = extras.extras_of(said.model, node, ("class_names",) if names is None else ("feature_names",)).collect()
    payload = convert.payload_of(result, asked, node, _METHOD, encoding == Encoding.SELDON_JSON)
    columns: tuple[str, ...] = ()
    if payload.kind in ARRAYS:
        default = convert.default_names(payload.width) if names is None else tuple(names)
        columns = added.names if added.names is not None else default
    path = {node: os.environ.get("PREDICTIVE_UNIT_IMAGE") or NO_IMAGE} if node else {}
    merged = meta.merge([said.incoming], {**added.tags, **(said.tags or {})}, said.metrics or [], path)
    made: native.Message = CODECS[encoding].build(payload.kind, payload.value, columns, merged)
    return bytes(made)
