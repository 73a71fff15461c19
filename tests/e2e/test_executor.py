"""`millrace executor` as processes, started as Seldon's operator does it, before nodes of other makes.

Tests `commands.container`.
"""

import contextlib
import json
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest
from support import serving
from support.certificates import Scene
from support.clients import Refused
from support.containers import Container, annotated, predictor, unit
from support.foreign import grpc_node, http_node
from support.processes import Programs, poll
from support.serving import COMPONENTS, node

from executor.client.synchronous import Client

X = {"strData": "x"}
Start = Callable[..., Container]


@pytest.fixture
def start(programs: Programs) -> Start:
    """Starts a container for a graph."""

    def started(graph: Mapping[str, Any], *arguments: str, **environment: str) -> Container:
        told = {"ENGINE_PREDICTOR": predictor(graph), **environment}
        return Container(programs, *arguments, environment=told)

    return started


def saying(who: str, seen: list[Any] | None = None) -> Callable[[str, Any, dict[str, str]], Any]:
    """A node that says who was asked for what."""

    def answer(method: str, content: Any, headers: dict[str, str]) -> Any:
        if seen is not None:
            seen.append((method, headers))
        if method == "route":
            return {"data": {"ndarray": [[1]]}}
        text = content.get("strData", "") if isinstance(content, dict) else ""
        return {"strData": f"{who}.{method}({text})"}

    return answer


@contextlib.contextmanager
def pair(name: str, seen: list[Any] | None = None, **fields: Any) -> Iterator[dict[str, Any]]:
    """One node that listens for REST and for gRPC."""
    with http_node(saying(f"rest-{name}", seen)) as rest, grpc_node(saying(f"grpc-{name}", seen)) as grpc_url:
        yield unit(name, rest=rest, grpc=grpc_url, **fields)


# --- as the operator starts it --------------------------------------------------------------------------------


def test_started_as_the_operator_starts_it(start: Start) -> None:
    with pair("m") as m:
        container = start(
            m, "--protocol", "seldon", "--transport", "rest", "--prometheus_path", "/prometheus",
            "--server_type", "rpc", "--log_work_buffer_size", "10000", "--log_write_timeout_ms", "2000",
            "--full_health_checks=false",
            REQUEST_LOGGER_DEFAULT_ENDPOINT="http://default-broker", HOME="/proc/none", TMPDIR="/proc/none",
        ).ready()  # fmt: skip
        assert container.rest.predict(X).said == {"strData": "rest-m.predict(x)"}
        assert container.ask_grpc(X) == {"strData": "grpc-m.predict(x)"}
        assert [container.rest.status(path) for path in ("/live", "/ready", "/api/v1.0/status", "/prometheus")] == [
            200, 200, 200, 200,
        ]  # fmt: skip
        _, _, told = container.rest.ask("GET", "/prometheus")
        assert b'{deployment_name="churn",predictor_name="main",' in told
        reward = {"response": {"meta": {}}, "reward": 1.0}
        assert container.rest.feedback(reward).said == {"strData": "rest-m.send_feedback()"}
        for family, host in ((socket.AF_INET, "127.0.0.2"), (socket.AF_INET6, "::1")):
            for port in (container.http_port, container.grpc_port):
                with socket.socket(family) as probe:
                    probe.connect((host, port))
    assert "churn/main" in container.program.out
    container.program.process.terminate()
    assert container.program.ended() == 0


def test_flags_are_spelled_as_go_spells_them(start: Start) -> None:
    with pair("m") as m:
        container = start(m, "-graceful_timeout=1s", "--debug", "-transport", "grpc", "--shutdown-delay=.2s").ready()
        assert container.rest.predict(X).said == {"strData": "rest-m.predict(x)"}
        container.program.process.terminate()
        assert container.program.ended() == 0
        assert "not ready any more; stopping in 0.2 s" in container.program.err


def test_nodes_are_spoken_to_as_the_client_speaks_along_a_whole_graph(start: Start) -> None:
    with pair("t") as t, pair("a") as a, pair("b") as b, pair("r") as r:
        graph = t | {"type": "TRANSFORMER", "children": [r | {"type": "ROUTER", "children": [a, b]}]}
        container = start(graph).ready()
        for asked, who in ((container.rest.predict(X).said, "rest"), (container.ask_grpc(X), "grpc")):
            assert asked["strData"] == f"{who}-b.predict({who}-t.transform_input(x))"
            assert asked["meta"]["routing"] == {"r": 1}


