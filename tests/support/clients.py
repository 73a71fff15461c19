"""Owns how tests ask a running server: grpcio with generated stubs, and http.client. Both speak in Seldon's JSON forms.

Must not use our own client nor codecs: these are what users' clients are made of.
"""

import contextlib
import http.client
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import empty_pb2, json_format

from executor._pb import health_pb2, health_pb2_grpc, seldon_pb2, seldon_pb2_grpc

TIMEOUT_S = 20.0
PREDICTIONS = "/api/v1.0/predictions"
FEEDBACK = "/api/v1.0/feedback"
OPTIONS = [
    ("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_metadata_size", 1 << 16), ("grpc.absolute_max_metadata_size", 1 << 16),
]  # fmt: skip
"""Each client has connections of its own."""
Pairs = Sequence[tuple[str, str]]


class Refused(Exception):
    """What a server answered instead of an answer."""

    def __init__(self, status: int | grpc.StatusCode, text: str, said: Any = None) -> None:
        super().__init__(f"{status}: {text}")
        self.status = status
        self.text = text
        self.said = said
        """The whole body, where it was JSON."""


@dataclass
class Reply:
    """An answer, in JSON form."""

    said: Any
    puid: str


class GrpcClient:
    """A client application on grpcio."""

    def __init__(self, target: str) -> None:
        self.channel = grpc.insecure_channel(target, options=OPTIONS)
        self.stub = seldon_pb2_grpc.SeldonStub(self.channel)

    def predict(self, said: Any, headers: Pairs = (), timeout_s: float = TIMEOUT_S) -> Reply:
        """The answer to a SeldonMessage."""
        return self._ask(self.stub.Predict, json_format.ParseDict(said, seldon_pb2.SeldonMessage()), headers, timeout_s)

    def feedback(self, said: Any, headers: Pairs = ()) -> Reply:
        """The answer to a Feedback."""
        return self._ask(self.stub.SendFeedback, json_format.ParseDict(said, seldon_pb2.Feedback()), headers, TIMEOUT_S)

    def start(self, said: Any, timeout_s: float | None = TIMEOUT_S) -> Any:
        """A call under way, as grpcio's future."""
        message = json_format.ParseDict(said, seldon_pb2.SeldonMessage())
        return self.stub.Predict.future(message, timeout=timeout_s)

    def model_metadata(self, name: str) -> Any:
        """ModelMetadata of a node."""
        asked = seldon_pb2.SeldonModelMetadataRequest(name=name)
        return json_format.MessageToDict(self.stub.ModelMetadata(asked, timeout=TIMEOUT_S))

    def graph_metadata(self) -> Any:
        """GraphMetadata."""
        return json_format.MessageToDict(self.stub.GraphMetadata(empty_pb2.Empty(), timeout=TIMEOUT_S))

    def healthy(self) -> bool:
        """What the health service says."""
        stub = health_pb2_grpc.HealthStub(self.channel)
        answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_S)
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    def _ask(self, method: Any, message: Any, headers: Pairs, timeout_s: float) -> Reply:
        try:
            answer, call = method.with_call(message, timeout=timeout_s, metadata=tuple(headers))
        except grpc.RpcError as error:
            raise Refused(error.code(), error.details()) from None
        return Reply(in_json(answer), dict(call.initial_metadata()).get("seldon-puid", ""))


class Connection(http.client.HTTPConnection):
    """One that names no coding of its own accord."""

    def putrequest(self, method: str, url: str, skip_host: bool = False, skip_accept_encoding: bool = True) -> None:
        super().putrequest(method, url, skip_host, True)


class RestClient:
    """A client application on http.client, a connection for each request."""

    def __init__(self, port: int) -> None:
        self.port = port

    def predict(self, said: Any, headers: Pairs = (), timeout_s: float = TIMEOUT_S) -> Reply:
        """The answer to a SeldonMessage; `timeout_s` is told to the server."""
        return self._answer(PREDICTIONS, said, [("Millrace-Timeout", f"{timeout_s}s"), *headers])

    def feedback(self, said: Any, headers: Pairs = ()) -> Reply:
        """The answer to a Feedback."""
        return self._answer(FEEDBACK, said, headers)

    def model_metadata(self, name: str) -> Any:
        """The metadata of a node."""
        return self.get(f"/api/v1.0/metadata/{name}")

    def graph_metadata(self) -> Any:
        """The metadata of the graph."""
        return self.get("/api/v1.0/metadata")

    def get(self, path: str) -> Any:
        """The JSON at a path."""
        status, _, body = self.ask("GET", path)
        if status != 200:
            raise Refused(status, body.decode(), _json(body))
        return json.loads(body)

    def ask(self, verb: str, path: str, body: bytes | None = None, headers: Pairs = ()) -> tuple[int, Any, bytes]:
        """One request: status, headers and body."""
        connection = Connection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        try:
            connection.request(verb, path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def status(self, path: str) -> int:
        """The status that a GET is answered with."""
        return self.ask("GET", path)[0]

    def _answer(self, path: str, said: Any, headers: Pairs) -> Reply:
        text = said if isinstance(said, bytes) else json.dumps(said).encode()
        status, told, body = self.ask("POST", path, text, [("Content-Type", "application/json"), *headers])
        if status != 200:
            whole = _json(body)
            raise Refused(status, _info(whole), whole)
        return Reply(without_empty_meta(json.loads(body)), told["Seldon-Puid"] or "")


Client = GrpcClient | RestClient


@contextlib.contextmanager
def clients(target: str, port: int) -> Iterator[dict[str, Client]]:
    """Both, by name."""
    client = GrpcClient(target)
    try:
        yield {"grpc": client, "rest": RestClient(port)}
    finally:
        client.channel.close()


def in_json(message: Any) -> Any:
    """A protobuf message in JSON form."""
    return without_empty_meta(json_format.MessageToDict(message))


def without_empty_meta(said: Any) -> Any:
    """Nodes write an empty meta into JSON, which says nothing."""
    if isinstance(said, dict) and said.get("meta") == {}:
        return {key: value for key, value in said.items() if key != "meta"}
    return said


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _info(said: Any) -> str:
    return str(said["status"]["info"]) if isinstance(said, dict) and isinstance(said.get("status"), dict) else str(said)
