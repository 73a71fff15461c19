"""Owns `millrace call`: reading the data, asking over gRPC or REST, and the text that is printed.

Must not parse arguments nor print.
"""

import http.client
import json
import ssl
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy

from executor import errors
from executor._native import message as messages
from executor._native import seldon_json
from executor.client.payload import Response, kind_of
from executor.client.synchronous import Client
from executor.rest import dial
from executor.settings import Address, Scheme, parse_target
from executor.status import status_of_http
from executor.types import Encoding

REST_PATH = "/api/v1.0/predictions"
FEEDBACK_PATH = "/api/v1.0/feedback"
_MESSAGE_KEYS = {"status", "meta", "data", "binData", "strData", "jsonData", "customData"}
_PAYLOAD_KEYS = _MESSAGE_KEYS - {"status", "meta"}
_PRINTED = 200
"""Elements of an array that are printed in full; of longer ones the ends."""


def read_data(data: str | None, file: str | None) -> Any:
    """What `--data` or `--file` holds: what its JSON says, or an array. Raises `errors.RequestError`."""
    if data is not None:
        return read_json(data, "--data")
    assert file is not None
    try:
        if file.endswith(".npy"):
            return numpy.load(file, allow_pickle=False)
        return read_json(sys.stdin.read() if file == "-" else Path(file).read_text("utf-8"), f"--file {file}")
    except (OSError, UnicodeDecodeError) as cause:
        raise errors.RequestError(f"--file {file}: {getattr(cause, 'strerror', None) or cause}") from None
    except ValueError as cause:
        raise errors.RequestError(f"--file {file}: {cause}") from None


def read_json(text: str, what: str) -> Any:
    """What the JSON of `what` says. Raises `errors.RequestError`."""
    try:
        return json.loads(text)
    except ValueError as cause:
        raise errors.RequestError(
            f"{what}: not JSON: {cause}; a text is written with its quotes, '\"like this\"'"
        ) from None


def message_of(data: Any, kind: str) -> messages.Message:
    """A JSON message that holds `data`, or the whole message that `data` already is. Raises `errors.EncodeError`."""
    if kind == "auto" and isinstance(data, dict) and data.keys() <= _MESSAGE_KEYS and data.keys() & _PAYLOAD_KEYS:
        return messages.Message(json.dumps(data).encode(), Encoding.SELDON_JSON)
    chosen = kind_of(data) if kind == "auto" else kind
    if chosen == "binData" and isinstance(data, str):
        data = data.encode()
    if chosen in ("tensor", "tftensor"):
        data = numpy.asarray(data)
    return seldon_json.build(chosen, data)


class Judgement(NamedTuple):
    """How good the answer was, to be told afterwards."""

    reward: float
    truth: messages.Message | None = None


def call_grpc(
    target: str,
    message: messages.Message,
    timeout_s: float,
    tls: ssl.SSLContext | None = None,
    judged: Judgement | None = None,
) -> str:
    """Ask over gRPC, over TLS with `tls`; what to print. Raises `errors.Error`."""
    with Client(target, timeout_s=timeout_s, tls=tls or False) as client:
        start = time.perf_counter()
        try:
            response = client.predict(message)
        except errors.NodeError as error:
            if tls is None and "does it want TLS?" in error.message:
                error.message += " (--tls)"
            raise
        text = render(response, time.perf_counter() - start)
        if judged is not None:
            client.feedback(message, response, judged.reward, judged.truth)
        return text + _told(judged)


def call_rest(
    target: str,
    message: messages.Message,
    timeout_s: float,
    tls: ssl.SSLContext | None = None,
    judged: Judgement | None = None,
) -> str:
    """Ask over REST, over TLS with `tls`; what to print. Raises `errors.Error`."""
    start = time.perf_counter()
    answer, puid = _post(target, REST_PATH, message, timeout_s, tls)
    text = render(Response(answer, puid), time.perf_counter() - start)
    if judged is not None:
        feedback = seldon_json.build_feedback(message, answer, judged.reward, judged.truth)
        _post(target, FEEDBACK_PATH, feedback, timeout_s, tls)
    return text + _told(judged)


def _told(judged: Judgement | None) -> str:
    return "" if judged is None else "\n" + _line("reward", f"{judged.reward:g}, sent as feedback")


