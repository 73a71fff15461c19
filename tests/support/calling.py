"""Owns channels under test: made, asked, refused, gone without a trace; and servers that answer as they are told."""

import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import h2.settings
import pytest
from support.graphs import text
from support.h2peer import Peer, Stream, frame
from support.servers import message, no_more_buffers_than

from executor import errors
from executor._native import buffer, seldon
from executor.rpc.channels import Channel

ANSWER = frame(message("answer").SerializeToString())
MAX_STREAMS = h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS

Answer = Callable[[Peer, Stream], Awaitable[None] | None]


@asynccontextmanager
async def calling(target: str, **options: Any) -> AsyncIterator[Channel]:
    """A channel that leaves nothing behind."""
    gc.collect()
    before = buffer.live_buffers()
    made = Channel(target, **options)
    try:
        yield made
    finally:
        await made.close()
    assert made.endpoint.active == made.endpoint.waiting == made.endpoint.connections == 0
    await no_more_buffers_than(before)


async def ask(made: Channel, said: str = "question", **options: Any) -> str:
    return text(await made.call("/s/M", seldon.build("strData", said), **{"timeout_s": 10.0, **options}))


async def refusal(made: Channel, **options: Any) -> errors.Error:
    with pytest.raises(errors.Error) as caught:
        await ask(made, **options)
    caught.value.__context__ = None
    return caught.value.with_traceback(None)  # frames hold messages


def always(answer: Answer) -> Callable[[Peer], Awaitable[None]]:
    """A server that does with every request what `answer` does."""

    async def serve(peer: Peer) -> None:
        while not peer.closed:
            waiting = answer(peer, await peer.request())
            if waiting is not None:
                await waiting

    return serve
