"""Answers of any form, in any pieces: `rest.replies`, and the calls that get them: `rest.calls`."""

import asyncio

import pytest
from support.rest import raw_server

from executor._native import http1 as native
from executor._native import message as messages
from executor.rest import calls, http1
from executor.rest.replies import HEAD_BYTES_MAX, ProtocolError, Reading, TooLargeError
from executor.settings import Address, Scheme
from executor.types import Encoding

CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_pieces(step: int) -> None:
    reading = Reading(100)
    data = b"HTTP/1.1 100 Continue\r\n\r\n" + CHUNKED
    for start in range(0, len(data), step):
        assert not reading.complete
        reading.feed(data[start : start + step])
    assert (reading.complete, reading.keeps, reading.excess) == (True, True, False)
    assert (reading.reply.status, reading.reply.content_type, reading.reply.body) == (200, "a/b", b"ok")


@pytest.mark.parametrize("more", [b"HTTP/1.1 200 OK\r\n\r\n", b"junk", CHUNKED])
def test_what_nobody_asked_for_is_left_out(more: bytes) -> None:
    reading = Reading(100)
    reading.feed(CHUNKED + more)
    assert (reading.complete, reading.excess, reading.reply.body) == (True, True, b"ok")


def test_the_end_of_the_connection_may_end_the_body() -> None:
    reading = Reading(100)
    reading.feed(b"HTTP/1.1 200 OK\r\n\r\nall")
    assert (reading.complete, reading.ends_with_connection, reading.end().body) == (False, True, b"all")


@pytest.mark.parametrize(("before", "behind"), [(b"cdn;dur=1", b"proxy;dur=2"), (b"", b"x"), (b"millracer;dur=9", b"")])
def test_times_that_proxies_add_are_not_the_node_s(before: bytes, behind: bytes) -> None:
    ours = b"millrace;dur=5.000;queue=2.000"
    told = b"".join(b"Server-Timing: %b\r\n" % each for each in (before, ours, behind))
    answer = b"HTTP/1.1 200 OK\r\n%bContent-Length: 2\r\n\r\nok" % told
    reading = Reading(100)
    reading.feed(answer)
    plain = native.read_reply(answer, len(answer), 100)
    assert plain is not None
    assert reading.reply.timing == plain[0].timing == ours.decode()


def test_bounds() -> None:
    with pytest.raises(TooLargeError):
        Reading(1).feed(CHUNKED)
    with pytest.raises(ProtocolError, match="headers are over"):
        Reading(1).feed(b"HTTP/1.1 200 OK\r\nX: " + b"y" * HEAD_BYTES_MAX)


def test_a_large_body_is_sent_from_where_it_lies() -> None:
    small = calls.body_of(messages.Message(b"x" * calls.JOINED_BYTES, Encoding.SELDON_JSON))
    large = calls.body_of(messages.Message(b"x" * (calls.JOINED_BYTES + 1), Encoding.SELDON_JSON))
    assert [type(part) for part in (*small, *large)] == [bytes, memoryview]


async def test_a_large_body_arrives_whole() -> None:
    body = bytes(range(256)) * 40_000

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        got = await reader.readexactly(len(body))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(got) + got)
        writer.close()

    async with raw_server(echo) as port:
        site = calls.Site(Address(Scheme.HTTP, "127.0.0.1", port), 1 << 30, 5.0)
        answered: asyncio.Future[http1.Reply] = asyncio.get_running_loop().create_future()
        message = messages.Message(body, Encoding.SELDON_JSON)
        request = calls.Request("POST", "/", b"", b"", calls.body_of(message))
        calls.Call(site, request, lambda reply, error: answered.set_result(reply))  # type: ignore[arg-type]
        assert (await asyncio.wait_for(answered, 10)).body == body
        await site.close()
