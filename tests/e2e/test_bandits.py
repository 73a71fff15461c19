"""Graphs that learn from feedback, as processes: they converge, share what they learn, and keep it whatever happens."""

import contextlib
import os
import random
import signal
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from support import processes, serving
from support.clients import Client, GrpcClient, Refused, RestClient, clients
from support.processes import Program, Programs, freeze, poll
from support.serving import node

from executor.state import Branch
from executor.state.sqlite import SqliteStore

KINDS = ["EPSILON_GREEDY", "THOMPSON_SAMPLING", "UCB1", "EXP3"]
CHANCES = {"poor": 0.1, "good": 0.9}
KEY = "demo/main/r"


def manifest(kind: str, *children: str, **parameters: Any) -> str:
    models = [node(name, implementation="SIMPLE_MODEL") for name in children]
    return serving.deployment(node("r", "", *models, implementation=kind, **parameters))


def serve(programs: Programs, folder: Path, text: str, workers: int = 2) -> Program:
    path = folder / "graph.yaml"
    path.write_text(text)
    arguments = ("--state", str(folder / "s"), "--workers", str(workers))
    return programs.serve("run", str(path), *arguments).ready()


def kept(folder: Path) -> dict[str, Branch]:
    store = SqliteStore(str(folder / "s"))
    try:
        return store.read(KEY)
    finally:
        store.close()


def play(client: Client, draws: random.Random, names: tuple[str, ...] = ("poor", "good")) -> str:
    """One request with its reward; the branch that it took."""
    said: dict[str, Any] = client.predict({"strData": "x"}).said
    name: str = names[said["meta"]["routing"]["r"]]
    reward = float(draws.random() < CHANCES[name])
    client.feedback({"response": said, "reward": reward})
    return name


@pytest.mark.parametrize("kind", KINDS)
def test_it_finds_the_better_of_two_models(programs: Programs, tmp_path: Path, kind: str) -> None:
    given = {"EXP3": {"gamma": 0.2}}.get(kind, {})
    program = serve(programs, tmp_path, manifest(kind, "poor", "good", **given))
    draws = random.Random(3)
    with clients(program.grpc, program.http_port) as made:
        turns = [made["grpc"], made["rest"]] * 120
        taken = [play(client, draws) for client in turns]
    assert Counter(taken[-100:])["good"] > 60
    assert set(taken) == {"poor", "good"}
    program.signal(signal.SIGTERM)
    assert program.ended() == 0
    found = kept(tmp_path)
    assert {name: (each.pulls, each.rewards) for name, each in found.items()} == {
        name: (count, count) for name, count in Counter(taken).items()
    }


