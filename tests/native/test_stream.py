from collections.abc import Iterator

import pytest
from support.frames import CANCEL, NO_ERROR, OK, REQUEST, RESPONSE, Peer, join, message, opened_pair, opened_server

from executor._native import buffer, probe_http2


@pytest.fixture(autouse=True)
def _no_leaks() -> Iterator[None]:
    before = buffer.live_buffers()
    yield
    assert buffer.live_buffers() == before


def serve(client: probe_http2.Session, server: probe_http2.Session, streams: list[int]) -> None:
    """Answers these calls with their number."""
    for stream in streams:
        server.headers(stream, RESPONSE)
        server.send(stream, b"%d" % stream)
        server.end(stream, OK)
    seen, _ = join(client, server)
    assert {event[1:3] for event in seen if event[0] == "message"} == {(stream, b"%d" % stream) for stream in streams}


def test_streams_are_reused_without_a_trace() -> None:
    client, server = opened_pair(max_streams=200)
    # More at once than a session keeps for later, then one after the other with headers of all sizes.
    streams = [client.request([*REQUEST, (b"x", b"%d" % number)], b"q") for number in range(200)]
    assert server.open_streams == 0
    _, seen = join(client, server)
    assert server.open_streams == client.open_streams == 200
    shown = {event[1]: event[2][-1][1] for event in seen if event[0] == "headers"}
    assert shown == {stream: b"%d" % number for number, stream in enumerate(streams)}
    serve(client, server, streams)
    for number in range(100):
        extra = [(b"x-%d" % number, b"v" * (number * 100))]
        stream = client.request([*REQUEST, *extra], b"q")
        assert join(client, server)[1][0] == ("headers", stream, [*REQUEST, *extra], False)
        serve(client, server, [stream])
    assert server.open_streams == client.open_streams == 0


def test_closing_a_session_closes_its_streams() -> None:
    client, server = opened_pair()
    streams = {client.request(REQUEST, b"x" * 100_000, more=True) for _ in range(3)}
    server.feed(client.take_output())
    assert {event[1:] for event in server.close()} >= {(stream, CANCEL) for stream in streams}
    assert sorted(event[1:] for event in client.close() if event[0] == "close") == [
        (stream, CANCEL) for stream in sorted(streams)
    ]
    with pytest.raises(RuntimeError, match="the session is closed"):
        client.feed(b"")
    assert client.close() == []


def test_a_session_dropped_in_the_middle_leaves_nothing_behind() -> None:
    peer = Peer()
    server = opened_server(peer)
    server.feed(peer.headers(1, REQUEST) + peer.data(1, message(b"part", size=1000)))
    server.headers(1, RESPONSE)
    server.send(1, bytes(200_000))
    server.feed(peer.headers(3, REQUEST, parts=[4])[:-7])
    assert server.pump() > 65_535


def test_bytes_by_reference_outlive_their_stream() -> None:
    peer = Peer()
    server = opened_server(peer)
    server.feed(peer.call(1, message(b"x")))
    payload = bytes(range(256)) * 200
    server.headers(1, RESPONSE)
    server.send(1, bytes(payload))
    server.end(1, OK)
    server.pump()
    assert server.take_events() == [("close", 1, NO_ERROR)]
    assert server.open_streams == 0
    answer = b"".join(one.data for one in peer.read(server.take_output()) if type(one).__name__ == "DataFrame")  # type: ignore[attr-defined]
    assert answer == message(payload)


def test_a_stream_reset_with_much_to_send_lets_go_of_it() -> None:
    peer = Peer()
    server = opened_server(peer)
    server.feed(peer.call(1, message(b"x")))
    before = buffer.live_buffers()
    server.headers(1, RESPONSE)
    for _ in range(10):
        server.send(1, bytes(100_000))
    server.take_output()
    assert server.queued(1) > 900_000
    assert server.feed(peer.reset(1)) == [("close", 1, CANCEL)]
    assert buffer.live_buffers() == before
