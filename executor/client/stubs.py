"""Owns the way to the generated gRPC stubs, for applications that speak plain grpcio.

    from executor.client import stubs
    stub = stubs.SeldonStub(grpc.insecure_channel("localhost:5001"))
    stub.Predict(stubs.SeldonMessage(strData="hello"))

Must not be imported by the executor: this is the one place outside tests that brings in grpcio and protobuf.
"""

try:
    import grpc  # noqa: F401 - the stubs need it; a missing one is better named here than by them
    from google.protobuf import message as _message  # noqa: F401

    from executor._pb import present

    present.seldon()  # an application may have a copy of these messages already
except ImportError as missing:
    raise ImportError(
        f"executor.client.stubs needs grpcio and protobuf, and {missing.name} is not installed: "
        "pip install grpcio protobuf"
    ) from missing

from executor._pb.seldon_pb2 import (
    DefaultData,
    Feedback,
    Meta,
    Metric,
    RequestResponse,
    SeldonGraphMetadata,
    SeldonMessage,
    SeldonMessageList,
    SeldonModelMetadata,
    SeldonModelMetadataRequest,
    Status,
    Tensor,
)
from executor._pb.seldon_pb2_grpc import (
    CombinerStub,
    GenericStub,
    ModelStub,
    OutputTransformerStub,
    RouterStub,
    SeldonStub,
    TransformerStub,
)

__all__ = [
    "CombinerStub",
    "DefaultData",
    "Feedback",
    "GenericStub",
    "Meta",
    "Metric",
    "ModelStub",
    "OutputTransformerStub",
    "RequestResponse",
    "RouterStub",
    "SeldonGraphMetadata",
    "SeldonMessage",
    "SeldonMessageList",
    "SeldonModelMetadata",
    "SeldonModelMetadataRequest",
    "SeldonStub",
    "Status",
    "Tensor",
    "TransformerStub",
]
