"""A class may word its exceptions itself: with a Flask Blueprint, or the `flask_standin`'s."""

import json
from types import SimpleNamespace
from typing import Any

import flask
import pytest
from support.components import BOTH, ask
from werkzeug.exceptions import Forbidden

from executor.component import flask_standin, handlers
from executor.component.flask_standin import Blueprint, Response, jsonify, make_response
from executor.component.seldon_core.flask_utils import SeldonMicroserviceException
from executor.errors import ComponentError
from executor.status import Status
from executor.types import Method


class OwnError(Exception):
    """As Seldon's documentation has users write it."""

    def __init__(self, message: str, app_code: int, http_code: int) -> None:
        super().__init__(message)
        self.message, self.app_code, self.http_code = message, app_code, http_code


class Model:
    model_error_handler = Blueprint("error_handlers", __name__)

    @staticmethod
    @model_error_handler.app_errorhandler(OwnError)
    def word(error: OwnError) -> Any:
        answer = jsonify({"status": {"message": error.message, "app_code": error.app_code}})
        answer.status_code = error.http_code
        return answer

    def predict(self, X: Any, names: Any) -> Any:
        raise OwnError("too small", 1402, 402)

    def predict_raw(self, message: Any) -> Any:
        raise SeldonMicroserviceException("not mine", status_code=409)

    def transform_input(self, X: Any, names: Any) -> Any:
        raise OwnError("gone", 7, 503)


@pytest.mark.parametrize("encoding", BOTH)
def test_a_handler_words_the_exceptions_of_its_class(encoding: int) -> None:
    with pytest.raises(ComponentError) as caught:
        ask(Model(), {"strData": "x"}, Method.TRANSFORM_INPUT, encoding)
    error = caught.value
    assert (error.http_status, error.status, error.body_type) == (503, Status.UNAVAILABLE, "application/json")
    assert json.loads(error.body or b"") == {"status": {"message": "gone", "app_code": 7}}
    assert error.message == "node 'node': transform_input raised OwnError: gone"
    with pytest.raises(ComponentError) as caught:  # an exception that it has no handler for
        ask(Model(), {"strData": "x"}, encoding=encoding)
    assert (caught.value.http_status, caught.value.message) == (409, "not mine")


def test_handlers_go_by_class_and_none_is_none() -> None:
    blueprint = Blueprint("b")
    blueprint.register_error_handler(ArithmeticError, lambda error: ("text", 418))
    worded = handlers.wording(SimpleNamespace(model_error_handler=blueprint), "n")
    assert worded is not None
    error = worded(ZeroDivisionError("z"), "predict")
    assert error is not None
    assert (error.http_status, error.body) == (418, b"text")
    assert worded(KeyError("k"), "predict") is None
    assert handlers.wording(SimpleNamespace(), "n") is None


def test_a_handler_that_fails_leaves_the_exception_to_us(caplog: pytest.LogCaptureFixture) -> None:
    blueprint = Blueprint("b")
    blueprint.register_error_handler(ValueError, lambda error: 1 / 0)
    worded = handlers.wording(SimpleNamespace(model_error_handler=blueprint), "n")
    assert worded is not None
    assert worded(ValueError("v"), "predict") is None
    assert "node n: model_error_handler: ZeroDivisionError" in caplog.text


def test_flasks_own_blueprint_is_run_in_an_application_of_its_own() -> None:
    theirs = flask.Blueprint("errors", __name__)

    @theirs.app_errorhandler(OwnError)
    def word(error: OwnError) -> Any:
        return flask.jsonify({"m": error.message}), error.http_code

    worded = handlers.wording(SimpleNamespace(model_error_handler=theirs), "n")
    assert worded is not None
    error = worded(OwnError("x", 1, 404), "predict")
    assert error is not None
    assert (error.http_status, error.body, error.body_type) == (404, b'{"m":"x"}\n', "application/json")
    assert worded(KeyError("k"), "predict") is None
    assert worded(Forbidden(), "predict") is None  # nobody worded this one, though it is a page by itself


def test_responses() -> None:
    assert make_response("x").get_data() == b"x"
    assert make_response({"a": 1}).content_type == "application/json"
    assert make_response([1], 201).status_code == 201
    made = Response(b"y", status=202, mimetype="text/plain", headers={"a": "b"})
    assert make_response(made) is made
    assert (made.content_type, made.headers) == ("text/plain", {"a": "b"})
    assert jsonify(a=1).data == b'{"a": 1}'
    assert jsonify(1, 2).data == b"[1, 2]"
    assert flask_standin.Blueprint("n", "m").import_name == "m"
