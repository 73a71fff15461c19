"""User code's exceptions become errors that say what, where and why, and nothing of a traceback."""

import json
import logging
from typing import Any

import pytest

from executor.component import faults
from executor.errors import ComponentError, RequestError
from executor.status import Status


class SeldonMicroserviceException(Exception):
    """As Seldon has it."""

    status_code = 400

    def __init__(self, message: str, status_code: int | None = None, reason: str = "MICROSERVICE_BAD_DATA") -> None:
        Exception.__init__(self)
        self.message = message
        if status_code is not None:
            self.status_code = status_code
        self.reason = reason

    def to_dict(self) -> dict[str, Any]:
        return {"status": {"status": 1, "info": self.message, "code": -1, "reason": self.reason}}


def test_any_exception(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise ValueError("bad shape")
    except ValueError as exc:
        error = faults.raised(exc, "n", "predict")
    assert error.message == "node 'n': predict raised ValueError: bad shape"
    assert (error.status, error.http_status, error.reason) == (Status.INTERNAL, 500, "MICROSERVICE_INTERNAL_ERROR")
    assert (error.node, error.body) == ("n", None)
    (record,) = caplog.records
    assert record.exc_info is not None
    assert "Traceback" not in error.message


def test_an_exception_without_text() -> None:
    assert faults.raised(KeyError(), "n", "route").message == "node 'n': route raised KeyError"


@pytest.mark.parametrize(
    ("code", "status", "http_status"),
    [
        (None, Status.INVALID_ARGUMENT, 400),
        (404, Status.NOT_FOUND, 404),
        (429, Status.RESOURCE_EXHAUSTED, 429),
        (503, Status.UNAVAILABLE, 503),
        (418, Status.INVALID_ARGUMENT, 418),
        (7, Status.INTERNAL, 500),
        (200, Status.INTERNAL, 500),
    ],
)
def test_a_status_code_is_honoured(code: int | None, status: Status, http_status: int) -> None:
    error = faults.raised(SeldonMicroserviceException("no", code, "MY_REASON"), "n", "predict")
    assert isinstance(error, ComponentError)
    assert (error.message, error.reason, error.node) == ("no", "MY_REASON", "n")
    assert (error.status, error.http_status) == (status, http_status)
    assert error.body_type == "application/json"
    assert json.loads(error.body or b"") == {"status": {"status": 1, "info": "no", "code": -1, "reason": "MY_REASON"}}


def test_a_deliberate_refusal_is_no_stack_trace_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    faults.raised(SeldonMicroserviceException("no", 404), "n", "predict")
    assert [record.exc_info for record in caplog.records] == [None]


class Coded(SeldonMicroserviceException):
    app_code = 17
    detail = "taken"
    to_dict = None  # type: ignore[assignment]


class Odd(SeldonMicroserviceException):
    def to_dict(self) -> Any:
        raise RuntimeError("cannot")


class OfALibrary(Exception):
    """As libraries for calling services raise it: the status is that of their own call."""

    status_code = 404


def test_exceptions_made_from_seldons() -> None:
    error = faults.raised(Coded("taken", 409, reason=""), "n", "predict")
    assert (error.message, error.status) == ("taken", Status.ABORTED)
    assert json.loads(error.body or b"")["status"] == {
        "code": 17,
        "info": "taken",
        "reason": "MICROSERVICE_INTERNAL_ERROR",
        "status": 1,
    }
    odd = faults.raised(Odd("what", reason=3), "n", "predict")  # type: ignore[arg-type]
    assert (odd.message, odd.body, odd.reason) == ("what", None, "MICROSERVICE_INTERNAL_ERROR")


def test_the_status_of_another_exception_is_its_own_business() -> None:
    error = faults.raised(OfALibrary("no such blob"), "n", "predict")
    assert (error.http_status, error.status, error.body) == (500, Status.INTERNAL, None)
    assert error.message == "node 'n': predict raised OfALibrary: no such blob"


def test_a_node_alone_says_no_more_than_the_exception_does() -> None:
    assert faults.raised(ValueError("bad shape"), "n", "predict").said == "bad shape"
    assert faults.raised(KeyError(), "n", "predict").said == "KeyError"


def test_our_own_errors_keep_what_they_say_and_learn_where() -> None:
    error = RequestError("no")
    assert faults.raised(error, "n", "predict") is error
    assert error.node == "n"
    assert faults.raised(RequestError("no", node="deeper"), "n", "predict").node == "deeper"


def test_who_says_not_implemented() -> None:
    class SeldonNotImplementedError(SeldonMicroserviceException):
        pass

    assert faults.says_not_implemented(NotImplementedError())
    assert faults.says_not_implemented(SeldonNotImplementedError("x"))
    assert not faults.says_not_implemented(SeldonMicroserviceException("x"))
