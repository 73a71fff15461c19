"""grpc-js, which shares no code with grpcio, as the client of our server."""

import asyncio
import base64
import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from support.graphs import node
from support.servers import grpc_node, message, serving, until, wait

from executor import errors
from executor._native import exits
from executor._native import message as native
from executor._pb import health_pb2, reflection_v1_pb2, seldon_pb2
from executor.settings import ServeLimits
from executor.status import Status
from executor.types import Method, Mode

HERE = Path(__file__).with_name("grpcjs")
PREDICT = "/seldon.protos.Seldon/Predict"
GZIP = {"grpc.default_compression_algorithm": 2}

pytestmark = pytest.mark.timeout(120)


def cache() -> Path:
    """Where the module is kept: outside the tree, for all runs of a version."""
    version = json.loads((HERE / "package.json").read_text())["dependencies"]["@grpc/grpc-js"]
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / "millrace" / f"grpcjs-{version}"


@pytest.fixture(scope="session")
def module() -> Path:
    """The folder of grpc-js, installed by npm when it is not there yet."""
    folder = cache()
    found = folder / "node_modules" / "@grpc" / "grpc-js"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs may find it missing at once
        if not (folder / "installed").exists():
            shutil.copy(HERE / "package.json", folder)
            command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
            subprocess.run(command, cwd=folder, check=True, timeout=100, capture_output=True)
            (folder / "installed").touch()
    return found


