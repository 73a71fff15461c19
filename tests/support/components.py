"""Owns how tests talk to a hosted component: in Seldon's JSON forms, over either encoding.

Must not use our codecs: google.protobuf and json write the requests and read the answers.
"""

import asyncio
import inspect
import json
from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format
from support import protojson

from executor._native import message as native
from executor._pb import seldon_pb2
from executor.component.host import Host
from executor.types import Encoding, Form, Method

BOTH = [Encoding.SELDON_PROTO, Encoding.SELDON_JSON]

_FORMS = {Method.AGGREGATE: Form.LIST, Method.SEND_FEEDBACK: Form.FEEDBACK}
_TYPES = {
    Form.MESSAGE: seldon_pb2.SeldonMessage,
    Form.LIST: seldon_pb2.SeldonMessageList,
    Form.FEEDBACK: seldon_pb2.Feedback,
}


def request(content: Any, method: Method = Method.PREDICT, encoding: int = Encoding.SELDON_JSON) -> native.Message:
    """`content`, in JSON form, as a message for `method`."""
    form = _FORMS.get(method, Form.MESSAGE)
    if encoding == Encoding.SELDON_JSON:
        return native.Message(json.dumps(content).encode(), encoding, form)
    if form is Form.LIST:
        content = {"seldonMessages": content}
    return native.Message(json_format.ParseDict(content, _TYPES[form]()).SerializeToString(), encoding, form)


def content(message: native.Message) -> Any:
    """What `message` says, in JSON form."""
    if message.encoding == Encoding.SELDON_JSON:
        return json.loads(bytes(message))
    return protojson.shown(seldon_pb2.SeldonMessage.FromString(bytes(message)))


def ask(
    component: Any,
    asked: Any,
    method: Method = Method.PREDICT,
    encoding: int = Encoding.SELDON_JSON,
    *,
    name: str = "node",
    image: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> Any:
    """What `component` answers to `asked`; both in JSON form."""
    host = component if isinstance(component, Host) else Host(component, name, image=image, environ=environ or {})
    return content(call(host, request(asked, method, encoding), method))


def call(host: Host, message: native.Message, method: Method = Method.PREDICT) -> native.Message:
    """The answer of the host's handler."""
    _, handler = host.handlers[method]
    answer = handler(message, None)
    if inspect.isawaitable(answer):
        return asyncio.run(_wait(answer))
    return answer


async def _wait(answer: Any) -> native.Message:
    message: native.Message = await answer
    return message
