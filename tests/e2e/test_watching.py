"""Processes that are watched: their log, their admin port and their page, while they serve for real.

Tests `process`, `workers` and `worker` as far as that goes.
"""

import json
import os
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from support import processes, serving
from support.clients import GrpcClient, Refused, RestClient
from support.containers import EMPTY, IDENTITY, free_port, predictor
from support.processes import Program, Programs, children, poll
from support.serving import node

SOURCE = """
class Model:
    def predict(self, X, names):
        if X == "secret-fail":
            raise ValueError("asked to")
        return X
"""
SERVICE = "/seldon.protos.Seldon/Predict"
PREDICTIONS = "/api/v1.0/predictions"
SECRET = "secret-fail"


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    """A graph of two components."""
    (tmp_path / "model.py").write_text(SOURCE)
    (tmp_path / "graph.yaml").write_text(serving.deployment(node("t", "transformer", node("m", "model"))))
    return [
        str(tmp_path / "graph.yaml"), "--component", f"m={tmp_path}/model.py:Model",
        "--component", f"t={serving.COMPONENTS}:Echo",
    ]  # fmt: skip


def said(program: Program, logger: str) -> list[dict[str, Any]]:
    """The lines of a logger, of a log in JSON."""
    lines = [json.loads(line) for line in program.err.splitlines()]
    return [line for line in lines if line["logger"] == logger]


def fail(program: Program, puid: str = "id") -> None:
    """A failed request on each front."""
    grpc = GrpcClient(program.grpc)
    for client in (grpc, RestClient(program.http_port)):
        with pytest.raises(Refused):
            client.predict({"strData": SECRET}, headers=[("seldon-puid", puid)])
    grpc.channel.close()


def test_a_failed_request_has_a_line_with_puid_node_and_reason(programs: Programs, arguments: list[str]) -> None:
    program = programs.serve("run", *arguments, "--log-format", "json").ready()
    fail(program, "id-7")
    RestClient(program.http_port).predict({"strData": "fine"})
    program.wait_for(lambda: len(said(program, "millrace.requests")) == 2)
    for line, (protocol, path, code) in zip(
        said(program, "millrace.requests"), (("grpc", SERVICE, "INTERNAL"), ("rest", PREDICTIONS, 500)), strict=True
    ):
        assert (line["protocol"], line["path"], line["code"]) == (protocol, path, code)
        assert (line["puid"], line["node"], line["level"]) == ("id-7", "m", "warning")
        assert line["reason"] == "node 'm': predict raised ValueError: asked to"
        assert line["pid"] == program.pid
        assert 0 < line["duration_ms"] < 30_000
    assert SECRET not in program.err.replace('if X == \\"secret-fail\\"', "")


def test_requests_that_never_reach_the_graph_fail_in_the_log_too(programs: Programs, arguments: list[str]) -> None:
    program = programs.serve("run", *arguments, "--log-format", "json").ready()
    rest = RestClient(program.http_port)
    assert rest.ask("POST", PREDICTIONS, b'{"a', [("Content-Type", "application/json")])[0] == 400
    assert rest.status("/no%0Athing?data=secret-fail") == 404
    assert rest.ask("DELETE", PREDICTIONS)[0] == 405
    grpc = GrpcClient(program.grpc)
    with pytest.raises(Exception, match="UNIMPLEMENTED"):
        grpc.channel.unary_unary("/no.such/Method")(b"")
    with pytest.raises(Exception, match="INVALID_ARGUMENT"):
        grpc.channel.unary_unary(SERVICE)(b"\xff")
    grpc.channel.close()
    program.wait_for(lambda: len(said(program, "millrace.requests")) == 5)
    found = [(line["code"], line["path"], line["level"]) for line in said(program, "millrace.requests")]
    assert sorted(found, key=str) == sorted(
        [
            (400, PREDICTIONS, "info"),
            (404, "/no%0Athing", "info"),
            (405, PREDICTIONS, "info"),
            ("UNIMPLEMENTED", "/no.such/Method", "info"),
            ("INVALID_ARGUMENT", SERVICE, "info"),
        ],
        key=str,
    )
    assert SECRET not in program.err


