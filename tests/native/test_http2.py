import itertools
from collections.abc import Iterator

import pytest
from hyperframe import frame as frames
from support.frames import (
    CANCEL,
    NO_ERROR,
    OK,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    REQUEST,
    RESPONSE,
    Peer,
    join,
    kinds,
    message,
    opened_client,
    opened_pair,
    opened_server,
)

from executor._native import buffer, probe_http2

ENHANCE_YOUR_CALM = 11


@pytest.fixture(autouse=True)
def _no_leaks() -> Iterator[None]:
    before = buffer.live_buffers()
    yield
    assert buffer.live_buffers() == before


def test_unary_call_is_reported_in_order_on_both_sides() -> None:
    client, server = opened_pair()
    stream = client.request(REQUEST, b"question")
    _, seen = join(client, server)
    assert seen == [
        ("headers", stream, REQUEST, False),
        ("message", stream, b"question", False),
        ("end", stream, []),
    ]
    server.headers(stream, RESPONSE)
    server.send(stream, b"answer")
    server.end(stream, OK)
    assert join(client, server) == (
        [
            ("headers", stream, RESPONSE, False),
            ("message", stream, b"answer", False),
            ("end", stream, OK),
            ("close", stream, NO_ERROR),
        ],
        [("close", stream, NO_ERROR)],
    )


def test_trailers_only_answer_is_one_header_block() -> None:
    peer = Peer()
    server = opened_server(peer)
    server.feed(peer.call(1, message(b"x")))
    server.end(1, [*RESPONSE, (b"grpc-status", b"12")])
    found = peer.read(server.take_output())
    assert kinds(found) == ["Headers END_STREAM"]
    assert peer.fields(found[0]) == [*RESPONSE, (b"grpc-status", b"12")]
    client, server = opened_pair()
    stream = client.request(REQUEST, b"x")
    join(client, server)
    server.end(stream, [*RESPONSE, (b"grpc-status", b"12")])
    seen, _ = join(client, server)
    assert seen[:2] == [("headers", stream, [*RESPONSE, (b"grpc-status", b"12")], True), ("end", stream, [])]


def test_streaming_both_ways_keeps_order_and_ends_when_both_ended() -> None:
    client, server = opened_pair()
    stream = client.request(REQUEST, b"first", more=True)
    _, seen = join(client, server)
    assert [event[0] for event in seen] == ["headers", "message"]
    server.headers(stream, RESPONSE)
    for round_ in range(5):
        server.send(stream, b"down %d" % round_)
        client.send(stream, b"up %d" % round_)
        client.send(stream, b"")
        assert [event[2] for event in join(client, server)[1]] == [b"up %d" % round_, b""]
    client.end(stream)
    assert join(client, server)[1] == [("end", stream, [])]
    server.send(stream, b"last")
    server.end(stream, OK)
    assert join(client, server)[0] == [
        ("message", stream, b"last", False),
        ("end", stream, OK),
        ("close", stream, NO_ERROR),
    ]


def test_request_without_a_message_ends_in_its_headers() -> None:
    client, server = opened_pair()
    stream = client.request(REQUEST)
    assert join(client, server)[1] == [("headers", stream, REQUEST, True), ("end", stream, [])]
    client.close()


def test_small_call_leaves_in_few_frames() -> None:
    peer = Peer()
    server = opened_server(peer)
    server.feed(peer.call(1, message(b"x")))
    server.headers(1, RESPONSE)
    server.send(1, b"y")
    server.end(1, OK)
    found = peer.read(server.take_output())
    assert kinds(found) == ["Headers", "Data", "Headers END_STREAM"]
    assert found[1].data == message(b"y")  # type: ignore[attr-defined]


def test_server_that_answers_early_stops_the_client() -> None:
    peer = Peer()
    server = opened_server(peer)
    server.feed(peer.headers(1, REQUEST))
    server.end(1, [*RESPONSE, (b"grpc-status", b"12")])
    found = peer.read(server.take_output())
    assert kinds(found) == ["Headers END_STREAM", "RstStream"]
    assert found[1].error_code == NO_ERROR  # type: ignore[attr-defined]
    assert ("close", 1, NO_ERROR) in server.take_events()


def test_client_that_got_its_answer_early_stops_sending() -> None:
    peer = Peer()
    client = opened_client(peer)
    stream = client.request(REQUEST, b"x", more=True)
    client.take_output()
    seen = client.feed(peer.headers(stream, [*RESPONSE, *OK], end=True))
    assert [event[0] for event in seen] == ["headers", "end"]
    assert kinds(peer.read(client.take_output())) == ["RstStream"]
    assert client.take_events() == [("close", stream, NO_ERROR)]


