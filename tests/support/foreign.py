"""Owns nodes that are not ours: a plain grpcio server, and one of the standard library's http.server.

Must not use anything of the executor but the generated stubs.
"""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from google.protobuf import json_format

from executor._pb import seldon_pb2, seldon_pb2_grpc

Answer = Callable[[str, Any, dict[str, str]], Any]
"""What a node answers: method, content in JSON form, headers → content in JSON form, or (HTTP status, bytes)."""

PATHS = {
    "/predict": "predict",
    "/transform-input": "transform_input",
    "/transform-output": "transform_output",
    "/route": "route",
    "/aggregate": "aggregate",
    "/send-feedback": "send_feedback",
}


class _Servicer:
    """Every service of a node at once; the generated registrars take what they need of it."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def __getattr__(self, name: str) -> Callable[[Any, grpc.ServicerContext], Any]:
        method = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")

        def serve(request: Any, context: grpc.ServicerContext) -> Any:
            content = json_format.MessageToDict(request)
            headers = {str(key): str(value) for key, value in context.invocation_metadata()}
            headers["time-left"] = str(context.time_remaining())
            content = content.get("seldonMessages", []) if method == "aggregate" else content
            answer = self._answer(method, content, headers)
            if isinstance(answer, tuple):
                context.abort(*answer)
            return json_format.ParseDict(answer, seldon_pb2.SeldonMessage())

        return serve


@contextlib.contextmanager
def grpc_node(answer: Answer, address: str = "127.0.0.1:0") -> Iterator[str]:
    """A node on grpcio: its URL."""
    server = grpc.server(futures.ThreadPoolExecutor(2), options=[("grpc.so_reuseport", 0)])
    servicer: Any = _Servicer(answer)
    registrars: Any = seldon_pb2_grpc
    for service in ("Model", "Router", "Combiner", "Transformer", "OutputTransformer"):
        getattr(registrars, f"add_{service}Servicer_to_server")(servicer, server)
    port = server.add_insecure_port(address)
    server.start()
    try:
        yield f"grpc://127.0.0.1:{port}"
    finally:
        server.stop(0).wait()


@contextlib.contextmanager
def http_node(answer: Answer) -> Iterator[str]:
    """A node on http.server: its URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            headers = {name.lower(): value for name, value in self.headers.items()}
            headers["time-left"] = headers.get("millrace-timeout", "")
            answer = answer_of(PATHS[self.path], content, headers)
            status, body = answer if isinstance(answer, tuple) else (200, json.dumps(answer).encode())
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    answer_of = answer

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 256

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
