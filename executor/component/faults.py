"""Owns what user code's exceptions become: the error that the caller sees, and the line in the log.

Must not send a traceback to anyone. It is logged once, here.
"""

import asyncio
import json
import logging
from collections.abc import Sequence
from typing import Any

from executor.errors import ComponentError, DecodeError, Error, RequestError
from executor.status import Status, status_of_http

logger = logging.getLogger(__name__)

BAD_DATA = "MICROSERVICE_BAD_DATA"
BAD_METRIC = "MICROSERVICE_BAD_METRIC"
BAD_METADATA = "MICROSERVICE_BAD_METADATA"
PUID_CHARS = 2048
"""Of a request's id, in the log."""


def let_pass(exc: BaseException) -> None:
    """Raises what is no failure of user code: a cancelled call. SystemExit and the like are failures: one request must
    not end the process.
    """
    if isinstance(exc, asyncio.CancelledError | GeneratorExit):
        raise exc


def raised(exc: BaseException, node: str, method: str, puid: str = "") -> Error:
    """The error for `exc`, which `method` of the component at `node` raised; `puid` is the request, for the log."""
    if isinstance(exc, Error):
        exc.node = exc.node or node
        return exc
    code = getattr(exc, "status_code", None)
    if _is_named(exc, "SeldonMicroserviceException") and isinstance(code, int) and not isinstance(code, bool):
        return _deliberate(exc, code, node, method, puid)
    logger.error("node %s: %s raised %s%s", node, method, type(exc).__name__, _of(puid), exc_info=exc)
    text = str(exc)
    said = f"{type(exc).__name__}: {text}" if text else type(exc).__name__
    error = ComponentError(f"node {node!r}: {method} raised {said}", node=node)
    error.said = text or said
    return error


def _deliberate(exc: BaseException, code: int, node: str, method: str, puid: str) -> ComponentError:
    """Seldon's exception, which says which HTTP status it wants. Others that have a status, such as those of libraries
    for calling services, mean that of their own call."""
    http_status = code if 400 <= code <= 599 else 500
    shown = exc if http_status >= 500 else None
    level = logging.ERROR if shown else logging.INFO
    logger.log(level, "node %s: %s: %s%s", node, method, exc, _of(puid), exc_info=shown)
    body = _body(exc)
    return ComponentError(
        _text(exc),
        status=status_of_http(http_status),
        http_status=http_status,
        reason=_word(getattr(exc, "reason", None)),
        node=node,
        body=body,
        body_type=None if body is None else "application/json",
    )


def _of(puid: str) -> str:
    return f" (request {puid[:PUID_CHARS]})" if puid else ""


def _text(exc: BaseException) -> str:
    for name in ("message", "detail"):
        text = getattr(exc, name, None)
        if isinstance(text, str) and text:
            return text
    return str(exc) or type(exc).__name__


def _word(reason: Any) -> str | None:
    return reason if isinstance(reason, str) and reason else None


def _body(exc: BaseException) -> bytes | None:
    """The error body that the exception writes itself, or one with its `app_code`; None where it has neither."""
    to_dict = getattr(exc, "to_dict", None)
    code = getattr(exc, "app_code", None)
    if not callable(to_dict) and not isinstance(code, int):
        return None
    try:
        content = to_dict() if callable(to_dict) else _status(exc, code)
        return json.dumps(content, allow_nan=False).encode() if isinstance(content, dict) else None
    except Exception as broken:
        logger.warning("%s.to_dict: %s: %s", type(exc).__name__, type(broken).__name__, broken)
        return None


def _status(exc: BaseException, code: Any) -> dict[str, Any]:
    reason = _word(getattr(exc, "reason", None)) or ComponentError.reason
    return {"status": {"code": code, "info": _text(exc), "reason": reason, "status": 1}}


def says_not_implemented(exc: BaseException) -> bool:
    """Whether `exc` is a method's way to say that it is not there: Python's exception for that, or Seldon's."""
    return isinstance(exc, NotImplementedError) or is_seldons(exc)


def is_seldons(exc: BaseException) -> bool:
    """Whether it is Seldon's exception that says so. Python's own may come from any depth of a method that is there."""
    return _is_named(exc, "SeldonNotImplementedError")


def _is_named(exc: BaseException, name: str) -> bool:
    """Whether it is of a class of Seldon's, wherever user code has that from."""
    return any(each.__name__ == name for each in type(exc).__mro__)


def missing(node: str, method: str) -> ComponentError:
    """For a method that is not there, or says so."""
    return ComponentError(
        f"node {node!r}: {method} is not implemented", status=Status.INVALID_ARGUMENT, reason=BAD_DATA, node=node
    )


def empty(node: str, strays: Sequence[tuple[str, Sequence[str]]] = ()) -> RequestError:
    """For a message without a payload; `strays` are members that may have been meant as one."""
    told = "".join(f"; {name!r} is not known, allowed are {', '.join(known)}" for name, known in strays[:3])
    return RequestError(f"node {node!r}: the message has no data{told}", reason=BAD_DATA, node=node)


def no_custom(node: str) -> RequestError:
    """For customData over REST."""
    allowed = "data, binData, strData and jsonData; customData comes over gRPC"
    return RequestError(f"node {node!r}: customData in JSON; allowed are {allowed}", reason=BAD_DATA, node=node)


def unreadable(exc: Error, node: str, method: str, fed: Sequence[str]) -> Error:
    """For a message that `method` cannot be given, because of `exc`: no fault of the caller where it is an answer of
    one of the nodes `fed`.
    """
    exc.node = exc.node or node
    if not fed or not isinstance(exc, DecodeError | RequestError):
        return exc
    said = f"node {node!r}: {method} cannot be given the answer of {' or '.join(map(repr, fed))}: {exc.message}"
    logger.error("%s", said)
    return ComponentError(said, node=node)


def unsendable(node: str, method: str, value: Any, why: str, *, unknown: bool = False) -> ComponentError:
    """For a result that no payload can hold. One of an `unknown` type is 400 over REST, as Seldon's wrapper has it."""
    said = f"node {node!r}: {method} answered {kind_of(value)}, {why}"
    logger.error("%s", said)
    return ComponentError(said, http_status=400 if unknown else None, reason=BAD_DATA if unknown else None, node=node)


def kind_of(value: Any) -> str:
    """A few words on a value: its type, and for arrays dtype and shape."""
    name = type(value).__name__
    dtype, shape = getattr(value, "dtype", None), getattr(value, "shape", None)
    return name if dtype is None or shape is None else f"{name} of {dtype} {tuple(shape)}"
