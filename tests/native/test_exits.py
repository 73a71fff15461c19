"""Handlers inline, as Tasks and in threads; test_flow has the ordinary cases."""

import asyncio
import gc
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from support.graphs import Bench, answer, node, text
from support.servers import until

from executor import errors
from executor._native import buffer, exits, program, seldon, transport
from executor._native import message as native
from executor.status import Status
from executor.types import Method, Mode


def offering(mode: Mode, handler: Callable[..., Any]) -> dict[Method, tuple[Mode, Callable[..., Any]]]:
    return {Method.PREDICT: (mode, handler)}


def slow(message: native.Message, context: exits.Context) -> native.Message:
    time.sleep(0.2)
    return answer("slow", message)


def test_sizes_are_checked() -> None:
    async def main() -> None:
        reactor = transport.Reactor()
        with pytest.raises(ValueError, match="at least one thread, not 0"):
            exits.Pool(reactor, 0)
        with pytest.raises(ValueError, match="node 'm': PREDICT is blocking and needs a pool"):
            exits.Component(reactor, "m", offering(Mode.BLOCKING, slow))
        reactor.close()

    asyncio.run(main())


async def test_stop_lets_jobs_that_have_begun_or_wait_finish() -> None:
    bench = Bench(node("m"), replaced={"m": offering(Mode.BLOCKING, slow)})
    requests = [bench.submit(seldon.build("strData", "x")) for _ in range(6)]  # for four threads
    assert bench.pool.size == 4
    assert bench.pool.stop() == 0
    assert bench.pool.stop() == 0
    assert {text(await request.future) for request in requests} == {"slow"}
    assert bench.endpoints["m"].running == 0
    bench.close()


async def test_calls_after_the_pool_has_stopped_are_refused() -> None:
    bench = Bench(node("m"), replaced={"m": offering(Mode.BLOCKING, slow)})
    bench.pool.stop()
    with pytest.raises(errors.NodeError, match="node 'm': the threads have ended"):
        await bench.predict("x")
    assert bench.endpoints["m"].running == 0
    bench.close()


async def test_stop_does_not_wait_for_ever() -> None:
    release = threading.Event()

    def stuck(message: native.Message, context: exits.Context) -> native.Message:
        release.wait(10)
        return message

    bench = Bench(node("m"), replaced={"m": offering(Mode.BLOCKING, stuck)})
    request = bench.submit(seldon.build("strData", "x"))
    await until(lambda: bench.endpoints["m"].running == 1)
    await asyncio.sleep(0.01)
    began = time.monotonic()
    assert bench.pool.stop(0.1) == 1
    assert time.monotonic() - began < 1
    request.cancel()
    release.set()
    assert bench.pool.stop() == 0
    assert bench.endpoints["m"].running == 0
    bench.close()


async def test_component_may_go_while_a_thread_still_runs_it() -> None:
    before = buffer.live_buffers()
    release = threading.Event()
    done = threading.Event()

    def hold(message: native.Message, context: exits.Context) -> native.Message:
        release.wait(10)
        done.set()
        return message

    bench = Bench(node("m"), replaced={"m": offering(Mode.BLOCKING, hold)})
    request = bench.submit(seldon.build("strData", "x"))
    await until(lambda: bench.endpoints["m"].running == 1)
    await asyncio.sleep(0.01)
    request.cancel()
    bench.endpoints.clear()
    bench.program = program.Program(bench.plan.nodes, [exits.Component(bench.reactor, "m", {})])
    gc.collect()
    release.set()
    assert done.wait(5)
    await until(lambda: buffer.live_buffers() <= before)
    bench.close()


async def test_job_whose_caller_left_before_a_thread_was_free_is_not_run() -> None:
    ran: list[str] = []

    def note(message: native.Message, context: exits.Context) -> native.Message:
        ran.append(text(message))
        time.sleep(0.1)
        return message

    bench = Bench(node("m"), replaced={"m": offering(Mode.BLOCKING, note)})
    requests = [bench.submit(seldon.build("strData", str(index))) for index in range(6)]
    await until(lambda: len(ran) == 4)
    for request in requests[4:]:
        request.cancel()
    for request in requests[:4]:
        await request.future
    await until(lambda: bench.endpoints["m"].running == 0)
    assert sorted(ran) == ["0", "1", "2", "3"]
    bench.close()


async def test_task_that_cancels_itself() -> None:
    async def leave(message: native.Message, context: exits.Context) -> native.Message:
        raise asyncio.CancelledError

    bench = Bench(node("m"), replaced={"m": offering(Mode.ASYNC, leave)})
    with pytest.raises(errors.CancelledError, match="the handler was cancelled") as caught:
        await bench.predict("x")
    assert (caught.value.status, caught.value.node) == (Status.CANCELLED, "m")
    bench.close()