class Players:
    """Clients of both kinds that play until they are cut off; what was acknowledged, and what may be."""

    def __init__(self, program: Program, run: str, count: int = 4) -> None:
        self.acknowledged: list[str] = []
        self.asked = 0
        self._run = run
        self._grpc = [GrpcClient(program.grpc) for _ in range(count // 2)]
        made: list[Client] = [*self._grpc, *(RestClient(program.http_port) for _ in range(count // 2))]
        self._threads = [threading.Thread(target=self._play, args=pair) for pair in enumerate(made)]
        for each in self._threads:
            each.start()

    def _play(self, index: int, client: Client) -> None:
        number = 0
        with contextlib.suppress(Refused, OSError, ValueError):
            while True:
                puid = f"{self._run}-{index}-{number}"
                number += 1
                self.asked += 1
                client.feedback({"response": {"meta": {"puid": puid, "routing": {"r": 1}}}, "reward": 1})
                self.acknowledged.append(puid)

    def join(self) -> None:
        for each in self._threads:
            each.join()
        for client in self._grpc:
            client.channel.close()


def kill(program: Program) -> None:
    """All its processes, workers first: their parent would start new ones, and they would end by themselves."""
    freeze(program.pid)
    for pid in workers_of(program):
        os.kill(pid, signal.SIGKILL)
    os.kill(program.pid, signal.SIGKILL)
    program.process.wait()


def workers_of(program: Program) -> list[int]:
    return list(map(int, Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text().split()))


def test_acknowledged_rewards_survive_a_kill_of_all_processes(programs: Programs, tmp_path: Path) -> None:
    moments = random.Random(2)
    acknowledged: list[str] = []
    at_most = 0
    for run in range(3):
        program = serve(programs, tmp_path, manifest("THOMPSON_SAMPLING", "poor", "good"))
        assert len(workers_of(program)) == 2
        players = Players(program, str(run))
        try:
            enough = moments.randrange(5, 60)
            poll(lambda players=players, enough=enough: len(players.acknowledged) >= enough, 30)  # type: ignore[misc]
        finally:
            kill(program)
            players.join()
        acknowledged += players.acknowledged
        at_most += players.asked
        good = kept(tmp_path)["good"]
        assert len(acknowledged) <= good.rewards <= at_most
        assert good.total == good.rewards
    program = serve(programs, tmp_path, manifest("THOMPSON_SAMPLING", "poor", "good"))
    before = kept(tmp_path)["good"].rewards
    with clients(program.grpc, program.http_port) as made:
        for client, puid in zip([made["grpc"], made["rest"]] * 10, random.sample(acknowledged, 20), strict=True):
            client.feedback({"response": {"meta": {"puid": puid, "routing": {"r": 1}}}, "reward": 1})
        assert kept(tmp_path)["good"].rewards == before
        taken = Counter(made["grpc"].predict({"strData": "x"}).said["meta"]["routing"]["r"] for _ in range(100))
    assert taken[1] > 60


@pytest.mark.parametrize("workers", [1, 2])
def test_feedback_finds_its_branch_after_a_reload(programs: Programs, tmp_path: Path, workers: int) -> None:
    names = ("poor", "good")
    program = serve(programs, tmp_path, manifest("EPSILON_GREEDY", *names, epsilon=1.0), workers)
    path = tmp_path / "graph.yaml"
    with clients(program.grpc, program.http_port) as made:
        client = made["rest"]
        said: dict[str, Any] = {}
        while len(said) < 2:
            answer = client.predict({"strData": "x"}).said
            said[names[answer["meta"]["routing"]["r"]]] = answer
        path.write_text(manifest("EPSILON_GREEDY", "fresh", "good", "last", epsilon=1.0))

        def reloaded() -> bool:
            routes = {each.predict({"strData": "x"}).said["meta"]["routing"]["r"] for each in made.values()}
            return 2 in routes

        poll(reloaded, 30)
        client.feedback({"response": said["good"], "reward": 1})
        with pytest.raises(Refused, match=r"node 'r': the branch that request .* took is no longer there") as refused:
            client.feedback({"response": said["poor"], "reward": 1})
        assert refused.value.status == 400
        assert "branches are fresh, good, last" in refused.value.text
    known = kept(tmp_path)
    assert (known["good"].rewards, known.get("fresh", Branch()).rewards) == (1, 0)


@pytest.mark.parametrize("kind", ["grpc", "rest"])
def test_what_is_wrong_with_feedback_is_told(kind: str, tmp_path: Path) -> None:
    models = [node(name, implementation="SIMPLE_MODEL") for name in CHANCES]
    root = node("r", "", *models, implementation="UCB1")
    with serving.graph(root, state="memory") as served:
        client: Client = served.grpc if kind == "grpc" else served.rest
        for wrong, told in (
            ({"response": {"meta": {"routing": {"r": 7}}}}, "node 'r': response.meta.routing is 7; allowed are"),
            ({"response": {"meta": {"routing": {"q": 1}}}}, "does not say which branch was taken; it names q"),
            ({"response": {"meta": {"routing": {"r": 1}}}, "reward": 2}, "node 'r': reward must be from 0 to 1, not 2"),
        ):
            with pytest.raises(Refused) as refused:
                client.feedback(wrong)
            assert told in refused.value.text
            assert str(refused.value.status) in ("400", "StatusCode.INVALID_ARGUMENT")
        said = client.predict({"strData": "x"}, headers=[("seldon-puid", "mine")]).said
        assert said["meta"] == {"puid": "mine", "routing": {"r": 0}}
        assert client.feedback({"response": said, "reward": 1}).said == {}


def test_it_cannot_learn_without_routing(tmp_path: Path) -> None:
    path = tmp_path / "graph.yaml"
    path.write_text(manifest("UCB1", "poor", "good"))
    ports = ("--grpc-port", "0", "--http-port", "0")
    done = processes.run("run", str(path), "--no-routing-meta", "--state", "memory", *ports)
    assert done.returncode == 2
    assert "--no-routing-meta: the graph has a router that learns, which needs meta.routing" in done.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_place_that_cannot_be_used_ends_the_start(tmp_path: Path, workers: str) -> None:
    (tmp_path / "s").write_text("no database, but long enough to be looked at as one\n" * 20)
    path = tmp_path / "graph.yaml"
    path.write_text(manifest("UCB1", "poor", "good"))
    ports = ("--grpc-port", "0", "--http-port", "0", "--workers", workers)
    done = processes.run("run", str(path), "--state", str(tmp_path / "s"), *ports)
    assert done.returncode == 1
    assert done.stderr == f"millrace: state file {tmp_path}/s: file is not a database\n"


def test_the_default_place_is_the_users_own(programs: Programs, tmp_path: Path) -> None:
    path = tmp_path / "graph.yaml"
    path.write_text(manifest("UCB1", "poor", "good"))
    ports = ("--grpc-port", "0", "--http-port", "0")
    program = programs.start("run", str(path), *ports, environment={"XDG_STATE_HOME": str(tmp_path)}).ready()
    place = tmp_path / "millrace" / "demo-main.sqlite"
    assert f"learns in {place}" in program.out
    RestClient(program.http_port).feedback({"response": {"meta": {"routing": {"r": 1}}}, "reward": 0.5})
    shown = processes.run("state", str(place))
    assert shown.stdout.splitlines()[1].split() == [KEY, "good", "0", "1", "0.5"]
