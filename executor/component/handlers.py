"""Owns `model_error_handler`: the Flask Blueprint of a class that words its exceptions itself.

Must not import Flask: the Blueprint that user code made says whether it is Flask's own or our stand-in's.
"""

import importlib
import logging
from collections.abc import Callable
from typing import Any

from executor.component import flask_standin
from executor.errors import ComponentError, Error
from executor.status import status_of_http

logger = logging.getLogger(__name__)

NAME = "model_error_handler"
Worded = Callable[[Exception, str], Error | None]
_Answer = Callable[[Exception], Any]


def wording(component: Any, node: str) -> Worded | None:
    """What words the exceptions of `component`, None where it leaves that to us."""
    blueprint = getattr(component, NAME, None)
    if blueprint is None:
        return None
    answer = _standins(blueprint) if isinstance(blueprint, flask_standin.Blueprint) else _flasks(blueprint)

    def worded(exc: Exception, method: str) -> Error | None:
        try:
            said = answer(exc)
        except Exception as broken:
            logger.error("node %s: %s: %s: %s", node, NAME, type(broken).__name__, broken, exc_info=broken)
            return None
        return None if said is None else _error(exc, said, node, method)

    return worded


def _error(exc: Exception, said: Any, node: str, method: str) -> Error:
    logger.info("node %s: %s raised %s, worded by %s", node, method, type(exc).__name__, NAME)
    status = said.status_code
    return ComponentError(
        f"node {node!r}: {method} raised {type(exc).__name__}: {exc}",
        status=status_of_http(status if status >= 400 else 500),
        http_status=status,
        node=node,
        body=said.get_data(),
        body_type=said.content_type,
    )


def _standins(blueprint: flask_standin.Blueprint) -> _Answer:
    def answer(exc: Exception) -> Any:
        for each in type(exc).__mro__:
            if each in blueprint.error_handlers:
                return flask_standin.make_response(blueprint.error_handlers[each](exc))
        return None

    return answer


def _flasks(blueprint: Any) -> _Answer:
    app = importlib.import_module("flask").Flask(__name__)
    app.register_blueprint(blueprint)

    def answer(exc: Exception) -> Any:
        with app.test_request_context():
            try:
                raise exc  # Flask raises what it has no handler for again, from where it is handled
            except Exception as raised:
                try:
                    said = app.handle_user_exception(raised)
                    # One of werkzeug's own is a page by itself; Seldon's wrapper does not show it.
                    return None if said is exc else app.make_response(said)
                except Exception as same:
                    if same is exc:
                        return None
                    raise

    return answer
