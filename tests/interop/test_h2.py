from collections.abc import Iterator
from typing import Any

import pytest
from h2 import config, connection, events, settings
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from support.frames import CANCEL, NO_ERROR, OK, REFUSED_STREAM, REQUEST, RESPONSE, Event, Field, message

from executor._native import buffer, probe_http2

SIZES = [0, 1, 4000, 5000, 70_000, 3 << 20]


@pytest.fixture(autouse=True)
def _no_leaks() -> Iterator[None]:
    before = buffer.live_buffers()
    yield
    assert buffer.live_buffers() == before


class Joined:
    """Our session and an h2 connection, joined in memory. h2 checks every byte that we send and raises."""

    def __init__(self, ours_is_server: bool, chunk: int = 1 << 20, **limits: Any) -> None:
        self.ours = probe_http2.Session(ours_is_server, **limits)
        theirs = config.H2Configuration(client_side=ours_is_server, header_encoding=None)
        self.theirs = connection.H2Connection(theirs)
        self.theirs.initiate_connection()
        self.chunk = chunk
        self.waiting: dict[int, tuple[bytes, bool, int | None]] = {}
        self.seen: list[Event] = []
        self.their_seen: list[events.Event] = []
        self.settle()

    def send(self, stream: int, data: bytes, end: bool = False, padding: int | None = None) -> None:
        """Lets h2 send `data`, as fast as the windows allow."""
        self.waiting[stream] = (self.waiting.get(stream, (b"", False, None))[0] + data, end, padding)

    def settle(self) -> list[Event]:
        """Moves bytes until both are quiet; what our side reported since the last call."""
        while True:
            self.send_waiting()
            from_them, from_us = self.theirs.data_to_send(), self.ours.take_output()
            for start in range(0, len(from_them), self.chunk):
                self.seen += self.ours.feed(from_them[start : start + self.chunk])
            self.receive(from_us)
            if not from_them and not from_us:
                self.seen += self.ours.take_events()
                seen, self.seen = self.seen, []
                return seen

    def send_waiting(self) -> None:
        for stream, (data, end, padding) in list(self.waiting.items()):
            cost = 0 if padding is None else padding + 1
            window = self.theirs.local_flow_control_window(stream)
            while True:
                size = min(len(data), window - cost, self.theirs.max_outbound_frame_size - cost)
                if (data and size <= 0) or (not data and not end):
                    break
                last = end and size == len(data)
                self.theirs.send_data(stream, data[:size], end_stream=last, pad_length=padding)
                data = data[size:]
                window = self.theirs.local_flow_control_window(stream) if not last else 0
                if last:
                    break
            if data or (end and not last):
                self.waiting[stream] = (data, end, padding)
            else:
                del self.waiting[stream]

    def receive(self, data: bytes) -> None:
        for start in range(0, len(data), self.chunk):
            for event in self.theirs.receive_data(data[start : start + self.chunk]):
                self.their_seen.append(event)
                if isinstance(event, events.DataReceived) and event.flow_controlled_length:
                    self.theirs.acknowledge_received_data(event.flow_controlled_length, event.stream_id)

    def body(self, stream: int) -> bytes:
        """The DATA that h2 received on a stream."""
        found = [event for event in self.their_seen if isinstance(event, events.DataReceived)]
        return b"".join(bytes(event.data) for event in found if event.stream_id == stream)

    def their(self, kind: type) -> list[Any]:
        """Events of one kind that h2 reported."""
        return [event for event in self.their_seen if type(event) is kind]

    def request(self) -> int:
        """Opens a call from h2."""
        stream = self.theirs.get_next_available_stream_id()
        self.theirs.send_headers(stream, REQUEST)
        return stream


def pairs(headers: list[Any]) -> list[Field]:
    return [(bytes(name), bytes(value)) for name, value in headers]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("window", [65_535, 1 << 24])
