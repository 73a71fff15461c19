"""Owns a grpcio node as a program: `echo_node.py ADDRESS [SECONDS]` prints where it listens, and echoes every call.

Must not import anything of the project: it stands for somebody else's process.
"""

import sys
import time
from concurrent import futures

import grpc

OPTIONS = (("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))


class Echo(grpc.GenericRpcHandler):
    """Answers every path with the request; one that holds `hang` after 30 s."""

    def service(self, details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes]":
        return grpc.unary_unary_rpc_method_handler(self._serve)

    def _serve(self, data: bytes, context: grpc.ServicerContext) -> bytes:
        if b"hang" in data:
            time.sleep(30)
        return data


def main() -> None:
    """Serves until it is killed, or for a minute, if nothing else is said."""
    address = sys.argv[1]
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 60.0
    server = grpc.server(futures.ThreadPoolExecutor(8), handlers=[Echo()], options=OPTIONS)
    port = server.add_insecure_port(address)
    server.start()
    print(address if address.startswith("unix:") else f"127.0.0.1:{port}", flush=True)
    server.wait_for_termination(seconds)


if __name__ == "__main__":
    main()
