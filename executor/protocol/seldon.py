"""Owns Seldon's v1 protocol as data: its RPCs, REST paths, error bodies and the assembly of graph metadata.

Must not do I/O nor look into payloads; the codecs are `_native.seldon` and `_native.seldon_json`.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from executor import errors
from executor.graph import spec
from executor.protocol.table import Action, RestTable, Route, Rpc, by_path
from executor.types import Form, Method, Walk

PACKAGE = "seldon.protos"
PUID = "seldon-puid"
"""Metadata key, and in other letters the HTTP header, that carries the id of a request."""

_FORMS = {Method.AGGREGATE: Form.LIST, Method.SEND_FEEDBACK: Form.FEEDBACK}


def form_of(method: Method) -> Form:
    """The message that a node is sent for `method`."""
    return _FORMS.get(method, Form.MESSAGE)


# --- gRPC -----------------------------------------------------------------------------------------------------


def _rpc(service: str, name: str, method: Method, walk: Walk = Walk.CALL) -> Rpc:
    return Rpc(f"{PACKAGE}.{service}", name, Action.RUN, walk, method, form_of(method))


def _metadata_rpc(service: str, name: str, action: Action) -> Rpc:
    return Rpc(f"{PACKAGE}.{service}", name, action)


_SELDON_METADATA = (
    _metadata_rpc("Seldon", "ModelMetadata", Action.MODEL_METADATA),
    _metadata_rpc("Seldon", "GraphMetadata", Action.GRAPH_METADATA),
)

EXECUTOR_RPCS: Mapping[str, Rpc] = by_path(
    (
        _rpc("Seldon", "Predict", Method.PREDICT, Walk.PREDICT),
        _rpc("Seldon", "SendFeedback", Method.SEND_FEEDBACK, Walk.FEEDBACK),
        *_SELDON_METADATA,
    )
)
"""What the executor serves over gRPC, by `:path`."""

NODE_RPCS: Mapping[str, Rpc] = by_path(
    (
        _rpc("Model", "Predict", Method.PREDICT),
        _rpc("Model", "SendFeedback", Method.SEND_FEEDBACK),
        _metadata_rpc("Model", "Metadata", Action.MODEL_METADATA),
        _rpc("Router", "Route", Method.ROUTE),
        _rpc("Router", "SendFeedback", Method.SEND_FEEDBACK),
        _rpc("Combiner", "Aggregate", Method.AGGREGATE),
        _rpc("Transformer", "TransformInput", Method.TRANSFORM_INPUT),
        _rpc("OutputTransformer", "TransformOutput", Method.TRANSFORM_OUTPUT),
        _rpc("Generic", "TransformInput", Method.TRANSFORM_INPUT),
        _rpc("Generic", "TransformOutput", Method.TRANSFORM_OUTPUT),
        _rpc("Generic", "Route", Method.ROUTE),
        _rpc("Generic", "Aggregate", Method.AGGREGATE),
        _rpc("Generic", "SendFeedback", Method.SEND_FEEDBACK),
        _rpc("Seldon", "Predict", Method.PREDICT),
        _rpc("Seldon", "SendFeedback", Method.SEND_FEEDBACK),
        *_SELDON_METADATA,
    )
)
"""What a node serves over gRPC, by `:path`."""

NODE_GRPC_PATHS: Mapping[Method, str] = {
    Method.PREDICT: "/seldon.protos.Model/Predict",
    Method.TRANSFORM_INPUT: "/seldon.protos.Transformer/TransformInput",
    Method.TRANSFORM_OUTPUT: "/seldon.protos.OutputTransformer/TransformOutput",
    Method.ROUTE: "/seldon.protos.Router/Route",
    Method.AGGREGATE: "/seldon.protos.Combiner/Aggregate",
    # Routers too get feedback on Model: that is where Seldon's executor sends it.
    Method.SEND_FEEDBACK: "/seldon.protos.Model/SendFeedback",
}
"""What the executor calls at a gRPC node."""

NODE_GRPC_METADATA_PATH = "/seldon.protos.Model/Metadata"

# --- REST -----------------------------------------------------------------------------------------------------

NODE_REST_PATHS: Mapping[Method, str] = {
    Method.PREDICT: "/predict",
    Method.TRANSFORM_INPUT: "/transform-input",
    Method.TRANSFORM_OUTPUT: "/transform-output",
    Method.ROUTE: "/route",
    Method.AGGREGATE: "/aggregate",
    Method.SEND_FEEDBACK: "/send-feedback",
}
"""What the executor posts to at a REST node, and what a node serves."""

NODE_REST_STATUS_PATH = "/health/status"
NODE_REST_METADATA_PATH = "/metadata"
NODE_REST_HEALTH_PATH = "/api/v1.0/health/status"
"""What full health checks ask."""

_POST = frozenset({"POST", "OPTIONS"})
_GET = frozenset({"GET", "OPTIONS"})
_GET_POST = frozenset({"GET", "POST", "OPTIONS"})
_ANY: frozenset[str] = frozenset()


def _executor_routes() -> tuple[Route, ...]:
    routes = [
        Route("/live", _ANY, Action.LIVE),
        Route("/ready", _ANY, Action.READY),
        Route("/api/v1.0/status", _GET, Action.READY),
        Route("/api/v1.0/health/status", _GET, Action.READY),
        Route("/api/v1.0/metadata", _GET, Action.GRAPH_METADATA),
    ]
    for version in ("/api/v1.0", "/api/v0.1"):
        routes += [
            Route(f"{version}/predictions", _POST, Action.RUN, Walk.PREDICT, Method.PREDICT),
            Route(f"{version}/feedback", _POST, Action.RUN, Walk.FEEDBACK, Method.SEND_FEEDBACK, Form.FEEDBACK),
            Route(f"{version}/metadata/{{name}}", _GET, Action.MODEL_METADATA),
            Route(f"{version}/status/{{name}}", _GET, Action.STATUS),
            Route(f"{version}/doc/", _ANY, Action.DOC),
            Route(f"{version}/doc/{{name}}", _ANY, Action.DOC),
        ]
    return tuple(routes)


def answer_status(body: bytes) -> int:
    """The HTTP status that a model asks for with `status.code` in its answer; 200 where it asks for none."""
    if b'"status"' not in body:
        return 200
    try:
        status = json.loads(body)["status"]["code"]
    except (ValueError, TypeError, KeyError):
        return 200
    return status if type(status) is int and 200 <= status <= 599 else 200


def _node_route(path: str, verbs: frozenset[str], method: Method) -> Route:
    status_of = answer_status if method is Method.PREDICT else None
    return Route(path, verbs, Action.RUN, Walk.CALL, method, form_of(method), status_of=status_of)


def _node_routes() -> tuple[Route, ...]:
    routes = [_node_route(path, _GET_POST, method) for method, path in NODE_REST_PATHS.items()]
    for version in ("/api/v1.0", "/api/v0.1"):
        routes += [
            _node_route(f"{version}/predictions", _POST, Method.PREDICT),
            _node_route(f"{version}/feedback", _POST, Method.SEND_FEEDBACK),
        ]
    return (
        *routes,
        Route("/health/ping", _GET, Action.PING),
        Route("/health/status", _GET, Action.STATUS),
        Route("/api/v1.0/health/status", _GET, Action.STATUS),
        Route("/seldon.json", _GET, Action.DOC),
        Route("/metadata", _GET, Action.MODEL_METADATA),
        Route("/api/v1.0/metadata", _GET, Action.MODEL_METADATA),
        # Not Seldon's: the same probes work for every millrace process.
        Route("/live", _ANY, Action.LIVE),
        Route("/ready", _ANY, Action.READY),
    )


LATE = "Client.Timeout exceeded while awaiting headers"
"""What clients look for where something was late: Seldon's executor says so of a node."""