def test_in_a_mixed_graph_each_node_is_spoken_to_by_its_type(start: Start) -> None:
    with pair("a", type="REST") as a, pair("b", type="GRPC") as b:
        container = start(a | {"type": "MODEL", "children": [b]}).ready()
        said = {"strData": "grpc-b.predict(rest-a.predict(x))"}
        assert container.rest.predict(X).said == said
        assert container.ask_grpc(X) == said


def test_a_node_with_one_port_is_spoken_to_by_its_type(start: Start) -> None:
    with grpc_node(saying("grpc")) as url:
        graph = unit("m", service_host="127.0.0.1", service_port=int(url.rpartition(":")[2]), type="GRPC")
        container = start(graph).ready()
        assert container.rest.predict(X).said == container.ask_grpc(X) == {"strData": "grpc.predict(x)"}


def test_metadata_and_status_come_from_the_side_that_was_asked(start: Start) -> None:
    with serving.component("Said", name="m") as served:
        graph = unit("m", rest=f"http://127.0.0.1:{served.port}", grpc=f"grpc://{served.target}")
        container = start(graph).ready()
        assert container.rest.graph_metadata()["name"] == "main"
        assert container.rest.model_metadata("m")["platform"] == "test"
        assert container.rest.status("/api/v1.0/status/m") == 200
        client = container.grpc()
        assert client.graph_metadata()["models"]["m"]["platform"] == "test"
        assert client.model_metadata("m")["platform"] == "test"
        client.channel.close()


def test_built_ins_serve_both_sides(start: Start) -> None:
    with pair("a") as a, pair("b") as b:
        graph = {"name": "ab", "implementation": "RANDOM_ABTEST", "children": [a, b],
                 "parameters": [{"name": "ratioA", "value": "0", "type": "FLOAT"}]}  # fmt: skip
        container = start(graph).ready()
        assert container.rest.predict(X).said["strData"] == "rest-b.predict(x)"
        assert container.ask_grpc(X)["strData"] == "grpc-b.predict(x)"


def test_workers_serve_as_one_process_does(start: Start) -> None:
    with pair("m") as m:
        container = start(m, GOMAXPROCS="2").ready()
        assert "2 workers" in container.program.out
        assert container.rest.predict(X).said == {"strData": "rest-m.predict(x)"}
        assert container.ask_grpc(X) == {"strData": "grpc-m.predict(x)"}
        assert container.rest.status("/ready") == 200


# --- what it is told ------------------------------------------------------------------------------------------


def test_routing_of_every_visited_node(start: Start) -> None:
    with pair("a") as a, pair("b") as b:
        graph = a | {"children": [b]}
        container = start(graph, SELDON_ENABLE_ROUTING_INJECTION="false").ready()
        for said in (container.rest.predict(X).said, container.ask_grpc(X)):
            assert said["meta"]["routing"] == {"a": -1, "b": -1}
        silent = start(graph, "--no-routing-meta", SELDON_ENABLE_ROUTING_INJECTION="1").ready()
        assert "meta" not in silent.rest.predict(X).said


def test_cors_headers_of_the_environment(start: Start) -> None:
    with pair("m") as m:
        container = start(m, CORS_ALLOWED_ORIGINS="https://a.example", CORS_ALLOWED_HEADERS="X-One").ready()
        _, headers, _ = container.rest.ask("OPTIONS", "/api/v1.0/predictions")
        assert headers["Access-Control-Allow-Origin"] == "https://a.example"
        assert headers["Access-Control-Allow-Headers"] == "X-One"


