"""Reading bodies: bounds while they come in, content codings and types."""

import asyncio
import gzip
from typing import Any

import pytest

from executor import errors
from executor._native import budget
from executor.rest import body
from executor.rest.headers import Head


def receive(*events: dict[str, Any]) -> body.Receive:
    left = list(events)

    async def next_event() -> dict[str, Any]:
        return left.pop(0)

    return next_event


def part(data: bytes, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": data, "more_body": more}


GONE = {"type": "http.disconnect"}


def test_reads_parts_up_to_the_bound() -> None:
    whole = asyncio.run(body.read(receive(part(b"ab"), part(b""), part(b"cd", False)), Head([]), 4))
    assert whole == b"abcd"


def test_stops_reading_over_the_bound() -> None:
    events = receive(part(b"abc"), part(b"de"), part(b"never read"))
    with pytest.raises(errors.LimitError, match="request body is larger than the 4 bytes allowed") as caught:
        asyncio.run(body.read(events, Head([]), 4))
    assert caught.value.http_status == 413
    assert asyncio.run(events())["body"] == b"never read"  # type: ignore[arg-type]


def test_a_declared_length_is_refused_unread() -> None:
    with pytest.raises(errors.LimitError, match="request body of 5 bytes"):
        asyncio.run(body.read(receive(), Head([(b"content-length", b"5")]), 4))


@pytest.mark.parametrize("told", [True, False], ids=["length told", "in chunks"])
def test_body_is_charged_to_the_memory_for_messages(told: bool) -> None:
    memory = budget.Budget(1000, 500)
    head = Head([(b"content-length", b"300")] if told else [])
    with memory.hold() as held:
        asyncio.run(body.read(receive(part(b"x" * 200), part(b"x" * 100, False)), head, 1000, held))
        assert memory.used == 300
        with memory.hold() as other, pytest.raises(body.NoMemoryError) as caught:
            asyncio.run(body.read(receive(part(b"x" * 200), part(b"x" * 100, False)), head, 1000, other))
        assert caught.value.http_status == 503
        assert memory.used == 300
    assert memory.used == 0


@pytest.mark.parametrize("events", [(GONE,), (part(b"a"), GONE)])
def test_disconnect_while_reading(events: tuple[dict[str, Any], ...]) -> None:
    with pytest.raises(body.Disconnected):
        asyncio.run(body.read(receive(*events), Head([]), 100))


@pytest.mark.parametrize("events", [[part(b"x" * 8)] * 3, [part(b"x", False)], [part(b"x"), GONE]])
def test_discard_is_bounded(events: list[dict[str, Any]]) -> None:
    asyncio.run(body.discard(receive(*events), 20))


def test_inflate() -> None:
    assert body.inflate(b"x", "identity", 1) == b"x"
    assert body.inflate(gzip.compress(b"x" * 100), "gzip", 100) == b"x" * 100
    with pytest.raises(errors.LimitError):
        body.inflate(gzip.compress(b"x" * 101), "x-gzip", 100)


def test_forms() -> None:
    assert body.form_json(b"a=1&json=%5B1%5D") == b"[1]"
    assert body.form_json(b'json="%C3%A9"') == '"é"'.encode()
    for query in (b"", b"a=1", b"&".join([b"a=1"] * 2000)):
        with pytest.raises(errors.RequestError, match="Can't find JSON in data"):
            body.form_json(query)
