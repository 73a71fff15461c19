"""Finding routes, with and without a name in the path, and cleaning paths."""

import pytest

from executor.protocol import seldon
from executor.protocol.table import Action, RestTable, Route
from executor.rest.routing import Router, clean_path


@pytest.mark.parametrize(
    ("path", "action", "name"),
    [
        ("/live", Action.LIVE, ""),
        ("/api/v1.0/metadata", Action.GRAPH_METADATA, ""),
        ("/api/v1.0/metadata/m", Action.MODEL_METADATA, "m"),
        ("/api/v0.1/status/a b", Action.STATUS, "a b"),
    ],
)
def test_finds(path: str, action: Action, name: str) -> None:
    route, found = Router(seldon.EXECUTOR_REST).find(path)
    assert route is not None
    assert (route.action, found) == (action, name)


@pytest.mark.parametrize("path", ["", "/", "/live/", "/api/v1.0/metadata/", "/api/v1.0/metadata/m/x", "live", "/x/m"])
def test_does_not_find(path: str) -> None:
    assert Router(seldon.EXECUTOR_REST).find(path) == (None, "")


def test_a_name_may_stand_in_the_middle() -> None:
    route = Route("/v2/models/{name}/infer", frozenset({"POST"}))
    router = Router(RestTable((route,), seldon.error_body, seldon.error_status))
    assert router.find("/v2/models/m/infer") == (route, "m")
    assert router.find("/v2/models//infer") == (None, "")
    assert router.find("/v2/models/m/other") == (None, "")


@pytest.mark.parametrize(
    ("path", "clean"),
    [
        ("/a/b", "/a/b"), ("/a//b", "/a/b"), ("//a", "/a"), ("/a/./b/", "/a/b/"), ("/../a", "/a"), ("//", "/"),
        ("/.hidden", "/.hidden"),
    ],
)  # fmt: skip
def test_clean_path(path: str, clean: str) -> None:
    assert clean_path(path) == clean
