"""Health, reflection and metadata, asked by grpcio's stubs."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pool, empty_pb2, message_factory
from support.graphs import node
from support.h2peer import connected, frame, grpc_head
from support.servers import Served, aio_channel, message, serving, until

from executor import errors
from executor._native import message as native
from executor._pb import (
    health_pb2,
    health_pb2_grpc,
    reflection_v1_pb2,
    reflection_v1_pb2_grpc,
    reflection_v1alpha_pb2,
    reflection_v1alpha_pb2_grpc,
    seldon_pb2,
    seldon_pb2_grpc,
)
from executor.inference import Headers
from executor.protocol import seldon as protocol
from executor.protocol import wire
from executor.rpc import admin
from executor.status import Status

WAIT_S = 20.0
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
SERVICES = [
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
    "seldon.protos.Seldon",
]

pytestmark = pytest.mark.timeout(60)


class Known:
    """A node that says something of itself."""

    def __init__(self, said: Mapping[str, Any] | errors.Error) -> None:
        self._said = said

    async def metadata(self, headers: Headers = ()) -> Mapping[str, Any]:
        if isinstance(self._said, errors.Error):
            raise self._said
        return self._said

    async def status(self, headers: Headers = ()) -> native.Message:
        return native.Message(b"")


@asynccontextmanager
async def health() -> AsyncIterator[tuple[Served, health_pb2_grpc.HealthStub]]:
    async with serving(node("m")) as served, aio_channel(served.target) as channel:
        yield served, health_pb2_grpc.HealthStub(channel)


def asking(service: str = "") -> health_pb2.HealthCheckRequest:
    return health_pb2.HealthCheckRequest(service=service)


# --- health ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", ["", *SERVICES])
async def test_check(service: str) -> None:
    async with health() as (served, stub):
        assert (await stub.Check(asking(service), timeout=WAIT_S)).status == SERVING
        served.readiness.set(False)
        assert (await stub.Check(asking(service), timeout=WAIT_S)).status == NOT_SERVING


async def test_check_of_an_unknown_service() -> None:
    async with health() as (_, stub):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Check(asking("no.such"), timeout=WAIT_S)
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
        assert caught.value.details() == "unknown service 'no.such'"


async def test_watch_tells_every_change() -> None:
    async with health() as (served, stub):
        call = stub.Watch(asking("seldon.protos.Seldon"), timeout=WAIT_S)
        seen = [(await call.read()).status]
        for ready in (False, True, False):
            served.readiness.set(ready)
            seen.append((await call.read()).status)
        assert seen == [SERVING, NOT_SERVING, SERVING, NOT_SERVING]
        call.cancel()
        await until(lambda: served.server.native.rpcs == 0)


async def test_watch_of_an_unknown_service_goes_on() -> None:
    async with health() as (_, stub):
        call = stub.Watch(asking("no.such"), timeout=WAIT_S)
        assert (await call.read()).status == SERVICE_UNKNOWN
        assert not call.done()
        call.cancel()


async def test_watch_ends_when_the_server_drains() -> None:
    async with health() as (served, stub):
        call = stub.Watch(asking(), timeout=WAIT_S)
        assert (await call.read()).status == SERVING
        served.readiness.set(False)
        assert await asyncio.wait_for(served.server.drain(10), 5)
        assert (await call.read()).status == NOT_SERVING
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("data", [b"\x0a\x05ab", b"\x0b", b"\x08\x01", b"\x0a\x01\xff"])
async def test_requests_that_are_no_protobuf(data: bytes) -> None:
    async with health() as (served, _), aio_channel(served.target) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary("/grpc.health.v1.Health/Check")(data, timeout=WAIT_S)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_unary_request_without_a_message() -> None:
    async with serving(node("m")) as served, connected(served.port) as peer:
        stream = await peer.ask(grpc_head("/grpc.health.v1.Health/Check"))
        assert (stream.status, stream.field("grpc-message")) == ("13", "a unary request carries one message, not none")
        stream = await peer.ask(grpc_head("/grpc.health.v1.Health/Check"), frame(b""))
        assert stream.messages == [b"\x08\x01"]


# --- reflection -----------------------------------------------------------------------------------

VERSIONS = pytest.mark.parametrize(
    ("pb", "stub"),
    [
        (reflection_v1_pb2, reflection_v1_pb2_grpc.ServerReflectionStub),
        (reflection_v1alpha_pb2, reflection_v1alpha_pb2_grpc.ServerReflectionStub),
    ],
    ids=["v1", "v1alpha"],
)


@asynccontextmanager
async def reflecting(stub: Any) -> AsyncIterator[tuple[Served, Any, grpc.aio.Channel]]:
    async with serving(node("m")) as served, aio_channel(served.target) as channel:
        call = stub(channel).ServerReflectionInfo(timeout=WAIT_S)
        yield served, call, channel
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF
        assert await call.code() is grpc.StatusCode.OK


async def ask(call: Any, question: Any) -> Any:
    await call.write(question)
    answer = await call.read()
    assert answer.original_request == question
    return answer


@VERSIONS
async def test_reflection_lists_services(pb: Any, stub: Any) -> None:
    async with reflecting(stub) as (_, call, _):
        answer = await ask(call, pb.ServerReflectionRequest(host="h", list_services="*"))
        assert [service.name for service in answer.list_services_response.service] == SERVICES


@VERSIONS
async def test_reflection_is_enough_to_call_a_method(pb: Any, stub: Any) -> None:
    async with reflecting(stub) as (_, call, channel):
        answer = await ask(call, pb.ServerReflectionRequest(file_containing_symbol="seldon.protos.Seldon"))
        pool = descriptor_pool.DescriptorPool()
        waiting = list(answer.file_descriptor_response.file_descriptor_proto)
        while waiting:  # files come in any order
            data = waiting.pop(0)
            try:
                pool.AddSerializedFile(data)
            except TypeError:
                waiting.append(data)
        method = pool.FindMethodByName("seldon.protos.Seldon.Predict")
        request = message_factory.GetMessageClass(method.input_type)(strData="x")
        data = await channel.unary_unary("/seldon.protos.Seldon/Predict")(request.SerializeToString(), timeout=WAIT_S)
        answered: Any = message_factory.GetMessageClass(method.output_type)()
        answered.ParseFromString(data)
        assert answered.strData == "m.predict(x)"


@VERSIONS
@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("file_containing_symbol", "no.such.Symbol", 5),
        ("file_by_filename", "no/such.proto", 5),
        ("all_extension_numbers_of_type", "seldon.protos.Meta", 5),
    ],
)
async def test_reflection_of_what_is_not_there(pb: Any, stub: Any, field: str, value: str, code: int) -> None:
    async with reflecting(stub) as (_, call, _):
        answer = await ask(call, pb.ServerReflectionRequest(**{field: value}))
        assert answer.error_response.error_code == code
        assert answer.error_response.error_message


@VERSIONS
async def test_reflection_of_files_methods_and_messages(pb: Any, stub: Any) -> None:
    async with reflecting(stub) as (_, call, _):
        by_symbol = await ask(call, pb.ServerReflectionRequest(file_containing_symbol="seldon.protos.Seldon.Predict"))
        files = list(by_symbol.file_descriptor_response.file_descriptor_proto)
        assert len(files) == 5  # its own, tensorflow's, and three of google's
        for symbol in ("seldon.protos.SeldonMessage", "grpc.health.v1.Health"):
            answer = await ask(call, pb.ServerReflectionRequest(file_containing_symbol=symbol))
            assert answer.file_descriptor_response.file_descriptor_proto
        answer = await ask(call, pb.ServerReflectionRequest(file_by_filename="google/protobuf/struct.proto"))
        assert len(answer.file_descriptor_response.file_descriptor_proto) == 1
        answer = await ask(call, pb.ServerReflectionRequest())
        assert answer.error_response.error_code == Status.INVALID_ARGUMENT


async def test_idle_reflection_stream_does_not_hold_a_drain_up() -> None:
    async with serving(node("m")) as served, aio_channel(served.target) as channel:
        call = reflection_v1_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(timeout=WAIT_S)
        await ask(call, reflection_v1_pb2.ServerReflectionRequest(list_services=""))
        assert await asyncio.wait_for(served.server.drain(10), 5)
        assert await call.read() is grpc.aio.EOF
        assert await call.code() is grpc.StatusCode.OK


# --- metadata -------------------------------------------------------------------------------------

MODEL = {
    "name": "m",
    "versions": ["v1", "v2"],
    "platform": "sklearn",
    "inputs": [{"messagetype": "tensor", "schema": {"names": ["a"], "shape": [2, -1]}}],
    "outputs": [{"name": "out", "datatype": "FP64", "shape": [-1, 3]}],
    "custom": {"author": "ü"},
}


async def test_metadata_of_a_node() -> None:
    async with serving(node("m"), known={"m": Known(MODEL)}) as served, aio_channel(served.target) as channel:
        stub = seldon_pb2_grpc.SeldonStub(channel)
        for name in ("m", ""):
            answer = await stub.ModelMetadata(seldon_pb2.SeldonModelMetadataRequest(name=name), timeout=WAIT_S)
            assert (answer.name, list(answer.versions), answer.platform) == ("m", ["v1", "v2"], "sklearn")
            assert dict(answer.custom) == {"author": "ü"}
            assert answer.inputs[0].schema.struct_value["names"].values[0].string_value == "a"
            assert list(answer.outputs[0].shape) == [-1, 3]
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.ModelMetadata(seldon_pb2.SeldonModelMetadataRequest(name="other"), timeout=WAIT_S)
        assert (caught.value.code(), caught.value.details()) == (
            grpc.StatusCode.UNKNOWN,
            "Failed to find model other",
        )


async def test_metadata_of_the_graph() -> None:
    known = {"t": Known({"name": "t", "inputs": MODEL["inputs"]}), "m": Known(MODEL)}
    graph = node("t", "transformer", node("m"))
    async with serving(graph, known=known) as served, aio_channel(served.target) as channel:
        answer = await seldon_pb2_grpc.SeldonStub(channel).GraphMetadata(empty_pb2.Empty(), timeout=WAIT_S)
        assert (answer.name, sorted(answer.models)) == ("main", ["m", "t"])
        assert list(answer.models["m"].versions) == ["v1", "v2"]
        assert answer.inputs[0].messagetype == "tensor"
        assert answer.outputs[0].name == "out"


async def test_metadata_of_a_node_that_fails() -> None:
    known = {"m": Known(errors.NodeError("m is away", node="m"))}
    async with serving(node("m"), known=known) as served, aio_channel(served.target) as channel:
        stub = seldon_pb2_grpc.SeldonStub(channel)
        asked = seldon_pb2.SeldonModelMetadataRequest()
        for call in (stub.GraphMetadata(empty_pb2.Empty()), stub.ModelMetadata(asked)):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.UNAVAILABLE, "m is away")


async def test_node_servers_answer_metadata_of_their_one_node() -> None:
    async with serving(node("m"), known={"m": Known(MODEL)}, rpcs=protocol.NODE_RPCS) as served:
        async with aio_channel(served.target) as channel:
            answer = await seldon_pb2_grpc.ModelStub(channel).Metadata(empty_pb2.Empty(), timeout=WAIT_S)
            assert answer.name == "m"
            said = await seldon_pb2_grpc.GenericStub(channel).TransformInput(message("x"), timeout=WAIT_S)
            assert said.strData == "m.transform_input(x)"


def test_every_rpc_that_is_not_run_has_a_handler() -> None:
    class Nothing:
        readiness = None

    made = admin.handlers(protocol.NODE_RPCS, Nothing(), "m")  # type: ignore[arg-type]
    assert sorted(made) == [
        "/grpc.health.v1.Health/Check",
        "/grpc.health.v1.Health/Watch",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        "/seldon.protos.Model/Metadata",
        "/seldon.protos.Seldon/GraphMetadata",
        "/seldon.protos.Seldon/ModelMetadata",
    ]
    assert wire.number(1, 1) == b"\x08\x01"
