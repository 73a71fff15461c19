"""The general way from message to answer: arguments as the method takes them, exceptions as errors."""

import asyncio
from typing import Any

import pytest
from support.components import BOTH, ask

from executor.component.host import Host
from executor.errors import ComponentError, DecodeError
from executor.types import Method

ROW = {"data": {"names": ["a"], "ndarray": [[1.0]]}, "meta": {"puid": "p"}}


def answered(predict: Any, **members: Any) -> Any:
    """What a class with this method, and tags, answers: tags make the call go the general way."""
    members.setdefault("tags", lambda self: {"t": 1})
    return ask(type("Model", (), {"predict": predict, **members})(), ROW)


def test_a_method_gets_what_it_takes() -> None:
    assert answered(lambda self, X: str(X.tolist()))["strData"] == "[[1.0]]"
    assert answered(lambda self, X, names: names[0])["strData"] == "a"
    assert answered(lambda self, X, names, meta: meta["puid"])["strData"] == "p"
    assert answered(lambda self, X, *, meta=None: meta["puid"])["strData"] == "p"
    assert answered(lambda self, *places, **named: f"{len(places)}{list(named)}")["strData"] == "2['meta']"


@pytest.mark.parametrize(
    "predict", [lambda self: "x", lambda self, X, names, more: "x", lambda self, X, names, *, more: "x"]
)
def test_a_method_that_cannot_be_called_is_refused_at_once(predict: Any) -> None:
    with pytest.raises(ComponentError, match=r"predict\(.*\) cannot be called as predict\(X") as caught:
        Host(type("Model", (), {"predict": predict})(), "n", environ={})
    assert caught.value.reason == "BAD_COMPONENT"


def test_exceptions_are_named() -> None:
    def broken(self: Any, X: Any, names: Any) -> Any:
        raise ValueError("bad shape")

    async def waiting(self: Any, X: Any, names: Any) -> Any:
        await asyncio.sleep(0)
        raise ValueError("bad shape")

    for predict in (broken, waiting):
        with pytest.raises(ComponentError, match="node 'node': predict raised ValueError: bad shape") as caught:
            answered(predict)
        assert isinstance(caught.value.__cause__, ValueError)
    with pytest.raises(ComponentError, match="tags raised ValueError: bad shape"):
        answered(lambda self, X, names: X, tags=lambda self: broken(self, 0, 0))


def test_cancelling_goes_through() -> None:
    async def stuck(self: Any, X: Any, names: Any) -> Any:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        answered(stuck)


@pytest.mark.parametrize("encoding", BOTH)
def test_an_async_class_may_leave_calls_out(encoding: int) -> None:
    class Waiting:
        async def tags(self) -> dict[str, int]:
            return {"t": 1}

    said = ask(Waiting(), ROW, Method.TRANSFORM_INPUT, encoding)
    assert said["data"]["ndarray"] == [[1]]
    assert said["meta"] == {"puid": "p", "tags": {"t": 1}}


@pytest.mark.parametrize("encoding", BOTH)
def test_a_message_that_does_not_open_names_the_node(encoding: int) -> None:
    class Tagged:
        def predict(self, X: Any, names: Any) -> Any:
            return X

        def tags(self) -> dict[str, int]:
            return {}

    with pytest.raises(DecodeError) as caught:
        ask(Tagged(), {"data": {"tensor": {"shape": [5], "values": [1.0]}}}, encoding=encoding)
    assert caught.value.node == "node"