def _post(
    target: str, path: str, message: messages.Message, timeout_s: float, tls: ssl.SSLContext | None
) -> tuple[messages.Message, str]:
    """The answer to a request, and its puid."""
    address = parse_target(target)
    if address.scheme is Scheme.UNIX:
        raise errors.RequestError(f"{target}: --rest needs HOST:PORT")
    headers = {"Content-Type": "application/json", "Millrace-Timeout": f"{timeout_s:.3f}"}
    connection = _connection(address, timeout_s + 1, tls)
    try:
        connection.request("POST", path, bytes(message), headers)
        reply = connection.getresponse()
        text = reply.read()
    except TimeoutError:
        raise errors.DeadlineError(f"{target} did not answer within {timeout_s:g} s") from None
    except (http.client.BadStatusLine, ConnectionResetError):
        guess = "or does it want TLS (--tls)?" if tls is None else "or does it want a certificate (--cert, --key)?"
        told = f"{target} does not answer as an HTTP server does; is that its gRPC port, {guess}"
        raise errors.NodeError(told) from None
    except ssl.SSLError as cause:
        raise errors.NodeError(f"{target}: TLS failed: {dial.tls_words(cause)}") from None
    except (OSError, http.client.HTTPException) as cause:
        raise errors.NodeError(f"{target}: {cause or type(cause).__name__}") from None
    finally:
        connection.close()
    if reply.status != 200:
        said = text.decode("utf-8", "replace") or "(nothing)"
        raise errors.NodeError(f"{target} answered HTTP {reply.status}: {said}", status=status_of_http(reply.status))
    return messages.Message(text, Encoding.SELDON_JSON), reply.headers["Seldon-Puid"] or ""


def _connection(address: Address, timeout_s: float, tls: ssl.SSLContext | None) -> http.client.HTTPConnection:
    if tls is None:
        return http.client.HTTPConnection(address.host, address.port, timeout=timeout_s)
    return http.client.HTTPSConnection(address.host, address.port, timeout=timeout_s, context=tls)


def render(response: Response, seconds: float) -> str:
    """An answer as text: payload, id, route and time."""
    kind = response.kind or "no payload"
    lines = [("answer", kind + (f" {_shape(response)}" if response.kind in ("tensor", "tftensor") else ""))]
    if response.kind:
        lines.append(("", _value_text(response)))
    if response.names:
        lines.append(("names", ", ".join(response.names)))
    if response.status:
        lines.append(("status", json.dumps(response.status, ensure_ascii=False)))
    if response.tags:
        lines.append(("tags", json.dumps(response.tags, ensure_ascii=False)))
    lines.append(("puid", response.puid or response.meta.get("puid") or "not given"))
    lines.append(("route", _route_text(response.routing)))
    lines.append(("time", f"{seconds * 1e3:.2f} ms"))
    return "\n".join(_line(label, text) for label, text in lines)


def _line(label: str, text: str) -> str:
    head = f"{label}:" if label else ""
    return "\n".join(f"{head if number == 0 else '':<8}{line}" for number, line in enumerate(text.splitlines() or [""]))


def _shape(response: Response) -> str:
    array = response.array()
    return f"{array.dtype} {list(array.shape)}"


def _value_text(response: Response) -> str:
    value = response.value
    if isinstance(value, numpy.ndarray):
        return numpy.array2string(value, threshold=_PRINTED, separator=", ", max_line_width=100)
    if isinstance(value, bytes):
        return f"{len(value)} bytes: {value[:_PRINTED]!r}{'…' if len(value) > _PRINTED else ''}"
    if response.kind == "customData":
        return repr(value)
    if response.kind == "ndarray" and numpy.size(response.array()) > _PRINTED:
        return numpy.array2string(response.array(), threshold=_PRINTED, separator=", ", max_line_width=100)
    return json.dumps(value, ensure_ascii=False)


_ROUTES = {-1: "all children", -2: "no child"}


def _route_text(routing: dict[str, int]) -> str:
    if not routing:
        return "not reported (the graph has no router)"
    return ", ".join(f"{node} → {_ROUTES.get(child, f'child {child}')}" for node, child in routing.items())
