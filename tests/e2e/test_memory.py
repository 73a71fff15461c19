"""The memory of `millrace run` while many clients send large messages to a node that has stopped."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from support import serving
from support.processes import Program, Programs
from support.serving import node

from executor import errors
from executor._native import message, transport
from executor._pb import seldon_pb2
from executor.rpc.channels import Channel

MIB = 1 << 20
CLIENTS = 64
PREDICT = "/seldon.protos.Seldon/Predict"
PROGRAM = 120 * MIB
"""What the program takes by itself, with Python, numpy and room for the heap."""
COMPONENTS = """
from executor.component.mark import quick

class Ok:
    @quick
    def predict(self, X, names):
        return "ok"

class BySize:
    @quick
    def route(self, X, names):
        return 0 if len(X) > 1000 else 1
"""


@pytest.fixture
def remote(programs: Programs, tmp_path: Path) -> Program:
    """A node in a process of its own."""
    (tmp_path / "parts.py").write_text(COMPONENTS)
    return programs.serve("node", f"{tmp_path}/parts.py:Ok").ready()


def start(programs: Programs, remote: Program, tmp_path: Path, memory: str) -> Program:
    """A graph whose large requests go to the remote node, and small ones to one in the process itself."""
    path = tmp_path / "graph.yaml"
    path.write_text(serving.deployment(node("by", "router", node("far", "model"), node("near", "model"))))
    return programs.serve(
        "run", str(path), "--endpoint", f"far=grpc://{remote.grpc}", "--component", f"by={tmp_path}/parts.py:BySize",
        "--component", f"near={tmp_path}/parts.py:Ok", "--max-message-bytes", str(20 * MIB), "--memory-budget", memory,
    ).ready()  # fmt: skip


def peak(program: Program) -> int:
    """The most memory that the process ever had, in bytes."""
    status = Path(f"/proc/{program.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) << 10


def work(program: Program) -> int:
    """The CPU time of the process, in units of 0.05 s: looking whether there is memory costs a little."""
    fields = Path(f"/proc/{program.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) // 5


def bound(hard: int) -> int:
    """As docs/limits.md has it: the budget, what shelves keep, what came for those that wait, and the program."""
    return hard + hard // 8 + hard // 2 // 4 + PROGRAM


def binary(size: int) -> message.Message:
    return message.Message(seldon_pb2.SeldonMessage(binData=bytes(size)).SerializeToString())


def text_of(answer: message.Message) -> str:
    return seldon_pb2.SeldonMessage.FromString(bytes(answer)).strData


@asynccontextmanager
async def channels(target: str, count: int) -> AsyncIterator[list[Channel]]:
    """Clients, each with a connection of its own."""
    reactor = transport.Reactor()
    made = [Channel(target, reactor=reactor) for _ in range(count)]
    try:
        yield made
    finally:
        for each in made:
            await each.close()
        reactor.close()


async def at_rest(program: Program, calls: list["asyncio.Task[message.Message]"]) -> None:
    """Waits until nothing changes any more: what can be sent was, and the program has nothing left to do."""
    before = (-1, -1, -1)
    while (now := (work(program), peak(program), sum(each.done() for each in calls))) != before:
        before = now
        await asyncio.sleep(0.5)


def test_many_large_messages_to_a_stopped_node_wait_in_bounded_memory(
    programs: Programs, remote: Program, tmp_path: Path
) -> None:
    program = start(programs, remote, tmp_path, "512MiB")
    asyncio.run(_all_wait(program, remote))
    assert peak(program) < bound(512 * MIB) < CLIENTS * 16 * MIB
    assert peak(program) < 256 * MIB + 64 * MIB + PROGRAM, "requests alone are held to the soft limit"


async def _all_wait(program: Program, remote: Program) -> None:
    asked, small = binary(16 * MIB), binary(10)
    async with asyncio.timeout(60), channels(program.grpc, CLIENTS) as clients, channels(program.grpc, 1) as (other,):
        assert text_of(await clients[0].call(PREDICT, asked)) == "ok"
        remote.signal(signal.SIGSTOP)
        try:
            calls = [asyncio.create_task(each.call(PREDICT, asked, timeout_s=50)) for each in clients]
            await at_rest(program, calls)
            assert not any(each.done() for each in calls)
            assert text_of(await other.call(PREDICT, small)) == "ok", "one more client is not held up"
        finally:
            remote.signal(signal.SIGCONT)
        assert [text_of(await each) for each in calls] == ["ok"] * CLIENTS


def test_those_that_cannot_even_wait_are_told_at_once(programs: Programs, remote: Program, tmp_path: Path) -> None:
    program = start(programs, remote, tmp_path, "128MiB")
    asyncio.run(_some_wait(program, remote))
    assert peak(program) < bound(128 * MIB)


async def _some_wait(program: Program, remote: Program) -> None:
    asked, small = binary(16 * MIB), binary(10)
    async with asyncio.timeout(60), channels(program.grpc, CLIENTS) as clients, channels(program.grpc, 1) as (other,):
        assert text_of(await clients[0].call(PREDICT, asked)) == "ok"
        remote.signal(signal.SIGSTOP)
        try:
            calls = [asyncio.create_task(each.call(PREDICT, asked, timeout_s=50)) for each in clients]
            await at_rest(program, calls)
            refused = [each.exception() for each in calls if each.done()]
            assert 0 < len(refused) < CLIENTS
            for error in refused:
                assert isinstance(error, errors.LimitError), error
                assert "no memory for more requests now" in error.message
            assert text_of(await other.call(PREDICT, small)) == "ok"
        finally:
            remote.signal(signal.SIGCONT)
        waited = [each for each in calls if each not in {done for done in calls if done.done() and done.exception()}]
        assert [text_of(await each) for each in waited] == ["ok"] * (CLIENTS - len(refused))


def test_budget_that_is_too_small_is_refused_with_what_is_allowed(programs: Programs, tmp_path: Path) -> None:
    path = tmp_path / "graph.yaml"
    path.write_text(serving.deployment(node("m", "model")))
    program = programs.start("run", str(path), "--component", "m=x.py:X", "--memory-budget", "100MiB")
    assert program.ended() == 2
    assert "--memory-budget 100 MiB: allowed are at least 128 MiB, two" in program.err