@pytest.mark.parametrize("side", ["client", "server"])
def test_reset_by_either_side_closes_both_with_its_code(side: str) -> None:
    client, server = opened_pair()
    stream = client.request(REQUEST, b"x", more=True)
    join(client, server)
    (client if side == "client" else server).reset(stream, CANCEL)
    assert join(client, server) == ([("close", stream, CANCEL)], [("close", stream, CANCEL)])


def test_nothing_is_reported_between_a_reset_and_its_close() -> None:
    peer = Peer()
    server = opened_server(peer)
    server.feed(peer.headers(1, REQUEST))
    server.reset(1, CANCEL)
    assert server.feed(peer.data(1, message(b"late"), end=True)) == []
    assert kinds(peer.read(server.take_output())) == ["RstStream"]
    assert server.take_events() == [("close", 1, CANCEL)]


def test_reset_before_the_request_left_sends_nothing() -> None:
    peer = Peer()
    client = opened_client(peer)
    stream = client.request(REQUEST, b"x")
    client.reset(stream, CANCEL)
    assert peer.read(client.take_output()) == []
    assert client.take_events() == [("close", stream, CANCEL)]


def test_calls_that_a_stream_cannot_take_are_refused() -> None:
    client, server = opened_pair()
    stream = client.request(REQUEST, b"x")
    with pytest.raises(RuntimeError, match="message refused on stream 1"):
        client.send(stream, b"after the end")
    join(client, server)
    server.headers(stream, RESPONSE)
    with pytest.raises(RuntimeError, match="headers refused"):
        server.headers(stream, RESPONSE)
    server.end(stream, OK)
    with pytest.raises(RuntimeError, match="end refused"):
        server.end(stream, OK)
    join(client, server)
    with pytest.raises(KeyError):
        server.send(stream, b"gone")


def test_room_is_what_the_peer_allows_less_what_is_open() -> None:
    peer = Peer()
    client = probe_http2.Session(False)
    assert client.room == 100
    client.take_output()
    assert ("settings",) in client.feed(peer.settings({frames.SettingsFrame.MAX_CONCURRENT_STREAMS: 2}))
    first = client.request(REQUEST, b"x")
    assert client.room == 1
    client.request(REQUEST, b"x")
    assert client.room == 0
    with pytest.raises(RuntimeError, match="room for 0 streams"):
        client.request(REQUEST, b"x")
    client.take_output()
    client.feed(peer.headers(first, [*RESPONSE, *OK], end=True))
    assert client.room == 1
    client.close()


def test_server_has_no_room_and_opens_nothing() -> None:
    server = opened_server(Peer())
    assert server.room == 0
    with pytest.raises(RuntimeError, match="request refused"):
        server.request(REQUEST, b"x")


def test_streams_above_the_limit_are_refused() -> None:
    peer = Peer()
    server = probe_http2.Session(True, max_streams=2)
    server.feed(peer.preface() + b"".join(peer.headers(stream, REQUEST) for stream in (1, 3, 5)))
    resets = [one for one in peer.read(server.take_output()) if isinstance(one, frames.RstStreamFrame)]
    assert [(one.stream_id, one.error_code) for one in resets] == [(5, REFUSED_STREAM)]
    assert server.open_streams == 2
    # Once it has acknowledged our limit, a client that passes it breaks the protocol.
    server.feed(peer.settings(ack=True) + peer.headers(7, REQUEST))
    server.take_output()
    assert server.failed
    assert "max concurrent streams" in server.error
    server.close()


def test_graceful_end_lets_running_calls_finish() -> None:
    client, server = opened_pair()
    stream = client.request(REQUEST, b"x")
    join(client, server)
    server.goaway(last=False)
    assert join(client, server)[0] == [("goaway", 2**31 - 1, NO_ERROR)]
    assert client.room == 0
    server.goaway(last=True)
    assert join(client, server)[0] == [("goaway", stream, NO_ERROR)]
    assert not client.done
    assert not server.done
    server.end(stream, [*RESPONSE, *OK])
    join(client, server)
    assert client.done
    assert server.done


