"""`millrace call`: from its arguments to what it prints, over gRPC and REST."""

import asyncio
import contextlib
import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest
from support.inference import MemoryInference
from support.rest import listener, raw_server
from support.seldon_server import seldon_server

from executor import cli, errors
from executor._native import message as messages
from executor.client import Response, command
from executor.protocol import seldon
from executor.rest.app import App
from executor.rest.server import RestServer
from executor.types import Encoding


@contextlib.contextmanager
def in_thread(serve: Any) -> Iterator[int]:
    """A server on an event loop in a thread, since `call` blocks: its port. `serve` is an async context manager."""
    loop, ready, done = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    ports: list[int] = []

    async def run() -> None:
        async with serve() as port:
            ports.append(port)
            ready.set()
            await done.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    try:
        assert ready.wait(10)
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()
        loop.close()


@contextlib.contextmanager
def rest_server(inference: MemoryInference) -> Iterator[int]:
    @contextlib.asynccontextmanager
    async def serve() -> Any:
        sock, server = listener(), RestServer(App(inference, seldon.EXECUTOR_REST))
        await server.start([sock])
        yield sock.getsockname()[1]
        await server.stop()

    with in_thread(serve) as port:
        yield port


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str], str]:
    status = cli.main(["call", *arguments], {})
    told = capsys.readouterr()
    return status, told.out.splitlines(), told.err


def test_grpc(capsys: pytest.CaptureFixture[str]) -> None:
    with seldon_server() as (service, target):
        status, lines, _ = call(capsys, target, "--data", "[[1, 2]]")
        assert status == 0
        assert lines[:2] == ["answer: ndarray", "        [[1.0, 2.0]]"]
        assert lines[2].startswith("puid:   ")
        assert lines[3] == "route:  not reported (the graph has no router)"
        assert lines[4].startswith("time:   ")
        assert lines[4].endswith(" ms")
        status, lines, _ = call(capsys, target, "--data", '"meta"')
        assert lines[:3] == ["answer: strData", '        "ok"', 'tags:   {"t": "x"}']
        assert "route:  r → child 1" in lines
        assert [request.WhichOneof("data_oneof") for request in service.requests] == ["data", "strData"]


def test_kinds_and_whole_messages(capsys: pytest.CaptureFixture[str]) -> None:
    with seldon_server() as (service, target):
        assert call(capsys, target, "--data", "[[1, 2]]", "--kind", "tensor")[1][:2] == [
            "answer: tensor float64 [1, 2]",
            "        [[1., 2.]]",
        ]
        whole = '{"meta": {"puid": "p"}, "data": {"names": ["a"], "ndarray": [["s"]]}}'
        assert "names:  a" in call(capsys, target, "--data", whole)[1]
        assert service.requests[1].meta.puid == "p"
        call(capsys, target, "--data", whole, "--kind", "jsonData")
        assert service.requests[2].WhichOneof("data_oneof") == "jsonData"
        assert call(capsys, target, "--data", '"ab"', "--kind", "binData")[1][1] == "        2 bytes: b'ab'"


def test_files(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    numpy.save(tmp_path / "rows.npy", numpy.zeros((2, 3), "float32"))
    (tmp_path / "data.json").write_text('{"a": 1}')
    with seldon_server() as (_, target):
        lines = call(capsys, target, "--file", str(tmp_path / "rows.npy"), "--kind", "tftensor")[1]
        assert lines[0] == "answer: tftensor float32 [2, 3]"
        assert call(capsys, target, "--file", str(tmp_path / "data.json"))[1][1] == '        {"a": 1.0}'
        monkeypatch.setattr("sys.stdin", io.StringIO("[1]"))
        assert call(capsys, target, "--file", "-")[1][1] == "        [1.0]"


def test_rest(capsys: pytest.CaptureFixture[str]) -> None:
    inference = MemoryInference()
    with rest_server(inference) as port:
        status, lines, _ = call(capsys, f"127.0.0.1:{port}", "--rest", "--data", "[[1, 2]]", "--timeout", "5s")
        assert status == 0
        assert lines[0] == "answer: ndarray"
        assert len(lines[2].removeprefix("puid:   ")) == 36
        assert json.loads(inference.asked[0].text) == {"data": {"ndarray": [[1, 2]]}}
        assert inference.asked[0].timeout_s == 5.0
        inference.error = errors.RouteError("no such route")
        status, lines, told = call(capsys, f"127.0.0.1:{port}", "--rest", "--data", "1")
        assert (status, lines) == (1, [])
        assert "answered HTTP 500" in told
        assert "no such route" in told


def test_failures_of_the_server_are_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    with seldon_server() as (_, target):
        assert call(capsys, target, "--data", '"fail"') == (1, [], "millrace: FAILED_PRECONDITION: not täday\n")
        status, _, told = call(capsys, target, "--data", '"slow"', "--timeout", "100ms")
        assert status == 1
        assert told.startswith("millrace: DEADLINE_EXCEEDED: ")
    for options in ([], ["--rest"]):
        status, _, told = call(capsys, target, "--data", "1", *options)
        assert status == 1
        assert told.startswith("millrace: UNAVAILABLE: ")
        assert target in told


def test_rest_peers_that_misbehave(capsys: pytest.CaptureFixture[str]) -> None:
    async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"SSH-2.0\r\n")
        writer.close()

    with in_thread(lambda: raw_server(garbage)) as port:
        status, _, told = call(capsys, f"127.0.0.1:{port}", "--rest", "--data", "1")
    assert status == 1
    assert told.startswith("millrace: UNAVAILABLE: 127.0.0.1")


def test_rest_over_a_unix_socket_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--rest needs HOST:PORT" in call(capsys, "unix:/x", "--rest", "--data", "1")[2]


def test_answers_as_text() -> None:
    text = b'{"status":{"code":3},"meta":{"routing":{"a":-1,"b":-2}},"data":{"ndarray":[' + b"1," * 999 + b"2]}}"
    lines = command.render(Response(messages.Message(text, Encoding.SELDON_JSON), ""), 0.00123).splitlines()
    assert lines[0] == "answer: ndarray"
    assert "..." in lines[1]
    assert "puid:   not given" in lines
    assert "route:  a → all children, b → no child" in lines
    assert lines[-1] == "time:   1.23 ms"
    assert any(line.startswith("status: ") for line in lines)
    nothing = command.render(Response(messages.Message(b"{}", Encoding.SELDON_JSON), "p"), 1)
    assert nothing.splitlines()[:2] == ["answer: no payload", "puid:   p"]
