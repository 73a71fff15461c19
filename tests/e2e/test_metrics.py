"""What is counted, as Prometheus sees it: of one process and of several, after a death and a reload, of nodes alone."""

import os
import re
import signal
import socket
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from support import models, prometheus, serving
from support.clients import GrpcClient, Refused, RestClient
from support.processes import Program, Programs, children, poll
from support.prometheus import samples
from support.receiver import Receiver
from support.serving import node

from executor.settings import ServeLimits
from executor.telemetry.families import REASONS

SERVER = "seldon_api_executor_server_requests_seconds_count"
CLIENT = "seldon_api_executor_client_requests_seconds_count"
SOURCE = """
class Model:
    def predict(self, X, names):
        if X == "fail":
            raise ValueError("asked to")
        return X

    def metrics(self):
        return [
            {"key": "seen", "type": "COUNTER", "value": 1},
            {"key": "heat", "type": "GAUGE", "value": 21.5, "tags": {"room": "a \\"b\\""}},
            {"key": "took", "type": "TIMER", "value": 12},
        ]

    def send_feedback(self, features, names, reward, truth, routing=None):
        pass
"""
JSON = [("Content-Type", "application/json")]
ENVIRONMENT = {"SELDON_DEPLOYMENT_ID": "dep", "PREDICTOR_ID": "main", "PREDICTOR_LABELS": '{"version":"v3"}'}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.py"
    path.write_text(SOURCE)
    return path


def run(programs: Programs, tmp_path: Path, model: Path, *more: str) -> Program:
    path = tmp_path / "graph.yaml"
    path.write_text(serving.deployment(node("m", "model")))
    return programs.serve("run", str(path), "--component", f"m={model}:Model", *more).ready()


def scrape(port: int, path: str = "/metrics", accept: str = "") -> str:
    status, headers, body = RestClient(port).ask("GET", path, headers=[("Accept", accept)] if accept else [])
    assert status == 200, body
    assert headers["content-type"].startswith("application/openmetrics-text" if accept else "text/plain; version=0.0.4")
    return str(body.decode())


def total(text: str, name: str, **labels: str) -> float:
    return sum(samples(text, name, **labels))


def ask(program: Program, count: int) -> None:
    for _ in range(count):
        assert RestClient(program.http_port).predict({"strData": "x"}).said["strData"] == "x"


def test_one_process_tells_what_it_did(programs: Programs, tmp_path: Path, model: Path) -> None:
    program = run(programs, tmp_path, model)
    rest, grpc = RestClient(program.http_port), GrpcClient(program.grpc)
    ask(program, 3)
    assert grpc.predict({"strData": "y"}).said["strData"] == "y"
    for client in (rest, grpc):
        with pytest.raises(Refused):
            client.predict({"strData": "fail"})
    rest.feedback({"request": {"strData": "x"}, "reward": 0.5})
    grpc.channel.close()
    text = scrape(program.http_port)
    of = {"deployment_name": "demo", "predictor_name": "main", "predictor_version": ""}
    assert samples(text, SERVER, **of, service="predictions", method="post", code="200") == [3]
    assert samples(text, SERVER, **of, service="predictions", method="post", code="500") == [1]
    assert samples(text, SERVER, **of, service="feedback", method="post", code="200") == [1]
    assert samples(text, SERVER, **of, service="/seldon.protos.Seldon/Predict", method="unary", code="OK") == [1]
    assert samples(text, SERVER, service="/seldon.protos.Seldon/Predict", code="Internal") == [1]
    predict = {"service": "/seldon.protos.Model/Predict", "model_name": "m", "method": "unary"}
    assert samples(text, CLIENT, **of, **predict, code="OK") == [4]
    assert total(text, CLIENT, **predict) == 6
    summary = samples(text, "seldon_api_executor_server_requests_seconds_summary", service="predictions", code="200")
    assert len(summary) == 6
    assert summary == sorted(summary)
    assert samples(
        text, "seen_total", model_name="m", method="predict", **of | {"predictor_version": "NOT_IMPLEMENTED"}
    )
    assert total(text, "heat", method="predict", room=r"a \"b\"") == 21.5
    took = [total(text, name, method="predict") for name in ("took_count", "took_sum")]
    assert took == [4, pytest.approx(0.048)]
    assert total(text, "seldon_api_model_feedback_reward_total", method="feedback") == 0.5
    assert total(text, "millrace_requests_in_flight") == 0
    assert total(text, "millrace_node_received_bytes_total", model_name="m") > 0
    assert total(text, "millrace_workers") == 1
    assert prometheus.check(text.encode()) == []
    assert scrape(program.http_port, accept="application/openmetrics-text").endswith("# EOF\n")


