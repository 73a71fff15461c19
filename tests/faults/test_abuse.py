"""Clients that are broken or mean, at every port of a real process: their connections end, and a well-behaved client
that asks all the while sees none of it.

How sessions tell abuse is tested closer to them, in `native/test_http2.py` and `native/test_server.py`; bounds on
time of the REST front in `rest/test_connection.py`.
"""

import contextlib
import itertools
import os
import random
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hpack import hpack
from hyperframe import frame as frames
from support import serving
from support.asking import Asking
from support.clients import GrpcClient
from support.frames import PREFACE, REQUEST, Peer, message
from support.processes import Program, Programs, poll
from support.serving import COMPONENTS, node

PATIENCE_S = 30.0
"""For a server to end a connection; most end at once."""
MANY = 200_000
"""Of whatever an attacker sends without an end; no server takes as many."""
PREDICT = [(name, b"/seldon.protos.Seldon/Predict" if name == b":path" else value) for name, value in REQUEST]
Attack = Callable[[Peer], Iterator[bytes]]


def garbage(peer: Peer) -> Iterator[bytes]:
    rng = random.Random(1)
    yield b"\x16\x03\x01" + rng.randbytes(5000)


def http1(peer: Peer) -> Iterator[bytes]:
    yield b"POST /seldon.protos.Seldon/Predict HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"


def wrong_preface(peer: Peer) -> Iterator[bytes]:
    yield PREFACE[:-3] + b"\r\r\n" + peer.settings()


def frame_without_preface(peer: Peer) -> Iterator[bytes]:
    yield peer.settings() + peer.headers(1, PREDICT, end=True)


def bad_hpack(peer: Peer) -> Iterator[bytes]:
    block = b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f"  # an index that no table has
    yield peer.preface() + frames.HeadersFrame(1, block, flags=["END_HEADERS"]).serialize()


def bad_huffman(peer: Peer) -> Iterator[bytes]:
    block = b"\x40\x83\xff\xff\xff\x01x"
    yield peer.preface() + frames.HeadersFrame(1, block, flags=["END_HEADERS"]).serialize()


def frame_too_large(peer: Peer) -> Iterator[bytes]:
    yield peer.preface() + b"\xff\xff\xff\x00\x00\x00\x00\x00\x01"


def data_on_idle_stream(peer: Peer) -> Iterator[bytes]:
    yield peer.preface() + peer.data(7, b"x")


def even_stream(peer: Peer) -> Iterator[bytes]:
    yield peer.preface() + peer.headers(2, PREDICT, end=True)


def window_overflow(peer: Peer) -> Iterator[bytes]:
    yield peer.preface() + peer.window(0, 2**31 - 1) * 2


def continuation_flood(peer: Peer) -> Iterator[bytes]:
    yield peer.preface() + frames.HeadersFrame(1, b"\x82").serialize()
    for _ in range(MANY):
        yield frames.ContinuationFrame(1, b"").serialize() * 100


def continuation_bomb(peer: Peer) -> Iterator[bytes]:
    yield peer.preface() + frames.HeadersFrame(1, b"").serialize()
    field = b"\x00\x01a\x7f\x80\x7f" + b"v" * 16_383
    for _ in range(MANY):
        yield frames.ContinuationFrame(1, field[:16_384]).serialize()


def header_bomb(peer: Peer) -> Iterator[bytes]:
    """One large field in the table, and thousands of references to it: a few bytes become megabytes."""
    yield peer.preface()
    large = [(b"x-large", b"v" * 3000)]
    for stream in itertools.count(1, 2):
        block = peer.encoder.encode([*PREDICT, *large])
        reference = hpack.encode_integer(62, 7)
        reference[0] |= 0x80
        flags = ["END_HEADERS", "END_STREAM"]
        yield frames.HeadersFrame(stream, block + bytes(reference) * 10_000, flags=flags).serialize()


def ping_flood(peer: Peer) -> Iterator[bytes]:
    yield peer.preface()
    for _ in range(MANY):
        yield peer.ping() * 1000


