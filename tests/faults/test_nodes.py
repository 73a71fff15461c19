"""Nodes that die, hang or are cut off, behind real executor processes: their own requests fail in good order, with the
node's name; those of other nodes go on; and nothing has to be done for the node to work again.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import grpc
import pytest
from support import serving
from support.asking import Asking
from support.clients import GrpcClient, Refused
from support.processes import Program, Programs, freeze, is_alive, poll
from support.proxy import Proxy
from support.servers import ECHO_NODE, free_port, wait_for_port
from support.serving import COMPONENTS, node

Code = grpc.StatusCode
GRAPH = node("r", "router", node("a", "model"), node("b", "model"), name="r")
"""The router takes the route that a text ends with: `x#0` goes to `a`, `x#1` to `b`."""
TO_A, TO_B = "x#0", "x#1"
LARGE = "y" * 1_000_000 + TO_A


class Victim:
    """The node `a`: ours, or one of grpcio. It echoes, and holds what says `hang` for half a minute."""

    def __init__(self, kind: str, folder: Path) -> None:
        self._kind = kind
        self._folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Starts it where it always is, and waits until it listens."""
        ours = ["-P", "-m", "executor", "node", f"{COMPONENTS}:Hanging", "--threads", "4", "--grpc-port"]
        theirs = [str(ECHO_NODE)]
        where = [str(self.port)] if self._kind == "millrace" else [f"127.0.0.1:{self.port}"]
        more = ["--http-port", "0"] if self._kind == "millrace" else []
        with (self._folder / "node").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *(ours if self._kind == "millrace" else theirs), *where, *more],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        wait_for_port(self.port, 30)

    def kill(self) -> None:
        """Ends it as a crash does."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)


class Scene:
    """An executor before the two nodes. `a` is behind a proxy, and `goes_on` asks `b` for as long as the block runs."""

    def __init__(self, programs: Programs, folder: Path, kind: str, workers: str) -> None:
        self.victim = Victim(kind, folder)
        self.victim.start()
        self.proxy = Proxy(f"127.0.0.1:{self.victim.port}")
        self._programs, self._folder, self._workers = programs, folder, workers

    def __enter__(self) -> Self:
        self.proxy.__enter__()
        other = self._programs.serve("node", f"{COMPONENTS}:Echo").ready()
        (self._folder / "graph.yaml").write_text(serving.deployment(GRAPH))
        nodes = ["--endpoint", f"a=grpc://{self.proxy.target}", "--endpoint", f"b=grpc://{other.grpc}"]
        parts = [str(self._folder / "graph.yaml"), "--component", f"r={COMPONENTS}:Said", "--workers", self._workers]
        self.executor: Program = self._programs.serve("run", *parts, *nodes).ready()
        self.client = GrpcClient(self.executor.grpc)
        return self

    def __exit__(self, *_: object) -> None:
        self.client.channel.close()
        self.proxy.__exit__()
        self.victim.kill()

    @contextlib.contextmanager
    def others_go_on(self) -> Iterator[None]:
        """Requests to `b` are answered all the time."""
        with Asking(self.executor.grpc, TO_B, self.executor.http_port, each=1) as asking:
            asking.go_on()
            yield
            asking.go_on()
        assert asking.failed == []

    def works(self) -> None:
        """`a` answers."""
        assert self.client.predict({"strData": TO_A}).said["strData"] == TO_A

    def refused(self, said: str = TO_A, timeout_s: float = 20.0) -> Refused:
        """How a request to `a` is refused."""
        with pytest.raises(Refused) as caught:
            self.client.predict({"strData": said}, timeout_s=timeout_s)
        return caught.value

    def under_way(self) -> Any:
        """A request that `a` holds."""
        before = self.proxy.up.passed
        call = self.client.start({"strData": f"hang{TO_A}"}, None)
        poll(lambda: self.proxy.up.passed > before)
        return call


@pytest.fixture(scope="module", params=[("millrace", "2"), ("grpcio", "1")], ids=lambda pair: "-".join(pair))
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("scene")
    with Programs() as programs, Scene(programs, folder, *request.param) as made:
        yield made


@pytest.fixture(autouse=True)
def sound(scene: Scene) -> Iterator[None]:
    """Whatever was done to the node, it works in the end, and nobody had to do anything to the executor for that."""
    scene.works()
    yield
    scene.works()
    assert "Traceback" not in scene.executor.err


def test_a_node_that_is_killed(scene: Scene) -> None:
    call = scene.under_way()
    with scene.others_go_on():
        scene.victim.kill()
        with pytest.raises(grpc.RpcError) as caught:
            call.result()
        assert caught.value.code() is Code.UNAVAILABLE
        assert "'a'" in caught.value.details()
        for _ in range(3):
            error = scene.refused()
            assert error.status is Code.UNAVAILABLE
            assert "'a'" in error.text
        scene.victim.start()

        def back() -> bool:
            with contextlib.suppress(Refused):  # the channel is backing off
                scene.works()
                return True
            return False

        poll(back)


def test_a_node_that_is_stopped_and_goes_on(scene: Scene) -> None:
    with scene.others_go_on():
        freeze(scene.victim.pid)
        try:
            error = scene.refused(timeout_s=0.5)
            assert error.status is Code.DEADLINE_EXCEEDED
            waits = scene.client.start({"strData": TO_A}, 20.0)
        finally:
            os.kill(scene.victim.pid, signal.SIGCONT)
        assert waits.result().strData == TO_A


def test_a_node_that_restarts_under_load(scene: Scene) -> None:
    with scene.others_go_on(), Asking(scene.executor.grpc, TO_A, scene.executor.http_port) as asking:
        asking.go_on()
        scene.victim.kill()
        poll(lambda: len(asking.failed) > 10)
        scene.victim.start()
        asking.settle()
    assert asking.statuses <= {Code.UNAVAILABLE, 500}


@pytest.mark.parametrize("how", ["reset", "close", "half"])
def test_an_answer_that_is_cut_off(scene: Scene, how: str) -> None:
    with scene.others_go_on():
        scene.proxy.cut_answers(300_000, how)
        error = scene.refused(LARGE)
        assert error.status is Code.UNAVAILABLE
        assert "'a'" in error.text
        scene.proxy.heal()
        scene.works()  # at once: a connection that worked is made again without a pause


def test_a_connection_that_is_frozen(scene: Scene) -> None:
    with scene.others_go_on():
        scene.proxy.freeze()
        try:
            assert scene.refused(timeout_s=0.5).status is Code.DEADLINE_EXCEEDED
            assert scene.refused(LARGE, timeout_s=0.5).status is Code.DEADLINE_EXCEEDED
        finally:
            scene.proxy.thaw()
        scene.works()


def test_an_answer_that_trickles(scene: Scene) -> None:
    down = scene.proxy.down
    with scene.others_go_on():
        down.piece, down.pause_s = 20_000, 0.01
        try:
            assert scene.client.predict({"strData": LARGE}).said["strData"] == LARGE
            error = scene.refused("y" * 4_000_000 + TO_A, timeout_s=0.5)
            assert error.status is Code.DEADLINE_EXCEEDED
        finally:
            down.piece, down.pause_s = 65_536, 0.0


def test_requests_that_are_cancelled(scene: Scene) -> None:
    with scene.others_go_on():
        calls = [scene.under_way() for _ in range(3)]
        for each in calls:
            each.cancel()
        scene.works()
    assert is_alive(scene.victim.pid)
