"""`millrace run --workers` as processes: who serves whom, what dies and comes back, and how all of it ends.

Tests `workers` and `worker`.
"""

import contextlib
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import processes, serving
from support.clients import GrpcClient, Refused, RestClient, clients
from support.processes import Program, Programs, children, freeze, is_alive, poll
from support.serving import COMPONENTS, node

from executor import cpus

MODEL = node("m", "model")
Serve = Callable[..., Program]


@pytest.fixture
def serve(programs: Programs, tmp_path: Path) -> Serve:
    """Starts two workers with a component as the one node."""

    def started(kind: str = "Moody", **parameters: str) -> Program:
        path = tmp_path / "graph.yaml"
        path.write_text(serving.deployment(node("m", "model", **parameters)))
        return programs.serve("run", str(path), "--component", f"m={COMPONENTS}:{kind}", "--workers", "2")

    return started


@contextlib.contextmanager
def grpc_clients(program: Program, count: int) -> Iterator[list[GrpcClient]]:
    made = [GrpcClient(program.grpc) for _ in range(count)]
    try:
        yield made
    finally:
        for each in made:
            each.channel.close()


def pid_of(client: GrpcClient | RestClient) -> int:
    """The process that answers a client."""
    return int(client.predict({"strData": "pid"}).said["strData"])


def workers_of(program: Program) -> set[int]:
    """The processes that a program has started."""
    return children(program.pid)


def test_a_graph_without_components_is_served_by_as_many_workers_as_there_are_cpus(
    programs: Programs, tmp_path: Path
) -> None:
    path = tmp_path / "graph.yaml"
    path.write_text(serving.deployment(node("m", "", implementation="SIMPLE_MODEL")))
    count = cpus.container_workers("", [])
    by_itself, told = programs.serve("run", str(path)), programs.serve("run", str(path), "--workers", "1")
    for program, wanted in ((by_itself, count if count > 1 else 0), (told, 0)):
        program.ready()
        assert len(workers_of(program)) == wanted
        assert RestClient(program.http_port).predict({"strData": "x"}).said["strData"] == "x"


def test_connections_are_spread_over_workers(serve: Serve) -> None:
    program = serve().ready()
    assert program.out.splitlines()[-3] == "2 workers"
    with grpc_clients(program, 8) as made:
        pids = [pid_of(each) for each in made]
        rest = {pid_of(RestClient(program.http_port)) for _ in range(6)}
    counts = {pid: pids.count(pid) for pid in set(pids)}
    assert set(counts) == workers_of(program)
    assert program.pid not in counts
    assert min(counts.values()) >= 2
    assert rest <= set(counts)


class Loops:
    """Clients that ask without pause, each on a connection of its own, until `stop`; what failed, by client."""

    def __init__(self, made: list[GrpcClient]) -> None:
        self.failed: dict[int, Refused] = {}
        self.answered = [0] * len(made)
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=pair) for pair in enumerate(made)]
        for each in self._threads:
            each.start()

    def _ask(self, index: int, client: GrpcClient) -> None:
        while not self._over.is_set():
            try:
                pid_of(client)
                self.answered[index] += 1
            except Refused as refused:
                self.failed.setdefault(index, refused)

    def stop(self) -> None:
        self._over.set()
        for each in self._threads:
            each.join()


def test_a_killed_worker_is_replaced_and_others_do_not_notice(serve: Serve) -> None:
    program = serve().ready()
    with grpc_clients(program, 4) as made:
        pids = [pid_of(each) for each in made]
        victim = pids[0]
        loops = Loops(made)
        try:
            poll(lambda: min(loops.answered) > 5)
            os.kill(victim, signal.SIGKILL)
            program.wait_for(
                lambda: re.search(r"worker '\d' ended with signal SIGKILL; starting it again", program.err)
            )
            program.wait_for(lambda: len(workers_of(program)) == 2)
            before = list(loops.answered)
            poll(lambda: all(now > old + 5 for now, old in zip(loops.answered, before, strict=True)))
        finally:
            loops.stop()
        assert {pids[index] for index in loops.failed} <= {victim}
    successor = (workers_of(program) - set(pids)).pop()

    def reached() -> bool:
        with grpc_clients(program, 2) as fresh:
            return successor in {pid_of(each) for each in fresh}

    poll(reached, 20.0)


