"""Tests `executor.reached`: what can be asked of a node, whatever kind it is."""

import json
import socket

import pytest
from support import asked, foreign, serving

from executor import errors
from executor._pb import health_pb2
from executor.reached import GrpcNode
from executor.rpc.channels import Channel
from executor.settings import parse_url
from executor.types import Encoding


async def test_metadata_of_a_grpc_node() -> None:
    with asked.model() as address:
        link = Channel(address)
        assert await GrpcNode(link, "m").metadata() == {"name": "other", "versions": ["v2"], "custom": {"k": "v"}}
        await link.close()


async def test_status_of_a_grpc_node() -> None:
    serving_word = health_pb2.HealthCheckResponse.SERVING
    for health, said in ((serving_word, "serving"), (None, "reachable")):
        with asked.model(health) as address:
            link = Channel(address)
            answer = await GrpcNode(link, "m").status()
            assert (answer.encoding, json.loads(bytes(answer))) == (Encoding.SELDON_JSON, {"strData": said})
            await link.close()


async def test_a_grpc_node_that_says_nothing_is_waited_for_as_long_as_its_calls() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        link = Channel(parse_url(f"grpc://127.0.0.1:{silent.getsockname()[1]}"))
        with pytest.raises(errors.Error, match=r"no answer within 0\.05 s"):
            await GrpcNode(link, "m", 0.05).metadata()
        await link.close()


async def test_a_grpc_node_that_is_not_well() -> None:
    with asked.model(health_pb2.HealthCheckResponse.NOT_SERVING) as address:
        link = Channel(address)
        with pytest.raises(errors.NodeError, match="node 'm' says that it is not serving"):
            await GrpcNode(link, "m").status()
        await link.close()
    with foreign.grpc_node(lambda *_: {}) as url:
        gone = Channel(parse_url(url), node="m")
    with pytest.raises(errors.NodeError, match=r"node 'm' at .*: cannot connect"):
        await GrpcNode(gone, "m").status()
    await gone.close()


def test_metadata_of_every_kind_is_the_same() -> None:
    with serving.component("Said", name="m") as each:
        root = serving.node("m", "model")
        said = []
        for url in (f"grpc://{each.target}", f"http://127.0.0.1:{each.port}"):
            with serving.graph(root, endpoints={"m": url}) as served:
                said += [served.grpc.model_metadata("m"), served.rest.model_metadata("m")]
    full = {"name": "m", "versions": ["v1"], "platform": "test"}
    assert said[:3] == [full] * 3  # protobuf leaves out what is empty
    assert said[3] == {**full, "inputs": [], "outputs": [], "custom": {}}
