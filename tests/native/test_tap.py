"""What is tapped of a walk, and the bounds of what is held. Counts per shape of graph are in `e2e`."""

import asyncio
import weakref
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy
import pytest
from support import servers
from support.benches import Make, benches
from support.graphs import Bench, answer, node, text
from support.h2peer import connected, frame, grpc_head
from support.servers import serving, until

from executor._native import exits, front, program, propagation, seldon, tap, tracer
from executor._native import message as native
from executor.types import Method, Mode, Walk

ALL = tap.REQUEST | tap.RESPONSE | tap.FEEDBACK
Batch = list[tuple[int, int, str, native.Message]]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    with benches() as build:
        yield build


class Taken:
    """What the tap handed over."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.lost = 0

    def __call__(self, batch: Batch, lost: int) -> None:
        self.batches.append(batch)
        self.lost += lost

    def said(self) -> list[tuple[int, int, str]]:
        return [(node, kind, text(message)) for batch in self.batches for node, kind, _, message in batch]


def tapped(bench: Bench, *bits: int, take: Callable[[Batch, int], None] | None = None, **bounds: Any) -> Taken:
    taken = Taken()
    bound = [bench.endpoints[each.name] if each.calls else None for each in bench.plan.nodes]
    made = tap.Tap(bench.reactor, bits, take or taken, **bounds)
    bench.program = program.Program(bench.plan.nodes, bound, tap=made)
    return taken


@pytest.mark.parametrize("mode", list(Mode))
async def test_payloads_of_one_node(make: Make, mode: Mode) -> None:
    bench = make(node("a", "model", node("b")), mode=mode)
    taken = tapped(bench, 0, ALL)
    assert await bench.predict("x") == "b.predict(a.predict(x))"
    assert taken.said() == [(1, tap.REQUEST, "a.predict(x)"), (1, tap.RESPONSE, "b.predict(a.predict(x))")]
    assert {puid for batch in taken.batches for _, _, puid, _ in batch} == {"puid-1"}


async def test_quick_nodes_are_handed_over_once_a_pass(make: Make) -> None:
    bench = make(node("c", "combiner", node("a"), node("b")), mode=Mode.ASYNC)
    taken = tapped(bench, ALL, ALL, ALL)
    await bench.predict("x")
    assert sum(map(len, taken.batches)) == 8
    assert len(taken.batches) < 8


async def test_without_a_tap_and_with_none_for_a_node_nothing_is_taken(make: Make) -> None:
    bench = make(node("a"))
    taken = tapped(bench, 0)
    await bench.predict("x")
    assert taken.batches == []


async def test_feedback_is_tapped_children_first(make: Make) -> None:
    bench = make(node("a", "model", node("b")))
    taken = tapped(bench, tap.RESPONSE | tap.FEEDBACK, tap.FEEDBACK)
    await bench.run(seldon.build_feedback(None, None, 0.5, None), Walk.FEEDBACK)
    assert taken.said() == [(1, tap.FEEDBACK, "feedback(0.5)"), (0, tap.FEEDBACK, "feedback(0.5)")]


async def test_a_node_that_works_in_place_does_not_change_what_is_logged(make: Make) -> None:
    def double(message: native.Message, context: exits.Context) -> native.Message:
        array = seldon.open(message).value()
        array = array if array.flags.writeable else array.copy()
        array *= 2
        return seldon.build("tensor", array)

    bench = make(node("m"), replaced={"m": {Method.PREDICT: (Mode.QUICK, double)}})
    taken = tapped(bench, ALL)
    await bench.run(seldon.build("tensor", numpy.ones((1, 500))))
    (_, _, _, request), (_, _, _, response) = [each for batch in taken.batches for each in batch]
    assert seldon.open(request).value().sum() == 500
    assert seldon.open(response).value().sum() == 1000


async def test_what_is_over_a_bound_is_counted(make: Make) -> None:
    bench = make(node("a", "model", node("b")))
    taken = tapped(bench, ALL, ALL, count_max=1)
    await bench.predict("x")
    # Three passes: into a; out of a, into its children and b; out of b and a's children.
    assert (sum(map(len, taken.batches)), taken.lost) == (3, 3)
    taken = tapped(bench, ALL, ALL, size_max=40)
    await bench.predict("x" * 30)
    assert taken.lost == 5
    await bench.predict("x")  # what was handed over counts no more
    assert sum(map(len, taken.batches)) == 1 + 4


async def test_a_taker_that_fails_fails_no_request(make: Make) -> None:
    def broken(batch: Batch, lost: int) -> None:
        raise RuntimeError("oh")

    bench = make(node("a"))
    met: list[str] = []
    bench.reactor.loop.set_exception_handler(lambda _, context: met.append(str(context["exception"])))
    tapped(bench, ALL, take=broken)
    assert await bench.predict("x") == "a.predict(x)"
    assert met == ["oh", "oh"]


@pytest.mark.parametrize(
    ("headers", "count"),
    [
        ([("Seldon-Skip-Logging", "true")], 0),
        ([("seldon-skip-logging", "oN")], 0),
        ([("a", "b"), ("seldon-skip-logging", "no"), ("seldon-skip-logging", "1")], 0),
        ([("seldon-skip-logging", "11")], 2),
        ([("seldon-skip-loggins", "1")], 2),
        ([("seldon-skip-logging", "o\u00ce")], 2),
        ([], 2),
    ],
)
async def test_skipping(make: Make, headers: list[tuple[str, str]], count: int) -> None:
    bench = make(node("a"))
    taken = tapped(bench, ALL)
    message = seldon.build("strData", "x")
    await front.submit(bench.engine, bench.program, Walk.PREDICT, Method.PREDICT, message, headers, "p").future
    assert len(taken.said()) == count


async def test_a_combiner_that_is_cut_off_leaves_nothing_behind(make: Make) -> None:
    def wait(message: native.Message, context: exits.Context) -> native.Message:
        return answer("late", message)

    async def never(message: native.Message, context: exits.Context) -> native.Message:
        await bench.reactor.loop.create_future()
        return wait(message, context)

    bench = make(node("c", "combiner", node("a"), node("b")), replaced={"b": {Method.PREDICT: (Mode.ASYNC, never)}})
    taken = tapped(bench, ALL, 0, 0)
    request = bench.submit(seldon.build("strData", "x"))
    request.cancel()
    assert taken.said() == [(0, tap.REQUEST, "x")]


async def test_a_tap_that_goes_with_payloads_in_it_frees_them(make: Make) -> None:
    bench = make(node("a"))
    taken = tapped(bench, ALL)
    await bench.predict("x")
    taken.batches.clear()
    bench.program = program.Program(bench.plan.nodes, [bench.endpoints["a"]])


async def test_a_tap_is_for_as_many_nodes_as_the_program_has(make: Make) -> None:
    bench = make(node("a"))
    with pytest.raises(ValueError, match="1 nodes but a tap for 2"):
        tapped(bench, 1, 1)


async def test_what_the_last_request_of_a_replaced_plan_said_is_handed_over() -> None:
    """The plan goes with that request, at the end of which its answer waits to be handed over."""
    release = asyncio.Event()

    async def hold(message: native.Message, context: exits.Context) -> native.Message:
        await release.wait()
        return answer("late", message)

    taken = Taken()
    async with serving(node("m"), replaced={"m": dict.fromkeys(Method, (Mode.ASYNC, hold))}) as served:
        bench = served.bench

        def take(batch: Batch, lost: int) -> None:
            taken(batch, lost)

        tapping = tap.Tap(bench.reactor, [ALL], take)
        served.server.native.use(program.Program(bench.plan.nodes, [bench.endpoints["m"]], tap=tapping))
        gone = weakref.ref(take)
        del tapping, take
        async with connected(served.port) as peer:
            asked = asyncio.ensure_future(peer.ask(grpc_head(), frame(servers.message("x").SerializeToString())))
            await until(lambda: taken.said())
            served.server.native.use(bench.program)
            release.set()
            assert (await asked).status == "0"
        assert taken.said() == [(0, tap.REQUEST, "x"), (0, tap.RESPONSE, "late")]
        assert gone() is None
        taken.batches.clear()


async def test_headers_that_a_tracer_puts_anew_are_asked_whether_to_skip(make: Make) -> None:
    bench = make(node("a"))
    bench.engine.trace(tracer.Tracer(bench.reactor, [propagation.W3C], parents=False, ratio=0))
    taken = tapped(bench, ALL)
    refused = [("traceparent", f"00-{7:032x}-{9:016x}-01"), ("x", "y" * 40)]

    async def predict(*headers: tuple[str, str]) -> None:
        asked = seldon.build("strData", "x")
        await front.submit(bench.engine, bench.program, Walk.PREDICT, Method.PREDICT, asked, headers, "p").future

    for _ in range(50):
        await predict(*refused, ("seldon-skip-logging", "true"))
    assert taken.batches == []
    for _ in range(50):
        await predict(*refused)
    assert len(taken.said()) == 100