def error_status(error: errors.Error) -> int:
    """The executor's HTTP status for `error`: Seldon's knows but 500 for what went wrong behind it, deadlines
    included; what a node answered itself is passed on.
    """
    late = isinstance(error, errors.DeadlineError) and error.body is None
    return 500 if late else error.http_status


def error_body(error: errors.Error) -> bytes:
    """The executor's error body. proto3 JSON leaves defaults out, and the executor has never sent a reason."""
    info = error.message
    if isinstance(error, errors.DeadlineError):
        info = f"{info} ({LATE})"
    return _status_body({"code": error_status(error), "info": info, "status": "FAILURE"})


def node_error_status(error: errors.Error) -> int:
    """A node's HTTP status for `error`. Seldon's wrapper has 400 for all that it cannot read."""
    foreign = isinstance(error, errors.RequestError) and error.http_status == 415
    return 400 if foreign else error.http_status


def node_error_body(error: errors.Error) -> bytes:
    """A node's error body: `code` is the application's, -1 for none, and FAILURE is written as its number."""
    return _status_body({"code": -1, "info": error.said or error.message, "reason": error.reason, "status": 1})


def _status_body(status: Mapping[str, Any]) -> bytes:
    return json.dumps({"status": status}, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")


EXECUTOR_REST = RestTable(
    routes=_executor_routes(),
    error_body=error_body,
    error_status=error_status,
    post_prefixes=("/api/v1.0/", "/api/v0.1/"),
    unknown_has_body=False,
    escape_html=True,
    puid=True,
    nosniff=True,
    public_prefix="/seldon/{namespace}/{deployment}",
)
"""What the executor serves over REST."""

NODE_REST = RestTable(
    routes=_node_routes(),
    error_body=node_error_body,
    error_status=node_error_status,
    unknown_status=500,
    flask=True,
)
"""What a node serves over REST. Unknown paths are 500 there, since Seldon's wrapper turns every failure into one."""

# --- metadata -------------------------------------------------------------------------------------------------

MODEL_METADATA_KEYS = ("name", "platform", "versions", "inputs", "outputs", "custom")
"""Keys of a node's metadata, in the order in which the executor writes them."""

_Edges = tuple[Sequence[Any], Sequence[Any]]


def model_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """One node's metadata in the executor's key order, without what is empty."""
    return {key: metadata[key] for key in MODEL_METADATA_KEYS if metadata.get(key)}


def graph_metadata(name: str, root: spec.Node, models: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The metadata of the graph `root` of the predictor `name`, from that of its nodes.

    A node that has none, such as a built-in, is left out of `models`, which is in the order of names; what enters and
    leaves it is then unknown.
    """
    inputs, outputs = _edges(root, models)
    named = sorted(node.name for node in root.walk() if node.name in models)
    return {
        "name": name,
        "models": {name: model_metadata(models[name]) for name in named},
        "graphinputs": list(inputs),
        "graphoutputs": list(outputs),
    }


def _edges(node: spec.Node, models: Mapping[str, Mapping[str, Any]]) -> _Edges:
    """What enters and leaves the graph below `node`; of several children the first speaks for all."""
    own = models.get(node.name, {})
    inputs, outputs = own.get("inputs") or (), own.get("outputs") or ()
    if not node.children:
        return inputs, outputs
    child_inputs, child_outputs = _edges(node.children[0], models)
    if node.type in (spec.NodeType.MODEL, spec.NodeType.TRANSFORMER):
        return inputs, child_outputs
    if node.type in (spec.NodeType.OUTPUT_TRANSFORMER, spec.NodeType.COMBINER):
        return child_inputs, outputs
    return child_inputs, child_outputs