@pytest.mark.parametrize("mode", [Mode.QUICK, Mode.ASYNC, Mode.BLOCKING])
async def test_exception_whose_text_cannot_be_had(mode: Mode) -> None:
    class Odd(Exception):
        def __str__(self) -> str:
            raise ValueError("no text")

    def fail(message: native.Message, context: exits.Context) -> native.Message:
        raise Odd

    async def async_fail(message: native.Message, context: exits.Context) -> native.Message:
        raise Odd

    bench = Bench(node("m"), replaced={"m": offering(mode, async_fail if mode is Mode.ASYNC else fail)})
    with pytest.raises(Odd):
        await bench.predict("x")
    assert bench.endpoints["m"].running == 0
    bench.close()


async def test_async_mode_with_a_function_that_is_none() -> None:
    def not_async(message: native.Message, context: exits.Context) -> native.Message:
        return message

    bench = Bench(node("m"), replaced={"m": offering(Mode.ASYNC, not_async)})
    with pytest.raises(TypeError, match="coroutine"):
        await bench.predict("x")
    assert bench.endpoints["m"].running == 0
    bench.close()


async def test_handler_may_start_requests_of_its_own() -> None:
    inner = Bench(node("n"))

    def nested(message: native.Message, context: exits.Context) -> native.Message:
        inner.submit(message).cancel()
        inner.submit(message)
        return answer("outer", message)

    bench = Bench(node("m"), replaced={"m": offering(Mode.QUICK, nested)})
    assert await bench.predict("x") == "outer"
    await until(lambda: inner.engine.in_flight == 0)
    bench.close()
    inner.close()


async def test_context_without_deadline_or_headers() -> None:
    seen: list[Any] = []

    def look(message: native.Message, context: exits.Context) -> native.Message:
        seen.extend([context.deadline, context.remaining(), context.puid, context.node, context.method])
        return message

    bench = Bench(node("m"), replaced={"m": offering(Mode.QUICK, look)})
    await bench.run(seldon.build("strData", "x"))
    assert seen == [None, None, "puid-1", "m", Method.PREDICT]
    bench.close()


async def test_a_job_that_no_thread_has_taken_gives_its_slot_back_when_its_caller_leaves() -> None:
    release = threading.Event()
    ran: list[str] = []

    def hold(message: native.Message, context: exits.Context) -> native.Message:
        ran.append(text(message))
        release.wait(10)
        return message

    bench = Bench(node("m"), replaced={"m": offering(Mode.BLOCKING, hold)})
    requests = [bench.submit(seldon.build("strData", str(index))) for index in range(8)]
    await until(lambda: len(ran) == 4)
    await asyncio.sleep(0.01)
    assert bench.endpoints["m"].running == 8
    for index, left in ((5, 7), (4, 6), (7, 5)):  # from the middle, the front and the end of the queue
        requests[index].cancel()
        assert bench.endpoints["m"].running == left
    last = bench.submit(seldon.build("strData", "8"))
    release.set()
    for request in (*requests[:4], requests[6], last):
        await request.future
    await until(lambda: bench.endpoints["m"].running == 0)
    assert sorted(ran) == ["0", "1", "2", "3", "6", "8"]
    bench.close()


# --- callback handlers


class Caller:
    """A callback handler that keeps its calls, for the test to answer."""

    def __init__(self) -> None:
        self.pending: list[Any] = []
        self.cancelled = 0

    def __call__(self, message: native.Message, context: exits.Context, pending: exits.Pending) -> "Caller":
        self.pending.append(pending)
        return self

    def cancel(self) -> None:
        self.cancelled += 1


async def test_callback_handlers_answer_later_and_once() -> None:
    caller = Caller()
    bench = Bench(node("m"), replaced={"m": offering(Mode.CALLBACK, caller)})
    request = bench.submit(seldon.build("strData", "x"))
    assert bench.endpoints["m"].running == 1
    pending = caller.pending.pop()
    pending.answer(seldon.build("strData", "later"))
    pending.answer(seldon.build("strData", "again"))
    pending.fail(ValueError("too late"))
    assert text(await request.future) == "later"
    assert (bench.endpoints["m"].running, caller.cancelled) == (0, 0)
    bench.close()


