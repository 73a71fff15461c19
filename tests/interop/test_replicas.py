"""Replicas that die and come back while calls run: `rpc.channels` against real processes, ours and grpcio's."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from support.calling import calling
from support.graphs import text
from support.processes import Program, Programs
from support.servers import free_port, node_process, until
from support.spreading import Name

from executor import errors
from executor._native import seldon
from executor.rpc.channels import Channel
from executor.status import Status

COMPONENT = f"{Path(__file__).parents[1] / 'e2e' / 'components.py'}:Echo"
PREDICT = "/seldon.protos.Model/Predict"
AT_ONCE = 24

pytestmark = pytest.mark.timeout(120)


@dataclass
class Load:
    """Calls that run all the time, and what became of them."""

    made: Channel
    failed: list[tuple[float, Status, str]] = field(default_factory=list)
    """When each began, and what was said."""
    answered: int = 0
    stop: bool = False

    async def _call(self) -> None:
        began = time.monotonic()
        try:
            said = await self.made.call(PREDICT, seldon.build("strData", "x"), timeout_s=20)
        except errors.Error as error:
            self.failed.append((began, error.status, error.message))
        else:
            assert text(said) == "x"
            self.answered += 1

    async def run(self) -> None:
        async def lane() -> None:
            while not self.stop:
                await self._call()

        await asyncio.gather(*(lane() for _ in range(AT_ONCE)))

    async def more(self, count: int) -> None:
        """Waits for so many more answers."""
        goal = self.answered + count
        await until(lambda: self.answered >= goal, 60)


def replica(programs: Programs, port: int) -> Program:
    listen = ("--grpc-port", str(port), "--http-port", "0", "--log-level", "warning")
    return programs.start("node", COMPONENT, *listen)


def states(made: Channel) -> Counter[str]:
    return Counter(each.state for each in made.report())


async def under_load(name: Name, act: Callable[[Channel, Load], Awaitable[None]]) -> Load:
    async with calling("models:80", resolve=name) as made:
        await made.connect()
        await until(lambda: made.endpoint.ready == len(name.targets))
        load = Load(made)
        running = asyncio.ensure_future(load.run())
        try:
            await act(made, load)
        finally:
            load.stop = True
            await running
        return load


async def test_a_replica_is_killed_and_started_again(programs: Programs) -> None:
    ports = [free_port(), free_port()]
    replicas = [replica(programs, port) for port in ports]
    for each in replicas:
        each.ready()
    noticed = 0.0

    async def act(made: Channel, load: Load) -> None:
        nonlocal noticed
        await load.more(500)
        replicas[0].signal(signal.SIGKILL)
        await until(lambda: made.endpoint.ready == 1)
        noticed = time.monotonic()
        await load.more(1000)
        assert states(made) == {"ready": 1, "down": 1} or states(made) == {"ready": 1, "connecting": 1}
        again = replica(programs, ports[0])
        await asyncio.to_thread(again.ready)
        await until(lambda: made.endpoint.ready == 2)
        await load.more(1000)
        assert all(each.streams > 0 for each in made.report())

    load = await under_load(Name(*(f"127.0.0.1:{port}" for port in ports)), act)
    assert load.answered >= 2500
    assert len(load.failed) <= AT_ONCE
    assert all(began < noticed for began, _, _ in load.failed)
    assert {status for _, status, _ in load.failed} <= {Status.UNAVAILABLE}
    assert all("connection lost" in said for _, _, said in load.failed)


async def test_replicas_are_stopped_one_after_the_other_and_nothing_fails(programs: Programs) -> None:
    ports = [free_port(), free_port()]
    replicas = [replica(programs, port) for port in ports]
    for each in replicas:
        each.ready()

    async def act(made: Channel, load: Load) -> None:
        for index, port in enumerate(ports):
            await load.more(400)
            replicas[index].signal(signal.SIGTERM)
            await asyncio.to_thread(replicas[index].ended)
            await load.more(400)
            again = replica(programs, port)
            await asyncio.to_thread(again.ready)
            await until(lambda: made.endpoint.ready == 2)
        await load.more(400)

    load = await under_load(Name(*(f"127.0.0.1:{port}" for port in ports)), act)
    assert load.answered >= 2000
    assert load.failed == []


async def test_grpcio_nodes_are_killed_one_after_the_other() -> None:
    async with AsyncExitStack() as stack:
        nodes = [await stack.enter_async_context(node_process()) for _ in range(3)]
        name = Name(*(each.target for each in nodes))
        noticed: list[float] = []

        async def act(made: Channel, load: Load) -> None:
            for index in (0, 1):
                await load.more(300)
                nodes[index].kill()
                await until(lambda left=2 - index: made.endpoint.ready == left)  # type: ignore[misc]
                noticed.append(time.monotonic())
            await load.more(600)

        load = await under_load(name, act)
        assert load.answered >= 1200
        assert len(load.failed) <= 2 * AT_ONCE
        for began, status, said in load.failed:
            assert began < noticed[1]
            assert (status, "connection lost" in said) == (Status.UNAVAILABLE, True)