def test_a_worker_that_hangs_gets_no_more_connections(serve: Serve) -> None:
    program = serve().ready()
    hung = min(workers_of(program))
    freeze(hung)
    try:
        rest = RestClient(program.http_port)
        answered = [0]

        def ask() -> None:
            with contextlib.suppress(OSError):
                rest.status("/live")
                answered[0] += 1

        first = [threading.Thread(target=ask) for _ in range(6)]
        for each in first:
            each.start()
        time.sleep(1.5)  # what was given to it before it counts as hung has to wait
        with grpc_clients(program, 6) as made:
            assert hung not in {pid_of(each) for each in made}
    finally:
        os.kill(hung, signal.SIGCONT)
    for each in first:
        each.join()
    assert answered == [6]


def test_a_signal_lets_requests_finish(serve: Serve, tmp_path: Path) -> None:
    program = serve().ready()
    gate = tmp_path / "gate"
    workers = workers_of(program)
    with grpc_clients(program, 2) as made:
        calls = [each.start({"strData": f"wait {gate}"}) for each in made]
        poll(lambda: gate.with_suffix(".begun").exists() and gate.with_suffix(".begun").read_text() == "..")
        program.signal(signal.SIGTERM)
        program.wait_for(lambda: program.err.count("draining") == 3)
        with pytest.raises(OSError, match="refused"):
            RestClient(program.http_port).status("/ready")
        assert not any(each.done() for each in calls)
        gate.touch()
        assert [each.result().strData for each in calls] == [f"done {gate}"] * 2
        assert program.ended(10.0) == 0
    assert not any(map(is_alive, workers))
    assert "Traceback" not in program.err


def test_a_second_signal_ends_at_once(serve: Serve, tmp_path: Path) -> None:
    program = serve().ready()
    workers = workers_of(program)
    with grpc_clients(program, 1) as made:
        call = made[0].start({"strData": f"wait {tmp_path / 'gate'}"})
        poll((tmp_path / "gate.begun").exists)
        program.signal(signal.SIGTERM)
        program.wait_for(lambda: program.err.count("draining") == 3)
        program.signal(signal.SIGTERM)
        assert program.ended(8.0) == 1
        call.cancel()
    assert not any(map(is_alive, workers))


def test_workers_go_with_a_parent_that_is_killed(serve: Serve) -> None:
    program = serve().ready()
    workers = workers_of(program)
    assert len(workers) == 2
    program.signal(signal.SIGKILL)
    program.ended()
    poll(lambda: not any(map(is_alive, workers)), 15.0)


def test_requests_are_refused_while_components_load(serve: Serve, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    program = serve("Slow", gate=str(gate))
    program.wait_for(lambda: "demo/main" in program.out)
    assert "gRPC on" not in program.out
    gate.touch()
    program.ready()
    with clients(program.grpc, program.http_port) as both:
        assert [each.predict({"strData": "x"}).said["strData"] for each in both.values()] == ["x", "x"]
        assert RestClient(program.http_port).status("/ready") == 200


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("Broken", "node 'm': load raised FileNotFoundError: no weights"),
        ("Dying", r"worker \d ended with exit status 3"),
    ],
)
def test_workers_that_cannot_come_up_are_told_once(tmp_path: Path, kind: str, said: str) -> None:
    path = tmp_path / "graph.yaml"
    path.write_text(serving.deployment(MODEL))
    ports = ["--grpc-port", "0", "--http-port", "0", "--log-level", "error"]
    done = processes.run("run", str(path), "--component", f"m={COMPONENTS}:{kind}", "--workers", "2", *ports)
    assert done.returncode == 2
    assert done.stderr.count("millrace: ") == 1
    assert re.search(said, done.stderr)
    assert "starting it again" not in done.stderr
