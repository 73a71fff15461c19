"""Owns a foreign gRPC node that says something of itself: metadata, and health if it is asked for.

Must not answer predictions.
"""

from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from typing import Any

import grpc

from executor._pb import health_pb2, health_pb2_grpc, seldon_pb2, seldon_pb2_grpc


class Model(seldon_pb2_grpc.ModelServicer):
    def Metadata(self, request: Any, context: Any) -> Any:  # noqa: N802
        return seldon_pb2.SeldonModelMetadata(name="other", versions=["v2"], custom={"k": "v"})

    Predict = SendFeedback = Metadata  # never called


class Health(health_pb2_grpc.HealthServicer):
    def __init__(self, status: Any) -> None:
        self.status = status

    def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        return health_pb2.HealthCheckResponse(status=self.status)

    Watch = Check  # never called


@contextmanager
def model(health: Any = None) -> Iterator[str]:
    """Serves it, with a health service that says `health`, or without; its address."""
    server = grpc.server(futures.ThreadPoolExecutor(1))
    seldon_pb2_grpc.add_ModelServicer_to_server(Model(), server)
    if health is not None:
        health_pb2_grpc.add_HealthServicer_to_server(Health(health), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0).wait()
