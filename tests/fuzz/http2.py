"""Owns the fuzzer of the HTTP/2 session.

The contract, for any bytes in any pieces, whatever the user of the session does meanwhile: the session goes on, or it
has failed and says why. What it reports keeps to the order that users rely on, what it sends are well-formed frames,
and no buffer is left behind, nor anything of the memory budget, which is a tiny one at times, so that requests wait.
"""

import itertools
import random
from collections.abc import Callable, Sequence
from typing import Any

from fuzz.drive import Case, Fuzzer
from fuzz.mutate import changed, shuffled
from support.frames import OK, REQUEST, RESPONSE, Event, Peer, message

from executor._native import budget, probe_http2

MAX_MESSAGE = 5000
ROOM = 8192
"""What the buffer of the largest message takes."""
TOKENS = [b"\0", b"\x01", b"\xff", b"\0" * 9, b"\xff" * 9]
SETTINGS = [{}, {3: 1}, {3: 0}, {4: 0}, {4: 1}, {4: 2**31 - 1}, {5: 16_384}, {5: 2**24 - 1}, {6: 10}, {1: 0}, {9: 1}]


class Order:
    """What a user relies on: per stream headers, messages, then an end or a refusal, then its close."""

    def __init__(self, opened_by_us: bool) -> None:
        self.opened_by_us = opened_by_us
        self.open: dict[int, str] = {}

    def take(self, event: Event) -> None:
        kind = event[0]
        if kind in ("settings", "pong", "goaway"):
            return
        stream = event[1]
        before = self.open.get(stream, "new")
        if kind == "close":
            assert before != "new" or self.opened_by_us, event
            self.open[stream] = "closed"
            return
        allowed = {
            "headers": ("new",),
            "message": ("headers", "message"),
            "end": ("headers", "message"),
            "refused": ("new", "headers", "message"),
        }
        assert before in allowed[kind], (event, before)
        assert kind != "message" or len(event[2]) <= MAX_MESSAGE
        assert kind != "refused" or (event[2] in (8, 13) and event[3])
        self.open[stream] = kind

    def done(self) -> None:
        assert set(self.open.values()) <= {"closed"}, self.open


class Traffic:
    """What the other side of one connection sends: mostly what makes sense then, at times what does not."""

    def __init__(self, rng: random.Random, server: bool) -> None:
        self.rng, self.server = rng, server
        self.peer = Peer()
        self.streams = [] if server else [1, 3, 5]
        self.started: set[int] = set()

    def stream(self) -> int:
        """A stream that is open, as far as this side knows; rarely any."""
        if not self.streams or self.rng.random() < 0.005:
            return self.rng.randrange(1, 40)
        return self.rng.choice(self.streams)

    def next(self) -> bytes:
        """The next frame."""
        if not self.streams:
            return self.headers() if self.server else self.peer.ping()
        return self.rng.choices([self.headers, self.data, self.trailers, self.other], [4, 6, 1, 2])[0]()

    def headers(self) -> bytes:
        rng = self.rng
        extra = rng.choice([[], [], [(b"x", b"v" * rng.randrange(3000))], [(b"x", b"v")] * 20])
        parts = [rng.randrange(30)] * rng.choice([0, 0, 1, 2])
        if self.server:
            self.streams.append(self.streams[-1] + 2 if self.streams else 1)
            return self.peer.headers(self.streams[-1], [*REQUEST, *extra], rng.random() < 0.1, parts)
        stream = self.stream()
        if stream in self.started:
            return self.trailers()
        if rng.random() < 0.1:
            return self.peer.headers(stream, [(b":status", b"100")])
        self.started.add(stream)
        return self.peer.headers(stream, [*RESPONSE, *extra], rng.random() < 0.2, parts)

    def trailers(self) -> bytes:
        stream = self.stream()
        if stream in self.streams and self.rng.random() < 0.9:
            self.streams.remove(stream)
        return self.peer.headers(stream, self.rng.choice([OK, [], [(b"x", b"v" * 2000)]]), self.rng.random() < 0.95)

    def data(self) -> bytes:
        rng = self.rng
        flag, size = rng.choice([0] * 9 + [1] * 3 + [2]), rng.choice([0, 1, 100, 4000, 4000, 6000])
        payload = message(bytes(size), flag) * rng.choice([1, 1, 2])
        if rng.random() < 0.3:
            payload = payload[: rng.randrange(len(payload))]
        stream, end = self.stream(), rng.random() < 0.3
        if end and stream in self.streams and rng.random() < 0.9:
            self.streams.remove(stream)
        return self.peer.data(stream, payload, end, rng.choice([None, None, 0, 255]))

    def other(self) -> bytes:
        rng, peer = self.rng, self.peer
        makers: list[Callable[[], bytes]] = [
            lambda: peer.reset(self.stream(), rng.randrange(15)),
            lambda: peer.window(rng.choice([0, self.stream()]), rng.choice([1, 100_000, 1 << 20])),
            lambda: peer.ping(ack=rng.random() < 0.3),
            lambda: peer.settings(rng.choice(SETTINGS)),
            lambda: peer.settings(ack=True),
            lambda: peer.goaway(rng.randrange(9), rng.randrange(3)),
        ]
        return rng.choices(makers, [3, 4, 2, 1, 1, 0.5])[0]()

    def make(self) -> bytes:
        """A connection's worth of bytes."""
        rng = self.rng
        settings = rng.choice(SETTINGS)
        frames = [self.peer.preface(settings) if self.server else self.peer.settings(settings)]
        frames += [self.next() for _ in range(rng.randrange(1, 30))]
        return b"".join(frames)


