"""Owns the tests of the native load generator: counts, answers, errors and what an open loop charges.

Servers here are independent ones: grpcio, asyncio's streams, plain sockets.
"""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent import futures

import grpc
import pytest

from bench.generator import connect, fields_of, http_request
from executor._native import probe_load

METHOD = "/bench.Test/Call"
ORDER = {"path": METHOD, "host": "127.0.0.1", "port": 0}
Answer = Callable[[bytes, grpc.ServicerContext], bytes]
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.contextmanager
def grpc_server(answer: Answer) -> Iterator[int]:
    """A grpcio server with one method; its port."""
    server = grpc.server(futures.ThreadPoolExecutor(4), options=[("grpc.max_receive_message_length", -1)])
    handler = grpc.method_handlers_generic_handler(
        "bench.Test", {"Call": grpc.unary_unary_rpc_method_handler(answer, None, None)}
    )
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(None).wait()


@contextlib.contextmanager
def stream_server(serve: Serve) -> Iterator[int]:
    """An asyncio server in a thread; its port."""
    loop = asyncio.new_event_loop()

    async def start() -> asyncio.Server:
        return await asyncio.start_server(serve, "127.0.0.1", 0)

    async def stop(server: asyncio.Server) -> None:
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(start(), loop).result()
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        asyncio.run_coroutine_threadsafe(stop(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def grpc_load(port: int, request: bytes, connections: int = 1, streams: int = 1, **how: object) -> probe_load.Load:
    """A generator for the method above."""
    sockets = connect("127.0.0.1", port, connections)
    return probe_load.Load("grpc", sockets, request, fields=fields_of(ORDER), streams=streams, **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [1, 4096, 300_000])
def test_grpc_answers_are_counted_and_compared(size: int) -> None:
    request = b"x" * size
    with grpc_server(lambda body, context: body) as port:
        load = grpc_load(port, request, connections=2, streams=3, accepted=[b"other", request])
        outcome = load.run(count=40)
        load.close()
    assert (outcome["sent"], outcome["answered"], outcome["errors"]) == (40, 40, 0)
    assert sum(number for _, number in outcome["latency"]) == 40


def test_a_wrong_answer_is_an_error() -> None:
    with grpc_server(lambda body, context: body + b"!") as port:
        outcome = grpc_load(port, b"x", accepted=[b"x"]).run(count=5)
    assert outcome["error_kinds"] == {"answer": 5}
    assert "not what was expected" in outcome["first_error"]
    assert outcome["latency"] == []


def test_a_status_that_is_not_ok_is_an_error_with_its_text() -> None:
    def refuse(body: bytes, context: grpc.ServicerContext) -> bytes:
        context.set_code(grpc.StatusCode.INVALID_ARGUMENT)
        context.set_details("no such thing")
        return b""

    with grpc_server(refuse) as port:
        outcome = grpc_load(port, b"x").run(count=3)
    assert outcome["error_kinds"] == {"status": 3}
    assert "no such thing" in outcome["first_error"]


def test_kept_answers_come_from_all_over_the_run() -> None:
    numbers = iter(range(1000))
    with grpc_server(lambda body, context: b"%d" % next(numbers)) as port:
        outcome = grpc_load(port, b"x", keep=True).run(count=20)
    assert [int(each) for each in outcome["samples"]] == [0, 1, 3, 7, 15]


def test_runs_after_each_other_start_from_zero() -> None:
    with grpc_server(lambda body, context: body) as port:
        load = grpc_load(port, b"x", streams=2)
        assert [load.run(count=count)["answered"] for count in (3, 5)] == [3, 5]


def test_an_open_loop_sends_exactly_what_is_due() -> None:
    with grpc_server(lambda body, context: body) as port:
        outcome = grpc_load(port, b"x", streams=50).run(rate=400, seconds=0.25)
    assert (outcome["sent"], outcome["answered"]) == (100, 100)
    assert outcome["elapsed_s"] >= 0.2475  # the last one is due then
    assert sum(number for _, number in outcome["lag"]) + outcome["waited"] == 100


def test_an_open_loop_charges_a_stall_to_all_who_were_due() -> None:
    stall = threading.Event()
    asked = threading.Event()

    def answer(body: bytes, context: grpc.ServicerContext) -> bytes:
        if not asked.is_set():
            asked.set()
            threading.Timer(0.4, stall.set).start()
        stall.wait()
        return body

    with grpc_server(answer) as port:
        load = grpc_load(port, b"x", streams=2)
        outcome = load.run(rate=100, seconds=0.2)
    late = sum(number for bucket, number in outcome["latency"] if bucket >= probe_load.bucket_of(10**8))
    # All 20 were due within 0.2 s and none answered before 0.4 s, though only two could be under way at a time.
    assert (outcome["answered"], late) == (20, 20)
    assert outcome["waited"] > 0


def test_what_never_comes_is_an_error_and_ends_the_connection() -> None:
    stall = threading.Event()

    def answer(body: bytes, context: grpc.ServicerContext) -> bytes:
        stall.wait()
        return body

    with grpc_server(answer) as port:
        load = grpc_load(port, b"x")
        outcome = load.run(rate=50, seconds=0.1, drain_s=0.1)
        stall.set()
        assert outcome["errors"] == 5
        assert outcome["error_kinds"] == {"timeout": 5}
        with pytest.raises(ConnectionError, match="no connection is left"):
            load.run(count=1)


async def answer_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, status: bytes = b"200 OK") -> None:
    """Echoes bodies, in two pieces."""
    with contextlib.suppress(asyncio.IncompleteReadError, asyncio.CancelledError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:"))
            body = await reader.readexactly(length)
            writer.write(b"HTTP/1.1 %s\r\ncontent-length: %d\r\nX: y\r\n\r\n" % (status, len(body)) + body[:1])
            await writer.drain()
            writer.write(body[1:])
            await writer.drain()
    writer.close()


def http_load(port: int, body: bytes, connections: int = 2, **how: object) -> probe_load.Load:
    """A generator for the server above."""
    request = http_request({"path": "/p", "host": "127.0.0.1", "port": port}, body)
    return probe_load.Load("http", connect("127.0.0.1", port, connections), request, **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("body", [b"{}", b"[" + b"1," * 200_000 + b"1]"])
def test_http_answers_are_put_together_and_compared(body: bytes) -> None:
    with stream_server(answer_http) as port:
        load = http_load(port, body, accepted=[body])
        outcome = load.run(count=10)
        load.close()
    assert (outcome["answered"], outcome["errors"]) == (10, 0)


def test_an_http_status_that_is_not_200_is_an_error() -> None:
    with stream_server(lambda reader, writer: answer_http(reader, writer, b"503 No")) as port:
        load = http_load(port, b"{}")
        outcome = load.run(count=4)
        load.close()
    assert outcome["error_kinds"] == {"status": 4}
    assert "503" in outcome["first_error"]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Plain bytes, back as they come."""
    with contextlib.suppress(asyncio.CancelledError, ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@pytest.mark.parametrize(("size", "streams"), [(1, 7), (64, 3), (200_000, 4)])
def test_plain_bytes_are_pipelined_and_compared(size: int, streams: int) -> None:
    request = bytes(index % 251 for index in range(size))
    with stream_server(echo) as port:
        load = probe_load.Load("tcp", connect("127.0.0.1", port, 2), request, streams=streams)
        outcome = load.run(count=30)
        load.close()
    assert (outcome["answered"], outcome["errors"]) == (30, 0)


def test_a_server_that_hangs_up_is_an_error_for_what_was_under_way() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(4)
        writer.close()

    with stream_server(hang_up) as port:
        load = probe_load.Load("tcp", connect("127.0.0.1", port, 1), b"abcd", streams=2)
        outcome = load.run(seconds=0.5)
    assert outcome["error_kinds"] == {"transport": 2}
    assert "closed by the server" in outcome["first_error"] or "reset" in outcome["first_error"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"sockets": []}, "at least one connection"),
        ({"streams": 0}, "at least one connection"),
        ({"request": b""}, "at least one connection"),
        ({"protocol": "udp"}, "not in tuple"),
        ({"accepted": [b""] * 9}, "at most 8"),
    ],
)
def test_nonsense_is_refused(wrong: dict[str, object], said: str) -> None:
    given: dict[str, object] = {"protocol": "tcp", "sockets": [0], "request": b"x", **wrong}
    protocol, sockets, request = given.pop("protocol"), given.pop("sockets"), given.pop("request")
    if sockets:
        here, there = socket.socketpair()
        there.close()
        sockets = [here.detach()]
    with pytest.raises(ValueError, match=said):
        probe_load.Load(protocol, sockets, request, **given)  # type: ignore[arg-type]


def test_a_run_needs_an_end() -> None:
    here, there = socket.socketpair()
    load = probe_load.Load("tcp", [here.detach()], b"x")
    with pytest.raises(ValueError, match="seconds or a count"):
        load.run()
    there.close()
    load.close()


def test_the_generator_measures_from_the_intended_moment() -> None:
    # Sixteen requests at 1000/s to a server that answers nothing for 0.1 s: the first waits longest.
    listener = socket.create_server(("127.0.0.1", 0))
    load = probe_load.Load("tcp", connect("127.0.0.1", listener.getsockname()[1], 1), b"y" * 10, streams=1)

    def serve() -> None:
        conn, _ = listener.accept()
        first = conn.recv(10)
        time.sleep(0.1)
        conn.sendall(first)
        for _ in range(15):
            conn.sendall(conn.recv(10))
        conn.close()

    thread = threading.Thread(target=serve)
    thread.start()
    outcome = load.run(rate=1000, count=16)
    thread.join()
    listener.close()
    load.close()
    assert outcome["answered"] == 16
    assert all(bucket >= probe_load.bucket_of(80_000_000) for bucket, _ in outcome["latency"])
