"""Each call takes its arguments from its own kind of message."""

from typing import Any

import pytest
from support.components import BOTH, request

from executor.component import steps
from executor.component.codecs import CODECS
from executor.component.steps import STEPS, Call, Step
from executor.errors import ComponentError
from executor.types import Method

MESSAGE = {"data": {"names": ["a"], "ndarray": [[1.0]]}, "meta": {"puid": "p"}}


def step(method: Method) -> Step:
    return next(each for each in STEPS if each.method is method)


def opened(method: Method, content: Any, encoding: int) -> Call:
    return step(method).open(CODECS[encoding], request(content, method, encoding), "n")


def test_there_is_one_step_per_method() -> None:
    assert [each.method for each in STEPS] == list(Method)


@pytest.mark.parametrize("encoding", BOTH)
@pytest.mark.parametrize("method", [Method.PREDICT, Method.TRANSFORM_INPUT, Method.TRANSFORM_OUTPUT, Method.ROUTE])
def test_a_message_gives_features_names_and_meta(encoding: int, method: Method) -> None:
    call = opened(method, MESSAGE, encoding)
    assert call.places[0].tolist() == [[1]]
    assert list(call.places[1]) == ["a"]
    assert (call.named, call.asked) == ({"puid": "p"}, "ndarray")
    assert call.metas == ({"puid": "p"},)


@pytest.mark.parametrize("encoding", BOTH)
def test_a_list_gives_lists(encoding: int) -> None:
    call = opened(Method.AGGREGATE, [MESSAGE, {"strData": "x"}], encoding)
    features, names = call.places
    assert (features[0].tolist(), features[1]) == ([[1]], "x")
    assert [list(each) for each in names] == [["a"], []]
    assert (call.asked, call.metas) == ("ndarray", ({"puid": "p"}, {}))
    assert opened(Method.AGGREGATE, [], encoding).places == ([], [])


@pytest.mark.parametrize("encoding", BOTH)
def test_feedback_gives_the_route_that_was_taken(encoding: int) -> None:
    response = {"meta": {"routing": {"n": 2, "m": 1}}}
    call = opened(Method.SEND_FEEDBACK, {"request": MESSAGE, "response": response, "reward": 1.0}, encoding)
    assert (call.named, call.asked, call.metas) == (2, "ndarray", ({"puid": "p"},))
    assert call.places[2] == 1.0
    assert call.places[3].shape == (0,)
    assert opened(Method.SEND_FEEDBACK, {"response": {}}, encoding).named is None


def test_stand_ins() -> None:
    call = Call(("features", []), None, "", ())
    assert step(Method.ROUTE).stand_in is None
    assert step(Method.AGGREGATE).stand_in is None
    for method in (Method.TRANSFORM_INPUT, Method.TRANSFORM_OUTPUT):
        stand_in = step(method).stand_in
        assert stand_in is not None
        assert stand_in(call) == "features"
    for method in (Method.SEND_FEEDBACK, Method.PREDICT):
        nothing = step(method).stand_in
        assert nothing is not None
        assert nothing(call).tolist() == []


def test_a_route() -> None:
    assert steps.route_of(-2, "n") == -2
    assert steps.route_of(True, "n") is True
    with pytest.raises(ComponentError, match=r"must be int but got float: 1\.0"):
        steps.route_of(1.0, "n")
