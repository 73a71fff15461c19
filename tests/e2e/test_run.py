"""`millrace run` and `millrace node` as processes: starting, what a user gets wrong, signals, isolated components."""

import json
import os
import re
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from support import processes, serving
from support.clients import Client, GrpcClient, Refused, RestClient, clients
from support.processes import Program, Programs, is_alive, poll
from support.serving import COMPONENTS, node

from executor._pb import health_pb2, health_pb2_grpc

MODEL = node("m", "model")


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Any], str]:
    """Writes a manifest; its path."""

    def written(root: Any) -> str:
        path = tmp_path / "graph.yaml"
        path.write_text(root if isinstance(root, str) else serving.deployment(root))
        return str(path)

    return written


def asked(program: Program, text: str) -> str:
    """What the program answers to a text, over gRPC and REST."""
    with clients(program.grpc, program.http_port) as both:
        answers = {client.predict({"strData": text}).said["strData"] for client in both.values()}
    (answer,) = answers
    return str(answer)


def no_traceback(program: Program) -> None:
    assert "Traceback" not in program.err
    assert "Warning" not in program.err


# --- starting -------------------------------------------------------------------------------------------------


def test_run_draws_the_graph_and_says_where_it_listens(programs: Programs, write: Callable[[Any], str]) -> None:
    root = node("r", "router", node("m0", "model", name="m0"), node("m1", "model", name="m1"), name="r")
    given = [f"--component={name}={COMPONENTS}:Said" for name in ("r", "m0", "m1")]
    program = programs.serve("run", write(root), *given, "--no-routing-meta").ready()
    assert asked(program, "x#1") == "m1.predict(x#1)"
    lines = program.out.splitlines()
    assert lines[0] == "demo/main"
    assert [line.split()[0] for line in lines[1:4]] == ["r", "├─", "└─"]
    assert all("in this process: " in line for line in lines[1:4])
    assert re.fullmatch(r"gRPC on 127\.0\.0\.1:\d+", lines[4])
    assert re.fullmatch(r"REST on http://127\.0\.0\.1:\d+", lines[5])
    assert "routing" not in str(RestClient(program.http_port).predict({"strData": "x#1"}).said)
    program.signal(signal.SIGTERM)
    assert program.ended() == 0
    no_traceback(program)


def test_one_predictor_of_several_is_chosen(programs: Programs, write: Callable[[Any], str]) -> None:
    manifest = json.loads(serving.deployment(node("m", "model", name="first")))
    other = {"name": "other", "graph": node("m", "model", name="second")}
    manifest["spec"]["predictors"].append(other)
    path = write(manifest)
    given = ["run", path, "--component", f"m={COMPONENTS}:Said"]
    refused = processes.run(*given)
    assert refused.returncode == 2
    assert 'has more than one predictor; choose "main" or "other"' in refused.stderr
    program = programs.serve(*given, "--predictor", "other", "--default-timeout", "5s").ready()
    assert asked(program, "x") == "second.predict(x)"


