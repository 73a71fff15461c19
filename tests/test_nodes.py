"""How the nodes of a plan are reached: which endpoint each gets; processes that components have of their own
(`children`).
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from support import asked
from support.graphs import node, plan
from support.processes import is_alive
from support.servers import grpc_node, until, wait
from support.serving import COMPONENTS

from executor import children, errors
from executor._native import channel, exits, mean, seldon, transport
from executor._pb import health_pb2
from executor.graph.spec import Endpoint, Transport
from executor.learning import Learning
from executor.nodes import Nodes, own_address
from executor.reached import ComponentNode, GrpcNode, Side
from executor.rest.client import RestNode
from executor.settings import ChannelSettings, NodeChecks, NodeTimeouts, RunSettings, ServeLimits, parse_url

Bind = Callable[..., Nodes]


@pytest.fixture
async def bind() -> AsyncIterator[Bind]:
    """Binds the nodes of a graph."""
    reactor = transport.Reactor()
    pool = exits.Pool(reactor, 1)
    made: list[Nodes] = []
    learning = Learning()

    def bound(root: Any, **settings: Any) -> Nodes:
        made.append(Nodes(reactor, pool, ServeLimits(max_message_bytes=5000), learning=learning))
        made[-1].bind(plan(root), RunSettings("graph", **settings))
        return made[-1]

    yield bound
    for each in made:
        await each.stop()
    learning.close()
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


async def test_a_router_that_learns_is_built_in(bind: Bind) -> None:
    bound = bind(node("r", "", node("a"), node("b"), implementation="UCB1"), components=given("a", "b"), state="memory")
    assert list(bound.routers) == ["r"]
    assert bound.routers["r"].branches == ("a", "b")
    assert bound.reached["r"] == "built in; learns in memory"
    assert "r" not in bound.known
    await bound.start()
    assert [each.name for each in bound.routers["r"].report()] == ["a", "b"]


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


async def test_channels_are_kept_as_the_user_asked(bind: Bind) -> None:
    with grpc_node(wait) as remote:
        url = parse_url(f"grpc://{remote.target}")
        bound = bind(node("m"), endpoints={"m": url}, channels=ChannelSettings(calls_max=1))
        asked = bound.endpoints[0]
        assert isinstance(asked, channel.Channel)
        tickets = [asked.call("/s/M", seldon.build("strData", "x")) for _ in range(3)]
        await until(lambda: (asked.active, asked.waiting) == (1, 2))
        for ticket in tickets:
            ticket.cancel()
        await until(lambda: (asked.active, asked.waiting) == (0, 0))


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
    isolated = bound._children[0]
    child = isolated.child
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
    folder = Path(isolated.path).parent
    assert folder.exists()
    await bound.stop()
    assert not is_alive(pid)
    assert not folder.exists()


async def test_an_isolated_component_that_takes_too_long_is_given_up(
    bind: Bind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "START_S", 0.1)
    root = node("m", parameters={"gate": tmp_path / "gate"})
    bound = bind(root, components=given("m", kind="Slow"), isolate=frozenset("m"))
    with pytest.raises(errors.ComponentError, match=r"node 'm': its process did not come up \(not in 0.1 s\)"):
        await bound.start()
    (tmp_path / "gate").touch()


async def test_metadata_of_a_rest_node_has_the_bound_of_its_calls(bind: Bind) -> None:
    bound = bind(node("m"), endpoints={"m": parse_url("http://127.0.0.1:1")}, node_timeouts=NodeTimeouts(rest_s=0.5))
    asked = bound.known["m"]
    assert isinstance(asked, RestNode)
    assert asked.look_timeout_s == 0.5
    free = bind(node("m"), endpoints={"m": parse_url("http://127.0.0.1:1")}).known["m"]
    assert isinstance(free, RestNode)
    assert free.look_timeout_s is None


async def test_modules_of_components_go_with_their_nodes(bind: Bind) -> None:
    before = set(sys.modules)
    bound = bind(node("m"), components=given("m"))
    loaded = {name for name in set(sys.modules) - before if name.startswith("_millrace_")}
    assert len(loaded) == 1
    await bound.stop()
    assert not loaded & set(sys.modules)


# --- two sides ------------------------------------------------------------------------------------------------

HERE = Endpoint("h", 1, 9000, 9500)
OF_REST, OF_GRPC = Endpoint("h", 1, type=Transport.REST), Endpoint("h", 2, type=Transport.GRPC)


def names(side: Side) -> dict[str, str]:
    return {name: type(each).__name__ for name, each in side.known.items()}


async def test_remote_nodes_are_reached_as_the_client_speaks(bind: Bind) -> None:
    root = node("s", "", node("m", endpoint=HERE), node("n", endpoint=HERE), implementation="SIMPLE_ROUTER")
    bound = bind(root, by_front=True, node_timeouts=NodeTimeouts(0.5, 0.25))
    assert bound.reached == dict.fromkeys("mn", "grpc://h:9500 and http://h:9000")
    assert names(bound.grpc) == dict.fromkeys("mn", "GrpcNode")
    assert names(bound.rest) == dict.fromkeys("mn", "RestNode")
    for side, kind, timeout_s in ((bound.grpc, channel.Channel, 0.25), (bound.rest, exits.Component, 0.5)):
        for each in side.endpoints[1:]:
            assert isinstance(each, kind)
            assert each.timeout_s == timeout_s


async def test_what_is_here_is_the_same_on_both_sides(bind: Bind) -> None:
    root = node("avg", "", node("c"), node("m", endpoint=HERE), implementation="AVERAGE_COMBINER")
    timeouts = NodeTimeouts(component_s=3.0)
    bound = bind(root, components=given("c"), by_front=True, node_timeouts=timeouts)
    assert bound.grpc.endpoints[:2] == bound.rest.endpoints[:2]
    assert bound.grpc.endpoints[2] is not bound.rest.endpoints[2]
    assert [each.timeout_s for each in bound.endpoints if each is not None] == [None, 3.0, None]


@pytest.mark.parametrize(
    ("children", "by_front", "split"),
    [
        ((OF_REST, OF_GRPC), True, False),
        ((HERE, OF_GRPC), True, True),
        ((HERE, HERE), False, False),
    ],
)
async def test_types_that_differ_decide(bind: Bind, children: Sequence[Endpoint], by_front: bool, split: bool) -> None:
    first, second = children
    root = node("s", "combiner", node("a", endpoint=first), node("b", endpoint=second), endpoint=HERE)
    bound = bind(root, by_front=by_front)
    assert (bound.grpc is not bound.rest) == split
    if not split and by_front:
        assert names(bound.rest) == {"s": "GrpcNode", "a": "RestNode", "b": "GrpcNode"}


@pytest.mark.parametrize(
    ("end", "front", "address"),
    [
        (HERE, None, "grpc://h:9500"),
        (HERE, Transport.REST, "http://h:9000"),
        (Endpoint("h", 1), None, "grpc://h:1"),
        (Endpoint("h", 1), Transport.REST, "http://h:1"),
        (Endpoint("h", 1, type=Transport.REST), None, "http://h:1"),
        (Endpoint("h", 1, type=Transport.REST), Transport.GRPC, "http://h:1"),
        (Endpoint("h", 1, 9000, 9500, Transport.REST), Transport.GRPC, "grpc://h:9500"),
        (Endpoint("h", 0, 9000), Transport.GRPC, "http://h:9000"),
        (Endpoint("h", 0, 0, 9500, Transport.REST), None, "grpc://h:9500"),
    ],
)
def test_where_a_node_listens(end: Endpoint, front: Transport | None, address: str) -> None:
    assert str(own_address(plan(node("m", endpoint=end)).root, front)) == address


async def test_health_is_asked_as_the_settings_say(bind: Bind) -> None:
    with asked.model(health_pb2.HealthCheckResponse.NOT_SERVING) as address:
        host, _, port = address.rpartition(":")
        end = Endpoint(host, int(port), grpc_port=int(port), type=Transport.GRPC)
        root = node("t", "transformer", node("c", "model", node("m", endpoint=end)), endpoint=Endpoint("h"))
        components = given("t", "c")
        assert bind(root, components=components).health is None
        dialled = bind(root, components=components, node_checks=NodeChecks.DIAL).health
        full = bind(root, components=components, node_checks=NodeChecks.FULL, by_front=True).health
        assert dialled is not None
        assert full is not None
        assert await dialled.look() == {}
        assert await full.look() == {"m": "node 'm' says that it is not serving"}
