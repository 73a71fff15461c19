"""The short way answers just what the general way would."""

from typing import Any

import numpy
import pytest
from support.components import BOTH, call, content, request

from executor.component import direct, quick
from executor.component.extras import extras_of
from executor.component.host import Host
from executor.component.methods import find
from executor.component.steps import STEPS
from executor.component.work import Work
from executor.errors import ComponentError, DecodeError, RequestError
from executor.types import Method, Mode

RESULTS: list[Any] = [
    numpy.array([[1.0, 2.0]]),
    numpy.array([1, 2]),
    numpy.array([[True]]),
    numpy.zeros((0, 3)),
    numpy.ones((2, 2, 2), "f4"),
    [[1, 2]],
    "text",
    {"a": 1},
]
ASKED: list[Any] = [
    {"data": {"names": ["a"], "tensor": {"shape": [1, 1], "values": [1.5]}}},
    {"data": {"names": ["a"], "ndarray": [[1.5]]}},
    {"data": {"ndarray": [["text"]]}, "meta": {"puid": "p", "tags": {"a": 1}, "routing": {"r": 1}}},
    {"strData": "x"},
]
CALLS = [Method.PREDICT, Method.TRANSFORM_INPUT, Method.TRANSFORM_OUTPUT]


class Fixed:
    """Answers one thing to everything."""

    def __init__(self, result: Any) -> None:
        self.result = result
        self.metas: list[Any] = []

    @quick
    def predict(self, X: Any, names: Any) -> Any:
        return self.result

    def transform_input(self, X: Any, names: Any, meta: Any) -> Any:
        self.metas.append(meta)
        return self.result

    async def transform_output(self, X: Any, names: Any, **named: Any) -> Any:
        self.metas.append(named["meta"])
        return self.result

    def route(self, X: Any, names: Any) -> Any:
        return self.result


def general(component: Any, method: Method) -> Host:
    """A host whose handler for `method` goes the general way."""
    host = Host(component, "n", environ={})
    step = next(step for step in STEPS if step.method is method)
    work = Work("n", step, find(component, step.name), {}, extras_of(component, "n", step.naming), {})
    mode = host.handlers[method][0]
    host.handlers[method] = mode, work.run_async if mode is Mode.ASYNC else work.run
    return host


@pytest.mark.parametrize("encoding", BOTH)
@pytest.mark.parametrize("method", CALLS)
@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("result", RESULTS, ids=str)
def test_both_ways_answer_the_same(encoding: int, method: Method, asked: Any, result: Any) -> None:
    component = Fixed(result)
    short, long = Host(component, "n", environ={}), general(component, method)
    assert short.handlers[method][1] != long.handlers[method][1]
    answers = [content(call(host, request(asked, method, encoding), method)) for host in (short, long)]
    assert answers[0] == answers[1]
    assert component.metas[:1] == component.metas[1:]


@pytest.mark.parametrize("encoding", BOTH)
@pytest.mark.parametrize("route", [0, 1, -1, -2, 300, -300])
def test_routes_are_answered_and_kept(encoding: int, route: int) -> None:
    host = Host(Fixed(route), "n", environ={})
    first, second = (call(host, request(ASKED[1], Method.ROUTE, encoding), Method.ROUTE) for _ in range(2))
    assert content(first)["data"]["ndarray"] == content(second)["data"]["ndarray"] == [[route]]
    assert (first is second) == (abs(route) < 256)


@pytest.mark.parametrize("encoding", BOTH)
@pytest.mark.parametrize("route", [numpy.int64(1), 1.0, "1", None, [1]])
def test_a_route_is_an_int(encoding: int, route: Any) -> None:
    with pytest.raises(ComponentError, match="node 'n': Routing response must be int but got") as caught:
        call(Host(Fixed(route), "n", environ={}), request(ASKED[1], Method.ROUTE, encoding), Method.ROUTE)
    assert (caught.value.http_status, caught.value.reason) == (400, "MICROSERVICE_BAD_DATA")


@pytest.mark.parametrize("encoding", BOTH)
@pytest.mark.parametrize("said", [True, False])
def test_a_truth_value_is_sent_as_it_is(encoding: int, said: bool) -> None:
    answer = call(Host(Fixed(said), "n", environ={}), request(ASKED[1], Method.ROUTE, encoding), Method.ROUTE)
    assert content(answer)["data"]["ndarray"] == [[said]]


@pytest.mark.parametrize("encoding", BOTH)
@pytest.mark.parametrize("method", CALLS)
def test_errors_name_the_node(encoding: int, method: Method) -> None:
    with pytest.raises(ComponentError, match=r"node 'n': .* answered ndarray of complex128"):
        call(Host(Fixed(numpy.array([1j])), "n", environ={}), request(ASKED[0], method, encoding), method)
    with pytest.raises(RequestError, match="node 'n': the message has no data"):
        call(Host(Fixed(0), "n", environ={}), request({}, method, encoding), method)
    wrong = {"data": {"tensor": {"shape": [7], "values": [1.0]}}}
    with pytest.raises(DecodeError) as caught:
        call(Host(Fixed(0), "n", environ={}), request(wrong, method, encoding), method)
    assert caught.value.node == "n"


def test_what_has_no_short_way() -> None:
    class Tagged(Fixed):
        def tags(self) -> dict[str, Any]:
            return {}

    class Narrow:
        def predict(self, X: Any) -> Any:
            return X

    def short(component: Any, path: dict[str, str], raw: dict[int, Any] | None = None) -> bool:
        step = STEPS[0]
        work = Work("n", step, find(component, "predict"), raw or {}, extras_of(component, "n", step.naming), path)
        return direct.method_of(work) is not None

    assert short(Fixed(0), {})
    assert not short(Fixed(0), {"n": "image:1"})
    assert not short(Fixed(0), {}, {0: find(Narrow(), "predict")})
    assert not short(Tagged(0), {})
    assert not short(Narrow(), {})
