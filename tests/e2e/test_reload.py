"""A graph that changes under load: by SIGHUP, a new manifest, or a swapped link. One process, and several workers."""

import os
import signal
import threading
from pathlib import Path
from typing import Any, Self

import pytest
from support import serving
from support.clients import Client, GrpcClient, RestClient, clients
from support.processes import Program, Programs, poll
from support.serving import COMPONENTS, node

GIVEN = ["--component", f"m={COMPONENTS}:Said"]
WORKERS = pytest.mark.parametrize("workers", ["1", "2"])


def manifest(name: str) -> str:
    return serving.deployment(node("m", "model", name=name))


def put(path: Path, text: str) -> None:
    """Replaces a file as editors do."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.rename(path)


class Load:
    """Clients of both kinds that ask without pause. Leaving the `with` block stops them; none may have failed."""

    def __init__(self, program: Program, each: int = 2) -> None:
        self.answers: list[str] = []
        self.last: dict[int, str] = {}
        self.failed: list[BaseException] = []
        self._over = threading.Event()
        self._grpc = [GrpcClient(program.grpc) for _ in range(each)]
        made: list[Client] = [*self._grpc, *(RestClient(program.http_port) for _ in range(each))]
        self._threads = [threading.Thread(target=self._ask, args=pair) for pair in enumerate(made)]

    def _ask(self, index: int, client: Client) -> None:
        while not self._over.is_set():
            try:
                self.last[index] = client.predict({"strData": "x"}).said["strData"]
                self.answers.append(self.last[index])
            except Exception as error:
                self.failed.append(error)

    def all_say(self, name: str) -> bool:
        """Whether each client's last answer came from `name`."""
        return len(self.last) == len(self._threads) and set(self.last.values()) == {f"{name}.predict(x)"}

    def __enter__(self) -> Self:
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for each in self._threads:
            each.join()
        for client in self._grpc:
            client.channel.close()


@WORKERS
def test_requests_go_on_while_the_graph_changes(programs: Programs, tmp_path: Path, workers: str) -> None:
    path = tmp_path / "graph.yaml"
    path.write_text(manifest("one"))
    program = programs.serve("run", str(path), *GIVEN, "--workers", workers).ready()
    with Load(program) as load:
        poll(lambda: load.all_say("one"))
        put(path, manifest("two"))
        poll(lambda: load.all_say("two"), 15.0)
        put(path, "kind: SeldonDeployment\napiVersion: machinelearning.seldon.io/v1\nspec: 7\n")
        program.wait_for(lambda: "not reloaded, the graph before it goes on" in program.err)
        put(path, serving.deployment(node("m", "model", nobody="four")))
        program.wait_for(lambda: program.err.count("not reloaded") == 2)
        assert "unknown parameter nobody" in program.err
        assert load.all_say("two")
        put(path, manifest("three"))
        poll(lambda: load.all_say("three"), 15.0)
    assert load.failed == []
    assert {answer.partition(".")[0] for answer in load.answers} == {"one", "two", "three"}
    program.signal(signal.SIGTERM)
    assert program.ended() == 0
    assert "Traceback" not in program.err


@WORKERS
def test_nodes_come_go_and_are_renamed(programs: Programs, tmp_path: Path, workers: str) -> None:
    path = tmp_path / "graph.yaml"
    path.write_text(serving.deployment(node("m", "model", name="one")))
    given = [part for name in ("m", "after", "renamed") for part in ("--component", f"{name}={COMPONENTS}:Said")]
    program = programs.serve("run", str(path), *given, "--workers", workers).ready()
    assert program.err.count("component or endpoint of after, renamed; a changed manifest may") == 1
    with Load(program) as load:
        poll(lambda: load.all_say("one"))
        put(path, serving.deployment(node("m", "model", node("after", "model", name="two"), name="one")))
        poll(lambda: set(load.last.values()) == {"two.predict(one.predict(x))"}, 15.0)
        put(path, serving.deployment(node("renamed", "model", name="three")))
        poll(lambda: load.all_say("three"), 15.0)
        program.wait_for(lambda: "component or endpoint of after, m; a changed manifest may" in program.err)
        put(path, serving.deployment(node("stranger", "model", name="four")))
        program.wait_for(lambda: 'node "stranger" has neither a component nor an endpoint' in program.err)
        assert load.all_say("three")
    assert program.err.count("component or endpoint of after, m; a changed manifest may") == 1
    assert load.failed == []


@WORKERS
def test_components_are_loaded_anew_on_hangup(programs: Programs, tmp_path: Path, workers: str) -> None:
    path, model = tmp_path / "graph.yaml", tmp_path / "model.py"
    path.write_text(serving.deployment(node("m", "model")))
    source = "class Model:\n    def predict(self, X, names):\n        return 'old'\n"
    model.write_text(source)
    program = programs.serve("run", str(path), "--component", f"m={model}:Model", "--workers", workers).ready()
    with clients(program.grpc, program.http_port) as both:

        def said() -> set[Any]:
            return {each.predict({"strData": "x"}).said["strData"] for each in both.values()}

        assert said() == {"old"}
        model.write_text("raise RuntimeError('no licence')\n")
        program.signal(signal.SIGHUP)
        program.wait_for(lambda: "no licence" in program.err)
        assert said() == {"old"}
        model.write_text(source.replace("old", "a new one"))
        program.signal(signal.SIGHUP)
        poll(lambda: said() == {"a new one"})
        assert program.process.poll() is None


def test_a_swapped_link_is_a_change(programs: Programs, tmp_path: Path) -> None:
    # As a ConfigMap's volume does it: graph.yaml -> ..data/graph.yaml, ..data -> a folder for each version.
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "graph.yaml").write_text(manifest(name))
    os.symlink("one", tmp_path / "..data")
    os.symlink("..data/graph.yaml", tmp_path / "graph.yaml")
    program = programs.serve("run", str(tmp_path / "graph.yaml"), *GIVEN).ready()
    with Load(program, 1) as load:
        poll(lambda: load.all_say("one"))
        os.symlink("two", tmp_path / "..new")
        os.rename(tmp_path / "..new", tmp_path / "..data")
        poll(lambda: load.all_say("two"), 15.0)
    assert load.failed == []


def test_running_requests_finish_on_the_graph_they_began_on(programs: Programs, tmp_path: Path) -> None:
    path, gate = tmp_path / "graph.yaml", tmp_path / "gate"
    path.write_text(serving.deployment(node("m", "model")))
    program = programs.serve("run", str(path), "--component", f"m={COMPONENTS}:Moody", "--isolate", "m").ready()
    with clients(program.grpc, program.http_port) as both:
        grpc_client = both["grpc"]
        assert isinstance(grpc_client, GrpcClient)
        old = grpc_client.predict({"strData": "pid"}).said["strData"]
        call = grpc_client.start({"strData": f"wait {gate}"})
        poll(gate.with_suffix(".begun").exists)
        program.signal(signal.SIGHUP)
        poll(lambda: grpc_client.predict({"strData": "pid"}).said["strData"] != old)
        assert not call.done()
        assert os.path.exists(f"/proc/{old}")
        gate.touch()
        assert call.result().strData == f"done {gate}"
        poll(lambda: not os.path.exists(f"/proc/{old}"))
    assert "starting it again" not in program.err