def settings_flood(peer: Peer) -> Iterator[bytes]:
    yield peer.preface()
    for _ in range(MANY):
        yield peer.settings({4: 65_535}) * 1000


def rapid_reset(peer: Peer) -> Iterator[bytes]:
    yield peer.preface()
    for stream in range(1, 2 * MANY, 2):
        yield peer.headers(stream, PREDICT, end=True) + peer.reset(stream)


def rapid_requests_unread(peer: Peer) -> Iterator[bytes]:
    """Errors that are asked for and not read."""
    yield peer.preface() + peer.settings(ack=True)
    for stream in range(1, 2 * MANY, 2):
        yield peer.headers(stream, [*REQUEST], end=True)


READS_NOT = [ping_flood, settings_flood, rapid_requests_unread]
ENDED: list[Attack] = [
    garbage,
    http1,
    wrong_preface,
    frame_without_preface,
    bad_hpack,
    bad_huffman,
    frame_too_large,
    data_on_idle_stream,
    even_stream,
    window_overflow,
    continuation_flood,
    continuation_bomb,
    header_bomb,
    rapid_reset,
    *READS_NOT,
]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    folder = tmp_path_factory.mktemp("abuse")
    path = folder / "graph.yaml"
    path.write_text(serving.deployment(node("m", "model")))
    with Programs() as programs:
        parts = ["run", str(path), "--component", f"m={COMPONENTS}:Hanging", "--max-message-bytes", "1000000"]
        yield programs.serve(*parts).ready()


@pytest.fixture(autouse=True)
def good(program: Program) -> Iterator[Asking]:
    """A client that behaves, all the while; nothing may reach it."""
    with Asking(program.grpc, "x", program.http_port, each=1) as asking:
        asking.go_on()
        yield asking
        asking.go_on()
    assert asking.failed == []
    assert "Traceback" not in program.err


def address(program: Program) -> tuple[str, int]:
    host, _, port = program.grpc.rpartition(":")
    return host, int(port)


def attack(where: tuple[str, int], pieces: Iterator[bytes], reads: bool = True) -> bool:
    """Sends until the server has enough, or nothing is left; whether the server then ends the connection."""
    with socket.create_connection(where, PATIENCE_S) as sock:
        try:
            for piece in pieces:
                sock.sendall(piece)
                if reads:
                    swallow(sock)
            sock.settimeout(PATIENCE_S)
            while sock.recv(1 << 16):
                pass
        except TimeoutError:
            return False
        except OSError:
            pass
        return True


def swallow(sock: socket.socket) -> None:
    """Reads what is there. Raises ConnectionError at the end."""
    while select.select([sock], [], [], 0)[0]:
        if not sock.recv(1 << 16):
            raise ConnectionResetError


def memory(program: Program) -> int:
    """The largest part of memory that it has had so far, in KiB."""
    found = next(line for line in Path(f"/proc/{program.pid}/status").read_text().splitlines() if "VmHWM" in line)
    return int(found.split()[1])


@pytest.mark.parametrize("mean", ENDED)
def test_the_attackers_connection_ends(program: Program, mean: Attack) -> None:
    before = memory(program)
    assert attack(address(program), mean(Peer()), reads=mean not in READS_NOT)
    assert memory(program) - before < 64 * 1024


def test_floods_that_are_read_hold_nobody_up(program: Program, good: Asking) -> None:
    """An attacker that takes its answers costs what it costs, and others get their turn all the same."""
    over = threading.Event()

    def flood() -> None:
        peer = Peer()
        with socket.create_connection(address(program), PATIENCE_S) as sock, contextlib.suppress(OSError):
            sock.sendall(peer.preface())
            while not over.is_set():
                sock.sendall(peer.ping() * 500)
                swallow(sock)

    threads = [threading.Thread(target=flood) for _ in range(2)]
    for each in threads:
        each.start()
    try:
        good.go_on(20)
    finally:
        over.set()
        for each in threads:
            each.join()