def test_goaway_refuses_the_streams_above_it() -> None:
    peer = Peer()
    client = opened_client(peer)
    streams = [client.request(REQUEST, b"x") for _ in range(3)]
    client.take_output()
    unsent = client.request(REQUEST, b"x")
    seen = client.feed(peer.goaway(streams[0]))
    assert seen[0] == ("goaway", streams[0], NO_ERROR)
    client.take_output()
    closed = {event[1:] for event in seen + client.take_events() if event[0] == "close"}
    assert closed == {(stream, REFUSED_STREAM) for stream in [*streams[1:], unsent]}
    assert client.open_streams == 1
    client.close()


def test_ping_goes_both_ways() -> None:
    peer = Peer()
    client = opened_client(peer)
    client.ping()
    assert kinds(peer.read(client.take_output())) == ["Ping"]
    assert client.feed(peer.ping(bytes(8), ack=True)) == [("pong",)]
    client.feed(peer.ping())
    assert kinds(peer.read(client.take_output())) == ["Ping ACK"]


def test_what_a_server_announces() -> None:
    peer = Peer()
    server = probe_http2.Session(
        True, max_streams=7, max_header_bytes=4096, stream_window=100_000, connection_window=200_000
    )
    settings, window = peer.read(server.take_output())
    assert settings.settings == {3: 7, 4: 100_000, 5: 256 * 1024, 6: 4096, 9: 1}  # type: ignore[attr-defined]
    assert (window.stream_id, window.window_increment) == (0, 200_000 - 65_535)  # type: ignore[attr-defined]


def test_a_client_wants_no_pushes() -> None:
    peer = Peer()
    settings = peer.read(probe_http2.Session(False).take_output())[0]
    assert settings.settings[frames.SettingsFrame.ENABLE_PUSH] == 0  # type: ignore[attr-defined]


def test_terminate_sends_its_code_and_fails_the_session() -> None:
    peer = Peer()
    server = opened_server(peer)
    server.feed(peer.headers(1, REQUEST))
    server.terminate(ENHANCE_YOUR_CALM)
    goaway = peer.read(server.take_output())[-1]
    assert (goaway.last_stream_id, goaway.error_code) == (1, ENHANCE_YOUR_CALM)  # type: ignore[attr-defined]
    assert server.failed
    assert server.done
    assert server.close() == [("close", 1, CANCEL)]


@pytest.mark.parametrize(
    "opening",
    [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\rX", b"\x16\x03\x01" * 10],
)
def test_what_is_not_http2_fails_at_once(opening: bytes) -> None:
    server = probe_http2.Session(True)
    assert server.feed(opening) == []
    assert server.failed
    assert server.error == "the peer does not speak HTTP/2: no connection preface"
    assert not server.wants_write


def test_a_server_that_speaks_http1_fails_the_client() -> None:
    client = probe_http2.Session(False)
    client.take_output()
    client.feed(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 3)
    client.take_output()
    assert client.failed
    assert client.error


def test_a_protocol_error_is_answered_with_goaway() -> None:
    peer = Peer()
    server = opened_server(peer)
    server.feed(peer.data(1, b"on an idle stream"))
    goaway = peer.read(server.take_output())[-1]
    assert goaway.error_code == PROTOCOL_ERROR  # type: ignore[attr-defined]
    assert server.failed
    assert server.error.startswith("connection ended with PROTOCOL_ERROR")
    assert server.feed(peer.ping()) == []


def test_rapid_reset_ends_the_connection() -> None:
    peer = Peer()
    server = opened_server(peer)
    calls = 0
    for stream in itertools.islice(itertools.count(1, 2), 4000):
        server.feed(peer.headers(stream, REQUEST) + peer.reset(stream))
        server.take_output()
        calls += 1
        if server.failed:
            break
    assert 1000 <= calls < 4000
    assert "ENHANCE_YOUR_CALM" in server.error or "INTERNAL_ERROR" in server.error


@pytest.mark.parametrize("frame", ["ping", "settings", "reset"])
def test_a_peer_that_makes_us_queue_and_does_not_read_is_cut_off(frame: str) -> None:
    peer = Peer()
    server = probe_http2.Session(True, max_streams=1)
    # Our settings are not acknowledged, so each stream above the limit is refused by a frame of its own.
    server.feed(peer.preface() + peer.headers(1, REQUEST))
    fed = 0
    for stream in itertools.islice(itertools.count(3, 2), 30_000):
        refused = peer.headers(stream, REQUEST) if frame == "reset" else b""
        server.feed({"ping": peer.ping(), "settings": peer.settings(), "reset": refused}[frame])
        fed += 1
        if server.failed:
            break
    assert 500 < fed < 30_000
    assert server.error
    assert server.close()[-1] == ("close", 1, CANCEL)