def test_a_deadline_names_the_node_that_was_waited_for(programs: Programs, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        (tmp_path / "graph.yaml").write_text(serving.deployment(node("slow", "model")))
        where = f"slow=http://127.0.0.1:{silent.getsockname()[1]}"
        program = programs.serve("run", str(tmp_path / "graph.yaml"), "--endpoint", where, "--log-format", "json")
        program.ready()
        with pytest.raises(Refused):
            RestClient(program.http_port).predict({"strData": "x"}, timeout_s=0.1)
        program.wait_for(lambda: said(program, "millrace.requests"))
        (line,) = said(program, "millrace.requests")
        assert (line["node"], line["code"]) == ("slow", 500)
        assert line["reason"].startswith("deadline exceeded after 0.1")


def test_the_access_log_has_every_request(programs: Programs, arguments: list[str]) -> None:
    program = programs.serve("run", *arguments, "--log-format", "json", "--access-log", "--log-level", "error").ready()
    rest, grpc = RestClient(program.http_port), GrpcClient(program.grpc)
    for client in (rest, grpc):
        client.predict({"strData": "x" * 1000}, headers=[("seldon-puid", "id-1")])
    with pytest.raises(Refused):
        grpc.predict({"strData": SECRET})
    rest.ask("GET", "/ready?verbose")
    grpc.channel.close()
    program.wait_for(lambda: len(said(program, "millrace.access")) == 4)
    lines = said(program, "millrace.access")
    assert [(line["protocol"], line["path"], line["code"]) for line in lines] == [
        ("rest", PREDICTIONS, 200), ("grpc", SERVICE, "OK"), ("grpc", SERVICE, "INTERNAL"), ("rest", "/ready", 200),
    ]  # fmt: skip
    for line in lines[:2]:
        assert line["puid"] == "id-1"
        assert line["bytes_in"] > 1000
        assert line["bytes_out"] > 1000
        assert line["duration_ms"] > 0
    assert "xxx" not in program.err
    assert said(program, "millrace.requests") == []


def test_console_is_what_people_read(programs: Programs, arguments: list[str]) -> None:
    program = programs.serve("run", *arguments, "--workers", "2").ready()
    fail(program, "id 7")
    told = "request failed: node 'm': predict raised ValueError: asked to"
    told += ' (protocol=grpc code=INTERNAL node=m puid="id 7"'
    program.wait_for(lambda: told in program.err)
    line = next(line for line in program.err.splitlines() if told in line)
    assert " WARNING millrace.requests: worker " in line


def test_a_flood_of_failures_is_a_few_lines(programs: Programs, arguments: list[str]) -> None:
    program = programs.serve("run", *arguments, "--log-format", "json").ready()
    grpc = GrpcClient(program.grpc)
    calls = [grpc.start({"strData": SECRET}) for _ in range(2000)]
    failed = sum(call.exception() is not None for call in calls)
    grpc.channel.close()

    def counted() -> int:
        lines = said(program, "millrace.requests")
        return sum(line.get("count", 1) for line in lines)

    program.wait_for(lambda: counted() == failed == 2000)
    lines = said(program, "millrace.requests")
    assert len(lines) < 500
    assert any(line["message"].endswith("more requests failed with INTERNAL at node 'm'") for line in lines)
    # As with the tracebacks that the component's failures bring.
    assert sum("exception" in json.loads(line) for line in program.err.splitlines()) < 500


@pytest.mark.parametrize("more", [(), ("--access-log",)])
def test_nobody_waits_for_who_does_not_read_the_log(arguments: list[str], more: tuple[str, ...]) -> None:
    reads, writes = os.pipe()
    process = subprocess.Popen(
        [*processes.COMMAND, "run", *arguments, "--grpc-port", "0", "--http-port", "0", "--log-level", "debug", *more],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=writes, text=True,
    )  # fmt: skip
    os.close(writes)
    assert process.stdout is not None
    try:
        port = next(int(line.rpartition(":")[2]) for line in process.stdout if line.startswith("REST on"))
        rest = RestClient(port)
        for number in range(600):  # far more than a pipe holds
            if number % 2:
                with pytest.raises(Refused):
                    rest.predict({"strData": SECRET})
            else:
                assert rest.predict({"strData": "x"}).said["strData"] == "x"
        assert os.read(reads, 100)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        os.close(reads)


# --- the admin port


def admin_of(program: Program) -> RestClient:
    return RestClient(int(program._told(r"^admin on http://127\.0\.0\.1:(\d+)$")))


def test_page_metrics_and_level_move_to_the_admin_port(programs: Programs, arguments: list[str]) -> None:
    program = programs.serve("run", *arguments, "--admin-port", "0").ready()
    public, admin = RestClient(program.http_port), admin_of(program)
    for path in ("/", "/page.json", "/metrics", "/log-level"):
        assert (public.status(path), admin.status(path)) == (404, 200), path
    for path in (PREDICTIONS, "/ready", "/api/v1.0/doc/"):
        assert admin.status(path) == 404
        assert public.status(path) != 404
    assert public.ask("PUT", "/log-level?level=debug")[0] == 404
    assert public.predict({"strData": "x"}).said["strData"] == "x"


def test_without_an_admin_port_nobody_changes_the_level(programs: Programs, arguments: list[str]) -> None:
    program = programs.serve("run", *arguments).ready()
    public = RestClient(program.http_port)
    assert (public.status("/"), public.status("/page.json"), public.status("/metrics")) == (200, 200, 200)
    assert public.ask("PUT", "/log-level?level=debug")[0] == 404
    assert public.ask("GET", "/log-level")[0] == 404


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_level_is_that_of_all_processes(programs: Programs, arguments: list[str], workers: str) -> None:
    program = programs.serve("run", *arguments, "--admin-port", "0", "--workers", workers, "--log-format", "json")
    admin = admin_of(program.ready())
    status, _, body = admin.ask("PUT", "/log-level?level=error")
    assert (status, json.loads(body)["level"]) == (200, "error")
    poll(lambda: {admin.get("/log-level")["level"] for _ in range(8)} == {"error"}, what="all workers follow")
    for _ in range(4):
        fail(program)
    admin.ask("PUT", "/log-level?level=info")
    poll(lambda: {admin.get("/log-level")["level"] for _ in range(8)} == {"info"}, what="all workers follow")
    fail(program, "seen")
    program.wait_for(lambda: len(said(program, "millrace.requests")) >= 2)
    assert {line["puid"] for line in said(program, "millrace.requests") if "puid" in line} == {"seen"}
    status, _, body = admin.ask("PUT", "/log-level?level=loud")
    assert status == 400
    assert "allowed are debug, info, warning, error, critical" in body.decode()


def test_a_worker_that_comes_later_logs_at_the_level_of_the_others(programs: Programs, arguments: list[str]) -> None:
    program = programs.serve("run", *arguments, "--admin-port", "0", "--workers", "2").ready()
    admin = admin_of(program)
    admin.ask("PUT", "/log-level?level=error")
    poll(lambda: {admin.get("/log-level")["level"] for _ in range(8)} == {"error"}, what="all workers follow")
    victim = min(children(program.pid))
    os.kill(victim, signal.SIGKILL)
    poll(lambda: len(children(program.pid) - {victim}) == 2, 30, "another worker comes")
    poll(lambda: admin.get("/page.json")["workers"] == 2, 30, "it serves")
    assert {admin.get("/log-level")["level"] for _ in range(8)} == {"error"}


def test_an_admin_port_in_use_is_told(programs: Programs, arguments: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        program = programs.serve("run", *arguments, "--admin-port", str(port))
        assert program.ended() == 2
    assert f"--admin-port {port}: cannot listen on 127.0.0.1: Address already in use" in program.err


def test_the_admin_port_of_a_node(programs: Programs, tmp_path: Path, arguments: list[str]) -> None:
    program = programs.serve("node", f"{tmp_path}/model.py:Model", "--name", "m", "--admin-port", "0").ready()
    public, admin = RestClient(program.http_port), admin_of(program)
    assert admin.get("/page.json")["nodes"][0]["name"] == "m"
    assert (admin.status("/metrics"), admin.status("/log-level")) == (200, 200)
    assert (public.status("/metrics"), public.status("/")) == (500, 500)  # as the wrapper answers unknown paths


@pytest.mark.parametrize(("more", "status"), [((), 404), (("--page",), 200)])
def test_the_executor_has_a_page_where_that_is_asked_for(
    programs: Programs, more: tuple[str, ...], status: int
) -> None:
    graph = {"name": "m", "implementation": "SIMPLE_MODEL", "children": []}
    ports = [str(free_port()) for _ in range(2)]
    program = programs.start(
        "executor", *IDENTITY, "--host", "127.0.0.1", "--http_port", ports[0], "--grpc_port", ports[1], *more,
        environment={**EMPTY, "ENGINE_PREDICTOR": predictor(graph)},
    ).ready()  # fmt: skip
    assert (RestClient(program.http_port).status("/"), RestClient(program.http_port).status("/page.json")) == (
        status, status,
    )  # fmt: skip


def test_no_page(programs: Programs, arguments: list[str]) -> None:
    program = programs.serve("run", *arguments, "--no-page").ready()
    assert [RestClient(program.http_port).status(path) for path in ("/", "/page.json", "/metrics")] == [404, 404, 200]


# --- what the page shows


def test_the_page_shows_the_whole_group(programs: Programs, arguments: list[str]) -> None:
    program = programs.serve("run", *arguments, "--workers", "2").ready()
    rest = RestClient(program.http_port)
    for _ in range(10):
        assert rest.predict({"strData": "x"}).said["strData"] == "x"
    with pytest.raises(Refused):
        rest.predict({"strData": SECRET})
    poll(lambda: rest.get("/page.json")["requests"]["count"] == 11, what="all workers' requests")
    for _ in range(4):  # whichever worker answers
        told = rest.get("/page.json")
        assert (told["name"], told["predictor"], told["workers"], told["ready"]) == ("demo", "main", 2, True)
        assert (told["requests"]["count"], told["requests"]["errors"]) == (11, 1)
        nodes = {each["name"]: each for each in told["nodes"]}
        assert {name: (each["count"], each["errors"]) for name, each in nodes.items()} == {"t": (11, 0), "m": (11, 1)}
        assert 0 < nodes["m"]["p50"] <= nodes["m"]["p99"] < 30
        assert nodes["m"]["reached"] == "in this process"


def test_readers_that_stall_or_crowd_in_hold_up_nobody(programs: Programs, arguments: list[str]) -> None:
    program = programs.serve("run", *arguments).ready()
    rest = RestClient(program.http_port)
    stalled = []
    for _ in range(20):
        reader = socket.create_connection(("127.0.0.1", program.http_port))
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        reader.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
        stalled.append(reader)
    over = threading.Event()
    looks: list[int] = []

    def look() -> None:
        while not over.is_set():
            looks.append(rest.get("/page.json")["requests"]["count"])

    crowd = [threading.Thread(target=look) for _ in range(10)]
    for each in crowd:
        each.start()
    try:
        for _ in range(100):
            assert rest.predict({"strData": "x"}).said["strData"] == "x"
        due = time.monotonic() + 20
        while rest.get("/page.json")["requests"]["count"] < 100:
            assert time.monotonic() < due
    finally:
        over.set()
        for each in crowd:
            each.join()
        for reader in stalled:
            reader.close()
    assert len(looks) >= len(crowd)


def test_a_reload_is_seen_and_loses_no_numbers(programs: Programs, arguments: list[str], tmp_path: Path) -> None:
    program = programs.serve("run", *arguments, "--workers", "2").ready()
    rest = RestClient(program.http_port)
    rest.predict({"strData": "x"})
    (tmp_path / "graph.yaml").write_text(serving.deployment(node("m", "model"), name="other"))
    program.signal(signal.SIGHUP)

    def shown() -> set[tuple[str, int]]:
        told = [rest.get("/page.json") for _ in range(6)]
        return {(each["name"], len(each["nodes"])) for each in told}

    poll(lambda: shown() == {("other", 1)}, 30, "all workers show the new graph")
    assert rest.get("/page.json")["requests"]["count"] == 1


def test_a_router_that_learns_is_seen_learning(programs: Programs, tmp_path: Path) -> None:
    leaves = [node(name, "", implementation="SIMPLE_MODEL") for name in ("a", "b")]
    (tmp_path / "graph.yaml").write_text(serving.deployment(node("r", "", *leaves, implementation="EPSILON_GREEDY")))
    program = programs.serve("run", str(tmp_path / "graph.yaml"), "--state", str(tmp_path / "state"), "--workers", "2")
    rest = RestClient(program.ready().http_port)
    for _ in range(20):
        reply = rest.predict({"data": {"ndarray": [1]}})
        rest.feedback({"response": {"meta": reply.said["meta"]}, "reward": 1.0})

    def branches() -> Any:
        return rest.get("/page.json")["nodes"][0]["branches"]

    poll(lambda: sum(each.get("rewards", 0) for each in branches()) == 20, 20, "all rewards are shown")
    poll(lambda: sum(each.get("pulls", 0) for each in branches()) == 20, 20, "and all pulls")
    seen: list[Any] = []

    def complete() -> bool:
        seen[:] = branches()  # one worker's look at all; the next may be another's
        return all(each["chance"] is not None and "mean" in each for each in seen)

    poll(complete, 20, "and what the first worker knows")
    assert sum(each["chance"] for each in seen) == pytest.approx(1.0)
    assert {each["mean"] for each in seen} <= {0.0, 1.0}
