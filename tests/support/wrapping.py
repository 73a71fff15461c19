"""Owns how tests ask a class written for Seldon's wrapper, served by the test's own process as a node called `n`.

Must not know the classes, nor what they answer.
"""

import contextlib
import http.client
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import json_format
from support import serving
from support.clients import GrpcClient, Refused
from support.serving import Served

from executor import app
from executor._pb import seldon_pb2
from executor.settings import NodeSettings

RPCS = {
    "/predict": ("Model", "Predict"),
    "/api/v1.0/predictions": ("Seldon", "Predict"),
    "/api/v0.1/predictions": ("Seldon", "Predict"),
    "/transform-input": ("Transformer", "TransformInput"),
    "/transform-output": ("OutputTransformer", "TransformOutput"),
    "/route": ("Router", "Route"),
    "/aggregate": ("Combiner", "Aggregate"),
    "/send-feedback": ("Model", "SendFeedback"),
    "/api/v1.0/feedback": ("Seldon", "SendFeedback"),
}
JSON = {"Content-Type": "application/json"}
ENVIRONMENT = {"PREDICTIVE_UNIT_ID": "n", "PREDICTIVE_UNIT_IMAGE": "image:2"}
Ask = Callable[..., Any]
Serve = Callable[..., Served]


def rest(port: int, path: str, said: Any = None, headers: dict[str, str] | None = None, verb: str = "") -> Any:
    """Status and body of an answer."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        body = said if isinstance(said, str | bytes | None) else json.dumps(said)
        connection.request(verb or ("GET" if said is None else "POST"), path, body, headers or JSON)
        answer = connection.getresponse()
        text = answer.read().decode()
    with contextlib.suppress(ValueError):
        return answer.status, json.loads(text)
    return answer.status, text


def rpc(client: GrpcClient, service: str, name: str, said: Any) -> Any:
    """The answer in JSON form."""
    kinds = {"Aggregate": seldon_pb2.SeldonMessageList, "SendFeedback": seldon_pb2.Feedback}
    message = json_format.ParseDict(said, kinds.get(name, seldon_pb2.SeldonMessage)())
    call = client.channel.unary_unary(
        f"/seldon.protos.{service}/{name}",
        request_serializer=lambda each: each.SerializeToString(),
        response_deserializer=seldon_pb2.SeldonMessage.FromString,
    )
    try:
        answer = json_format.MessageToDict(call(message, timeout=20))
    except grpc.RpcError as error:
        raise Refused(error.code(), error.details() or "") from None
    for metric in answer.get("meta", {}).get("metrics", ()):
        metric.setdefault("type", "COUNTER")
    return answer


@contextlib.contextmanager
def serving_of(file: Path) -> Iterator[Serve]:
    """Serves classes of a file, as nodes named `n` of the image `image:2`."""
    before = {name: os.environ.get(name) for name in ENVIRONMENT}
    os.environ.update(ENVIRONMENT)
    try:
        with contextlib.ExitStack() as stack:

            def serve(kind: str, **parameters: Any) -> Served:
                settings = NodeSettings(
                    f"{file}:{kind}", name="n", parameters=parameters, listen=serving.LISTEN, strict=False
                )
                return stack.enter_context(Served(lambda process: app.component(process, settings)))

            yield serve
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def asking(how: str, serve: Serve) -> Ask:
    """What a class answers to a message at a path, over `rest` or `grpc`."""

    def ask(kind: str, path: str, said: Any, **parameters: Any) -> Any:
        served = serve(kind, **parameters)
        if how == "grpc":
            said = {"seldonMessages": said} if isinstance(said, list) else said
            return rpc(served.grpc, *RPCS[path], said)
        status, answer = rest(served.port, path, said)
        assert status == 200, answer
        return answer

    return ask
