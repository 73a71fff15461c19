"""Work in a thread that nobody waits for at the end, and questions that are asked once however many wait."""

import asyncio
import threading

import pytest

from executor import errors
from executor.aside import Questions, awaited, in_thread


async def test_work_in_a_thread_answers_or_raises() -> None:
    assert await in_thread(lambda: threading.current_thread().daemon) is True
    assert await in_thread(lambda: threading.current_thread().name, "by name") == "by name"
    with pytest.raises(ZeroDivisionError):
        await in_thread(lambda: 1 // 0)
    with pytest.raises(RuntimeError, match="StopIteration: nothing left"):
        await in_thread(_stop)


def _stop() -> None:
    raise StopIteration("nothing left")


async def test_nobody_hears_of_work_that_was_given_up() -> None:
    begun, release, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        release.wait(10)
        ended.set()

    waiting = asyncio.create_task(in_thread(work))
    assert await in_thread(lambda: begun.wait(10))
    waiting.cancel()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await in_thread(lambda: ended.wait(10))


async def test_a_callback_can_be_awaited() -> None:
    future: asyncio.Future[str]
    future, done = awaited()
    done("first", None)
    done("second", None)
    assert await future == "first"
    for error, kind in ((OSError("gone"), OSError), (None, errors.Error)):
        future, done = awaited()
        done(None, error)
        with pytest.raises(kind):
            await future


async def test_whoever_asks_the_same_meanwhile_shares_the_answer() -> None:
    asked: list[str] = []
    release = asyncio.Event()

    async def ask() -> int:
        asked.append("it")
        await release.wait()
        return len(asked)

    questions = Questions()
    first = asyncio.create_task(_of(questions, ask))
    await asyncio.sleep(0)
    others = [asyncio.create_task(_of(questions, ask)) for _ in range(3)]
    await asyncio.sleep(0)
    first.cancel()  # which takes nothing from the others
    release.set()
    assert await asyncio.gather(*others) == [1, 1, 1]
    assert await questions.once("it", ask) == 2


async def _of(questions: Questions, ask: object) -> object:
    return await questions.once("it", ask)  # type: ignore[arg-type]


async def test_what_hangs_is_asked_anew_after_a_while() -> None:
    asked: list[str] = []
    release = asyncio.Event()

    async def ask() -> int:
        asked.append("it")
        mine = len(asked)
        if mine == 1:
            await release.wait()
        return mine

    questions = Questions(patience_s=0.0)
    first = asyncio.create_task(_of(questions, ask))
    await asyncio.sleep(0)
    assert await questions.once("it", ask) == 2
    release.set()
    assert await first == 1


async def test_names_are_apart_and_errors_reach_whoever_asked() -> None:
    questions = Questions()

    async def wrong() -> None:
        raise ValueError("wrong")

    async def right() -> str:
        return "right"

    found = await asyncio.gather(questions.once("a", wrong), questions.once("b", right), return_exceptions=True)
    assert [str(each) for each in found] == ["wrong", "right"]


async def test_closing_gives_up() -> None:
    questions = Questions()

    async def never() -> None:
        await asyncio.sleep(60)

    waiting = asyncio.create_task(_of(questions, never))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await questions.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
