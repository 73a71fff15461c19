"""Owns `flask.request` for classes that read it: the HTTP request that a call over REST came with.

Must not cost anything to those that do not, nor import Flask: it is there where user code has imported it.
"""

import contextlib
import io
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from executor._native import message as native
from executor.component import flask_standin
from executor.protocol.seldon import NODE_REST_PATHS
from executor.types import Encoding, Method, Mode

Handler = Callable[[native.Message, Any], native.Message] | Callable[[native.Message, Any], Awaitable[native.Message]]
_NOT_USERS = ("flask", "werkzeug", "executor")
"""Packages whose modules refer to Flask without being user code."""


def is_read() -> bool:
    """Whether some module of user code may ask for it."""
    flask = sys.modules.get("flask")
    return flask is not None and any(_refers(name, flask) for name in list(sys.modules))


def around(mode: Mode, handler: Any, method: Method) -> Handler:
    """`handler`, with `flask.request` in it."""
    flask = sys.modules["flask"]
    path, enter = NODE_REST_PATHS[method], _standin if flask is flask_standin else _entering(flask)

    def within(message: native.Message, context: Any) -> contextlib.AbstractContextManager[object]:
        # Seldon's wrapper has none over gRPC either.
        rest = message.encoding == Encoding.SELDON_JSON
        return enter(path, context, bytes(message)) if rest else contextlib.nullcontext()

    async def run_async(message: native.Message, context: Any) -> native.Message:
        with within(message, context):
            answer: native.Message = await handler(message, context)
            return answer

    def run(message: native.Message, context: Any) -> native.Message:
        with within(message, context):
            answer: native.Message = handler(message, context)
            return answer

    return run_async if mode is Mode.ASYNC else run


def _refers(name: str, flask: Any) -> bool:
    if name.partition(".")[0] in _NOT_USERS:
        return False
    told = vars(sys.modules.get(name) or object).values()
    return any(each is flask or each is flask.request for each in list(told))


def _headers(context: Any) -> list[tuple[str, str]]:
    return list(getattr(context, "headers", ()))


def _standin(path: str, context: Any, body: bytes) -> contextlib.AbstractContextManager[object]:
    return flask_standin.asked(flask_standin.Request(path, _headers(context), body))


def _entering(flask: Any) -> Callable[[str, Any, bytes], Any]:
    app = flask.Flask(__name__)

    def enter(path: str, context: Any, body: bytes) -> Any:
        environ: dict[str, Any] = {
            "REQUEST_METHOD": "POST", "PATH_INFO": path, "SERVER_NAME": "localhost", "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1", "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body)),
            "wsgi.version": (1, 0), "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr, "wsgi.multithread": True, "wsgi.multiprocess": True, "wsgi.run_once": False,
        }  # fmt: skip
        for name, value in _headers(context):
            key = f"HTTP_{name.upper().replace('-', '_')}"
            environ[key] = f"{environ[key]},{value}" if key in environ else value
        return app.request_context(environ)

    return enter