def test_requests_are_refused_while_components_load(
    programs: Programs, write: Callable[[Any], str], tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    root = node("m", "model", gate=str(gate))
    ports = free_ports()
    program = programs.start("run", write(root), "--component", f"m={COMPONENTS}:Slow", *ports)
    rest = RestClient(int(ports[3]))
    program.wait_for(lambda: _listens(rest.port))
    assert [rest.status(path) for path in ("/live", "/ready")] == [200, 503]
    with pytest.raises(Refused, match="the graph is still loading") as caught:
        rest.predict({"strData": "x"})
    assert caught.value.status == 503
    assert not _listens(int(ports[1]))
    assert "gRPC on" not in program.out
    gate.touch()
    program.ready()
    assert asked(program, "x") == "x"
    assert [rest.status(path) for path in ("/live", "/ready")] == [200, 200]


def free_ports() -> list[str]:
    with socket.socket() as first, socket.socket() as second:
        first.bind(("127.0.0.1", 0))
        second.bind(("127.0.0.1", 0))
        ports = [str(each.getsockname()[1]) for each in (first, second)]
    return ["--grpc-port", ports[0], "--http-port", ports[1]]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


# --- what a user gets wrong -----------------------------------------------------------------------------------

SERVED = ["--grpc-port", "0", "--http-port", "0"]
MISTAKES = [
    (["--component", f"m={COMPONENTS}:Nobody"], r"no class Nobody; the classes there are: .*Echo"),
    (["--component", "m=/nowhere/model.py:M"], r"there is no file /nowhere/model\.py"),
    (["--component", f"m={COMPONENTS}:Refusing"], r"its constructor raised RuntimeError: no licence"),
    (["--component", f"m={COMPONENTS}:QuittingInit"], r"its constructor raised SystemExit: no more"),
    (["--component", f"m={COMPONENTS}:QuittingLoad"], r"node 'm': load raised SystemExit: no more"),
    (["--component", f"m={COMPONENTS}:Broken"], r"node 'm': load raised FileNotFoundError: no weights"),
    (["--component", f"m={COMPONENTS}:Said"], r"parameter name is needed"),
    (["--component", f"x={COMPONENTS}:Echo"], r'is given for "x", which is no node.*; nodes: m'),
    ([], r'node "m" has neither a component nor an endpoint'),
]


@pytest.mark.parametrize(("arguments", "said"), MISTAKES)
def test_mistakes_get_one_clear_message(write: Callable[[Any], str], arguments: list[str], said: str) -> None:
    done = processes.run("run", write(MODEL), *arguments, *SERVED, "--log-level", "error")
    _one_message(done.returncode, done.stderr)
    assert re.search(said, done.stderr)


def _one_message(status: int, told: str) -> None:
    assert status == 2
    assert told.count("millrace: ") == 1
    assert "Traceback" not in told.partition("millrace: ")[2]
    assert "never awaited" not in told
    assert "Task" not in told


def test_every_problem_of_a_manifest_is_told_with_its_line(write: Callable[[Any], str]) -> None:
    text = json.dumps(json.loads(serving.deployment(MODEL)), indent=1)
    text = text.replace('"MODEL"', '"MODLE"').replace('"children": []', '"childs": []')
    done = processes.run("run", write(text), *SERVED)
    _one_message(done.returncode, done.stderr)
    for wrong in ("MODLE", "childs"):
        line = next(number for number, each in enumerate(text.splitlines(), 1) if wrong in each)
        assert re.search(rf"line {line}: .*{wrong}", done.stderr)


@pytest.mark.parametrize("option", ["--grpc-port", "--http-port"])
def test_a_port_in_use_is_told(write: Callable[[Any], str], option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = processes.run("run", write(MODEL), "--component", f"m={COMPONENTS}:Echo", *SERVED, option, port)
    _one_message(done.returncode, done.stderr)
    assert re.search(rf"{option}.*{port}.*[Aa]ddress already in use", done.stderr)


def test_one_port_for_both_is_told(write: Callable[[Any], str]) -> None:
    port = free_ports()[1]
    given = ["--component", f"m={COMPONENTS}:Echo", "--grpc-port", port, "--http-port", port]
    done = processes.run("run", write(MODEL), *given)
    _one_message(done.returncode, done.stderr)
    assert f"--grpc-port and --http-port are both {port}" in done.stderr


@pytest.mark.parametrize("kind", ["Broken", "Dying"])
def test_an_isolated_component_that_cannot_be_loaded(write: Callable[[Any], str], kind: str) -> None:
    given = ["--component", f"m={COMPONENTS}:{kind}", "--isolate", "m", *SERVED]
    done = processes.run("run", write(MODEL), *given, "--log-level", "error")
    assert done.returncode == 2
    code = {"Broken": 2, "Dying": 3}[kind]
    told = f"node 'm': its process did not come up (exit status {code}); its own output says why"
    assert done.stderr.splitlines()[-1] == f"millrace: {told}"
    assert "starting it again" not in done.stderr
    assert kind == "Dying" or "load raised FileNotFoundError: no weights" in done.stderr


# --- signals --------------------------------------------------------------------------------------------------


class Asking:
    """Requests under way: one for each client, waiting for a file."""

    def __init__(self, both: dict[str, Client], gate: Path) -> None:
        self.results: dict[str, Any] = {}
        self._threads = [threading.Thread(target=self._ask, args=(name, client, gate)) for name, client in both.items()]
        for each in self._threads:
            each.start()

    def _ask(self, name: str, client: Client, gate: Path) -> None:
        try:
            self.results[name] = client.predict({"strData": f"wait {gate}"}).said["strData"]
        except (Refused, OSError) as error:
            self.results[name] = error

    def joined(self) -> dict[str, Any]:
        for each in self._threads:
            each.join(20)
        return self.results


@pytest.fixture
def moody(programs: Programs, write: Callable[[Any], str]) -> Program:
    return programs.serve("run", write(MODEL), "--component", f"m={COMPONENTS}:Moody").ready()


def _begun(both: dict[str, Client], gate: Path) -> Asking:
    asking = Asking(both, gate)
    poll(lambda: gate.with_suffix(".begun").exists() and gate.with_suffix(".begun").read_text() == "..")
    return asking


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_requests_finish(moody: Program, tmp_path: Path, number: signal.Signals) -> None:
    with clients(moody.grpc, moody.http_port) as both:
        watch = health_pb2_grpc.HealthStub(both["grpc"].channel).Watch(health_pb2.HealthCheckRequest())  # type: ignore
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        asking = _begun(both, tmp_path / "gate")
        moody.signal(number)
        moody.wait_for(lambda: not _listens(moody.http_port) and not _listens(int(moody.grpc.rpartition(":")[2])))
        assert asking.results == {}
        (tmp_path / "gate").touch()
        assert asking.joined() == {"grpc": f"done {tmp_path / 'gate'}", "rest": f"done {tmp_path / 'gate'}"}
        assert moody.ended(5.0) == 0
        watch.cancel()
    no_traceback(moody)


def test_a_second_signal_ends_at_once(moody: Program, tmp_path: Path) -> None:
    with clients(moody.grpc, moody.http_port) as both:
        asking = _begun(both, tmp_path / "gate")
        moody.signal(signal.SIGINT)
        moody.wait_for(lambda: "draining" in moody.err)
        moody.signal(signal.SIGINT)
        assert moody.ended(5.0) == 1
        results = asking.joined()
    assert isinstance(results["grpc"], Refused)
    assert results["grpc"].status is grpc.StatusCode.UNAVAILABLE
    assert isinstance(results["rest"], Refused | OSError)
    no_traceback(moody)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_components_load_leaves_nothing_behind(
    programs: Programs, tmp_path: Path, number: signal.Signals
) -> None:
    sock = tmp_path / "s"
    given = json.dumps({"gate": str(tmp_path / "gate")})
    program = programs.start("node", f"{COMPONENTS}:Slow", "--parameters", given, "--uds", str(sock))
    program.wait_for(sock.exists)
    program.wait_for(lambda: "Slow" in program.out)
    program.signal(number)
    assert program.ended(5.0) in (0, 130)  # though `load` still runs
    assert not sock.exists()
    no_traceback(program)


# --- nodes on unix sockets ------------------------------------------------------------------------------------


def predict_at(target: str, text: str) -> str:
    """What a node's `Seldon` service at a target answers."""
    client = GrpcClient(target)
    try:
        return str(client.predict({"strData": text}).said["strData"])
    finally:
        client.channel.close()


def test_node_on_a_unix_socket(programs: Programs, tmp_path: Path) -> None:
    sock = str(tmp_path / "s")
    command = ["node", f"{COMPONENTS}:Moody", "--uds", sock]
    first = programs.start(*command).ready()
    assert first.out.splitlines() == [f"moody  MODEL  {COMPONENTS}:Moody", f"gRPC on unix:{sock}"]
    assert predict_at(f"unix:{sock}", "pid") == str(first.pid)
    second = programs.start(*command)
    assert second.ended() == 2
    assert f"--uds {sock}: cannot listen: Address already in use" in second.err
    assert predict_at(f"unix:{sock}", "pid") == str(first.pid)
    first.signal(signal.SIGKILL)
    first.ended()
    assert os.path.exists(sock)
    third = programs.start(*command).ready()
    assert predict_at(f"unix:{sock}", "pid") == str(third.pid)
    third.signal(signal.SIGINT)
    assert third.ended() == 0
    assert not os.path.exists(sock)


def test_a_file_that_is_no_socket_is_left_alone(programs: Programs, tmp_path: Path) -> None:
    path = tmp_path / "notes"
    path.write_text("mine")
    program = programs.start("node", f"{COMPONENTS}:Echo", "--uds", str(path))
    assert program.ended() == 2
    assert path.read_text() == "mine"
    _one_message(2, program.err)


# --- isolated components --------------------------------------------------------------------------------------


def test_an_isolated_component_is_restarted_and_goes_with_its_parent(
    programs: Programs, write: Callable[[Any], str]
) -> None:
    root = node("t", "transformer", MODEL)
    given = [f"--component=t={COMPONENTS}:Echo", f"--component=m={COMPONENTS}:Moody", "--isolate", "m"]
    program = programs.serve("run", write(root), *given).ready()
    pid = int(asked(program, "pid"))
    assert pid != program.pid
    assert "in a process of its own" in program.out
    assert program.out.count("gRPC on") == 1
    os.kill(pid, signal.SIGKILL)
    program.wait_for(lambda: "process of node 'm' ended with signal SIGKILL; starting it again" in program.err)
    again: list[str] = []

    def answers() -> bool:
        try:
            again.append(asked(program, "pid"))
        except Refused as error:
            assert "'m'" in error.text
        return bool(again)

    program.wait_for(answers)
    assert int(again[0]) not in (pid, program.pid)
    program.signal(signal.SIGKILL)
    program.ended()
    poll(lambda: not is_alive(int(again[0])), 20.0)


def test_an_isolated_component_ends_with_the_program(
    programs: Programs, write: Callable[[Any], str], tmp_path: Path
) -> None:
    program = programs.serve("run", write(MODEL), f"--component=m={COMPONENTS}:Moody", "--isolate", "m").ready()
    pid = int(asked(program, "pid"))
    (folder,) = {Path(path).parent for path in re.findall(r"gRPC on unix:(.*)", program.err)}
    assert folder.exists()
    gate = tmp_path / "gate"
    with clients(program.grpc, program.http_port) as both:
        asking = _begun(both, gate)
        program.signal(signal.SIGINT)
        program.wait_for(lambda: "draining" in program.err)
        assert is_alive(pid)
        gate.touch()
        assert asking.joined() == {"grpc": f"done {gate}", "rest": f"done {gate}"}
    assert program.ended() == 0
    assert not is_alive(pid)
    assert not folder.exists()
    no_traceback(program)


# --- other commands -------------------------------------------------------------------------------------------


def test_call_prints_the_answer(moody: Program) -> None:
    for arguments in ([moody.grpc], [f"127.0.0.1:{moody.http_port}", "--rest"]):
        done = processes.run("call", *arguments, "--data", '{"strData": "hello you"}')
        assert (done.returncode, done.stderr) == (0, "")
        assert re.search(r'answer: strData\n +"done you"\npuid: +\S+\nroute: .*\ntime: +[\d.]+ ms', done.stdout)
        done = processes.run("call", *arguments, "--data", '"fail"')
        assert (done.returncode, done.stdout) == (1, "")
        assert "ValueError: out of mood" in done.stderr
        assert "Traceback" not in done.stderr


def test_check_by_the_rules_of_a_cluster_and_by_local_ones(write: Callable[[Any], str]) -> None:
    path = write(MODEL)
    local = processes.run("check", path, "--local")
    assert (local.returncode, local.stderr) == (0, "")
    assert local.stdout.splitlines()[0] == "demo/main"
    cluster = processes.run("check", path)
    assert (cluster.returncode, cluster.stdout) == (2, "")
    assert '"m"' in cluster.stderr
    assert "line 1: " in cluster.stderr


@pytest.mark.parametrize("command", [[], ["run"], ["node"], ["check"], ["call"]])
def test_help_of_every_command(command: list[str]) -> None:
    done = processes.run(*command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: {' '.join(['millrace', *command])}")
    assert "examples:" in done.stdout