class Client:
    """The program client.js, which makes the calls that it is told to."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._reading = asyncio.get_running_loop().create_task(self._read())

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            said = json.loads(line)
            self._waiting.pop(said["id"]).set_result(said)
        for future in self._waiting.values():
            future.set_exception(AssertionError("the client has ended"))

    async def ask(self, path: str = PREDICT, **options: Any) -> Any:
        """One call, and what became of it."""
        assert self._process.stdin is not None
        number = id(future := asyncio.get_running_loop().create_future())
        self._waiting[number] = future
        self._process.stdin.write(json.dumps({"id": number, "path": path, **options}).encode() + b"\n")
        return await asyncio.wait_for(future, 30)

    async def predict(self, text: str = "x", **options: Any) -> Any:
        """One prediction of a text; `said` is the text of the answer."""
        said = await self.ask(data=encode(message(text).SerializeToString()), **options)
        if said["answer"] is not None:
            said["said"] = seldon_pb2.SeldonMessage.FromString(decode(said["answer"])).strData
        return said

    async def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.stdin.wait_closed()
        self._process.kill()
        await self._process.wait()
        await self._reading


def encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def decode(data: str) -> bytes:
    return base64.b64decode(data)


Connect = Callable[..., Any]


@pytest.fixture
def connect(module: Path) -> Connect:
    """A context manager that makes a client of a target, with channel options."""

    @asynccontextmanager
    async def make(target: str, options: dict[str, Any] | None = None) -> AsyncIterator[Client]:
        process = await asyncio.create_subprocess_exec(
            "node", str(HERE / "client.js"), str(module), target, json.dumps(options or {}),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, limit=1 << 26,
        )  # fmt: skip
        client = Client(process)
        try:
            yield client
        finally:
            await client.close()

    return make


def offering(handler: Any, mode: Mode = Mode.QUICK) -> dict[str, Any]:
    return {"replaced": {"m": dict.fromkeys(Method, (mode, handler))}}


def same(message: native.Message, context: exits.Context) -> native.Message:
    return message


async def test_answer_puid_and_metadata(connect: Connect) -> None:
    with grpc_node() as remote:
        async with serving(node("m"), remotes={"m": remote.target}) as served, connect(served.target) as client:
            said = await client.predict("hello", metadata=[["k", "v"], ["b-bin", encode(b"\x00\xff")]])
    assert (said["code"], said["said"]) == (0, "hello")
    call = remote.calls[0]
    assert (call.header("k"), call.header("b-bin")) == ("v", b"\x00\xff")
    assert call.header("seldon-puid") == said["initial"]["seldon-puid"]


async def test_errors(connect: Connect) -> None:
    def refuse(message: native.Message, context: exits.Context) -> native.Message:
        raise errors.ComponentError("no: ü 100% \n漢", status=Status.OUT_OF_RANGE, details=b"\x08\x01\xfe")

    async with serving(node("m"), limits=ServeLimits(max_message_bytes=1000), **offering(refuse)) as served:
        async with connect(served.target) as client:
            said = await client.predict()
            assert (said["code"], said["details"]) == (Status.OUT_OF_RANGE, "no: ü 100% \n漢")
            assert decode(said["trailing"]["grpc-status-details-bin"]) == b"\x08\x01\xfe"
            said = await client.ask("/no.such/Method", data="")
            assert (said["code"], said["details"]) == (Status.UNIMPLEMENTED, "unknown method /no.such/Method")
            said = await client.predict("x" * 5000)
            assert said["code"] == Status.RESOURCE_EXHAUSTED
            said = await client.ask(data=encode(b"\x0a\x05ab"))
            assert said["code"] == Status.INVALID_ARGUMENT
            assert "at byte" in said["details"]


@pytest.mark.parametrize("options", [{}, GZIP], ids=["identity", "gzip"])
async def test_sizes(connect: Connect, options: dict[str, Any]) -> None:
    async with serving(node("m"), **offering(same)) as served, connect(served.target, options) as client:
        for size in (0, 1, 16_384, 1_000_000, 6_000_000):
            said = await client.predict("x" * size)
            assert said["code"] == 0
            assert said["said"] == "x" * size


async def test_hundred_calls_at_once(connect: Connect) -> None:
    with grpc_node() as remote:
        async with serving(node("m"), remotes={"m": remote.target}) as served, connect(served.target) as client:
            said = await asyncio.gather(*(client.predict(str(index) * index) for index in range(100)))
    assert [each["said"] for each in said] == [str(index) * index for index in range(100)]


async def test_deadline_and_cancel_reach_the_node(connect: Connect) -> None:
    with grpc_node(wait) as remote:
        async with serving(node("m"), remotes={"m": remote.target}) as served, connect(served.target) as client:
            assert (await client.predict(timeout_ms=200))["code"] == Status.DEADLINE_EXCEEDED
            assert (await client.predict(cancel_ms=200))["code"] == Status.CANCELLED
            await until(lambda: served.bench.engine.in_flight == 0)
        assert remote.calls[0].remaining is not None
        assert 0 < remote.calls[0].remaining <= 0.2
        for call in remote.calls:
            assert await asyncio.to_thread(call.over.wait, 20)


async def test_health_and_reflection_streams(connect: Connect) -> None:
    async with serving(node("m")) as served, connect(served.target) as client:
        check = health_pb2.HealthCheckRequest().SerializeToString()
        watch = asyncio.ensure_future(
            client.ask("/grpc.health.v1.Health/Watch", messages=[encode(check)], cancel_after=2)
        )
        await until(lambda: served.server.native.rpcs == 1)
        await asyncio.sleep(0.05)
        served.readiness.set(False)
        said = await watch
        assert [decode(each) for each in said["messages"]] == [b"\x08\x01", b"\x08\x02"]
        assert said["code"] == Status.CANCELLED
        question = reflection_v1_pb2.ServerReflectionRequest(list_services="").SerializeToString()
        said = await client.ask(
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", messages=[encode(question)] * 3
        )
        assert (said["code"], len(said["messages"])) == (0, 3)
        answer = reflection_v1_pb2.ServerReflectionResponse.FromString(decode(said["messages"][2]))
        assert "seldon.protos.Seldon" in [each.name for each in answer.list_services_response.service]


async def test_unix_socket(connect: Connect, tmp_path: Path) -> None:
    async with serving(node("m"), path=f"{tmp_path}/s") as served, connect(served.target) as client:
        assert (await client.predict())["said"] == "m.predict(x)"


async def test_drain(connect: Connect) -> None:
    release = asyncio.Event()

    async def hold(message: native.Message, context: exits.Context) -> native.Message:
        await release.wait()
        return message

    async with serving(node("m"), **offering(hold, Mode.ASYNC)) as served, connect(served.target) as client:
        call = asyncio.ensure_future(client.predict("y" * 2_000_000))
        await until(lambda: served.bench.engine.in_flight == 1)
        drain = asyncio.ensure_future(served.server.drain(20))
        await asyncio.sleep(0.1)
        assert (await client.predict("late", timeout_ms=5000))["code"] == Status.UNAVAILABLE
        release.set()
        assert len((await call)["said"]) == 2_000_000
        assert await drain
