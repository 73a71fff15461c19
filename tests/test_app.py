"""A serving process (`process`): its listeners, start, drain and end. Signals are tested with processes, in `e2e`."""

import asyncio
import os
import re
import socket
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from support import serving
from support.clients import Refused
from support.processes import poll
from support.serving import COMPONENTS, node

from executor import app, errors
from executor.process import Process
from executor.settings import ListenSettings, NodeSettings, ServeLimits

Make = Callable[..., Process]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    made: list[Process] = []

    def process(**listen: Any) -> Process:
        settings = ListenSettings(**{"grpc_port": None, "http_port": None, **listen})
        made.append(Process(settings, ServeLimits(), 1))
        return made[-1]

    yield process
    for each in made:
        await each.stop()


def echo(process: Process, kind: str = "Echo", **parameters: Any) -> None:
    """Makes the process serve a component."""
    app.component(process, NodeSettings(f"{COMPONENTS}:{kind}", parameters=parameters))


async def listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


def port_of(told: list[str]) -> int:
    return int(told[0].rpartition(":")[2])


# --- listeners ------------------------------------------------------------------------------------------------


async def test_where_it_listens_is_told(make: Make, tmp_path: Path) -> None:
    process = make(grpc_port=0, http_port=0, uds=str(tmp_path / "s"))
    process.bind()
    assert re.fullmatch(r"127\.0\.0\.1:\d+", process.grpc_told[0])
    assert process.grpc_told[1:] == [f"unix:{tmp_path / 's'}"]
    assert re.fullmatch(r"127\.0\.0\.1:\d+", process.rest_told[0])


async def test_an_ipv6_address_is_told_with_brackets(make: Make) -> None:
    process = make(host="::1", grpc_port=0)
    process.bind()
    assert re.fullmatch(r"\[::1\]:\d+", process.grpc_told[0])


