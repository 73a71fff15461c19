"""The way into the flow from Python."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.graphs import Bench, node, text

from executor import errors
from executor._native import buffer, exits, flow, front, seldon
from executor._native import message as native
from executor.types import Method, Mode, Walk


async def forever(message: native.Message, context: exits.Context) -> native.Message:
    await asyncio.sleep(60)
    return message


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    before = buffer.live_buffers()
    made = Bench(node("m"), replaced={"m": {Method.PREDICT: (Mode.ASYNC, forever)}})
    yield made
    made.close()
    del made
    await asyncio.sleep(0)
    assert buffer.live_buffers() <= before


def submit(bench: Bench, headers: Any = (), puid: str = "p", **options: Any) -> front.Request:
    message = seldon.build("strData", "x")
    return front.submit(bench.engine, bench.program, Walk.PREDICT, Method.PREDICT, message, headers, puid, **options)


async def test_puids_are_random_uuids(bench: Bench) -> None:
    made = [front.new_puid(bench.engine) for _ in range(1000)]
    assert len(set(made)) == 1000
    form = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
    assert all(form.fullmatch(each) for each in made)


async def test_cancel_as_often_as_one_likes(bench: Bench) -> None:
    request = submit(bench)
    assert request.puid == "p"
    assert bench.engine.in_flight == 1
    for _ in range(3):
        request.cancel()
        assert bench.engine.in_flight == 0
    assert not request.future.done()


async def test_cancel_after_the_answer(bench: Bench) -> None:
    quick = Bench(node("m"))
    request = quick.submit(seldon.build("strData", "x"))
    assert text(await request.future) == "m.predict(x)"
    request.cancel()
    quick.close()


async def test_future_that_was_cancelled_gets_nothing(bench: Bench) -> None:
    request = submit(bench, deadline=asyncio.get_running_loop().time() + 0.02)
    request.future.cancel()
    await asyncio.sleep(0.05)
    assert bench.engine.in_flight == 0


async def test_deadline_that_is_over_on_arrival(bench: Bench) -> None:
    request = submit(bench, deadline=1.0)
    with pytest.raises(errors.DeadlineError):
        await asyncio.wait_for(request.future, 5)


async def test_bound_of_requests_in_flight(bench: Bench) -> None:
    bench.engine = flow.Engine(bench.reactor, 2)
    requests = [submit(bench) for _ in range(2)]
    with pytest.raises(errors.LimitError, match="2 requests are in flight, which is the limit"):
        submit(bench)
    for request in requests:
        request.cancel()
    submit(bench).cancel()


@pytest.mark.parametrize(
    ("headers", "puid", "kind", "said"),
    [
        ((), "€", errors.RequestError, "Seldon-Puid: '€' cannot be sent in a header"),
        ([("k\n", "v")], "p", errors.RequestError, r"header 'k\\n'"),
        ([("k", "v\0")], "p", errors.RequestError, "not what HTTP/2 can carry"),
        ([("k", "v")] * 113, "p", errors.LimitError, "at most 112"),
    ],
)
async def test_what_cannot_be_submitted(
    bench: Bench, headers: Any, puid: str, kind: type[errors.Error], said: str
) -> None:
    with pytest.raises(kind, match=said):
        submit(bench, headers, puid)
    assert bench.engine.in_flight == 0


async def test_puids_are_in_the_bytes_that_headers_are_in() -> None:
    seen: list[Any] = []

    def look(message: native.Message, context: exits.Context) -> native.Message:
        seen.append((context.puid, dict(context.headers)["seldon-puid"]))
        return message

    quick = Bench(node("m"), replaced={"m": {Method.PREDICT: (Mode.QUICK, look)}})
    puids = ["ü" * size for size in (1, 256, 30_000)]
    for puid in puids:
        await submit(quick, [("seldon-puid", puid)], puid).future
    assert seen == [(puid, puid) for puid in puids]
    quick.close()


async def test_a_function_is_told_instead_of_a_future() -> None:
    quick = Bench(node("m"))
    told: list[Any] = []
    begun = front.submit(
        quick.engine, quick.program, Walk.PREDICT, Method.PREDICT, seldon.build("strData", "x"), (), "p",
        done=lambda answer, error: told.append((answer, error)),
    )  # fmt: skip
    assert begun.future is None
    assert [(text(answer), error) for answer, error in told] == [("m.predict(x)", None)]
    begun.cancel()
    with pytest.raises(errors.RequestError):
        front.submit(
            quick.engine, quick.program, Walk.PREDICT, Method.PREDICT, seldon.build("strData", "x"), (), "€",
            done=lambda answer, error: told.append((answer, error)),
        )  # fmt: skip
    assert len(told) == 1
    quick.close()


async def test_a_function_is_told_errors_and_nothing_after_a_cancel(bench: Bench) -> None:
    told: list[Any] = []

    def started(deadline: float) -> front.Request:
        return front.submit(
            bench.engine, bench.program, Walk.PREDICT, Method.PREDICT, seldon.build("strData", "x"), (), "p", deadline,
            done=lambda answer, error: told.append((answer, error)),
        )  # fmt: skip

    started(0).cancel()
    started(asyncio.get_running_loop().time() + 0.02)
    async with asyncio.timeout(5):
        while not told:
            await asyncio.sleep(0.01)
    ((answer, error),) = told
    assert answer is None
    assert isinstance(error, errors.DeadlineError)


async def test_a_function_that_fails_is_reported() -> None:
    quick = Bench(node("m"))
    reported: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, told: reported.append(told))

    def broken(answer: Any, error: Any) -> None:
        raise ZeroDivisionError("in the front")

    front.submit(
        quick.engine, quick.program, Walk.PREDICT, Method.PREDICT, seldon.build("strData", "x"), (), "p", done=broken
    )
    assert isinstance(reported[0]["exception"], ZeroDivisionError)
    assert quick.engine.in_flight == 0
    quick.close()
