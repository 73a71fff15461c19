"""Owns the stand-in for `flask`, of which user classes use a few things: Blueprint, jsonify and Response to word their
errors, and `request`. It must not serve anything, nor pretend to be more of Flask than this.
"""

import contextlib
import json
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, TypeVar
from wsgiref.headers import Headers

Handler = TypeVar("Handler", bound=Callable[..., Any])


class Response:
    """A body, its HTTP status and its type."""

    def __init__(
        self,
        response: Any = b"",
        status: int = 200,
        headers: Any = None,
        mimetype: str | None = None,
        content_type: str | None = None,
    ) -> None:
        self.data = response if isinstance(response, bytes) else str(response).encode()
        self.status_code = int(status)
        self.headers = dict(headers or {})
        self.content_type = content_type or mimetype or "text/html; charset=utf-8"

    def get_data(self) -> bytes:
        """The body."""
        return self.data


def jsonify(*values: Any, **named: Any) -> Response:
    """A JSON body."""
    content = named or (values[0] if len(values) == 1 else list(values))
    return Response(json.dumps(content, sort_keys=True).encode(), mimetype="application/json")


def make_response(*values: Any) -> Response:
    """What a handler answered as a Response: one already, a body, or (body, status)."""
    value = values[0] if len(values) == 1 else values
    body, status = (value[0], value[1]) if isinstance(value, tuple) and len(value) > 1 else (value, None)
    made = body if isinstance(body, Response) else jsonify(body) if isinstance(body, dict | list) else Response(body)
    if status is not None:
        made.status_code = int(status)
    return made


class Blueprint:
    """Handlers of exceptions, by class."""

    def __init__(self, name: str, import_name: str = "", **_: Any) -> None:
        self.name = name
        self.import_name = import_name
        self.error_handlers: dict[type[BaseException], Callable[..., Any]] = {}

    def app_errorhandler(self, code: type[BaseException]) -> Callable[[Handler], Handler]:
        """Marks the handler of exceptions of the class `code`."""

        def mark(handler: Handler) -> Handler:
            self.error_handlers[code] = handler
            return handler

        return mark

    errorhandler = app_errorhandler

    def register_error_handler(self, code: type[BaseException], f: Callable[..., Any]) -> None:
        """The same without a decorator."""
        self.error_handlers[code] = f


class Request:
    """What came over HTTP."""

    method = "POST"

    def __init__(self, path: str, headers: list[tuple[str, str]], data: bytes) -> None:
        self.path = path
        self.headers = Headers(list(headers))
        self.data = data

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.data)

    def get_json(self, *_: Any, **__: Any) -> Any:
        """The same."""
        return self.json

    def get_data(self, *_: Any, as_text: bool = False, **__: Any) -> bytes | str:
        """The body."""
        return self.data.decode() if as_text else self.data


class _Current:
    """The request that the running call came with."""

    def __getattr__(self, name: str) -> Any:
        found = _asked.get()
        if found is None:
            raise RuntimeError("Working outside of request context.")
        return getattr(found, name)


_asked: ContextVar[Request | None] = ContextVar("request", default=None)
request = _Current()


@contextlib.contextmanager
def asked(made: Request) -> Iterator[None]:
    """`made` is the request meanwhile."""
    before = _asked.set(made)
    try:
        yield
    finally:
        _asked.reset(before)
