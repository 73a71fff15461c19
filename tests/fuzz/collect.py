"""Owns making the corpus: `PYTHONPATH=tests python -m fuzz.collect` writes tests/fuzz/corpus anew.

Everything in it but the manifests went over a wire: grpcio as client and as node, http.client, and our executor
between them, with a tap on every connection. Must not hold what the fuzzers make up on top of it.
"""

import contextlib
import json
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from fuzz import drive
from support import clients, serving
from support.servers import Call, GrpcNode, grpc_node

from executor._native import seldon
from executor._pb import reflection_v1_pb2, reflection_v1_pb2_grpc, seldon_pb2, seldon_pb2_grpc

LARGEST = 4095
LISTED = ("tensor", "tensor-full", "text", "json-full")
"""Messages of which the corpus has lists too."""
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PREDICT, FEEDBACK = "/seldon.protos.Seldon/Predict", "/seldon.protos.Seldon/SendFeedback"
META = {
    "puid": "p" * 20,
    "tags": {"a": [1.5, {"b": None}], "é": "text"},
    "routing": {"router": 1, "other": -1},
    "requestPath": {"node": "image:1"},
    "metrics": [{"key": "k", "type": "TIMER", "value": 2.5, "tags": {"x": "y"}}],
}
STATUS = {"code": 400, "info": "info", "reason": "reason", "status": "FAILURE"}
PAYLOADS: dict[str, tuple[str, Any]] = {
    "tensor": ("tensor", [[1.0, 2.0], [3.0, 4.0]]),
    "mixed": ("ndarray", [[1.0, 2.0], ["x", None, [True]]]),
    "ndarray": ("ndarray", [[1.0, 2.0], [3.0, 4.0]]),
    "tf-numbers": ("tftensor", [[1, 2], [3, 4]]),
    "tf-texts": ("tftensor", [["a"], ["b"]]),
    "tf-number": ("tftensor", [1.5]),
    "bytes": ("binData", b"\x00\x01\x02"),
    "text": ("strData", 'te"xt\n'),
    "json": ("jsonData", {"a": [1, 2, {"b": True}], "c": {}}),
    "custom": ("customData", ("type.googleapis.com/google.protobuf.Value", b"\x1a\x01x")),
}
TEXTS: dict[str, Any] = {
    "tensor": {"data": {"names": ["a", "b"], "tensor": {"shape": [2, 2], "values": [1, 2.5, "NaN", 1e-7]}}},
    "ndarray": {"data": {"names": ["a"], "ndarray": [[1, 2], [3, 4]]}},
    "mixed": {"data": {"ndarray": [[1, 2], ["x", None, [True]]]}},
    "tf": {"data": {"tftensor": {"dtype": "DT_FLOAT", "tensorShape": {"dim": [{"size": 2}]}, "floatVal": [1, "NaN"]}}},
    "tf-others": {"data": {"tftensor": {"dtype": "DT_INT64", "int64Val": ["7"], "stringVal": ["AAE="]}}},
    "bytes": {"binData": "AAECAw=="},
    "text": {"strData": 'te"xt\n'},
    "json": {"jsonData": {"a": [1, 2, {"b": True}], "c": {}}},
    "custom": {"customData": {"@type": "type.googleapis.com/google.protobuf.Struct", "value": {"a": 1}}},
    "metric": {"customData": {"@type": "type.googleapis.com/seldon.protos.Metric", "key": "k"}},
}


def write(name: str, topic: str, kind: str, data: bytes) -> None:
    """One file of the corpus; the same bytes are kept once."""
    folder = drive.CORPUS / name
    folder.mkdir(parents=True, exist_ok=True)
    assert 0 < len(data) <= LARGEST, (name, topic, len(data))
    if all(path.read_bytes() != data for path in folder.glob(f"*.{kind}")):
        (folder / f"{topic}.{kind}").write_bytes(data)


