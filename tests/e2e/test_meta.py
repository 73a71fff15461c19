"""What travels beside the payload: meta merged from node to node, routing, the request's id, headers."""

import contextlib
import json
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from support import foreign, serving
from support.clients import Client
from support.serving import Served, node

CLIENTS = pytest.mark.parametrize("client", ["grpc", "rest"])
KINDS = ("process", "grpc", "rest")
FACTORS = {"t": 2.0, "m": 3.0, "n": 5.0}

Make = Callable[..., Served]


@pytest.fixture(scope="module")
def nodes() -> Iterator[Mapping[str, Mapping[str, str]]]:
    """Nodes of class `Scale`, by kind and name."""
    with contextlib.ExitStack() as stack:
        urls: dict[str, dict[str, str]] = {kind: {} for kind in KINDS}
        for name, factor in FACTORS.items():
            each = stack.enter_context(serving.component("Scale", name=name, factor=factor))
            urls["grpc"][name] = f"grpc://{each.target}"
            urls["rest"][name] = f"http://127.0.0.1:{each.port}"
        yield urls


@pytest.fixture(params=KINDS)
def make(request: pytest.FixtureRequest, nodes: Mapping[str, Mapping[str, str]]) -> Make:
    """Serves a graph of the nodes `names`, which are of one kind."""

    def served(root: Mapping[str, Any], names: str, **more: Any) -> Served:
        if request.param == "process":
            return serving.graph(root, dict.fromkeys(names, "Scale"), **more)
        return serving.graph(root, endpoints={name: nodes[request.param][name] for name in names}, **more)

    return served


def scale(name: str, type: str = "model", *children: Any) -> dict[str, Any]:
    return node(name, type, *children, name=name, factor=FACTORS[name])


def counted(name: str) -> dict[str, Any]:
    return {"key": f"{name}_calls", "type": "COUNTER", "value": 1.0}


def metrics_of(said: Any) -> Any:
    """protobuf's JSON leaves out a type that is the default."""
    return [{"type": "COUNTER", **metric} for metric in said["meta"]["metrics"]]


@CLIENTS
def test_meta_of_a_chain_is_merged(make: Make, client: str) -> None:
    with make(scale("t", "transformer", scale("m")), "tm") as served:
        asked: Client = getattr(served, client)
        meta = {"puid": "p1", "tags": {"in": [1, "x"]}}
        said = asked.predict({"meta": meta, "data": {"names": ["a", "b"], "ndarray": [[1, 2]]}}).said
        assert said["data"] == {"names": ["t:0", "t:1"], "ndarray": [[6, 12]]}
        assert said["meta"]["puid"] == "p1"
        assert said["meta"]["tags"] == {"in": [1, "x"], "t": 2, "m": 3, "last": "m"}
        assert metrics_of(said) == [counted("t"), counted("m")]
        assert "routing" not in said["meta"]


@CLIENTS
def test_average_of_branches_merges_their_meta(make: Make, client: str) -> None:
    root = node("c", "", scale("m"), scale("n"), implementation="AVERAGE_COMBINER")
    with make(root, "mn") as served:
        asked: Client = getattr(served, client)
        said = asked.predict({"meta": {"puid": "p2"}, "data": {"tensor": {"shape": [1, 2], "values": [1, 2]}}}).said
        assert said["data"]["tensor"] == {"shape": [1, 2], "values": [4, 8]}
        assert said["meta"]["puid"] == "p2"
        assert said["meta"]["tags"] == {"m": 3, "n": 5, "last": "n"}
        assert metrics_of(said) == [counted("m"), counted("n")]


NUMBERS = {"data": {"ndarray": [[1.0, 2.0]]}}


@CLIENTS
def test_routing_is_reported_unless_it_is_not_wanted(make: Make, client: str) -> None:
    root = node("s", "", scale("m"), scale("n"), implementation="SIMPLE_ROUTER")
    with make(root, "mn") as served:
        said = getattr(served, client).predict(NUMBERS).said
        assert said["meta"]["routing"] == {"s": 0}
        assert said["data"]["ndarray"] == [[3, 6]]
    with make(root, "mn", routing_meta=False) as served:
        assert "routing" not in getattr(served, client).predict(NUMBERS).said["meta"]


@CLIENTS
def test_ab_test_says_whom_it_chose(make: Make, client: str) -> None:
    root = node("ab", "", scale("m"), scale("n"), implementation="RANDOM_ABTEST", ratioA=0.5)
    with make(root, "mn") as served:
        asked: Client = getattr(served, client)
        chosen: Counter[int] = Counter()
        for _ in range(60):
            said = asked.predict(NUMBERS).said
            route = said["meta"]["routing"]["ab"]
            assert said["data"]["ndarray"] == [[[3, 6], [5, 10]][route]]
            chosen[route] += 1
        # Binomial(60, 0.5): outside of these bounds once in a million runs.
        assert set(chosen) == {0, 1}
        assert min(chosen.values()) > 10


