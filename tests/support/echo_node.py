"""Owns a grpcio node as a program: `echo_node.py ADDRESS` prints where it listens, and echoes every call.

Must not import anything of the project: it stands for somebody else's process.
"""

import sys
import time
from concurrent import futures

import grpc


class Echo(grpc.GenericRpcHandler):
    """Answers every path with the request; one that holds `hang` after 30 s."""

    def service(self, details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes]":
        return grpc.unary_unary_rpc_method_handler(self._serve)

    def _serve(self, data: bytes, context: grpc.ServicerContext) -> bytes:
        if b"hang" in data:
            time.sleep(30)
        return data


def main() -> None:
    """Serves until it is killed."""
    address = sys.argv[1]
    server = grpc.server(futures.ThreadPoolExecutor(8), handlers=[Echo()], options=(("grpc.so_reuseport", 0),))
    port = server.add_insecure_port(address)
    server.start()
    print(address if address.startswith("unix:") else f"127.0.0.1:{port}", flush=True)
    server.wait_for_termination(60)


if __name__ == "__main__":
    main()
