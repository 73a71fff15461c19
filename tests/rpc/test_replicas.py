"""What `channels` do where several servers stand behind one name or one address."""

import asyncio
import collections
import contextlib
import logging
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from support.calling import ask, calling
from support.servers import Call, GrpcNode, free_port, grpc_node, until
from support.spreading import Name, virtual_ip

from executor import errors
from executor.rpc import places
from executor.rpc.channels import Channel
from executor.settings import ChannelSettings
from executor.status import Status

pytestmark = pytest.mark.timeout(60)


def slow(call: Call, context: grpc.ServicerContext) -> bytes:
    """Answers as a model does: not at once."""
    call.over.wait(0.01)
    return call.data


@asynccontextmanager
async def named(name: Name, **options: Any) -> AsyncIterator[Channel]:
    async with calling("models:80", resolve=name, **options) as made:
        yield made


async def shares(made: Channel, nodes: list[GrpcNode], calls: int = 300, at_once: int = 30) -> list[int]:
    """How many of so many calls each node gets; all must be answered."""
    before = [len(node.calls) for node in nodes]
    for _ in range(calls // at_once):
        assert await asyncio.gather(*(ask(made) for _ in range(at_once))) == ["question"] * at_once
    return [len(node.calls) - count for node, count in zip(nodes, before, strict=True)]


async def outcome(made: Channel, **options: Any) -> str | tuple[Status, str]:
    """The answer, or what the error says; of the error itself nothing stays, since it holds messages."""
    try:
        return await ask(made, **options)
    except errors.Error as error:
        return error.status, error.message


def states(made: Channel) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in made.report():
        found.setdefault(each.address, []).append(each.state)
    return found


# --- a name with several addresses ------------------------------------------------------------------


async def test_all_addresses_get_their_share() -> None:
    with grpc_node() as one, grpc_node() as two, grpc_node() as three:
        nodes = [one, two, three]
        async with named(Name(*(node.target for node in nodes))) as made:
            await made.connect()
            await until(lambda: made.endpoint.ready == 3)
            assert min(await shares(made, nodes)) >= 60
            # One call at a time, too: equals take turns.
            assert await shares(made, nodes, 30, 1) == [10, 10, 10]
            assert states(made) == {node.target: ["ready"] for node in nodes}
            assert all(each.age_s > 0 and each.streams == 0 for each in made.report())


async def test_a_new_address_gets_its_share_and_one_that_is_gone_finishes() -> None:
    release = threading.Event()

    def hold(call: Call, context: grpc.ServicerContext) -> bytes:
        if b"hold" in call.data:
            release.wait(20)
        return call.data

    with grpc_node(hold) as one, grpc_node() as two, grpc_node() as three:
        name = Name(one.target, two.target)
        async with named(name, settings=ChannelSettings(resolve_every_s=0.05)) as made:
            await made.connect()
            await until(lambda: made.endpoint.ready == 2)
            held = asyncio.gather(*(ask(made, "hold", timeout_s=20) for _ in range(2)))
            await until(lambda: len(one.calls) == 1)
            name.targets = [two.target, three.target]
            await until(lambda: states(made).get(three.target) == ["ready"] and states(made)[one.target] == ["leaving"])
            assert await shares(made, [one, two, three], 60, 1) == [0, 30, 30]
            release.set()
            assert await held == ["hold", "hold"]
            await until(lambda: one.target not in states(made))
            assert len(one.calls) == 1


async def test_what_a_name_stood_for_stays_until_there_is_something_else() -> None:
    with grpc_node() as one, grpc_node() as two:
        nobody = f"127.0.0.1:{free_port()}"
        name = Name(one.target)
        async with named(name, settings=ChannelSettings(resolve_every_s=0.05)) as made:
            await made.connect()
            name.targets = [nobody]
            await until(lambda: nobody in states(made))
            assert await shares(made, [one], 20, 1) == [20]
            name.targets = [two.target]
            await until(lambda: states(made) == {two.target: ["ready"]})
            assert await shares(made, [one, two], 20, 1) == [0, 20]


async def test_look_ups_that_fail_change_nothing() -> None:
    with grpc_node() as one:
        name = Name(one.target)
        async with named(name, settings=ChannelSettings(resolve_every_s=0.02)) as made:
            await made.connect()
            name.problem = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            await until(lambda: name.asked >= 5)
            assert await shares(made, [one], 20, 10) == [20]


async def test_a_name_that_cannot_be_looked_up_is_said_at_once() -> None:
    name = Name()
    name.problem = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    async with named(name) as made:
        with pytest.raises(errors.NodeError, match=r"^models:80: cannot connect: Name or service not known$"):
            await ask(made)
        with grpc_node() as one:
            name.problem, name.targets = None, [one.target]

            async def works() -> bool:
                with contextlib.suppress(errors.NodeError):
                    return await ask(made) == "question"
                return False

            async with asyncio.timeout(10):
                while not await works():
                    await asyncio.sleep(0.01)


async def test_a_lost_connection_is_reason_to_look_up() -> None:
    with grpc_node() as one, grpc_node() as two:
        name = Name(one.target)
        async with named(name) as made:  # the next look-up by the clock is half a minute away
            await made.connect()
            name.targets = [two.target]
            one.stop()
            await until(lambda: states(made) == {two.target: ["ready"]})
            assert await ask(made) == "question"


async def test_a_dead_address_costs_nothing_while_another_lives(caplog: pytest.LogCaptureFixture) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    with grpc_node() as one:
        async with named(Name(nobody, one.target)) as made:
            await made.connect()
            assert await shares(made, [one], 100, 20) == [100]
            await until(lambda: states(made) == {nobody: ["down"], one.target: ["ready"]})  # it is tried now and then
            with grpc_node(address=nobody):
                await until(lambda: made.endpoint.ready == 2)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_calls_fail_at_once_when_no_address_is_left_and_work_again_when_one_is() -> None:
    ports = [free_port(), free_port()]
    async with named(Name(*(f"127.0.0.1:{port}" for port in ports))) as made:
        for said in ("Connection refused", "Connection refused", r"\(trying again soon\)"):
            with pytest.raises(errors.NodeError, match=rf"^models:80: cannot connect to 127.0.0.1:\d+: .*{said}"):
                await ask(made)
        with grpc_node(address=f"127.0.0.1:{ports[1]}"):
            await until(lambda: made.endpoint.ready == 1)
            assert await ask(made) == "question"


# --- one address with several servers behind it -----------------------------------------------------


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls that crowd are seen to at once, however fast the servers are."""
    monkeypatch.setattr(places, "WATCH_S", 0.02)
    monkeypatch.setattr(places, "CALM_PER_S", 1e9)


@pytest.mark.usefixtures("impatient")
async def test_behind_a_virtual_ip_a_server_that_joins_gets_its_share() -> None:
    settings = ChannelSettings(connections=6, max_age_s=0.5)
    with grpc_node(slow) as one, grpc_node(slow) as two, grpc_node(slow) as three:
        nodes = [one, two, three]
        async with virtual_ip(one.target, two.target) as front, calling(front.target, settings=settings) as made:
            async with asyncio.timeout(20):
                while made.endpoint.ready < 6:
                    await shares(made, nodes, 150, 150)
            front.targets.append(three.target)
            before = front.connections
            async with asyncio.timeout(20):
                while front.connections < before + 8:
                    await shares(made, nodes, 150, 150)
            # What each has at one moment is chance: connections end one by one.
            counts = [0, 0, 0]
            async with asyncio.timeout(20):
                while front.connections < before + 32:
                    counts = list(map(sum, zip(counts, await shares(made, nodes, 150, 150), strict=True)))
            assert min(counts) >= sum(counts) / 10, counts


async def test_a_virtual_ip_without_load_has_one_connection_that_is_renewed() -> None:
    settings = ChannelSettings(max_age_s=0.1)
    with grpc_node() as one:
        async with virtual_ip(one.target) as front, calling(front.target, settings=settings) as made:
            await made.connect()
            async with asyncio.timeout(20):
                while front.connections < 5:
                    assert await ask(made) == "question"
                    assert made.endpoint.connections <= 2
            await until(lambda: len(made.report()) == 1)


@pytest.mark.usefixtures("impatient")
async def test_load_that_is_over_leaves_one_connection() -> None:
    settings = ChannelSettings(connections=3, max_age_s=0.3)
    with grpc_node(slow) as one:
        async with virtual_ip(one.target) as front, calling(front.target, settings=settings) as made:
            async with asyncio.timeout(20):
                while made.endpoint.ready < 3:
                    await shares(made, [one], 100, 100)
            await until(lambda: [each.state for each in made.report()] == ["ready"])


async def test_an_old_connection_finishes_its_calls() -> None:
    release = threading.Event()

    def hold(call: Call, context: grpc.ServicerContext) -> bytes:
        if b"hold" in call.data:
            release.wait(20)
        return call.data

    with grpc_node(hold) as one:
        async with calling(one.target, settings=ChannelSettings(max_age_s=0.05)) as made:
            held = asyncio.create_task(ask(made, "hold", timeout_s=20))
            await until(lambda: "leaving" in states(made).get(one.target, []))
            assert await ask(made) == "question"
            release.set()
            assert await held == "hold"


async def test_without_an_age_connections_stay() -> None:
    with grpc_node() as one:
        async with calling(one.target, settings=ChannelSettings(max_age_s=None)) as made:
            await made.connect()
            await asyncio.sleep(0.1)
            assert [each.state for each in made.report()] == ["ready"]


async def test_a_unix_socket_has_one_connection(tmp_path: Any) -> None:
    with grpc_node(slow, address=f"unix:{tmp_path}/s") as one:
        async with calling(one.target, settings=ChannelSettings(max_age_s=0.01)) as made:
            assert await shares(made, [one], 300, 60) == [300]
            assert [(each.address, each.state) for each in made.report()] == [(one.target, "ready")]


# --- bounds -----------------------------------------------------------------------------------------


async def test_calls_at_once_are_bounded_and_others_wait_their_turn() -> None:
    running, most = 0, 0
    lock = threading.Lock()

    def count(call: Call, context: grpc.ServicerContext) -> bytes:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        call.over.wait(0.005)
        with lock:
            running -= 1
        return call.data

    settings = ChannelSettings(calls_max=3, waiting_max=20, connections=1)
    with grpc_node(count) as one:
        async with calling(one.target, settings=settings) as made:
            await made.connect()
            done = await asyncio.gather(*(outcome(made) for _ in range(40)))
            full = f"{one.target}: 20 calls wait for their turn already, which is the limit"
            assert collections.Counter(done) == {"question": 23, (Status.RESOURCE_EXHAUSTED, full): 17}
            assert most == 3
            late = await asyncio.gather(*(outcome(made, timeout_s=0.02) for _ in range(20)))
            over = (Status.DEADLINE_EXCEEDED, f"{one.target}/s/M: no answer within 0.02 s")
            assert over in late
            assert set(late) <= {"question", over}
            assert (made.endpoint.connections, made.endpoint.waiting) == (1, 0)