def test_bodies_without_an_end(program: Program) -> None:
    """A message beyond the limit is refused as soon as it says so; one that says nothing gets no further than that."""
    peer = Peer()
    with socket.create_connection(address(program), PATIENCE_S) as sock:
        sock.sendall(peer.preface() + peer.headers(1, PREDICT) + peer.data(1, b"\0" + struct.pack(">I", 2**32 - 1)))
        found: list[frames.Frame] = []
        while not any(isinstance(one, frames.HeadersFrame) for one in found):
            found += peer.read(sock.recv(1 << 16))
        (answer,) = (one for one in found if isinstance(one, frames.HeadersFrame))
        assert dict(peer.fields(answer))[b"grpc-status"] == b"8"
    before = memory(program)
    peer = Peer()
    tiny = message(b"x")

    def endless() -> Iterator[bytes]:
        yield peer.preface() + peer.headers(1, PREDICT)
        for _ in range(100):
            yield peer.data(1, tiny * 2000)  # a request has one message

    sock = socket.create_connection(address(program), PATIENCE_S)
    with sock, contextlib.suppress(OSError):
        for piece in endless():
            sock.sendall(piece)
    assert memory(program) - before < 32 * 1024


@pytest.mark.parametrize("body", [
    b"\x00" * 4000,
    os.urandom(4000),
    b"GET / HTTP/9.9\r\n\r\n",
    PREFACE + Peer().settings(),
    b"GET /" + b"a" * 200_000,
    b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 50_000,
    b"POST /api/v1.0/predictions HTTP/1.1\r\nContent-Length: 99\r\nContent-Length: 98\r\n\r\n",
    b"POST /api/v1.0/predictions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    b"POST /api/v1.0/predictions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n" + (b"10000\r\n" + b" " * 65_536 + b"\r\n") * 100,
], ids=["zeros", "noise", "version", "http2", "line", "headers", "lengths", "chunks", "endless"])  # fmt: skip
def test_garbage_at_the_rest_port(program: Program, body: bytes) -> None:
    with socket.create_connection(("127.0.0.1", program.http_port), PATIENCE_S) as sock:
        said = b""
        with contextlib.suppress(ConnectionError):
            sock.sendall(body)
        with contextlib.suppress(ConnectionError):
            while data := sock.recv(1 << 16):
                said += data
    assert not said or said.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 413 ", b"HTTP/1.1 431 ", b"HTTP/1.1 404 "))


def test_half_open_connections_are_ended(program: Program) -> None:
    """Those that say nothing, or stop after the first words, are not kept for ever."""
    openings = [b"", PREFACE[:10], PREFACE, PREFACE + b"\x00\x00"]
    socks = [socket.create_connection(address(program), PATIENCE_S) for _ in range(20)]
    rest = [socket.create_connection(("127.0.0.1", program.http_port), PATIENCE_S) for _ in range(5)]
    for sock, opening in zip(socks, itertools.cycle(openings)):
        sock.sendall(opening)
    for sock in rest:
        sock.sendall(b"POST /api/v1.0/predictions HTTP/1.1\r\nHost: ")
    for sock in [*socks, *rest]:
        with sock, contextlib.suppress(ConnectionError):
            while sock.recv(1 << 16):
                pass


def test_clients_that_vanish_leave_nothing_running(program: Program) -> None:
    """Cancelled, reset, or gone in the middle of a request: `pid` is answered by a component that waits for nobody."""
    descriptors = Path(f"/proc/{program.pid}/fd")
    before = len(list(descriptors.iterdir()))
    client = GrpcClient(program.grpc)
    calls = [client.start({"strData": "hang"}, None) for _ in range(20)]
    socks = []
    for _ in range(20):
        peer = Peer()
        sock = socket.create_connection(address(program), PATIENCE_S)
        body = message(b"\x1a\x04hang")
        sock.sendall(peer.preface() + peer.headers(1, PREDICT) + peer.data(1, body, end=True))
        socks.append(sock)
    time.sleep(0.1)
    for call in calls:
        call.cancel()
    for index, sock in enumerate(socks):
        if index % 2:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
    client.channel.close()
    poll(lambda: len(list(descriptors.iterdir())) <= before, PATIENCE_S)