def test_calls_of_nodes_elsewhere_are_counted(programs: Programs, tmp_path: Path, model: Path) -> None:
    other = programs.serve("node", f"{model}:Model").ready()
    path = tmp_path / "graph.yaml"
    path.write_text(serving.deployment(node("t", "transformer", node("m", "model"))))
    where = ["--endpoint", f"t=http://127.0.0.1:{other.http_port}", "--endpoint", f"m=grpc://{other.grpc}"]
    program = programs.serve("run", str(path), *where).ready()
    ask(program, 2)
    for said in ("fail", {"no": "text"}):
        with pytest.raises(Refused):
            RestClient(program.http_port).predict({"strData": said})
    text = scrape(program.http_port)
    rest = {"service": "/transform-input", "model_name": "t", "method": "post"}
    assert samples(text, CLIENT, **rest, code="200") == [3]
    grpc = {"service": "/seldon.protos.Model/Predict", "model_name": "m", "method": "unary"}
    assert samples(text, CLIENT, **grpc, code="OK") == [2]
    assert total(text, CLIENT, **grpc) == 3
    assert total(text, "millrace_node_connections", model_name="m", address=other.grpc, state="ready") == 1
    by_rest = f"127.0.0.1:{other.http_port}"
    assert total(text, "millrace_node_connections", model_name="t", address=by_rest, state="ready") == 1
    assert total(text, "millrace_node_queue_seconds_sum", model_name="t") > 0  # the first one waited for a connection
    # Three of its answers for the next node, and the two that came back for the client.
    assert total(text, "millrace_payload_copies_total", model_name="t", reason="transcoded") == 5
    assert total(text, "millrace_node_calls_in_flight") == 0
    other.signal(signal.SIGKILL)
    other.ended()
    with pytest.raises(Refused):
        RestClient(program.http_port).predict({"strData": "x"})
    assert samples(scrape(program.http_port), CLIENT, **rest, code="500") == [1]


def test_branches_of_routers_that_learn_are_counted(programs: Programs, tmp_path: Path) -> None:
    path = tmp_path / "graph.yaml"
    branches = [node(name, implementation="SIMPLE_MODEL") for name in ("a", "b")]
    path.write_text(serving.deployment(node("r", "", *branches, implementation="EPSILON_GREEDY", epsilon=0.5)))
    arguments = ("--state", str(tmp_path / "s"), "--workers", "2")
    program = programs.serve("run", str(path), *arguments).ready()
    client, taken = RestClient(program.http_port), Counter[str]()
    for _ in range(10):
        said = client.predict({"strData": "x"}).said
        taken["ab"[said["meta"]["routing"]["r"]]] += 1
        client.feedback({"response": said, "reward": 0.5})

    def seen(name: str) -> dict[str, float]:
        text = scrape(program.http_port)
        found = {branch: total(text, name, model_name="r", branch=branch) for branch in "ab"}
        return {branch: value for branch, value in found.items() if value}

    # The other worker tells within its two seconds.
    poll(lambda: seen("millrace_router_pulls_total") == taken, 20.0)
    assert seen("millrace_router_rewards_total") == taken
    poll(lambda: seen("millrace_router_reward_mean") == dict.fromkeys(taken, 0.5), 20.0)
    assert sum(seen("millrace_router_chance").values()) == pytest.approx(1)
    assert prometheus.check(scrape(program.http_port).encode()) == []


