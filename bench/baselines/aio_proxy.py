"""Owns the grpc.aio baselines: a server that passes bytes on (or echoes them), and one that decodes as by hand.

Must not import the executor, except for the generated messages.
"""

import argparse
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import numpy
import uvloop

OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.so_reuseport", 0),
]
METHOD = "/seldon.protos.Model/Predict"
SERVICES = ("seldon.protos.Seldon", "seldon.protos.Model")

Handler = Callable[[Any, Any], Awaitable[Any]]


def raw_handler(backend: str) -> tuple[Handler, None, None]:
    """Bytes in, bytes out; what a generic proxy would do."""
    if not backend:

        async def echo(request: bytes, context: object) -> bytes:
            return request

        return echo, None, None
    call = grpc.aio.insecure_channel(backend, options=OPTIONS).unary_unary(METHOD)

    async def forward(request: bytes, context: Any) -> bytes:
        answer: bytes = await call(request, timeout=context.time_remaining())
        return answer

    return forward, None, None


def numpy_handler(backend: str) -> tuple[Handler, Any, Any]:
    """Messages to arrays and back on the way in, as an application that looks at its tensors would."""
    from executor._pb import seldon_pb2

    message: Any = seldon_pb2.SeldonMessage
    stub = None
    if backend:
        channel = grpc.aio.insecure_channel(backend, options=OPTIONS)
        stub = channel.unary_unary(
            METHOD, request_serializer=message.SerializeToString, response_deserializer=message.FromString
        )

    def remade(request: Any) -> Any:
        if request.WhichOneof("data_oneof") == "binData":
            return message(binData=numpy.frombuffer(request.binData, numpy.uint8).tobytes())
        tensor = request.data.tensor
        array = numpy.array(tensor.values).reshape(tuple(tensor.shape))
        made = message()
        made.data.names.extend(request.data.names)
        made.data.tensor.shape.extend(array.shape)
        made.data.tensor.values.extend(array.ravel().tolist())
        return made

    async def forward(request: Any, context: object) -> Any:
        made = remade(request)
        return await stub(made) if stub is not None else made

    return forward, message.FromString, message.SerializeToString


async def serve(port: int, backend: str, decode: bool) -> None:
    """Serves until it is ended."""
    handler, deserializer, serializer = (numpy_handler if decode else raw_handler)(backend)
    method = grpc.unary_unary_rpc_method_handler(handler, deserializer, serializer)
    server = grpc.aio.server(options=OPTIONS)
    for service in SERVICES:
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {"Predict": method}),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    print("ready", flush=True)
    await server.wait_for_termination()


def main() -> None:
    """Reads the arguments and serves."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--backend", default="")
    parser.add_argument("--decode", action="store_true", help="through protobuf and numpy")
    arguments = parser.parse_args()
    uvloop.run(serve(arguments.port, arguments.backend, arguments.decode))


if __name__ == "__main__":
    main()
