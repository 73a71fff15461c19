"""Owns what a front tells of itself: its OpenAPI document, and a page that shows it and lets one try a request.

Must not serve. The page needs nothing from elsewhere: no script, font or picture of another host.
"""

import json
from collections.abc import Mapping
from importlib import resources
from typing import Any

from executor import __version__
from executor.protocol.table import Action, RestTable, Route
from executor.rest.answers import Reply, Site
from executor.types import Form, Method

DOCUMENT = "seldon.json"
_JSON = ((b"content-type", b"application/json"),)
_HTML = ((b"content-type", b"text/html; charset=utf-8"),)
_MESSAGE = {"$ref": "#/components/schemas/SeldonMessage"}
_EXAMPLE = {"data": {"names": ["a", "b"], "ndarray": [[1.0, 2.0]]}}
_EXAMPLES: Mapping[Form, Any] = {
    Form.MESSAGE: _EXAMPLE,
    Form.LIST: [_EXAMPLE, _EXAMPLE],
    Form.FEEDBACK: {"request": _EXAMPLE, "response": {"meta": {"routing": {}}}, "reward": 1.0},
}
_SCHEMAS: Mapping[Form, Any] = {
    Form.MESSAGE: _MESSAGE,
    Form.LIST: {"type": "array", "items": _MESSAGE},
    Form.FEEDBACK: {"$ref": "#/components/schemas/Feedback"},
}
_SUMMARIES = {
    Method.PREDICT: "Ask for a prediction",
    Method.SEND_FEEDBACK: "Say how good a prediction was",
    Method.TRANSFORM_INPUT: "Transform a request",
    Method.TRANSFORM_OUTPUT: "Transform an answer",
    Method.ROUTE: "Ask which child a request goes to",
    Method.AGGREGATE: "Join answers into one",
}


def pages(table: RestTable, site: Site) -> dict[str, Reply]:
    """The documents by the name that a path ends with; the page has none."""
    if not any(route.action is Action.DOC for route in table.routes):
        return {}
    text = json.dumps(document(table, site), indent=4).encode()
    told = Reply(200, text, _JSON)
    if not table.public_prefix:
        return {"": told}
    page = resources.files("executor.rest").joinpath("page.html").read_bytes()
    return {DOCUMENT: told, "": Reply(200, page, _HTML), "index.html": Reply(301, b"", ((b"location", b"./"),))}


def document(table: RestTable, site: Site) -> dict[str, Any]:
    """The OpenAPI document. Paths are those that clients use, which is through an ingress where there is one."""
    prefix = table.public_prefix.format(namespace=site.namespace, deployment=site.deployment)
    asked = [route for route in table.routes if route.action is Action.RUN and not route.path.startswith("/api/v0.1")]
    title = f"{site.deployment}, a graph served by millrace" if prefix else "A node served by millrace"
    return {
        "openapi": "3.0.3",
        "info": {"title": title, "version": __version__, "description": "Seldon Core's v1 protocol over HTTP."},
        "paths": {prefix + route.path: {"post": _operation(route)} for route in asked},
        "components": {"schemas": json.loads(resources.files("executor.rest").joinpath("schemas.json").read_text())},
    }


def _operation(route: Route) -> dict[str, Any]:
    name = route.path.rpartition("/")[2]
    content = {"schema": _SCHEMAS[route.form], "example": _EXAMPLES[route.form]}
    failure = {"description": "What went wrong, in `status`", "content": {"application/json": {"schema": _MESSAGE}}}
    return {
        "summary": _SUMMARIES[route.method],
        "operationId": name.replace("-", "_"),
        "requestBody": {"required": True, "content": {"application/json": content}},
        "responses": {
            "200": {"description": "The answer", "content": {"application/json": {"schema": _MESSAGE}}},
            "400": failure,
            "500": failure,
        },
    }
