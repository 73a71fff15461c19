import pytest
from fuzz import http2 as fuzzer
from support.frames import OK, REQUEST, RESPONSE, join, opened_pair

from executor._native import message, probe_http2


def test_session_takes_and_gives_plain_bytes() -> None:
    client, server = opened_pair()
    for data in (b"bytes", bytearray(b"bytes"), memoryview(b"bytes"), message.Message(b"bytes")):
        stream = client.request(REQUEST, data)
        assert join(client, server)[1][1] == ("message", stream, b"bytes", False)
    assert client.feed(b"") == []
    assert client.open_streams == server.open_streams == 4


def test_unknown_streams_are_key_errors() -> None:
    client, server = opened_pair()
    for call in (
        lambda: server.headers(1, RESPONSE),
        lambda: server.send(1, b""),
        lambda: server.end(1, OK),
        lambda: server.reset(1),
        lambda: server.queued(1),
    ):
        with pytest.raises(KeyError):
            call()
    assert client.open_streams == 0


@pytest.mark.parametrize("fields", [[("text", "text")], [b"pair"], [(b"one",)]])
def test_fields_are_pairs_of_bytes(fields: list[object]) -> None:
    with pytest.raises((TypeError, ValueError)):
        probe_http2.Fields(fields)  # type: ignore[arg-type]


def test_a_failed_session_refuses_calls_with_its_reason() -> None:
    server = probe_http2.Session(True)
    server.feed(b"no preface of any kind at all")
    for call in (server.ping, server.goaway, lambda: server.terminate(2)):
        with pytest.raises(RuntimeError, match="does not speak HTTP/2"):
            call()
    assert server.done or server.pump() == 0


@pytest.mark.parametrize("seed", range(3))
def test_any_bytes_are_taken_or_fail_the_session_with_a_reason(seed: int) -> None:
    count, alive = fuzzer.run(seed, 150)
    assert count == 150
    assert 0 < alive < count
