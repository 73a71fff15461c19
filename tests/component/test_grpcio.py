"""Failures over gRPC as grpcio words exceptions, where clients know Seldon's wrapper."""

from typing import Any

import pytest
from support.components import BOTH, request

from executor.component.grpcio import CALLING
from executor.component.host import Host
from executor.errors import Error
from executor.status import Status
from executor.types import Encoding, Method


class SeldonMicroserviceException(Exception):
    """As Seldon's own: it has its text in `message`."""

    status_code = 404
    reason = "R"
    message = "no such thing"


class Fails:
    """In the way that it is asked for."""

    def predict(self, X: str, names: Any = None) -> Any:
        if X == "own":
            raise SeldonMicroserviceException
        if X == "object":
            return object()
        raise ValueError(X)

    def send_feedback_raw(self, feedback: Any) -> Any:
        raise KeyError("raw")


class Awaits:
    """The same, with `async def`."""

    async def predict(self, X: str, names: Any = None) -> Any:
        raise ValueError(X)


def failure(said: dict[str, Any], encoding: int, method: Method = Method.PREDICT, as_grpcio: bool = True) -> Error:
    handler: Any = Host(Fails(), "n", environ={}, as_grpcio=as_grpcio).handlers[method][1]
    with pytest.raises(Error) as caught:
        handler(request(said, method, encoding), None)
    return caught.value


@pytest.mark.parametrize(
    ("said", "words", "http_status"),
    [
        ({"strData": "boom"}, "boom", 500),
        ({"strData": "own"}, "no such thing", 404),
        ({"strData": "object"}, "node 'n': predict answered object", 400),
        ({}, "node 'n': the message has no data", 400),
    ],
)
def test_every_failure_is_unknown_over_grpc_alone(said: dict[str, Any], words: str, http_status: int) -> None:
    error = failure(said, Encoding.SELDON_PROTO)
    assert error.status is Status.UNKNOWN
    assert error.message.startswith(f"{CALLING}{words}")
    error = failure(said, Encoding.SELDON_JSON)
    assert error.http_status == http_status
    assert CALLING not in error.message


def test_methods_that_are_not_there() -> None:
    error = failure({"strData": "x"}, Encoding.SELDON_PROTO, Method.ROUTE)
    assert (error.status, error.message) == (Status.UNKNOWN, f"{CALLING}node 'n': route is not implemented")


def test_raw_methods() -> None:
    error = failure({"reward": 1.0}, Encoding.SELDON_PROTO, Method.SEND_FEEDBACK)
    assert (error.status, error.message) == (Status.UNKNOWN, f"{CALLING}'raw'")


@pytest.mark.parametrize("encoding", BOTH)
def test_nodes_of_our_own_say_more(encoding: int) -> None:
    error = failure({"strData": "own"}, encoding, as_grpcio=False)
    assert (error.status, error.message) == (Status.NOT_FOUND, "no such thing")


async def test_async_methods() -> None:
    handler: Any = Host(Awaits(), "n", environ={}, as_grpcio=True).handlers[Method.PREDICT][1]
    with pytest.raises(Error) as caught:
        await handler(request({"strData": "boom"}, encoding=Encoding.SELDON_PROTO), None)
    assert (caught.value.status, caught.value.message) == (Status.UNKNOWN, f"{CALLING}boom")
