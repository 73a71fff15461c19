"""What the page shows of a graph: its nodes, how they are reached, and what is known of them."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from support.graphs import node, plan

from executor.graph import plan as plans
from executor.graph.spec import Node, Parameter, Predictor
from executor.inference import Readiness
from executor.overview import Overview
from executor.telemetry import families
from executor.telemetry.store import Store


@pytest.fixture
def store() -> Iterator[Store]:
    made = Store()
    yield made
    made.close()


def ratio(value: float) -> tuple[Parameter, ...]:
    return (Parameter("ratioA", value, "FLOAT", str(value)),)


async def shown(overview: Overview) -> Any:
    return json.loads(await overview.text())


async def test_nothing_is_served_yet(store: Store) -> None:
    said = await shown(Overview(store, Readiness()))
    assert (said["nodes"], said["ready"], said["name"]) == ([], False, "")
    assert said["requests"] == {"count": 0, "errors": 0, "seconds": 0.0, "p50": None, "p99": None}


async def test_a_graph_and_how_its_nodes_are_reached(store: Store) -> None:
    readiness = Readiness()
    readiness.set(True)
    overview = Overview(store, readiness)
    root = node("t", "transformer", node("c", "combiner", *(node(name) for name in "abde")))
    reached = {
        "t": "in this process: /secret/path.py:T", "a": "grpc://10.0.0.1:9000", "b": "http://10.0.0.1:9000",
        "c": "built in", "d": "grpcs://h:1 and https://h:2", "e": "unix:/run/x.sock",
    }  # fmt: skip
    overview.show(plan(root), reached)
    said = await shown(overview)
    assert (said["name"], said["predictor"], said["ready"]) == ("test", "main", True)
    assert [(each["name"], each["type"], each["children"]) for each in said["nodes"]] == [
        ("t", "TRANSFORMER", [1]), ("c", "COMBINER", [2, 3, 4, 5]), *((name, "MODEL", []) for name in "abde"),
    ]  # fmt: skip
    assert {each["name"]: each["reached"] for each in said["nodes"]} == {
        "t": "in this process", "a": "gRPC", "b": "REST", "c": "built in", "d": "gRPC and REST",
        "e": "gRPC, unix socket",
    }  # fmt: skip
    assert "10.0.0.1" not in json.dumps(said)
    assert "secret" not in json.dumps(said)


async def test_who_picks_shows_its_branches(store: Store) -> None:
    split = Node("ab", implementation="RANDOM_ABTEST", children=(node("a"), node("b")), parameters=ratio(0.25))
    learns = Node("eg", implementation="EPSILON_GREEDY", children=(split, node("c")))
    store.add(families.PULLS, "eg", "c", amount=3)
    store.set(families.CHANCE, "eg", "c", to=0.95)
    overview = Overview(store, Readiness())
    overview.show(plans.compile_plan(Predictor("main", learns), "test"), {})
    nodes = {each["name"]: each for each in (await shown(overview))["nodes"]}
    assert [(each["name"], each["chance"]) for each in nodes["ab"]["branches"]] == [("a", 0.25), ("b", 0.75)]
    assert nodes["eg"]["branches"] == [
        {"name": "ab", "label": "ab", "chance": None},
        {"name": "c", "label": "c", "chance": 0.95, "pulls": 3},
    ]
    assert [nodes[name]["splits"] for name in ("ab", "eg", "a")] == [True, True, False]
    assert [nodes[name]["count"] for name in ("ab", "eg", "a")] == [None, None, 0]


async def test_shares_are_of_the_critical_path_where_that_is_counted(store: Store) -> None:
    overview = Overview(store, Readiness())
    overview.show(plan(node("m")), {})
    labels = ("test", "main", "", "/p", "m", "", "", "unary", "OK")
    store.segment.histogram(families.CLIENT.key(*labels), families.SECONDS).add(0.5)
    said = await shown(overview)
    assert (said["shares"], said["nodes"][0]["busy"], said["nodes"][0]["count"]) == ("call time", 0.5, 1)
    store.segment.counter(b'millrace_node_critical_path_seconds_total{model_name="m"}').add(0.25)
    overview.show(plan(node("m")), {})
    said = await shown(overview)
    assert (said["shares"], said["nodes"][0]["busy"]) == ("critical path", 0.25)


async def test_however_many_look_numbers_are_gathered_once(store: Store) -> None:
    samples: list[int] = []
    store.sampled(lambda: samples.append(1))
    overview = Overview(store, Readiness())
    overview.show(plan(node("m")), {})
    texts = await asyncio.gather(*(overview.text() for _ in range(50)))
    assert len(set(texts)) == 1
    assert len(samples) == 1


async def test_who_hangs_up_ends_it_for_nobody_else(store: Store) -> None:
    overview = Overview(store, Readiness())
    overview.show(plan(node("m")), {})
    first, second = (asyncio.create_task(overview.text()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert json.loads(await second)["nodes"][0]["name"] == "m"
    assert first.cancelled()


async def test_another_graph_is_shown_at_once(store: Store) -> None:
    overview = Overview(store, Readiness())
    overview.show(plan(node("old")), {})
    await overview.text()
    overview.show(plan(node("new")), {})
    assert [each["name"] for each in (await shown(overview))["nodes"]] == ["new"]