async def test_callback_handlers_may_answer_at_once_or_fail() -> None:
    def at_once(message: native.Message, context: exits.Context, pending: exits.Pending) -> None:
        pending.answer(message)

    def fails(message: native.Message, context: exits.Context, pending: exits.Pending) -> None:
        pending.fail(errors.NodeError(f"{context.node} is out", node="m"))

    def raises(message: native.Message, context: exits.Context, pending: exits.Pending) -> None:
        raise errors.NodeError("m is out", node="m")

    bench = Bench(node("m"), replaced={"m": offering(Mode.CALLBACK, at_once)})
    assert await bench.predict("x") == "x"
    bench.close()
    for handler in (fails, raises):
        bench = Bench(node("m"), replaced={"m": offering(Mode.CALLBACK, handler)})
        with pytest.raises(errors.NodeError, match="m is out"):
            await bench.predict("x")
        assert bench.endpoints["m"].running == 0
        bench.close()


async def test_cancelled_callback_calls_are_over_at_once() -> None:
    before = buffer.live_buffers()
    caller = Caller()
    bench = Bench(node("m"), replaced={"m": offering(Mode.CALLBACK, caller)})
    bench.submit(seldon.build("strData", "x")).cancel()
    assert (bench.endpoints["m"].running, caller.cancelled) == (0, 1)
    caller.pending.pop().answer(seldon.build("strData", "nobody waits"))
    late = bench.submit(seldon.build("strData", "x"), deadline=time.monotonic() + 0.02)
    with pytest.raises(errors.DeadlineError):
        await late.future
    assert (bench.endpoints["m"].running, caller.cancelled) == (0, 2)
    caller.pending.clear()
    bench.close()
    del late
    gc.collect()
    await until(lambda: buffer.live_buffers() <= before)


async def test_callback_calls_cancelled_while_their_handler_runs_are_cancelled_after_it() -> None:
    requests: list[Any] = []

    class Leaving(Caller):
        def __call__(self, message: native.Message, context: exits.Context, pending: exits.Pending) -> "Caller":
            requests[0].cancel()
            return super().__call__(message, context, pending)

    async def first(message: native.Message, context: exits.Context) -> native.Message:
        await asyncio.sleep(0)
        return message

    leaving = Leaving()
    replaced = {"t": {Method.TRANSFORM_INPUT: (Mode.ASYNC, first)}, "m": offering(Mode.CALLBACK, leaving)}
    bench = Bench(node("t", "transformer", node("m")), replaced=replaced)
    requests.append(bench.submit(seldon.build("strData", "x")))
    await until(lambda: leaving.cancelled == 1)
    leaving.pending.pop().answer(seldon.build("strData", "nobody waits"))
    assert (bench.endpoints["m"].running, bench.engine.in_flight, leaving.cancelled) == (0, 0, 1)
    assert not requests[0].future.done()
    bench.close()


async def test_what_is_answered_in_the_middle_of_a_cancel_moves_on_after_it() -> None:
    seen: list[bool] = []

    class Ending(Caller):
        """Answers another call while its own is being cancelled, and cancels its own once more."""

        def cancel(self) -> None:
            super().cancel()
            requests[0].cancel()
            self.pending[1].answer(seldon.build("strData", "other"))
            seen.append(requests[1].future.done())

    ending = Ending()
    bench = Bench(node("m"), replaced={"m": offering(Mode.CALLBACK, ending)})
    requests = [bench.submit(seldon.build("strData", "x")) for _ in range(2)]
    requests[0].cancel()
    assert (seen, ending.cancelled, bench.engine.in_flight) == ([False], 1, 0)
    assert text(await requests[1].future) == "other"
    bench.close()


class Untold(BaseException):
    """Says nothing of itself."""

    def __str__(self) -> str:
        raise KeyboardInterrupt


class Ended(StopIteration):
    """What a future refuses."""


class Misfit(errors.Error):
    """Derived from ours, and not made as ours are."""

    def __init__(self) -> None:
        self.status = "odd"  # type: ignore[assignment]


class Detailed(errors.Error):
    """Its details are no bytes."""

    def __init__(self) -> None:
        super().__init__("so it is", status=Status.ABORTED)
        self.details = "text"  # type: ignore[assignment]


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("kind", [Untold, Ended, Misfit, Detailed])
async def test_errors_that_cannot_be_told_of_end_the_call(mode: Mode, kind: type[BaseException]) -> None:
    def fail(message: native.Message, context: exits.Context, *pending: exits.Pending) -> native.Message:
        raise kind

    async def fail_later(message: native.Message, context: exits.Context) -> native.Message:
        raise kind

    handler = fail_later if mode is Mode.ASYNC else fail
    bench = Bench(node("m"), replaced={"m": dict.fromkeys(Method, (mode, handler))})
    with pytest.raises((kind, errors.ComponentError, RuntimeError)) as caught:
        await bench.run(seldon.build("strData", "x"))
    assert not isinstance(caught.value, Ended)
    assert bench.endpoints["m"].running == 0
    bench.close()
