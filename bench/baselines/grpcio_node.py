"""Owns the baseline of a Python node: a synchronous grpcio server around a class, as Seldon's wrapper is built.

Must not import the executor, except for the generated messages.
"""

import argparse
from concurrent import futures
from typing import Any

import grpc
import numpy
from numpy.typing import NDArray

from executor._pb import seldon_pb2

OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1), ("grpc.so_reuseport", 0)]
THREADS = 4


class Model:
    """Answers what it is given."""

    def predict(self, features: NDArray[numpy.float64], names: list[str]) -> NDArray[numpy.float64]:
        return features


def handler(model: Model) -> Any:
    """One method: message to array, the class, array to message."""
    message: Any = seldon_pb2.SeldonMessage

    def predict(request: Any, context: object) -> Any:
        tensor = request.data.tensor
        array = numpy.array(tensor.values).reshape(tuple(tensor.shape))
        result = model.predict(array, list(request.data.names))
        answer = message()
        answer.data.tensor.shape.extend(result.shape)
        answer.data.tensor.values.extend(result.ravel().tolist())
        return answer

    return grpc.unary_unary_rpc_method_handler(predict, message.FromString, message.SerializeToString)


def main() -> None:
    """Reads the arguments and serves."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    server = grpc.server(futures.ThreadPoolExecutor(THREADS), options=OPTIONS)
    methods = {"Predict": handler(Model())}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("seldon.protos.Model", methods),))
    server.add_insecure_port(f"127.0.0.1:{arguments.port}")
    server.start()
    print("ready", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
