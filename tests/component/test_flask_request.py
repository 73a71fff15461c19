"""A class may read the HTTP request that its call came with, by Flask's `request` or its stand-in's."""

import asyncio
import sys
from types import ModuleType
from typing import Any

import flask
import pytest
from support.components import BOTH, request

from executor.component import flask_request, flask_standin
from executor.component.host import Host
from executor.types import Encoding, Method


class Context:
    """What a call tells of its request."""

    puid = "p"
    headers = (("x-user", "me"), ("x-tag", "1"), ("x-tag", "2"))


class Reads:
    """Answers what the request says."""

    def __init__(self, flask: Any) -> None:
        self.flask = flask

    def predict_raw(self, message: Any) -> Any:
        asked = self.flask.request
        return {
            "jsonData": [
                asked.method,
                asked.path,
                asked.headers["X-User"],
                asked.get_json(),
                asked.get_data(as_text=True),
            ]
        }


@pytest.fixture
def using(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a module of user code that has imported `flask`, or what stands in for it."""

    def using(flask: Any) -> None:
        module = ModuleType("someones_model")
        module.request = flask.request  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "flask", flask)
        monkeypatch.setitem(sys.modules, "someones_model", module)

    return using


def asked(flask: Any, encoding: int = Encoding.SELDON_JSON) -> Any:
    handler: Any = Host(Reads(flask), "n", environ={}).handlers[Method.PREDICT][1]
    return bytes(handler(request({"strData": "x"}, encoding=encoding), Context()))


WANTED = b'{"jsonData":["POST","/predict","me",{"strData":"x"},"{\\"strData\\": \\"x\\"}"]}'


def test_the_request_is_flasks_own(using: Any) -> None:
    using(flask)
    assert asked(flask) == WANTED


def test_the_stand_in_has_the_request_too(using: Any) -> None:
    using(flask_standin)
    assert asked(flask_standin) == WANTED
    with pytest.raises(RuntimeError, match="outside of request context"):
        _ = flask_standin.request.path


def test_there_is_none_over_grpc(using: Any) -> None:
    using(flask_standin)
    with pytest.raises(Exception, match="outside of request context"):
        asked(flask_standin, Encoding.SELDON_PROTO)


def test_nothing_is_done_where_no_module_of_users_refers_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    other = ModuleType("flask")
    other.request = object()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "flask", other)
    assert not flask_request.is_read()
    monkeypatch.setattr(sys.modules[__name__], "someones", other, raising=False)
    assert flask_request.is_read()
    monkeypatch.delitem(sys.modules, "flask")
    assert not flask_request.is_read()


@pytest.mark.parametrize("encoding", BOTH)
def test_each_way_to_run_a_method_has_it(using: Any, encoding: int) -> None:
    using(flask_standin)

    class Waits:
        async def predict(self, X: Any, names: Any) -> Any:
            return flask_standin.request.path

    handlers = Host(Waits(), "n", environ={}).handlers
    call: Any = handlers[Method.PREDICT][1](request({"strData": "x"}, encoding=encoding), Context())
    if encoding == Encoding.SELDON_JSON:
        assert bytes(asyncio.run(call)) == b'{"meta":{},"strData":"/predict"}'
    else:
        with pytest.raises(Exception, match="outside of request context"):
            asyncio.run(call)
