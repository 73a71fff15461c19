"""grpc-go, which shares no code with grpcio, as the node that our channels ask."""

import asyncio
import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from google.protobuf import any_pb2, wrappers_pb2
from support.calling import calling
from support.graphs import node, text
from support.servers import aio_client, message, serving, until
from support.spreading import Name

from executor import errors
from executor._native import seldon
from executor.protocol import wire
from executor.rpc.channels import Channel
from executor.settings import ChannelSettings
from executor.status import Status

HERE = Path(__file__).with_name("gonode")
PREDICT = "/seldon.protos.Model/Predict"

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="session")
def program() -> Path:
    """The node, built by Go when it is not there yet; kept outside the tree, for all runs of a version."""
    go = shutil.which("go") or shutil.which("/usr/local/go/bin/go")
    assert go is not None, "these tests need Go 1.26 or later, from https://go.dev/dl/, on the PATH"
    sources = b"".join(path.read_bytes() for path in sorted(HERE.iterdir()))
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "millrace"
    target = root / f"gonode-{hashlib.sha256(sources).hexdigest()[:16]}"
    root.mkdir(parents=True, exist_ok=True)
    with (root / "gonode.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs may find it missing at once
        if not target.exists():
            command = [go, "build", "-o", f"{target}.new", "."]
            done = subprocess.run(command, cwd=HERE, timeout=280, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            Path(f"{target}.new").rename(target)
    return target


class GoNode:
    """The node as a process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.target = ""
        self.told: list[str] = []

    async def read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            if self.target:
                self.told.append(line.decode().strip())
            else:
                self.target = line.decode().strip()

    def stop(self) -> None:
        """Begins to end gracefully; it says `stopped` when all calls are over."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")


Start = Callable[..., AbstractAsyncContextManager[GoNode]]


@pytest.fixture
def start(program: Path) -> Start:
    """A context manager that starts a node with options."""

    @asynccontextmanager
    async def make(*options: str) -> AsyncIterator[GoNode]:
        process = await asyncio.create_subprocess_exec(program, *options, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        made = GoNode(process)
        reading = asyncio.ensure_future(made.read())
        try:
            await until(lambda: made.target)
            yield made
        finally:
            process.kill()
            await process.wait()
            await reading

    return make


async def ask(made: Channel, said: str = "x", timeout_s: float | None = 20.0, **options: object) -> str:
    return text(await made.call(PREDICT, seldon.build("strData", said), timeout_s=timeout_s, **options))  # type: ignore[arg-type]


async def outcome(made: Channel, said: str = "x", timeout_s: float | None = 20.0) -> str | tuple[Status, str]:
    try:
        return await ask(made, said, timeout_s)
    except errors.Error as error:
        return error.status, error.message


async def refusal(made: Channel, said: str, path: str = PREDICT) -> errors.Error:
    with pytest.raises(errors.Error) as caught:
        await made.call(path, seldon.build("strData", said), timeout_s=20)
    caught.value.__context__ = None
    return caught.value.with_traceback(None)  # frames hold messages


async def test_answers_of_all_sizes_compressed_or_not(start: Start) -> None:
    async with start() as remote, calling(remote.target) as made:
        for size in (0, 1, 16_384, 100_000, 3_000_000):
            for word in ("", "[gzip]"):
                said = "x" * size + word
                assert await ask(made, said) == said


async def test_a_graph_asks_it(start: Start) -> None:
    async with start() as remote, serving(node("m"), remotes={"m": remote.target}) as served:
        async with aio_client(served.target) as stub:
            assert (await stub.Predict(message("through"), timeout=20)).strData == "through"


async def test_headers_and_deadlines_reach_it(start: Start) -> None:
    async with start() as remote, calling(remote.target) as made:
        await ask(made, "[tell]", headers=[("k", "v"), ("k", "w")])
        await ask(made, "[tell]", None)
        await until(lambda: len(remote.told) == 2)
        head, _, left = remote.told[0].partition(" left=")
        assert head == "asked k=v,w"
        assert 15_000 < int(left.removesuffix("ms")) <= 20_000
        assert remote.told[1] == "asked k= left=0ms"


async def test_errors_with_details(start: Start) -> None:
    async with start() as remote, calling(remote.target) as made:
        error = await refusal(made, "[fail]")
        assert (error.status, error.message) == (Status.FAILED_PRECONDITION, "no: ü 100% \n漢")
        assert error.details is not None
        told = dict(wire.fields(error.details))
        packed, why = any_pb2.Any.FromString(bytes(told[3])), wrappers_pb2.StringValue()  # type: ignore[arg-type]
        assert (told[1], packed.Unpack(why), why.value) == (9, True, "why")
        error = await refusal(made, "x", "/seldon.protos.Model/Nothing")
        assert (error.status, error.message[:22]) == (Status.UNIMPLEMENTED, "unknown method Nothing")


async def test_deadline_and_cancel_end_its_work(start: Start) -> None:
    async with start() as remote, calling(remote.target) as made:
        assert (await outcome(made, "[wait]", 0.2))[0] is Status.DEADLINE_EXCEEDED
        await until(lambda: len(remote.told) == 2)
        assert remote.told[0] == "waiting"
        assert remote.told[1] in ("over: context deadline exceeded", "over: context canceled")
        call = asyncio.ensure_future(outcome(made, "[wait]", None))
        await until(lambda: len(remote.told) == 3)
        call.cancel()
        del call
        await until(lambda: len(remote.told) == 4)
        assert remote.told[3] == "over: context canceled"
        assert await ask(made) == "x"


async def test_bursts_of_cancelled_calls_do_not_cost_the_connection(start: Start) -> None:
    lost: list[str] = []
    async with start() as remote, calling(remote.target, settings=ChannelSettings(connections=1)) as made:
        await made.connect()
        made.endpoint.on_lost = lambda number, reason, was_ready: lost.append(reason)
        for burst in range(1, 4):
            calls = [asyncio.ensure_future(outcome(made, "[wait]", None)) for _ in range(800)]
            await until(lambda: remote.told.count("waiting") == 800 * burst, 30.0)  # noqa: B023
            for call in calls:
                call.cancel()
            await asyncio.wait(calls)
            del calls, call  # their frames hold messages
            await until(lambda: made.endpoint.active == 0, 30.0)
        await until(lambda: remote.told.count("over: context canceled") == 2400, 30.0)
        assert await ask(made) == "x"
        assert lost == []


async def test_calls_that_end_before_it_looked_at_them_do_not_cost_the_connection(start: Start) -> None:
    lost: list[str] = []
    async with start() as remote, calling(remote.target, settings=ChannelSettings(connections=1)) as made:
        await made.connect()
        made.endpoint.on_lost = lambda number, reason, was_ready: lost.append(reason)
        for _ in range(20):
            tickets = [made.endpoint.call(PREDICT, seldon.build("strData", "[wait]")) for _ in range(100)]
            for ticket in tickets:
                ticket.cancel()
        await until(lambda: made.endpoint.active == 0, 30.0)
        assert await ask(made) == "x"
        assert lost == []


async def test_few_calls_on_each_connection(start: Start) -> None:
    async with start("-streams", "3") as remote, calling(remote.target) as made:
        said = await asyncio.gather(*(ask(made, f"[slow]{index}") for index in range(200)))
        assert said == [f"[slow]{index}" for index in range(200)]
        assert 2 <= made.endpoint.connections <= 8


async def test_connections_that_it_ends_by_their_age(start: Start) -> None:
    async with start("-age", "300ms") as remote, calling(remote.target) as made:
        answered = 0
        async with asyncio.timeout(60):
            while answered < 3000:
                said = await asyncio.gather(*(outcome(made, "[slow]") for _ in range(50)))
                assert set(said) == {"[slow]"}
                answered += len(said)


async def test_a_graceful_stop_under_load_fails_nothing(start: Start) -> None:
    async with start() as one, start() as two:
        name = Name(one.target, two.target)
        settings = ChannelSettings(resolve_every_s=60)
        async with calling("models:80", resolve=name, settings=settings) as made:
            await made.connect()
            await until(lambda: made.endpoint.ready == 2)
            said = await asyncio.gather(*(outcome(made, "[slow]") for _ in range(100)))
            waiting = [asyncio.ensure_future(outcome(made, "[slow]")) for _ in range(100)]
            one.stop()
            for _ in range(30):
                said += await asyncio.gather(*(outcome(made, "[slow]") for _ in range(50)))
            said += await asyncio.gather(*waiting)
            await until(lambda: "stopped" in one.told)
            assert said == ["[slow]"] * 1700
            assert [each.state for each in made.report() if each.address == two.target] == ["ready"]
