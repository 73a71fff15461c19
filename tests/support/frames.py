"""Owns HTTP/2 frames made and read by hyperframe and hpack, and sessions joined in memory.

Must not use our own framing: these are the independent words a session is spoken to with.
"""

import itertools
import struct
from collections.abc import Iterable, Sequence
from typing import Any

import hpack
from hyperframe import frame as frames

from executor._native import probe_http2

Field = tuple[bytes, bytes]
Event = tuple[Any, ...]

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
REQUEST: list[Field] = [
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/test.Service/Method"),
    (b":authority", b"test"),
    (b"te", b"trailers"),
    (b"content-type", b"application/grpc"),
]
RESPONSE: list[Field] = [(b":status", b"200"), (b"content-type", b"application/grpc")]
OK: list[Field] = [(b"grpc-status", b"0")]
NO_ERROR, PROTOCOL_ERROR, REFUSED_STREAM, CANCEL = 0, 1, 7, 8


def message(data: bytes, compressed: int = 0, size: int | None = None) -> bytes:
    """A gRPC message with its prefix; `size` is what the prefix says when that is not the truth."""
    return struct.pack(">BI", compressed, len(data) if size is None else size) + data


class Peer:
    """The other end of a connection: makes frames and reads them, with the HPACK state of one connection."""

    def __init__(self) -> None:
        self.encoder = hpack.Encoder()
        self.decoder = hpack.Decoder()
        self.unread = b""

    def preface(self, settings: dict[int, int] | None = None) -> bytes:
        """What a client begins with."""
        return PREFACE + self.settings(settings)

    def settings(self, settings: dict[int, int] | None = None, ack: bool = False) -> bytes:
        return frames.SettingsFrame(0, settings or {}, flags=["ACK"] if ack else []).serialize()

    def headers(self, stream: int, fields: Iterable[Field], end: bool = False, parts: Sequence[int] = ()) -> bytes:
        """HEADERS, cut after so many bytes of its block each into CONTINUATION frames."""
        block = self.encoder.encode(list(fields))
        cuts = [0, *parts, len(block)]
        pieces = [block[start:stop] for start, stop in itertools.pairwise(cuts)]
        made: list[frames.Frame] = [frames.HeadersFrame(stream, pieces[0], flags=["END_STREAM"] if end else [])]
        made += [frames.ContinuationFrame(stream, piece) for piece in pieces[1:]]
        made[-1].flags.add("END_HEADERS")
        return b"".join(one.serialize() for one in made)

    def data(self, stream: int, payload: bytes, end: bool = False, padding: int | None = None) -> bytes:
        flags = ["END_STREAM"] if end else []
        if padding is None:
            return frames.DataFrame(stream, payload, flags=flags).serialize()
        return frames.DataFrame(stream, payload, pad_length=padding, flags=[*flags, "PADDED"]).serialize()

    def call(self, stream: int, payload: bytes, end: bool = True) -> bytes:
        """A whole request with these DATA bytes."""
        return self.headers(stream, REQUEST) + self.data(stream, payload, end)

    def reset(self, stream: int, code: int = CANCEL) -> bytes:
        return frames.RstStreamFrame(stream, code).serialize()

    def window(self, stream: int, size: int) -> bytes:
        return frames.WindowUpdateFrame(stream, size).serialize()

    def ping(self, data: bytes = b"12345678", ack: bool = False) -> bytes:
        return frames.PingFrame(0, data, flags=["ACK"] if ack else []).serialize()

    def goaway(self, last: int, code: int = NO_ERROR) -> bytes:
        return frames.GoAwayFrame(0, last, code).serialize()

    def read(self, data: bytes) -> list[frames.Frame]:
        """The frames in what a session sent; the client's preface is passed over."""
        self.unread += data.removeprefix(PREFACE)
        found = []
        while len(self.unread) >= 9:
            one, size = frames.Frame.parse_frame_header(memoryview(self.unread[:9]))
            if len(self.unread) < 9 + size:
                break
            one.parse_body(memoryview(self.unread[9 : 9 + size]))
            self.unread = self.unread[9 + size :]
            found.append(one)
        return found

    def fields(self, frame: frames.Frame) -> list[Field]:
        """The header fields of one HEADERS frame; each has to be decoded once, in order."""
        assert isinstance(frame, frames.HeadersFrame)
        return [(bytes(name), bytes(value)) for name, value in self.decoder.decode(frame.data, raw=True)]


def kinds(found: Iterable[frames.Frame]) -> list[str]:
    """Short names of frames, with those flags that matter to their reader."""
    names = []
    for one in found:
        flags = [flag for flag in ("END_STREAM", "ACK") if flag in one.flags]
        names.append(" ".join([type(one).__name__.removesuffix("Frame"), *flags]))
    return names


def join(
    client: probe_http2.Session, server: probe_http2.Session, chunk: int = 1 << 20
) -> tuple[list[Event], list[Event]]:
    """Moves bytes both ways until both are quiet; what each of them reported."""
    seen: tuple[list[Event], list[Event]] = ([], [])
    while True:
        from_client, from_server = client.take_output(), server.take_output()
        for target, data, events in ((server, from_client, seen[1]), (client, from_server, seen[0])):
            for start in range(0, len(data), chunk):
                events.extend(target.feed(data[start : start + chunk]))
        if not from_client and not from_server:
            return seen[0] + client.take_events(), seen[1] + server.take_events()


def opened_server(peer: Peer, **limits: Any) -> probe_http2.Session:
    """A server whose connection is set up and quiet."""
    server = probe_http2.Session(True, **limits)
    server.feed(peer.preface() + peer.settings(ack=True))
    peer.read(server.take_output())
    return server


def opened_client(peer: Peer, settings: dict[int, int] | None = None, **limits: Any) -> probe_http2.Session:
    """A client whose connection is set up and quiet."""
    client = probe_http2.Session(False, **limits)
    peer.read(client.take_output())
    client.feed(peer.settings(settings) + peer.settings(ack=True))
    peer.read(client.take_output())
    return client


def opened_pair(**limits: Any) -> tuple[probe_http2.Session, probe_http2.Session]:
    """A client and a server, joined and quiet."""
    client, server = probe_http2.Session(False, **limits), probe_http2.Session(True, **limits)
    join(client, server)
    return client, server
