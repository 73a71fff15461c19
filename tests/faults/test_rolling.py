"""Restarts that no client may notice: workers one after the other, and whole executors behind another one.

A process that ends cannot hand its port over: nobody else can listen there before it has gone, and for as long as it
takes the next one to start, connections are refused. So the second executor has to be there before the first one
leaves, and whoever comes new has to reach it: through a virtual address, as a cluster's service is, or through a link
to the unix socket of whoever serves.
"""

import os
import signal
from pathlib import Path

import pytest
from support import serving
from support.asking import Asking
from support.clients import RestClient
from support.processes import Program, Programs, poll
from support.proxy import Proxy
from support.serving import COMPONENTS, node

MODEL = node("m", "model")
SAID = "x"


def before(programs: Programs, folder: Path, endpoint: str) -> Program:
    """An executor whose one node is at `endpoint`."""
    path = folder / "graph.yaml"
    path.write_text(serving.deployment(MODEL))
    return programs.serve("run", str(path), "--endpoint", f"m={endpoint}").ready()


def ended_well(program: Program) -> None:
    """It comes to its end by itself, and cut nobody off."""
    assert program.ended() == 0
    assert "cut off" not in program.err
    assert "Traceback" not in program.err


def test_workers_one_after_the_other(programs: Programs, tmp_path: Path) -> None:
    path = tmp_path / "graph.yaml"
    path.write_text(serving.deployment(MODEL))
    parts = ["run", str(path), "--component", f"m={COMPONENTS}:Hanging", "--workers", "2"]
    program = programs.serve(*parts).ready()
    rest = RestClient(program.http_port)

    def serving_now() -> set[str]:
        """Each connection is another one, and goes to whoever has the fewest."""
        return {rest.predict({"strData": "pid"}).said["strData"] for _ in range(8)}

    with Asking(program.grpc, SAID, program.http_port) as asking:
        asking.go_on()
        poll(lambda: len(serving_now()) == 2)
        old = serving_now()
        for pid in old:
            os.kill(int(pid), signal.SIGTERM)
            poll(lambda pid=pid: pid not in (now := serving_now()) and len(now) == 2, 30.0)  # type: ignore[misc]
            asking.go_on(20)
        assert not old & serving_now()
    assert asking.failed == []
    assert "cut off" not in program.err


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_an_executor_behind_a_virtual_address(programs: Programs, tmp_path: Path, scheme: str) -> None:
    def started() -> tuple[Program, str]:
        program = programs.serve("node", f"{COMPONENTS}:Echo").ready()
        return program, program.grpc if scheme == "grpc" else f"127.0.0.1:{program.http_port}"

    first, where = started()
    with Proxy(where) as address:
        front = before(programs, tmp_path, f"{scheme}://{address.target}")
        with Asking(front.grpc, SAID, front.http_port) as asking:
            asking.go_on()
            for _ in range(2):
                second, where = started()
                address.to(where)
                first.signal(signal.SIGTERM)
                ended_well(first)
                asking.go_on(20)
                first = second
        assert asking.failed == []


def test_an_executor_behind_a_link_to_its_socket(programs: Programs, tmp_path: Path) -> None:
    link = tmp_path / "socket"

    def started(number: int) -> Program:
        path = tmp_path / str(number)
        program = programs.start("node", f"{COMPONENTS}:Echo", "--uds", str(path)).ready()
        os.symlink(path, tmp_path / "new")
        os.rename(tmp_path / "new", link)  # in one step: whoever connects finds the one or the other
        return program

    first = started(0)
    front = before(programs, tmp_path, f"unix:{link}")
    with Asking(front.grpc, SAID, front.http_port) as asking:
        asking.go_on()
        for number in range(1, 3):
            second = started(number)
            first.signal(signal.SIGTERM)
            ended_well(first)
            asking.go_on(20)
            first = second
    assert asking.failed == []


def test_executors_in_front_change_places(programs: Programs, tmp_path: Path) -> None:
    back = programs.serve("node", f"{COMPONENTS}:Echo").ready()
    first = before(programs, tmp_path, f"grpc://{back.grpc}")
    with Proxy(first.grpc) as address, Asking(address.target, SAID) as asking:
        asking.go_on()
        for _ in range(2):
            second = before(programs, tmp_path, f"grpc://{back.grpc}")
            address.to(second.grpc)
            first.signal(signal.SIGTERM)
            ended_well(first)
            asking.go_on(20)
            first = second
    assert asking.failed == []