def test_a_prepackaged_server_is_counted_like_any_component(programs: Programs, tmp_path: Path) -> None:
    path = tmp_path / "graph.yaml"
    models.sklearn(tmp_path / "iris")
    root = {**node("classifier", implementation="SKLEARN_SERVER"), "modelUri": f"file://{tmp_path}/iris"}
    path.write_text(serving.deployment(root))
    program = programs.serve("run", str(path)).ready()
    for client in (RestClient(program.http_port), grpc := GrpcClient(program.grpc)):
        assert client.predict({"data": {"ndarray": [[5.1, 3.5, 1.4, 0.2]]}}).said["data"]["names"]
    grpc.channel.close()
    with pytest.raises(Refused):
        RestClient(program.http_port).predict({"data": {"ndarray": [[1]]}})
    text = scrape(program.http_port)
    predict = {"service": "/seldon.protos.Model/Predict", "model_name": "classifier", "method": "unary"}
    assert samples(text, CLIENT, **predict, code="OK") == [2]
    assert total(text, CLIENT, **predict) == 3
    assert samples(text, "millrace_node_queue_seconds_count", model_name="classifier") == [3]
    assert total(text, "millrace_node_sent_bytes_total", model_name="classifier") > 0
    assert prometheus.check(text.encode()) == []


def test_payloads_that_are_logged_are_counted(programs: Programs, tmp_path: Path, model: Path) -> None:
    async def six(request: web.Request) -> web.StreamResponse:
        return web.Response(status=200 if len(receiver.received) <= 6 else 503)

    path = tmp_path / "graph.yaml"
    with Receiver(six) as receiver:
        path.write_text(serving.deployment(node("m", "model", logger={"mode": "all", "url": receiver.url})))
        program = programs.serve("run", str(path), "--component", f"m={model}:Model").ready()
        ask(program, 3)
        poll(lambda: total(scrape(program.http_port), "millrace_payloads_total", result="sent") == 6)
        ask(program, 1)
        poll(lambda: total(scrape(program.http_port), "millrace_payloads_total", result="lost") == 2)
        assert samples(scrape(program.http_port), "millrace_payloads_waiting") == [0]


def test_what_is_refused_is_counted_by_its_reason() -> None:
    limits = ServeLimits(max_connections=2, max_message_bytes=1000, header_timeout_s=0.2)
    with serving.graph(node("m", implementation="SIMPLE_MODEL"), limits=limits) as served:

        def refused() -> dict[str, float]:
            text = served.call(served.process.scrape(""))[1].decode()
            found = {reason: total(text, "millrace_requests_rejected_total", reason=reason) for reason in REASONS}
            return {reason: value for reason, value in found.items() if value}

        for client in (served.rest, served.grpc):
            with pytest.raises(Refused):
                client.predict({"strData": "x" * 2000})
        poll(lambda: refused() == {"message": 2})
        with closing(socket.create_connection(("127.0.0.1", served.port))) as slow:
            slow.sendall(b"POST /")
            assert b" 408 " in slow.recv(4096)
        poll(lambda: refused() == {"message": 2, "slow": 1})
        for port in (served.port, int(served.target.rpartition(":")[2])):
            with ExitStack() as opened:
                for _ in range(3):
                    opened.enter_context(closing(socket.create_connection(("127.0.0.1", port))))
                poll(lambda port=port: refused().get("connections", 0) >= 1 + (port != served.port))  # type: ignore[misc]