def test_h2_calls_our_server(size: int, window: int) -> None:
    joined = Joined(True, stream_window=window, connection_window=window)
    payload = bytes(range(256)) * (size // 256) + bytes(size % 256)
    stream = joined.request()
    joined.send(stream, message(payload), end=True)
    assert joined.settle()[-3:] == [
        ("headers", stream, REQUEST, False),
        ("message", stream, payload, False),
        ("end", stream, []),
    ]
    joined.ours.headers(stream, RESPONSE)
    joined.ours.send(stream, payload)
    joined.ours.end(stream, OK)
    assert joined.settle() == [("close", stream, NO_ERROR)]
    assert pairs(joined.their(events.ResponseReceived)[0].headers) == RESPONSE
    assert joined.body(stream) == message(payload)
    assert pairs(joined.their(events.TrailersReceived)[0].headers) == OK
    assert len(joined.their(events.StreamEnded)) == 1


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("chunk", [100, 1 << 20])
def test_our_client_calls_h2(size: int, chunk: int) -> None:
    joined = Joined(False, chunk if size < 100_000 else 60_000)
    payload = bytes(range(256)) * (size // 256) + bytes(size % 256)
    stream = joined.ours.request(REQUEST, payload)
    joined.settle()
    assert pairs(joined.their(events.RequestReceived)[0].headers) == REQUEST
    assert joined.body(stream) == message(payload)
    joined.theirs.send_headers(stream, RESPONSE)
    joined.send(stream, message(payload))
    seen = joined.settle()
    joined.theirs.send_headers(stream, OK, end_stream=True)
    assert seen + joined.settle() == [
        ("headers", stream, RESPONSE, False),
        ("message", stream, payload, False),
        ("end", stream, OK),
        ("close", stream, NO_ERROR),
    ]


def test_trailers_only_both_ways() -> None:
    both = [*RESPONSE, (b"grpc-status", b"5"), (b"grpc-message", b"not%20here")]
    joined = Joined(True)
    stream = joined.request()
    joined.send(stream, message(b"x"), end=True)
    joined.settle()
    joined.ours.end(stream, both)
    joined.settle()
    assert pairs(joined.their(events.ResponseReceived)[0].headers) == both
    assert len(joined.their(events.StreamEnded)) == 1
    joined = Joined(False)
    stream = joined.ours.request(REQUEST, b"x")
    joined.settle()
    joined.theirs.send_headers(stream, both, end_stream=True)
    assert joined.settle() == [("headers", stream, both, True), ("end", stream, []), ("close", stream, NO_ERROR)]


@hypothesis_settings(max_examples=40)
@given(
    up=st.lists(st.binary(max_size=3000), max_size=6),
    down=st.lists(st.binary(max_size=20_000), max_size=6),
    chunk=st.integers(1, 5000),
    padding=st.none() | st.integers(0, 255),
)
def test_streams_both_ways(up: list[bytes], down: list[bytes], chunk: int, padding: int | None) -> None:
    joined = Joined(True, chunk)
    stream = joined.request()
    seen = joined.settle()
    joined.ours.headers(stream, RESPONSE)
    for one in down:
        joined.ours.send(stream, one)
        seen += joined.settle()
    for one in up:
        joined.send(stream, message(one), padding=padding)
        seen += joined.settle()
    joined.theirs.end_stream(stream)
    seen += joined.settle()
    joined.ours.end(stream, OK)
    joined.settle()
    assert [event[2] for event in seen if event[0] == "message"] == up
    assert seen[-1] == ("end", stream, [])
    assert joined.body(stream) == b"".join(map(message, down))


def test_many_calls_at_once_share_the_connection() -> None:
    joined = Joined(True, stream_window=65_535, connection_window=65_535)
    streams = [joined.request() for _ in range(50)]
    for stream in streams:
        joined.send(stream, message(b"%d" % stream * 10_000), end=True)
    seen = joined.settle()
    assert {event[1]: event[2] for event in seen if event[0] == "message"} == {
        stream: b"%d" % stream * 10_000 for stream in streams
    }
    for stream in reversed(streams):
        joined.ours.headers(stream, RESPONSE)
        joined.ours.send(stream, b"%d" % stream * 9_999)
        joined.ours.end(stream, OK)
    joined.settle()
    assert all(joined.body(stream) == message(b"%d" % stream * 9_999) for stream in streams)
    assert joined.ours.open_streams == 0


@pytest.mark.parametrize("ours_is_server", [True, False])
@pytest.mark.parametrize("ours_resets", [True, False])
def test_resets(ours_is_server: bool, ours_resets: bool) -> None:
    joined = Joined(ours_is_server)
    stream = joined.request() if ours_is_server else joined.ours.request(REQUEST, b"x", more=True)
    joined.settle()
    if ours_resets:
        joined.ours.reset(stream, CANCEL)
        assert joined.settle() == [("close", stream, CANCEL)]
        assert joined.their(events.StreamReset)[0].error_code == CANCEL
    else:
        joined.theirs.reset_stream(stream, CANCEL)
        assert joined.settle() == [("close", stream, CANCEL)]


def test_goaway_both_ways() -> None:
    joined = Joined(False)
    joined.ours.request(REQUEST, b"x")
    joined.settle()
    joined.theirs.close_connection(last_stream_id=0)
    assert joined.settle() == [("goaway", 0, NO_ERROR), ("close", 1, REFUSED_STREAM)]
    assert joined.ours.done
    joined = Joined(True)
    joined.ours.goaway(last=False)
    joined.settle()
    joined.ours.goaway(last=True)
    joined.settle()
    assert [event.last_stream_id for event in joined.their(events.ConnectionTerminated)] == [2**31 - 1, 0]


def test_settings_and_pings() -> None:
    joined = Joined(True, max_streams=9, max_header_bytes=5000, stream_window=123_456)
    remote = joined.theirs.remote_settings
    assert remote.max_concurrent_streams == 9
    assert remote.max_header_list_size == 5000
    assert remote.initial_window_size == 123_456
    assert remote.max_frame_size == 256 * 1024
    joined.theirs.ping(b"12345678")
    joined.ours.ping()
    assert joined.settle() == [("pong",)]
    assert len(joined.their(events.PingAckReceived)) == 1


def test_a_window_that_h2_changes_is_kept_to() -> None:
    joined = Joined(True)
    joined.theirs.update_settings({settings.SettingCodes.INITIAL_WINDOW_SIZE: 100})
    joined.settle()
    stream = joined.request()
    joined.send(stream, b"", end=True)
    joined.settle()
    joined.ours.headers(stream, RESPONSE)
    joined.ours.send(stream, bytes(5000))
    joined.ours.end(stream, OK)
    joined.settle()
    # h2 gives back what it has read, a window at a time, and raises when we send more than that.
    assert joined.body(stream) == message(bytes(5000))
    assert joined.ours.open_streams == 0


def test_streams_that_h2_cannot_take_are_not_opened() -> None:
    joined = Joined(False)
    joined.theirs.update_settings({settings.SettingCodes.MAX_CONCURRENT_STREAMS: 3})
    joined.settle()
    for _ in range(3):
        joined.ours.request(REQUEST, b"x")
    with pytest.raises(RuntimeError, match="room for 0"):
        joined.ours.request(REQUEST, b"x")
    joined.settle()
    assert len(joined.their(events.RequestReceived)) == 3
    assert joined.ours.open_streams == 3