def test_a_mounted_certificate_makes_both_fronts_tls(start: Start, tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    (tmp_path / "tls.crt").write_bytes(Path(scene.server.cert).read_bytes())
    (tmp_path / "tls.key").write_bytes(Path(scene.server.key).read_bytes())
    with pair("m") as m:
        container = start(m, SELDON_CERT_MOUNT_PATH=str(tmp_path)).ready()
        with Client(f"127.0.0.1:{container.grpc_port}", ca=scene.ca) as client:
            assert client.predict("x").value == "grpc-m.predict(x)"
        with pytest.raises(OSError, match=r"reset|closed|disconnect"):
            container.rest.status("/live")


# --- annotations ----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def slow_pair(gate: threading.Event) -> Iterator[dict[str, Any]]:
    """A node that answers when the gate opens."""

    def answer(method: str, content: Any, headers: dict[str, str]) -> Any:
        gate.wait(30)
        return {"strData": "late"}

    with http_node(answer) as rest, grpc_node(answer) as grpc_url:
        try:
            yield unit("m", rest=rest, grpc=grpc_url)
        finally:
            gate.set()


def test_timeouts_bound_each_call_of_a_node(start: Start, tmp_path: Path) -> None:
    told = annotated(tmp_path / "a", 'seldon.io/rest-timeout="1"', 'seldon.io/grpc-timeout="100"')
    with slow_pair(threading.Event()) as m:
        container = start(m, "--annotations", told).ready()
        with pytest.raises(Refused) as caught:
            container.rest.predict(X)
        assert caught.value.status == 500
        assert caught.value.said["status"]["code"] == 500
        assert caught.value.said["status"]["status"] == "FAILURE"
        assert "Client.Timeout exceeded while awaiting headers" in caught.value.text
        with pytest.raises(Refused) as caught:
            container.ask_grpc(X)
        assert caught.value.status is grpc.StatusCode.DEADLINE_EXCEEDED
        assert container.rest.status("/live") == 200


def test_nodes_are_told_how_long_they_have(start: Start, tmp_path: Path) -> None:
    told = annotated(tmp_path / "a", 'seldon.io/rest-timeout="20000"', 'seldon.io/grpc-timeout="20000"')
    seen: list[Any] = []
    with pair("m", seen) as m:
        container = start(m, "--annotations", told).ready()
        container.ask_grpc(X)
        container.rest.predict(X)
    left = [float(headers["time-left"]) for _, headers in seen]
    assert all(0 < each <= 20.1 for each in left)  # grpcio rounds up
    assert max(left) > 1


def test_a_message_larger_than_the_annotation_allows(start: Start, tmp_path: Path) -> None:
    told = annotated(tmp_path / "a", 'seldon.io/grpc-max-message-size="40"')
    with pair("m") as m:
        container = start(m, "--annotations", told).ready()
        assert container.ask_grpc(X) == {"strData": "grpc-m.predict(x)"}
        with pytest.raises(Refused) as caught:
            container.ask_grpc({"strData": "x" * 100})
        assert caught.value.status is grpc.StatusCode.RESOURCE_EXHAUSTED
        with pytest.raises(Refused, match="answer of 48 bytes is larger than the limit of 40") as caught:
            container.ask_grpc({"strData": "x" * 30})  # what is sent is bounded as well
        assert caught.value.status is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert container.rest.predict({"strData": "x" * 100}).said["strData"].startswith("rest-m.predict(xxx")


def test_one_bad_line_is_passed_over_and_a_bad_grpc_timeout_ignored(start: Start, tmp_path: Path) -> None:
    told = annotated(
        tmp_path / "a", "nonsense", 'other="a=b"', 'seldon.io/grpc-timeout="soon"', 'seldon.io/rest-timeout="1"'
    )
    with slow_pair(threading.Event()) as m:
        container = start(m, "--annotations", told).ready()
        with pytest.raises(Refused, match=r"Client\.Timeout"):
            container.rest.predict(X)
    assert "line 1 is passed over: 'nonsense' is not key=\"value\"" in container.program.err
    assert "annotation seldon.io/grpc-timeout is 'soon'" in container.program.err


@pytest.mark.parametrize("key", ["rest-timeout", "grpc-max-message-size"])
def test_other_bad_annotations_keep_it_from_starting(start: Start, tmp_path: Path, key: str) -> None:
    container = start(unit("m"), "--annotations", annotated(tmp_path / "a", f'seldon.io/{key}="much"'))
    assert container.program.ended() == 2
    assert f"annotation seldon.io/{key} is 'much'; allowed is a whole number" in container.program.err


# --- probes and the end ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", ["1", "2"])
def test_probes_without_nodes(programs: Programs, start: Start, workers: str) -> None:
    with http_node(saying("x")) as gone:
        pass
    container = start(unit("m", rest=gone), GOMAXPROCS=workers).ready()
    assert container.rest.status("/live") == 200
    assert container.rest.status("/ready") == 503
    assert container.rest.status("/api/v1.0/health/status") == 503
    poll(lambda: "not ready: node 'm': Connect" in container.program.err, 30)
    port = gone.rpartition(":")[2]
    programs.start("node", f"{COMPONENTS}:Echo", "--http-port", port, "--grpc-port", "0")
    poll(lambda: container.rest.status("/ready") == 200, 30)


def test_full_health_checks_ask_the_nodes(programs: Programs, start: Start, tmp_path: Path) -> None:
    with http_node(saying("x")) as other:  # it listens, and knows no GET
        dialled, asked = start(unit("m", rest=other)), start(unit("m", rest=other), "--full_health_checks=true")
        assert dialled.ready().rest.status("/ready") == 200
        for path in ("/ready", "/api/v1.0/status", "/api/v1.0/health/status"):
            assert asked.ready().rest.ask("GET", path)[::2] == (503, b"")
        assert "/api/v1.0/health/status status code 501" in asked.program.err
    with serving.component("Said", name="m") as served:
        rest, grpc_url = f"http://127.0.0.1:{served.port}", f"grpc://{served.target}"
        types: tuple[dict[str, str], ...] = ({}, {"type": "REST"}, {"type": "GRPC"})
        nodes = [unit(f"m{number}", rest=rest, grpc=grpc_url, **fields) for number, fields in enumerate(types)]
        graph = nodes[0] | {"children": [nodes[1] | {"children": [nodes[2]]}]}
        assert start(graph, "--full_health_checks").ready().rest.status("/ready") == 200


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_delayed_shutdown_goes_on_serving_but_is_not_ready(start: Start, workers: str) -> None:
    with pair("m") as m:
        container = start(m, "--shutdown_delay", "60s", GOMAXPROCS=workers).ready()
        assert container.rest.status("/ready") == 200
        container.program.process.terminate()
        poll(lambda: container.rest.status("/ready") == 503)
        assert "not ready any more; stopping in 60 s" in container.program.err
        assert container.rest.predict(X).said == {"strData": "rest-m.predict(x)"}
        assert container.ask_grpc(X) == {"strData": "grpc-m.predict(x)"}
        container.program.process.terminate()  # the second one stops at once
        assert container.program.ended() == 1


@pytest.mark.parametrize("workers", ["1", "2"])
def test_requests_that_outlast_the_graceful_timeout_make_the_exit_status_1(start: Start, workers: str) -> None:
    begun, gate = threading.Event(), threading.Event()

    def answer(method: str, content: Any, headers: dict[str, str]) -> Any:
        begun.set()
        gate.wait(30)
        return {"strData": "late"}

    with grpc_node(answer) as url, http_node(answer) as rest:
        container = start(unit("m", grpc=url, rest=rest), "--graceful_timeout", "300ms", GOMAXPROCS=workers).ready()
        client = container.grpc()
        call = client.start(X, timeout_s=None)
        assert begun.wait(20)
        container.program.process.terminate()
        assert container.program.ended() == 1
        with pytest.raises(grpc.RpcError):
            call.result()
        client.channel.close()
        gate.set()


# --- a file ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_graph_of_a_file_is_reloaded(programs: Programs, tmp_path: Path, workers: str) -> None:
    path = tmp_path / "graph.yaml"

    def write(*graphs: dict[str, Any]) -> None:
        deployment = json.loads(serving.deployment(node("other", "model")))
        others = [{"name": name, "graph": graph} for name, graph in zip(("main", "other"), graphs, strict=True)]
        deployment["spec"]["predictors"] = others
        path.with_suffix(".new").write_text(json.dumps(deployment))
        path.with_suffix(".new").rename(path)

    with pair("m") as m, pair("n") as n:
        write(m, n)
        container = Container(programs, "--workers", workers, file=str(path)).ready()
        assert container.rest.predict(X).said == {"strData": "rest-m.predict(x)"}
        write(n, m)
        poll(lambda: container.rest.predict(X).said == {"strData": "rest-n.predict(x)"}, 20)
        poll(lambda: container.ask_grpc(X) == {"strData": "grpc-n.predict(x)"}, 20)


def test_a_graph_of_the_environment_is_not_reloaded(start: Start) -> None:
    with pair("m") as m:
        container = start(m).ready()
        container.program.signal(signal.SIGHUP)
        container.program.wait_for(lambda: "not reloaded: nothing here comes from a file" in container.program.err)
        assert container.rest.predict(X).said == {"strData": "rest-m.predict(x)"}


def test_a_file_whose_nodes_are_nowhere_is_refused(programs: Programs, tmp_path: Path) -> None:
    path = tmp_path / "graph.yaml"
    path.write_text(serving.deployment(node("m", "model")))
    container = Container(programs, file=str(path))
    assert container.program.ended() == 2
    assert 'node "m" has neither a component nor an endpoint' in container.program.err
