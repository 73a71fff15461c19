"""How the nodes of a plan are reached: which endpoint each gets, and what can be asked of it."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest
from support import foreign, serving
from support.graphs import node, plan
from support.processes import is_alive
from support.serving import COMPONENTS

from executor import errors, nodes
from executor._native import channel, exits, mean, transport
from executor._pb import health_pb2, health_pb2_grpc, seldon_pb2, seldon_pb2_grpc
from executor.graph.spec import Endpoint, Transport
from executor.nodes import ComponentNode, GrpcNode, Nodes
from executor.rest.client import RestNode
from executor.rpc.channels import Channel
from executor.settings import RunSettings, ServeLimits, parse_url
from executor.types import Encoding

Bind = Callable[..., Nodes]


@pytest.fixture
async def bind() -> AsyncIterator[Bind]:
    """Binds the nodes of a graph."""
    reactor = transport.Reactor()
    pool = exits.Pool(reactor, 1)
    made: list[Nodes] = []

    def bound(root: Any, **settings: Any) -> Nodes:
        made.append(Nodes(reactor, pool, ServeLimits(max_message_bytes=5000)))
        made[-1].bind(plan(root), RunSettings("graph", **settings))
        return made[-1]

    yield bound
    for each in made:
        await each.stop()
    pool.stop()
    reactor.close()


def given(*names: str, kind: str = "Echo") -> dict[str, str]:
    return dict.fromkeys(names, f"{COMPONENTS}:{kind}")


async def test_each_node_gets_the_endpoint_that_it_asks_for(bind: Bind) -> None:
    root = node(
        "t", "transformer", node("avg", "", node("g"), node("h"), implementation="AVERAGE_COMBINER"),
    )  # fmt: skip
    urls = {"g": parse_url("grpc://localhost:7001"), "h": parse_url("http://localhost:7002/x")}
    bound = bind(root, components=given("t"), endpoints=urls)
    kinds = [type(each) for each in bound.endpoints]
    assert kinds == [exits.Component, mean.Mean, channel.Channel, exits.Component]
    assert bound.reached == {
        "t": f"in this process: {COMPONENTS}:Echo",
        "avg": "built in",
        "g": "grpc://localhost:7001",
        "h": "http://localhost:7002/x",
    }
    known = {name: type(each) for name, each in bound.known.items()}
    assert known == {"t": ComponentNode, "g": GrpcNode, "h": RestNode}


async def test_an_average_that_says_where_it_was_is_python_s(bind: Bind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREDICTIVE_UNIT_ID", "avg")
    bound = bind(node("avg", "", node("g"), implementation="AVERAGE_COMBINER"), components=given("g"))
    assert isinstance(bound.endpoints[0], exits.Component)


async def test_a_node_that_is_never_called_needs_nothing(bind: Bind) -> None:
    bound = bind(node("s", "", node("m"), implementation="SIMPLE_ROUTER"), components=given("m"))
    assert bound.endpoints[0] is None
    assert isinstance(bound.endpoints[1], exits.Component)
    assert "s" not in bound.known


@pytest.mark.parametrize(
    ("endpoint", "told"),
    [
        (Endpoint("there", http_port=81, grpc_port=82, type=Transport.GRPC), "grpc://there:82"),
        (Endpoint("there", http_port=81, grpc_port=82, type=Transport.REST), "http://there:81"),
        (Endpoint("there", http_port=81, grpc_port=82), "grpc://there:82"),
    ],
)
async def test_the_manifests_own_address_is_taken(bind: Bind, endpoint: Endpoint, told: str) -> None:
    assert bind(node("m", endpoint=endpoint)).reached == {"m": told}


async def test_an_endpoint_given_by_the_user_goes_before_the_manifests(bind: Bind) -> None:
    endpoint = Endpoint("there", grpc_port=82, type=Transport.GRPC)
    bound = bind(node("m", endpoint=endpoint), endpoints={"m": parse_url("unix:/tmp/m.sock")})
    assert bound.reached == {"m": "unix:/tmp/m.sock"}


async def test_a_class_that_cannot_be_loaded_is_told(bind: Bind) -> None:
    with pytest.raises(errors.ComponentError, match="no class Nobody"):
        bind(node("t", "transformer", node("m")), components={"t": f"{COMPONENTS}:Echo", "m": f"{COMPONENTS}:Nobody"})


async def test_a_class_without_the_nodes_method_is_told(bind: Bind) -> None:
    with pytest.raises(errors.ComponentError, match="node 'r': class Echo has no route"):
        bind(node("r", "router", node("m")), components=given("r", "m"))


# --- loading and stopping -------------------------------------------------------------------------------------


async def test_components_are_loaded_side_by_side(bind: Bind, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    parameters = {"gate": gate}
    root = node("a", "model", node("b", parameters=parameters), parameters=parameters)
    bound = bind(root, components=given("a", "b", kind="Slow"))
    start = asyncio.create_task(bound.start())
    await asyncio.sleep(0.02)
    assert not start.done()
    gate.touch()
    await asyncio.wait_for(start, 10)


async def test_the_first_failure_ends_loading(bind: Bind, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    slow = node("b", parameters={"gate": gate})
    bound = bind(node("a", "model", slow), components=given("a", kind="Broken") | given("b", kind="Slow"))
    try:
        with pytest.raises(errors.ComponentError, match="load raised FileNotFoundError: no weights"):
            await asyncio.wait_for(bound.start(), 10)
    finally:
        gate.touch()  # the thread that loads b


async def test_an_isolated_component_has_the_limits_and_the_modules_of_its_parent(bind: Bind) -> None:
    root = node("m", parameters={"name": "m"}, image="shop/m:1")
    bound = bind(root, components=given("m", kind="Said"), isolate=frozenset("m"), threads=3)
    child, link = bound._children[0]
    command, environment = child._command, child._environment
    assert environment is not None
    assert (environment["PREDICTIVE_UNIT_ID"], environment["PREDICTIVE_UNIT_IMAGE"]) == ("m", "shop/m:1")
    options = dict(zip(command[command.index("--type") :: 2], command[command.index("--type") + 1 :: 2], strict=True))
    assert options["--max-message-bytes"] == "5000"
    assert options["--threads"] == "3"
    assert json.loads(options["--parameters"]) == {"name": "m"}
    assert ("-P" in command) == ("" not in sys.path and str(Path.cwd()) not in sys.path)
    await bound.start()
    pid = child.pid
    assert pid is not None
    assert (await bound.known["m"].metadata())["platform"] == "test"
    assert json.loads(bytes(await bound.known["m"].status())) == {"strData": "serving"}
    folder = Path(link.target.removeprefix("unix:")).parent
    assert folder.exists()
    await bound.stop()
    assert not is_alive(pid)
    assert not folder.exists()


async def test_an_isolated_component_that_takes_too_long_is_given_up(
    bind: Bind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes, "CHILD_START_S", 0.1)
    root = node("m", parameters={"gate": tmp_path / "gate"})
    bound = bind(root, components=given("m", kind="Slow"), isolate=frozenset("m"))
    with pytest.raises(errors.ComponentError, match=r"node 'm': its process did not come up \(not in 0.1 s\)"):
        await bound.start()
    (tmp_path / "gate").touch()


# --- what can be asked of a gRPC node -------------------------------------------------------------------------


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


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Serves a model, with a health service or without; its address."""
    servers: list[Any] = []

    def served(health: Any = None) -> str:
        server = grpc.server(futures.ThreadPoolExecutor(1))
        seldon_pb2_grpc.add_ModelServicer_to_server(Model(), server)
        if health is not None:
            health_pb2_grpc.add_HealthServicer_to_server(Health(health), server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        servers.append(server)
        return f"127.0.0.1:{port}"

    yield served
    for server in servers:
        server.stop(0).wait()


async def test_metadata_of_a_grpc_node(serve: Callable[..., str]) -> None:
    link = Channel(serve())
    assert await GrpcNode(link, "m").metadata() == {"name": "other", "versions": ["v2"], "custom": {"k": "v"}}
    await link.close()


async def test_status_of_a_grpc_node(serve: Callable[..., str]) -> None:
    serving_word = health_pb2.HealthCheckResponse.SERVING
    for health, said in ((serving_word, "serving"), (None, "reachable")):
        link = Channel(serve(health))
        answer = await GrpcNode(link, "m").status()
        assert (answer.encoding, json.loads(bytes(answer))) == (Encoding.SELDON_JSON, {"strData": said})
        await link.close()


async def test_a_grpc_node_that_is_not_well(serve: Callable[..., str]) -> None:
    link = Channel(serve(health_pb2.HealthCheckResponse.NOT_SERVING))
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
    assert said == [{"name": "m", "versions": ["v1"], "platform": "test"}] * 4
