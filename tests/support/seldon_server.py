"""A Seldon server built with grpcio: an independent peer for tests of the client."""

import time
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf import empty_pb2

from executor._pb import seldon_pb2, seldon_pb2_grpc


class Service(seldon_pb2_grpc.SeldonServicer):
    """Echoes; a text `fail`, `slow` or `meta` in strData does what it says."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.metadata: list[dict[str, Any]] = []

    def _note(self, request: Any, context: grpc.ServicerContext) -> None:
        self.requests.append(request)
        self.metadata.append({str(key): value for key, value in context.invocation_metadata()})
        self.metadata[-1]["left_s"] = context.time_remaining()

    def Predict(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        self._note(request, context)
        if request.strData == "fail":
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not täday")
        if request.strData == "slow":
            time.sleep(1.0)
        if request.strData == "meta":
            meta = seldon_pb2.Meta(routing={"r": 1})
            meta.tags["t"].string_value = "x"
            meta.metrics.add(key="k", value=2.0)
            return seldon_pb2.SeldonMessage(meta=meta, strData="ok")
        return request

    def SendFeedback(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        self._note(request, context)
        return seldon_pb2.SeldonMessage(strData="thanks")

    def ModelMetadata(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return seldon_pb2.SeldonModelMetadata(name=request.name, versions=["v1"])

    def GraphMetadata(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> Any:  # noqa: N802
        graph = seldon_pb2.SeldonGraphMetadata(name="p")
        graph.models["m"].platform = "x"
        return graph


@contextmanager
def seldon_server(address: str = "127.0.0.1:0") -> Iterator[tuple[Service, str]]:
    """The service being served, and the target to reach it at."""
    service = Service()
    server = grpc.server(futures.ThreadPoolExecutor(4))
    seldon_pb2_grpc.add_SeldonServicer_to_server(service, server)
    port = server.add_insecure_port(address)
    server.start()
    try:
        yield service, address if address.startswith("unix:") else f"127.0.0.1:{port}"
    finally:
        server.stop(0).wait()