def make(rng: random.Random, seeds: Sequence[Case]) -> Case:
    """A connection of the corpus with its frames shuffled, or one thought up; some bytes are damaged now and then."""
    if rng.random() < 0.3:
        like = rng.choice(seeds)
        kind, data = like.kind, shuffled(rng, like.data, rng.choice(seeds).data)
    else:
        server = rng.random() < 0.6
        kind, data = "server" if server else "client", Traffic(rng, server).make()
    if rng.random() < 0.4:
        data = changed(rng, data, TOKENS, [each.data for each in seeds])
    return Case(kind, data)


def act(rng: random.Random, session: probe_http2.Session, stream: int) -> None:
    """Something a user may do with a stream; being refused is fine."""
    steps: list[Callable[[], Any]] = [
        lambda: session.headers(stream, RESPONSE),
        lambda: session.send(stream, bytes(rng.choice([0, 10, 5000, 100_000]))),
        lambda: session.end(stream, OK),
        lambda: session.end(stream),
        lambda: session.reset(stream, rng.randrange(15)),
        lambda: session.request(REQUEST, b"x" * rng.choice([0, 100, 9000]), rng.random() < 0.5),
        session.ping,
        lambda: session.goaway(rng.random() < 0.5),
        lambda: session.terminate(rng.randrange(3)),
    ]
    try:
        rng.choices(steps, [5, 5, 5, 1, 2, 4, 1, 0.1, 0.05])[0]()
    except (KeyError, RuntimeError):
        pass


class Shortage:
    """A budget of which somebody else holds a part, now more, now less."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        soft = rng.choice([ROOM, 2 * ROOM, 10 * ROOM])
        self.budget = budget.Budget(rng.choice([1, 2]) * soft, soft)
        self._others = self.budget.hold()

    def change(self) -> None:
        """The others take or give."""
        if self.rng.random() < 0.3:
            self._others.close()
        else:
            self._others.add(self.rng.choice([256, 1000, ROOM, 2 * ROOM]))

    def over(self) -> None:
        """Nothing may be left."""
        self._others.close()
        assert (self.budget.used, self.budget.waiting, self.budget.held) == (0, 0, 0)


def cuts_of(rng: random.Random, size: int) -> list[int]:
    """Where to cut the bytes of a connection into reads."""
    first = rng.randrange(200)  # where the interesting beginnings are; later cuts lie anywhere
    cuts = {0, size, *range(first, first + 20), *(rng.randrange(size + 1) for _ in range(rng.choice([0, 5, 50])))}
    return sorted(cut for cut in cuts if cut <= size)


def one(rng: random.Random, case: Case) -> bool:
    """One connection, from its beginning to its end; `case.kind` is our side. Whether it was still alive then."""
    server, data = case.kind == "server", case.data
    shortage = Shortage(rng) if rng.random() < 0.6 else None
    session = probe_http2.Session(
        server, max_message=MAX_MESSAGE, max_header_bytes=2000, max_streams=4,
        budget=None if shortage is None else shortage.budget,
    )  # fmt: skip
    order, reader = Order(not server), Peer()
    if not server:
        for _ in range(3):
            session.request(REQUEST, b"x", rng.random() < 0.3)
        if rng.random() < 0.9:
            reader.read(session.take_output())
    for start, stop in itertools.pairwise(cuts_of(rng, len(data))):
        found = session.feed(data[start:stop])
        if shortage is not None and rng.random() < 0.5:
            shortage.change()
            found += session.admit()
        for _ in range(rng.choice([0, 0, 1, 3])):
            act(rng, session, rng.choice([1, 3, 5, 7, *(event[1] for event in found if len(event) > 1)]))
        for event in found:
            order.take(event)
        if rng.random() < 0.5:
            reader.read(session.take_output(rng.choice([1, 5000, 1 << 20])))
    reader.read(session.take_output())
    assert not reader.unread, "half a frame was sent"
    alive = not session.failed
    assert alive or session.error, "failed without a reason"
    for event in session.take_events() + session.close():
        order.take(event)
    order.done()
    if shortage is not None:
        shortage.over()
    return alive


FUZZER = Fuzzer.simple("http2", make, one)
run = FUZZER.run