def test_counters_never_go_down(programs: Programs, tmp_path: Path, model: Path) -> None:
    program = run(programs, tmp_path, model, "--workers", "2")
    ask(program, 20)

    def counters() -> dict[str, float]:
        text = scrape(program.http_port)
        kinds = dict(re.findall(r"^# TYPE (\S+) (\w+)$", text, re.M))
        found = {}
        for series, value in re.findall(r"^([^#\s][^{\s]*(?:\{.*\})?) (\S+)$", text, re.M):
            name = series.partition("{")[0]
            family = re.sub(r"_(bucket|sum|count)$", "", name)
            if kinds.get(name) == "counter" or (name != family and kinds.get(family) in ("histogram", "summary")):
                found[series] = float(value)
        return found

    before = counters()
    assert sum(value for key, value in before.items() if key.startswith("seen_total")) == 20
    victims = children(program.pid)
    os.kill(min(victims), signal.SIGKILL)
    poll(lambda: len(children(program.pid) - {min(victims)}) == 2)
    poll(lambda: total(scrape(program.http_port), "millrace_workers") == 2, 20.0)
    after = counters()
    assert [key for key in before if after.get(key, -1) < before[key]] == []
    ask(program, 10)
    (tmp_path / "graph.yaml").write_text(serving.deployment(node("m", "model")) + "\n")
    poll(lambda: total(scrape(program.http_port), "millrace_reloads_total", result="done") == 1, 20.0)
    ask(program, 5)
    text, last = scrape(program.http_port), counters()
    assert [key for key in after if last.get(key, -1) < after[key]] == []
    assert total(text, "seen_total") == total(text, SERVER, code="200") == total(text, CLIENT) == 35
    assert total(text, "millrace_worker_restarts_total") == 1
    assert {*map(len, [samples(text, "heat")])} == {2}
    assert prometheus.check(text.encode()) == []


def test_a_server_of_prometheus_reads_it(programs: Programs, tmp_path: Path, model: Path) -> None:
    program = run(programs, tmp_path, model)
    ask(program, 4)
    with prometheus.Server(tmp_path, program.http_port) as server:
        (found,) = server.wait_for(f'{SERVER}{{service="predictions"}} == 4')
        assert found["metric"]["deployment_name"] == "demo"
        assert server.ask("up")[0]["value"][1] == "1"
        (heat,) = server.ask("heat")
        assert heat["metric"]["room"] == 'a "b"'
        quantile = "histogram_quantile(0.5, took_bucket)"
        assert float(server.ask(quantile)[0]["value"][1]) == pytest.approx(0.012, rel=0.3)
        (build,) = server.ask("millrace_build_info")
        assert build["metric"]["version"]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_wrapped_class_tells_on_its_metrics_port(
    programs: Programs, tmp_path: Path, model: Path, workers: str
) -> None:
    ports = ["--http-port", "0", "--grpc-port", "0", "--metrics-port", "0"]
    program = programs.start(
        *(
            "microservice",
            "model.Model",
            "--service-type",
            "MODEL",
            "--host",
            "127.0.0.1",
            "--workers",
            workers,
            *ports,
        ),
        environment=environment(tmp_path, PREDICTIVE_UNIT_ID="m", PREDICTIVE_UNIT_METRICS_ENDPOINT="/prometheus"),
    ).ready()
    (port,) = re.findall(r"^metrics on http://127.0.0.1:(\d+)$", program.out, re.M)
    assert RestClient(program.http_port).ask("POST", "/predict", b'{"strData":"x"}', JSON)[0] == 200
    text = scrape(int(port), "/prometheus")
    assert samples(text, "seen_total", deployment_name="dep", predictor_version="v3", model_name="m") == [1]
    assert "seldon_api_executor" not in text
    assert total(text, "millrace_node_requests_seconds_count", service="/predict", code="200") == 1
    assert RestClient(int(port)).status("/predict") == 404 or RestClient(int(port)).status("/predict") == 500
    assert RestClient(program.http_port).status("/prometheus") == 500
    assert prometheus.check(text.encode()) == []


def test_a_node_tells_beside_its_paths(programs: Programs, tmp_path: Path, model: Path) -> None:
    program = programs.start(
        *("node", f"{model}:Model", "--http-port", "0", "--grpc-port", "0"),
        environment=environment(tmp_path, PREDICTIVE_UNIT_METRICS_SERVICE_PORT="0"),
    ).ready()
    assert RestClient(program.http_port).ask("POST", "/predict", b'{"strData":"x"}', JSON)[0] == 200
    (port,) = re.findall(r"^metrics on http://127.0.0.1:(\d+)$", program.out, re.M)
    for each in (program.http_port, int(port)):
        assert total(scrape(each), "seen_total", model_name="model") == 1


def environment(folder: Path, **more: str) -> Mapping[str, Any]:
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, **ENVIRONMENT, "PYTHONPATH": path, **more}
