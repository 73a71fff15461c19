"""Owns a server for tests of services and routes: over HTTP and gRPC it says its name, what it was asked, and of what.

Must not know who asks. `NAME` in the environment is its name; it turns unready, and goes on, while /tmp/unready exists.
"""

import http.server
import json
import os
import signal
import threading
from concurrent import futures

import grpc

HTTP, GRPC = 8000, 5001
NAME = os.environ.get("NAME", "nobody")


class Answering(http.server.BaseHTTPRequestHandler):
    """Over HTTP."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answers."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        told = {"name": NAME, "path": self.path, "body": body.decode(), "headers": headers}
        self._say(503 if self.path == "/ready" and os.path.exists("/tmp/unready") else 200, told)

    def do_POST(self) -> None:
        """Answers too."""
        self.do_GET()

    def _say(self, code: int, told: object) -> None:
        content = json.dumps(told).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        print(self.path, flush=True)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing; what was asked is printed."""


class AnyMethod(grpc.GenericRpcHandler):
    """Over gRPC: answers every unary method with its name, a space, and what it was sent."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        """One handler for all."""
        method = handler_call_details.method
        if method == "/grpc.health.v1.Health/Check":
            return grpc.unary_unary_rpc_method_handler(lambda _, __: b"\x08\x01")

        def answer(request: bytes, _: grpc.ServicerContext) -> bytes:
            print(method, flush=True)
            return f"{NAME} {method} ".encode() + request

        return grpc.unary_unary_rpc_method_handler(answer)


def main() -> None:
    """Serves both until it is told to end, and then what it has begun."""
    server = grpc.server(futures.ThreadPoolExecutor(8), [AnyMethod()])
    server.add_insecure_port(f"0.0.0.0:{GRPC}")
    server.start()
    front = http.server.ThreadingHTTPServer(("0.0.0.0", HTTP), Answering)
    threading.Thread(target=front.serve_forever, daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: server.stop(5))
    server.wait_for_termination()


if __name__ == "__main__":
    main()
