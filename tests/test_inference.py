"""The request path that Python fronts take, and what is known of nodes."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from support.collector import ERROR, UNSET, parsed
from support.graphs import Bench, answer, node, text

from executor import errors
from executor._native import exits, flow, propagation, seldon, span, tracer
from executor._native import message as native
from executor.graph import spec
from executor.health import GraphHealth
from executor.inference import Bound, Bounds, Headers, Inference, Node, Readiness
from executor.status import Status
from executor.types import Encoding, Method, Mode, Walk

Seen = list[Any]


class Known:
    """A node that can be asked."""

    def __init__(self, name: str, delay_s: float = 0.0) -> None:
        self.name = name
        self.delay_s = delay_s

    async def metadata(self, headers: Headers = ()) -> Mapping[str, Any]:
        await asyncio.sleep(self.delay_s)
        return {"name": self.name, "versions": [], "inputs": [{"name": f"in-{self.name}"}], "custom": {}}

    async def status(self, headers: Headers = ()) -> native.Message:
        return native.Message(b'{"strData":"fine"}', Encoding.SELDON_JSON)


def telling(seen: Seen) -> Mapping[Method, tuple[Mode, Any]]:
    """Handlers that note puid, headers and time left; a text `wait` waits until it is cancelled."""

    async def handle(message: native.Message, context: exits.Context) -> native.Message:
        seen.append((context.puid, context.headers, context.remaining()))
        if text(message) == "wait":
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                seen.append("cancelled")
                raise
        return answer("ok", message)

    return dict.fromkeys(Method, (Mode.ASYNC, handle))


class Path:
    """An `Inference` over a bench."""

    def __init__(self, root: spec.Node, nodes: Mapping[str, Node] | None = None) -> None:
        graph = root if nodes else None
        self.seen: Seen = []
        self.bench = Bench(root, replaced={"m": telling(self.seen)})
        self.readiness = Readiness()
        self.inference = Inference(
            self.bench.engine, self.bench.program, self.bench.plan, nodes or {}, graph=graph, readiness=self.readiness
        )

    async def predict(self, value: str = "x", **more: Any) -> Any:
        message = seldon.build("strData", value)
        return await asyncio.wait_for(self.inference.run(Walk.PREDICT, Method.PREDICT, message, **more), 10)


@pytest.fixture
async def path() -> AsyncIterator[Path]:
    built = Path(node("m"))
    built.readiness.set(True)
    yield built
    built.bench.close()


async def test_a_request_carries_its_id_and_headers(path: Path) -> None:
    said = await path.predict(headers=[("x-a", "1"), ("Seldon-Puid", "other")], puid="mine")
    assert (text(said.message), said.puid) == ("ok", "mine")
    assert path.seen == [("mine", [("x-a", "1"), ("seldon-puid", "mine")], None)]


async def test_a_request_without_id_is_given_one(path: Path) -> None:
    answers = [await path.predict() for _ in range(2)]
    assert answers[0].puid != answers[1].puid
    assert str(uuid.UUID(answers[0].puid)) == answers[0].puid
    assert [seen[0] for seen in path.seen] == [each.puid for each in answers]


async def test_the_time_given_is_the_deadline(path: Path) -> None:
    await path.predict(timeout_s=7.0)
    assert 5 < path.seen[0][2] <= 7
    await path.predict(timeout_s=0)
    assert path.seen[1][2] is None
    with pytest.raises(errors.DeadlineError):
        await path.predict("wait", timeout_s=0.02)
    await asyncio.sleep(0)
    assert path.seen[-1] == "cancelled"


async def test_cancelling_the_caller_cancels_the_calls(path: Path) -> None:
    task = asyncio.create_task(path.predict("wait"))
    async with asyncio.timeout(10):
        while not path.seen:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        while path.seen[-1] != "cancelled":
            await asyncio.sleep(0)
    assert path.bench.engine.in_flight == 0


async def test_requests_are_refused_until_all_is_loaded_but_not_while_draining() -> None:
    path = Path(node("m"))
    with pytest.raises(errors.NodeError, match="the graph is still loading") as caught:
        await path.predict()
    assert caught.value.http_status == 503
    path.readiness.set(True)
    assert path.inference.ready
    await path.predict()
    path.readiness.set(False)
    assert not path.inference.ready
    await path.predict()  # it came before the front was closed
    path.bench.close()


async def test_what_is_refused_before_it_runs_has_its_span() -> None:
    path = Path(node("m"))
    path.bench.engine = flow.Engine(path.bench.reactor, 0)
    traced = tracer.Tracer(path.bench.reactor, [propagation.W3C])
    path.bench.engine.trace(traced)
    inference = Inference(path.bench.engine, path.bench.program, path.bench.plan, {}, readiness=path.readiness)
    label = tracer.Label(span.static("POST /x", span.SERVER, {}), lambda error: error.http_status)
    headers = [("traceparent", f"00-{7:032x}-{9:016x}-01")]
    for ready in (False, True):
        path.readiness.set(ready)
        with pytest.raises(errors.Error):
            await inference.run(
                Walk.PREDICT, Method.PREDICT, seldon.build("strData", "x"), headers=headers, puid="p", label=label
            )
    spans = parsed(traced.take(100)[0])
    assert [each.attributes["http.response.status_code"] for each in spans] == [503, 429]
    assert [each.status for each in spans] == [ERROR, UNSET]
    assert {(each.trace, each.parent) for each in spans} == {(f"{7:032x}", f"{9:016x}")}
    path.bench.close()


async def test_readiness_wakes_those_who_wait_for_a_change() -> None:
    readiness = Readiness()
    waiting = [asyncio.create_task(readiness.change()) for _ in range(2)]
    await asyncio.sleep(0)
    readiness.set(False)
    await asyncio.sleep(0)
    assert not any(each.done() for each in waiting)
    readiness.set(True)
    await asyncio.wait_for(asyncio.gather(*waiting), 10)
    assert readiness.ready
    assert readiness.begun
    again = asyncio.create_task(readiness.change())
    await asyncio.sleep(0)
    assert not again.done()
    readiness.set(False)
    await asyncio.wait_for(again, 10)
    assert readiness.begun


# --- metadata -------------------------------------------------------------------------------------------------

GRAPH = node("t", "transformer", node("m"))


@pytest.fixture
async def known() -> AsyncIterator[Inference]:
    path = Path(GRAPH, {"t": Known("t", 0.02), "m": Known("m")})
    yield path.inference
    path.bench.close()


async def test_metadata_of_one_node_is_what_it_says(known: Inference) -> None:
    said = await known.model_metadata("m")
    assert (said["name"], said["inputs"]) == ("m", [{"name": "in-m"}])


async def test_metadata_of_the_graph_is_in_the_order_of_names(known: Inference) -> None:
    whole = await known.graph_metadata()
    assert list(whole) == ["name", "models", "graphinputs", "graphoutputs"]
    assert list(whole["models"]) == ["m", "t"]
    assert whole["graphinputs"] == [{"name": "in-t"}]


async def test_status_is_what_the_node_says(known: Inference) -> None:
    assert bytes(await known.node_status("m")) == b'{"strData":"fine"}'


async def test_an_unknown_node_is_not_found(known: Inference) -> None:
    for asking in (known.model_metadata("x"), known.node_status("x")):
        with pytest.raises(errors.RequestError, match="Failed to find model x") as caught:
            await asking
        assert caught.value.status is Status.UNKNOWN


async def test_a_built_in_has_no_metadata() -> None:
    path = Path(node("s", "", node("m"), implementation="SIMPLE_ROUTER"))
    with pytest.raises(errors.RequestError, match="node 's' is built in and has no metadata"):
        await path.inference.model_metadata("s")
    path.bench.close()


async def test_a_single_node_has_no_graph_metadata(path: Path) -> None:
    with pytest.raises(errors.RequestError, match="a single node has no graph metadata") as caught:
        await path.inference.graph_metadata()
    assert caught.value.status is Status.UNIMPLEMENTED


async def test_a_plan_is_idle_when_nobody_asks_its_nodes(known: Inference) -> None:
    old = known.bound
    asking = asyncio.create_task(known.model_metadata("t"))
    await asyncio.sleep(0)
    fresh = Bound(old.program, old.plan, {"m": Known("other")}, old.graph)
    known.use(fresh)
    assert (old.asking, fresh.asking) == (1, 0)
    assert (await asking)["name"] == "t"
    assert old.asking == 0
    assert (await known.model_metadata("m"))["name"] == "other"


async def test_health_is_readiness_and_what_the_nodes_say() -> None:
    problems: dict[str, Exception] = {}

    async def check() -> None:
        if problems:
            raise problems["m"]

    bench = Bench(node("m"))
    bound = Bound(bench.program, bench.plan, {}, health=GraphHealth({"m": check}))
    readiness = Readiness()
    inference = Inference.of(bench.engine, bound, readiness)
    assert inference.bound is bound
    assert not await inference.healthy()
    readiness.set(True)
    assert await inference.healthy()
    problems["m"] = errors.NodeError("ill")
    assert not await inference.healthy()
    assert inference.ready
    inference.use(Bound(bench.program, bench.plan, {}))
    assert await inference.healthy()
    bounds = Bounds(bound, inference.bound)
    assert bounds.idle
    with bound.asked():
        assert not bounds.idle
    bench.close()


async def test_health_tells_of_each_node_and_why() -> None:
    async def ill() -> None:
        raise errors.NodeError("it is ill")

    path = Path(node("t", "transformer", node("m")))
    graph = path.inference
    graph.readiness.set(True)
    well = {"name": "t", "ready": True, "asked": False}
    assert await graph.health() == {"ready": True, "nodes": [well, {"name": "m", "ready": True, "asked": False}]}
    bound = graph.bound
    bound.health = GraphHealth({"m": ill})
    told = {"name": "m", "ready": False, "asked": True, "why": "it is ill"}
    assert await graph.health() == {"ready": False, "nodes": [well, told], "why": "nodes are not well"}
    graph.readiness.set(False)
    assert (await graph.health())["why"] == "draining"
    path.bench.close()
