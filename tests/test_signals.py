"""Signals as events, and work that is given up for them."""

import asyncio
import signal

import pytest

from executor import errors, signals


async def test_work_is_given_up_when_the_event_comes_first() -> None:
    event = asyncio.Event()
    ended: list[str] = []

    async def work(answer: int | None) -> int:
        try:
            await asyncio.sleep(60 if answer is None else 0)
        finally:
            ended.append("ended")
        if answer == 0:
            raise errors.RequestError("no")
        return answer or 0

    assert await signals.unless(event, work(7)) == 7
    with pytest.raises(errors.RequestError, match="no"):
        await signals.unless(event, work(0))
    asyncio.get_running_loop().call_soon(event.set)
    assert await signals.unless(event, work(None)) is None
    assert ended == ["ended"] * 3


async def test_signals_are_taken_in_turn_and_given_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    try:
        with signals.Signals() as came:
            signal.raise_signal(signal.SIGTERM)
            await asyncio.wait_for(came.first.wait(), 10)
            assert not came.second.is_set()
            signal.raise_signal(signal.SIGINT)
            await asyncio.wait_for(came.second.wait(), 10)
        assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGTERM, before)
