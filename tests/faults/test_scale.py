"""Many streams and many connections at once through one executor process: each is open at the node at the same time,
and each is answered. What they cost in memory is printed (`pytest -rP`), not judged: `bench` measures.
"""

import contextlib
import resource
import selectors
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import grpc
import hpack
import pytest
from hyperframe import frame as frames
from support import serving
from support.frames import PREFACE, REQUEST, message
from support.processes import Program, Programs, poll
from support.serving import node

HOLDING = Path(__file__).parents[1] / "support" / "holding_node.py"
PREDICT = [(name, b"/seldon.protos.Seldon/Predict" if name == b":path" else value) for name, value in REQUEST]
SAID = b"\x1a\x40" + b"x" * 64
PATIENCE_S = 60.0


@pytest.fixture(autouse=True)
def many_descriptors() -> Iterator[None]:
    """As many as the system lets us have; the processes that we start have them too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Node:
    """A node in a process of its own that holds every call until it is told."""

    def __init__(self) -> None:
        self._process = subprocess.Popen([sys.executable, str(HOLDING)], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.target = self._process.stdout.readline().strip()
        self._channel = grpc.insecure_channel(self.target)

    @property
    def held(self) -> int:
        return int(self._ask("/held"))

    def release(self) -> None:
        self._ask("/release")

    def _ask(self, path: str) -> bytes:
        answer: bytes = self._channel.unary_unary(path)(b"", timeout=PATIENCE_S)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


class Client:
    """One connection whose frames are made by hand, so that thousands of streams cost the test next to nothing."""

    def __init__(self, target: str, streams: int) -> None:
        host, _, port = target.rpartition(":")
        self.sock = socket.create_connection((host, int(port)), PATIENCE_S)
        self.left = streams
        self.ended: set[int] = set()
        self.statuses: list[bytes] = []
        self._unread = b""
        self._decoder = hpack.Decoder()
        encoder = hpack.Encoder()
        window = frames.WindowUpdateFrame(0, 1 << 24).serialize()
        parts = [PREFACE, frames.SettingsFrame(0).serialize(), window]
        for stream in range(1, 2 * streams, 2):
            headers = frames.HeadersFrame(stream, encoder.encode(PREDICT), flags=["END_HEADERS"])
            body = frames.DataFrame(stream, message(SAID), flags=["END_STREAM"])
            parts += [headers.serialize(), body.serialize()]
        self.sock.sendall(b"".join(parts))

    def read(self) -> None:
        """Takes what has come."""
        data = self.sock.recv(1 << 20)
        assert data, f"closed with {self.left} streams open"
        self._unread += data
        at = 0
        while len(self._unread) - at >= 9:
            one, size = frames.Frame.parse_frame_header(memoryview(self._unread[at : at + 9]))
            if len(self._unread) - at < 9 + size:
                break
            one.parse_body(memoryview(self._unread[at + 9 : at + 9 + size]))
            at += 9 + size
            self._take(one)
        self._unread = self._unread[at:]

    def _take(self, one: frames.Frame) -> None:
        assert not isinstance(one, frames.GoAwayFrame | frames.RstStreamFrame), one
        if isinstance(one, frames.DataFrame):
            assert one.data == message(SAID)
        elif isinstance(one, frames.HeadersFrame):
            fields = dict(self._decoder.decode(one.data, raw=True))
            if "END_STREAM" in one.flags:
                self.statuses.append(fields[b"grpc-status"])
                self.ended.add(one.stream_id)
                self.left -= 1


def answered(clients: list[Client]) -> None:
    """Reads until every stream of all has its answer."""
    with selectors.DefaultSelector() as selector:
        for each in clients:
            selector.register(each.sock, selectors.EVENT_READ, each)
        while any(each.left for each in clients):
            ready = selector.select(PATIENCE_S)
            assert ready, f"{sum(each.left for each in clients)} streams are not answered"
            for key, _ in ready:
                key.data.read()


def memory(program: Program) -> int:
    """What it has in memory now, in KiB."""
    found = next(line for line in Path(f"/proc/{program.pid}/status").read_text().splitlines() if "VmRSS" in line)
    return int(found.split()[1])


@pytest.mark.parametrize(
    ("connections", "streams"), [(10, 1000), (1000, 1)], ids=["ten-thousand-streams", "thousand-connections"]
)
def test_all_are_open_at_once_and_all_are_answered(tmp_path: Path, connections: int, streams: int) -> None:
    path = tmp_path / "graph.yaml"
    path.write_text(serving.deployment(node("m", "model")))
    with Node() as remote, Programs() as programs, contextlib.ExitStack() as stack:
        program = programs.serve("run", str(path), "--endpoint", f"m=grpc://{remote.target}",
                                 "--node-calls-max", "20000").ready()  # fmt: skip
        before = memory(program)
        clients = [Client(program.grpc, streams) for _ in range(connections)]
        for each in clients:
            stack.enter_context(each.sock)
        poll(lambda: remote.held == connections * streams, PATIENCE_S)
        print(f"{connections} x {streams}: {(memory(program) - before) / connections / streams:.1f} KiB for each")
        remote.release()
        answered(clients)
        assert {status for each in clients for status in each.statuses} == {b"0"}
        assert all(len(each.ended) == streams for each in clients)
        print(f"afterwards {memory(program) - before} KiB more than before")