class Tap:
    """A listener that passes connections on to `target`, and keeps what went each way."""

    def __init__(self, target: str) -> None:
        self.said: list[tuple[bytearray, bytearray]] = []
        """Of each connection, what its client and what its server said."""
        self._host, _, port = target.rpartition(":")
        self._port = int(port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.target = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # when the listener is closed
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection((self._host, self._port))
                both = bytearray(), bytearray()
                self.said.append(both)
                for source, sink, kept in ((client, server, both[0]), (server, client, both[1])):
                    thread = threading.Thread(target=self._pass, args=(source, sink, kept), daemon=True)
                    thread.start()
                    self._threads.append(thread)

    @staticmethod
    def _pass(source: socket.socket, sink: socket.socket, kept: bytearray) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                kept += data
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Takes no more connections, and waits for the ends of those there were."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)


@contextmanager
def tapped(target: str) -> Iterator[Tap]:
    tap = Tap(target)
    try:
        yield tap
    finally:
        tap.close()


def behave(call: Call, context: grpc.ServicerContext) -> bytes:
    """The node: echoes, fails or waits as the request's text says."""
    if b"fail" in call.data:
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not täday")
    if b"wait" in call.data:
        call.over.wait(5)
    if call.path.endswith("/Aggregate"):
        listed = seldon_pb2.SeldonMessageList.FromString(call.data)
        return bytes(listed.seldonMessages[0].SerializeToString())
    return call.data


def metadata_and_health(channel: grpc.Channel) -> None:
    client = clients.GrpcClient.__new__(clients.GrpcClient)
    client.channel, client.stub = channel, seldon_pb2_grpc.SeldonStub(channel)
    client.graph_metadata()
    client.healthy()
    stub = reflection_v1_pb2_grpc.ServerReflectionStub(channel)
    list(stub.ServerReflectionInfo(iter([reflection_v1_pb2.ServerReflectionRequest(list_services="")]), timeout=5))


def raw(channel: grpc.Channel, *messages: bytes, path: str = PREDICT, **more: Any) -> None:
    """Calls with these bytes, all at once; refusals are answers too."""
    calls = [channel.unary_unary(path).future(data, timeout=5, **more) for data in messages]
    for call in calls:
        call.exception()


def cancelled(channel: grpc.Channel) -> None:
    raw(channel, b"\x2a\x01x")  # a connection that is up, so that the next call is on its way when it is given up
    call = channel.unary_unary(PREDICT).future(b"\x2a\x04wait", timeout=5)
    threading.Event().wait(0.1)
    call.cancel()


def exchanges() -> dict[str, Callable[[grpc.Channel], None]]:
    """What a client says to a graph, by topic."""
    tensor = bytes(seldon.build("tensor", [[1.0, 2.0]], ["a", "b"], META))
    told = (("a", "b"), ("seldon-puid", "abc"), ("x-bin", b"\x00\x01"))
    feedback = bytes(seldon.build_feedback(seldon.build("strData", "a"), seldon.build("strData", "b"), 0.5, None))
    return {
        "predict": lambda channel: raw(channel, tensor),
        "metadata": lambda channel: raw(channel, tensor, metadata=told),
        "gzip": lambda channel: raw(channel, b"\x2a\x64" + b"x" * 100, compression=grpc.Compression.Gzip),
        "feedback": lambda channel: raw(channel, feedback, path=FEEDBACK),
        "unknown": lambda channel: raw(channel, tensor, path="/a.B/C"),
        "broken": lambda channel: raw(channel, b"\x1a\x05ab"),
        "failing": lambda channel: raw(channel, b"\x2a\x04fail"),
        "several": lambda channel: raw(channel, *(b"\x2a\x01" + bytes([65 + number]) for number in range(5))),
        "long": lambda channel: raw(channel, b"\x2a\xd0\x0f" + b"x" * 2000),
        "cancelled": cancelled,
        "admin": metadata_and_health,
    }


def connections() -> None:
    """Whole connections: what clients say to our server, and what nodes say to our channels."""
    for topic, talk in exchanges().items():
        with grpc_node(behave) as node, tapped(node.target) as behind:
            endpoints = {"m": f"grpc://{behind.target}"}
            with serving.graph(serving.node("m", "model"), endpoints=endpoints) as served:
                with tapped(served.target) as before:
                    with grpc.insecure_channel(before.target, options=clients.OPTIONS) as channel:
                        talk(channel)
        for client, _ in before.said:
            write("http2", topic, "server", bytes(client))
            write("server", topic, "server", bytes(client))
        for _, server in behind.said:
            write("http2", topic, "client", bytes(server))


def protobuf() -> None:
    """Messages as our executor was sent them, and as it sent them on."""
    built = {f"{topic}-full": seldon.build(*payload, ["a", "b"], META, STATUS) for topic, payload in PAYLOADS.items()}
    built |= {topic: seldon.build(*payload) for topic, payload in PAYLOADS.items()}
    three = list(built.values())[:3]
    with grpc_node(behave) as node:
        endpoints = dict.fromkeys(("a", "b", "join"), f"grpc://{node.target}")
        root = serving.node("join", "combiner", serving.node("a", "model"), serving.node("b", "model"))
        with serving.graph(root, endpoints=endpoints) as served, grpc.insecure_channel(served.target) as channel:
            for topic, message in built.items():
                record(node, topic, channel, PREDICT, bytes(message))
            record(node, "feedback", channel, FEEDBACK, bytes(seldon.build_feedback(three[0], three[1], 0.5, three[2])))


def record(node: GrpcNode, topic: str, channel: grpc.Channel, path: str, data: bytes) -> None:
    """Asks the graph, and writes what was asked, what came back, and at times the list that the combiner got."""
    node.calls.clear()
    write("seldon", topic, "feedback" if path == FEEDBACK else "message", data)
    answer = channel.unary_unary(path)(data, timeout=5)
    if answer:
        write("seldon", f"{topic}-answer", "message", answer)
    for call in node.calls:
        if call.path.endswith("/Aggregate") and topic in LISTED:
            write("seldon", topic, "list", call.data)


def texts() -> None:
    """JSON as our REST front was sent it, and as it answered."""
    full = {f"{topic}-full": {"status": STATUS, "meta": META, **said} for topic, said in TEXTS.items()}
    asked = [(clients.PREDICTIONS, topic, "message", said) for topic, said in {**full, **TEXTS}.items()]
    feedback = {"request": full["tensor-full"], "response": TEXTS["text"], "reward": 0.5, "truth": TEXTS["json"]}
    asked.append((clients.FEEDBACK, "feedback", "feedback", feedback))
    with serving.graph(serving.node("m", "model", implementation="SIMPLE_MODEL")) as served:
        for index, (path, topic, kind, said) in enumerate(asked):
            text = json.dumps(said, ensure_ascii=index % 2 == 0).encode()
            write("seldon_json", topic, kind, text)
            _, _, answer = served.rest.ask("POST", path, text, [("Content-Type", "application/json")])
            write("seldon_json", f"{topic}-answer", "message", answer)
    # Lists travel between combiners and executors; both ways to write them.
    write("seldon_json", "list", "list", json.dumps(list(TEXTS.values())[:3]).encode())
    write("seldon_json", "named", "list", json.dumps({"seldonMessages": list(full.values())[:2]}).encode())


def manifests() -> None:
    """Those of the examples, and one that has something of everything."""
    for path in sorted(EXAMPLES.glob("*/graph.yaml")):
        write("manifest", path.parent.name, "yaml", path.read_bytes())
    leaf = serving.node("m", "model", implementation="SIMPLE_MODEL", endpoint={"type": "GRPC", "service_port": 9000})
    root = serving.node("r", "router", leaf, {**leaf, "name": "n"}, implementation="RANDOM_ABTEST", ratioA=0.5)
    write("manifest", "deployment", "yaml", serving.deployment(root).encode())
    predictor = {"name": "main", "graph": root, "annotations": {"seldon.io/rest-timeout": "100"}, "replicas": 1}
    write("manifest", "predictor", "predictor", json.dumps(predictor).encode())
    write("manifest", "everything", "yaml", EVERYTHING.encode())


EVERYTHING = """\
# More than one document, aliases, and every field that means something.
apiVersion: v1
kind: Service
metadata: {name: other}
---
apiVersion: machinelearning.seldon.io/v1alpha2
kind: SeldonDeployment
metadata:
  name: demo
  namespace: here
  labels: {app: "yes"}
spec:
  name: demo
  protocol: seldon
  transport: grpc
  annotations: {seldon.io/grpc-max-message-size: "1000000", seldon.io/engine-separate-pod: "false"}
  predictors:
  - name: main
    replicas: 1
    traffic: 50
    labels: &labels {version: v1}
    componentSpecs:
    - spec:
        containers:
        - {name: a, image: "a:1", env: [{name: X, value: "1"}]}
        - {name: b, image: "b:1"}
    graph:
      name: join
      implementation: AVERAGE_COMBINER
      children:
      - name: a
        type: MODEL
        endpoint: {type: REST, service_host: localhost, service_port: 9001}
        parameters:
        - {name: number, value: "0.5", type: FLOAT}
        - {name: flag, value: "true", type: BOOL}
        - {name: text, value: |
            two
            lines, type: STRING}
      - name: b
        methods: [TRANSFORM_INPUT, SEND_FEEDBACK]
        logger: {mode: all, url: "http://log"}
  - name: a
    labels: *labels
    explainer: {}
    svcOrchSpec: {env: [{name: SELDON_LOG_LEVEL, value: DEBUG}]}
    graph: {name: a, type: UNKNOWN_TYPE, children: []}
"""


def main() -> None:
    """Everything anew."""
    for name in ("http2", "server", "seldon", "seldon_json", "manifest"):
        shutil.rmtree(drive.CORPUS / name, ignore_errors=True)
    for step in (connections, protobuf, texts, manifests):
        step()
    found = [path for path in drive.CORPUS.rglob("*") if path.suffix]
    print(f"{len(found)} files, {sum(path.stat().st_size for path in found)} bytes in {drive.CORPUS}")


if __name__ == "__main__":
    main()