@pytest.mark.parametrize("option", ["grpc_port", "http_port"])
async def test_a_port_in_use_is_told_before_anything_is_loaded(make: Make, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = make(**{option: port})
        told = f"--{option.replace('_', '-')} {port}: cannot listen on 127.0.0.1: Address already in use"
        with pytest.raises(errors.RequestError, match=re.escape(told)):
            process.bind()


async def test_a_host_that_is_not_there_is_told(make: Make) -> None:
    with pytest.raises(errors.RequestError, match=r"--host nowhere\.invalid: "):
        make(host="nowhere.invalid", grpc_port=0).bind()
    with pytest.raises(errors.RequestError, match=r"--grpc-port 0: cannot listen on 192\.0\.2\.1: "):
        make(host="192.0.2.1", grpc_port=0).bind()


async def test_a_port_that_another_took_in_the_meantime_is_told(make: Make) -> None:
    process = make(grpc_port=0)
    echo(process)
    port = port_of(process.grpc_told)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.raises(
            errors.RequestError, match=f"--grpc-port: cannot listen on 127.0.0.1:{port}: Address already"
        ):
            await process.start()


# --- unix sockets ---------------------------------------------------------------------------------------------


async def test_the_file_of_a_process_that_is_gone_is_replaced(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(path))
    process = make(uds=str(path))
    process.bind()
    assert path.exists()
    await process.stop()
    assert not path.exists()


async def test_the_socket_of_a_process_that_serves_is_left_alone(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen(0)
        # Even one whose queue is full.
        with socket.socket(socket.AF_UNIX) as first, socket.socket(socket.AF_UNIX) as second:
            for each in (first, second):
                each.setblocking(False)
                each.connect_ex(str(path))
            process = make(uds=str(path))
            with pytest.raises(errors.RequestError, match=r"--uds .*: cannot listen: Address already in use"):
                process.bind()
            await process.stop()
        assert path.exists()


async def test_a_successors_file_is_not_removed(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "s"
    first, second = make(uds=str(path)), make(uds=str(path))
    echo(first)
    second.bind()  # the first does not listen yet, and is taken for dead
    made = path.stat()
    with pytest.raises(errors.RequestError, match=r"--uds .*: another process has put a socket of its own there"):
        await first.start()
    await first.stop()
    assert path.stat() == made
    await second.stop()
    assert not path.exists()


@pytest.mark.parametrize("path", ["/nowhere/s", "x" * 200])
async def test_a_path_that_cannot_be_is_told(make: Make, path: str) -> None:
    with pytest.raises(errors.RequestError, match=rf"--uds {path}: cannot listen: "):
        make(uds=path).bind()


# --- starting -------------------------------------------------------------------------------------------------


async def test_nothing_answers_grpc_before_all_is_loaded(make: Make, tmp_path: Path) -> None:
    process = make(grpc_port=0, http_port=0)
    gate = tmp_path / "gate"
    echo(process, "Slow", gate=str(gate))
    start = asyncio.create_task(process.start())
    while not await listens(port_of(process.rest_told)):
        await asyncio.sleep(0.005)
    assert not await listens(port_of(process.grpc_told))
    assert not process.readiness.ready
    gate.touch()
    assert await asyncio.wait_for(start, 10)
    assert await listens(port_of(process.grpc_told))
    assert process.readiness.ready


async def test_a_failed_start_gives_everything_back(make: Make, tmp_path: Path) -> None:
    before = {name: os.readlink(f"/proc/self/fd/{name}") for name in _descriptors()}
    others = set(threading.enumerate())
    process = Process(ListenSettings("127.0.0.1", 0, 0, str(tmp_path / "s")), ServeLimits(), 2)
    echo(process, "Broken")
    with pytest.raises(errors.ComponentError, match="no weights"):
        await process.start()
    await process.stop()
    await process.stop()
    assert not (tmp_path / "s").exists()
    assert not [each for each in set(threading.enumerate()) - others if each.name.startswith("component-")]
    after = {name: os.readlink(f"/proc/self/fd/{name}") for name in _descriptors()}
    assert {where for where in after.values() if "socket" in where} <= set(before.values())


def _descriptors() -> list[str]:
    return [name for name in os.listdir("/proc/self/fd") if os.path.lexists(f"/proc/self/fd/{name}")]


async def test_an_unknown_class_is_told_with_the_ports_given_back(make: Make) -> None:
    process = make(grpc_port=0)
    with pytest.raises(errors.ComponentError, match="no class Nobody"):
        echo(process, "Nobody")
    port = port_of(process.grpc_told)
    await process.stop()
    other = make(grpc_port=port)
    other.bind()
    assert port_of(other.grpc_told) == port


# --- draining and the end -------------------------------------------------------------------------------------

MOODY = {"m": "Moody"}


def test_drain_waits_for_requests_and_refuses_new_ones(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with serving.graph(node("m", "model"), MOODY) as served:
        call = served.grpc.start({"strData": f"wait {gate}"})
        poll(gate.with_suffix(".begun").exists)
        draining = served.submit(served.process.drain())
        poll(lambda: not served.process.readiness.ready)
        with pytest.raises(OSError, match="refused"):
            served.rest.status("/ready")
        assert not draining.done()
        gate.touch()
        assert call.result().strData == f"done {gate}"
        assert draining.result(10) is True


def test_what_does_not_end_in_time_is_cut_off(tmp_path: Path) -> None:
    root = node("m", "model", log=str(tmp_path / "log"))
    with serving.graph(root, {"m": "Patient"}, limits=ServeLimits(drain_timeout_s=0.1)) as served:
        call = served.grpc.start({"strData": "x"})
        poll((tmp_path / "log").exists)
        assert served.call(served.process.drain()) is False
        served.call(served.process.stop())
        with pytest.raises(grpc.RpcError) as caught:
            call.result()
        error: Any = caught.value
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        poll(lambda: (tmp_path / "log").read_text() == "begun\ncancelled\n")


def test_a_process_that_has_stopped_answers_nothing() -> None:
    with serving.graph(node("m", "model"), MOODY) as served:
        assert served.rest.predict({"strData": "x"}).said["strData"] == "done "
        served.call(served.process.stop())
        with pytest.raises(Refused) as caught:
            served.grpc.predict({"strData": "x"})
        assert caught.value.status is grpc.StatusCode.UNAVAILABLE
        with pytest.raises(OSError, match="refused"):
            served.rest.status("/live")
