"""The OpenAPI document and the page that shows it."""

import json
import re
from typing import Any

import pytest

from executor.protocol import seldon
from executor.rest import docs
from executor.rest.answers import Site

SITE = Site("iris", "models")


def references(value: Any) -> set[str]:
    """Every $ref in a document."""
    if isinstance(value, dict):
        found = {value["$ref"]} if "$ref" in value else set()
        return found.union(*(references(each) for each in value.values()))
    return set().union(*(references(each) for each in value)) if isinstance(value, list) else set()


@pytest.mark.parametrize("table", [seldon.EXECUTOR_REST, seldon.NODE_REST])
def test_all_that_is_referred_to_is_there(table: Any) -> None:
    told = docs.document(table, SITE)
    schemas = {f"#/components/schemas/{name}" for name in told["components"]["schemas"]}
    assert references(told) <= schemas
    assert told["openapi"].startswith("3.0")
    assert all(set(each) == {"post"} for each in told["paths"].values())


def test_the_executors_document_has_real_values() -> None:
    reply = docs.pages(seldon.EXECUTOR_REST, SITE)["seldon.json"]
    told = json.loads(reply.body)
    prefix = "/seldon/models/iris/api/v1.0"
    assert list(told["paths"]) == [f"{prefix}/predictions", f"{prefix}/feedback"]
    assert "servers" not in told
    assert not any("parameters" in each["post"] for each in told["paths"].values())
    assert reply.body.startswith(b'{\n    "openapi"')


def test_a_nodes_document_has_its_own_paths() -> None:
    pages = docs.pages(seldon.NODE_REST, SITE)
    assert list(pages) == [""]
    paths = json.loads(pages[""].body)["paths"]
    assert {"/predict", "/aggregate", "/route", "/api/v1.0/predictions"} <= set(paths)
    assert paths["/aggregate"]["post"]["requestBody"]["content"]["application/json"]["schema"]["type"] == "array"


def test_the_page_needs_nothing_from_elsewhere() -> None:
    page = docs.pages(seldon.EXECUTOR_REST, SITE)[""].body.decode()
    assert not re.search(r"https?:|//[a-z]|@import|url\(", page.replace("// The page lies", ""))
    assert re.findall(r'(?:src|href)="([^"]*)"', page) == ["data:,", "seldon.json"]