def test_request_path_names_the_images_of_components() -> None:
    manifest = json.loads(serving.deployment(scale("t", "transformer", scale("m"))))
    containers = [{"name": "t", "image": "shop/t:1"}, {"name": "m", "image": "shop/m:2"}]
    manifest["spec"]["predictors"][0]["componentSpecs"] = [{"spec": {"containers": containers}}]
    with serving.graph(manifest, {"t": "Scale", "m": "Scale"}) as served:
        for client in (served.grpc, served.rest):
            meta = client.predict({"meta": {"requestPath": {"gate": "shop/g"}}, **NUMBERS}).said["meta"]
            assert meta["requestPath"] == {"gate": "shop/g", "t": "shop/t:1", "m": "shop/m:2"}


# --- ids and headers ------------------------------------------------------------------------------------------


@pytest.fixture(params=["grpc", "http"])
def seen(request: pytest.FixtureRequest) -> Iterator[tuple[list[dict[str, str]], str]]:
    """A node that is not ours: the headers that it got, and its URL."""
    headers: list[dict[str, str]] = []

    def answer(method: str, content: Any, got: dict[str, str]) -> Any:
        headers.append(got)
        return {"strData": method}

    start = foreign.grpc_node if request.param == "grpc" else foreign.http_node
    with start(answer) as url:
        yield headers, url


@CLIENTS
def test_id_and_headers_reach_every_node(seen: tuple[list[dict[str, str]], str], client: str) -> None:
    headers, url = seen
    with serving.graph(node("a", "model", node("b", "model")), endpoints={"a": url, "b": url}) as served:
        asked: Client = getattr(served, client)
        reply = asked.predict({"strData": "x"}, [("seldon-puid", "mine"), ("x-trace", "t/1"), ("authorization", "me")])
    assert reply.puid == "mine"
    assert len(headers) == 2
    for each in headers:
        assert (each["seldon-puid"], each["x-trace"], each["authorization"]) == ("mine", "t/1", "me")


@CLIENTS
def test_a_request_without_id_is_given_one(seen: tuple[list[dict[str, str]], str], client: str) -> None:
    headers, url = seen
    with serving.graph(node("a", "model", node("b", "model")), endpoints={"a": url, "b": url}) as served:
        asked: Client = getattr(served, client)
        replies = [asked.predict({"strData": "x"}) for _ in range(2)]
    assert replies[0].puid != replies[1].puid
    for reply in replies:
        assert str(uuid.UUID(reply.puid)) == reply.puid
        assert "meta" not in reply.said
    assert [each["seldon-puid"] for each in headers] == [each.puid for each in replies for _ in "ab"]


@CLIENTS
def test_what_is_left_of_the_time_travels_on(seen: tuple[list[dict[str, str]], str], client: str) -> None:
    headers, url = seen
    with serving.graph(node("a", "model"), endpoints={"a": url}) as served:
        getattr(served, client).predict({"strData": "x"}, timeout_s=17.0)
    # grpcio rounds what it sends up, to three digits.
    assert 10 < float(headers[0]["time-left"]) < 17.2


# --- metadata and health --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["process", "grpc", "http"])
def test_metadata_of_nodes_and_graph(kind: str) -> None:
    with contextlib.ExitStack() as stack:
        root = node("t", "transformer", node("m", "model", name="m"), name="t")
        if kind == "process":
            served = stack.enter_context(serving.graph(root, {"t": "Said", "m": "Said"}))
        else:
            urls = {}
            for name in "tm":
                each = stack.enter_context(serving.component("Said", name=name))
                urls[name] = f"grpc://{each.target}" if kind == "grpc" else f"http://127.0.0.1:{each.port}"
            served = stack.enter_context(serving.graph(root, endpoints=urls))
        expected = {"name": "m", "platform": "test", "versions": ["v1"]}
        for client in (served.grpc, served.rest):
            said = client.model_metadata("m")
            # REST says what the node says; protobuf leaves out what is empty.
            assert {key: value for key, value in said.items() if value} == expected
            whole = client.graph_metadata()
            assert whole["name"] == "main"
            assert whole["models"] == {"t": {**expected, "name": "t"}, "m": expected}
        assert served.grpc.healthy()
        assert served.rest.get("/api/v1.0/status/m")["strData"]
        assert [served.rest.status(path) for path in ("/live", "/ready")] == [200, 200]
