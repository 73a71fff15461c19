"""Predictors that are odd, as the operator's own tests never write them: what Seldon's executor makes of them."""

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import pytest
from grpc import StatusCode
from support.clients import Refused
from support.containers import Container, predictor, unit
from support.foreign import grpc_node, http_node
from support.processes import Programs

X = {"strData": "x"}


@pytest.fixture
def programs() -> Iterator[Programs]:
    with Programs() as started:
        yield started


@contextlib.contextmanager
def both(name: str) -> Iterator[dict[str, Any]]:
    """One node that listens for REST and for gRPC, and says which of them was asked."""

    def saying(how: str) -> Any:
        return lambda method, said, headers: {"strData": f"{how}-{name}.{method}({said['strData']})"}

    with http_node(saying("rest")) as rest, grpc_node(saying("grpc")) as grpc:
        yield unit(name, rest=rest, grpc=grpc)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("%%%", "ENGINE_PREDICTOR is not base64"),
        ("", "ENGINE_PREDICTOR is empty"),
        ("e30=", "graph: required, but missing"),
        ("eyJncmFwaCI6IHsibmFtZSI6IDd9fQ==", "graph.name: must be text, not the number 7"),
    ],
)
def test_a_wrong_predictor_is_told(programs: Programs, value: str, said: str) -> None:
    container = Container(programs, environment={"ENGINE_PREDICTOR": value})
    assert container.program.ended() == 2
    assert said in container.program.err
    assert "Traceback" not in container.program.err


def test_a_predictor_that_go_takes_is_served(programs: Programs) -> None:
    with both("a") as a, both("b") as b:
        for each in (a, b):
            each["ENDPOINT"] = each.pop("endpoint") | {"Service_Host": "", "service_host": "", "type": "http"}
            each |= {"logger": {"mode": "never"}, "parameters": [{"name": "p", "type": "INT", "value": "x"}], "x": None}
        graph = {"name": "root", "type": "model", "Children": [a, b], "methods": ["FLY"], "oddity": {"a": [1]}}
        container = Container(programs, environment={"ENGINE_PREDICTOR": predictor(graph, protocol="odd")}).ready()
        assert 'node "root" is not called: type "model" is unknown; allowed: MODEL, ROUTER' in container.program.err
        # As a node of no type its children are asked, and the first one's answer counts.
        assert container.rest.predict(X).said == {"strData": "rest-a.predict(x)"}
        assert container.ask_grpc(X) == {"strData": "grpc-a.predict(x)"}
        assert container.rest.status("/ready") == 200


@pytest.mark.parametrize("mode", ["request", "response", "all"])
def test_requests_fail_at_a_node_whose_url_is_none(programs: Programs, mode: str) -> None:
    calls: list[str] = []

    def answer(method: str, said: Any, headers: dict[str, str]) -> Any:
        calls.append(f"{headers['seldon-puid']} {method}")
        return {"strData": "y"}

    with http_node(answer) as rest, grpc_node(answer) as grpc:
        bad = {"mode": mode, "url": "http://logger:port"}
        root = unit("a", "MODEL", unit("b", "MODEL", rest=rest, grpc=grpc) | {"logger": bad}, rest=rest, grpc=grpc)
        container = Container(programs, environment={"ENGINE_PREDICTOR": predictor(root)}).ready()
        assert container.program.err.count("node 'b': logger.url 'http://logger:port'") == 1
        client = container.grpc()
        text = "node 'b': its payloads cannot be logged: logger.url 'http://logger:port': ':port' is no port; allowed"
        for asked, status in ((container.rest, 500), (client, StatusCode.INTERNAL)):
            with pytest.raises(Refused, match=re.escape(text)) as caught:
                asked.predict(X, [("seldon-puid", "p")])
            assert caught.value.status == status
            # As far as it came before there was something to log; nothing else fails.
            assert calls == ["p predict"] * (2 if mode == "response" else 1)
            calls.clear()
            assert asked.predict(X, [("seldon-skip-logging", "1")]).said["strData"] == "y"
            calls.clear()
            given = {"response": {"strData": "y"}, "reward": 1}
            if mode == "request":
                assert asked.feedback(given, [("seldon-puid", "p")]).said["strData"] == "y"
            else:
                with pytest.raises(Refused, match=re.escape(text)):
                    asked.feedback(given, [("seldon-puid", "p")])
            assert calls == ["p send_feedback"] * (2 if mode == "request" else 1)
            calls.clear()
        assert container.rest.status("/ready") == 200
        client.channel.close()
