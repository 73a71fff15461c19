"""Bounds on the calls of single nodes, through both fronts and to every kind of node: what clients see, what nodes see.

Tests `native.patience`, and `--node-timeout` of `millrace run`.
"""

import contextlib
import threading
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest
from support import serving
from support.clients import Client, GrpcClient, Refused
from support.foreign import grpc_node, http_node
from support.processes import Programs, poll
from support.serving import COMPONENTS, node

from executor.settings import NodeTimeouts

QUICK = NodeTimeouts(0.05, 0.05, 0.05)
KINDS = pytest.mark.parametrize("kind", ["grpc", "http", "component", "isolated"])


@contextlib.contextmanager
def late(kind: str, tmp_path: Path, settings: NodeTimeouts = QUICK) -> Iterator[serving.Served]:
    """A graph whose node `m` answers when the test is over."""
    gate = threading.Event()

    def answer(method: str, content: Any, headers: dict[str, str]) -> Any:
        gate.wait(30)
        return {"strData": "late"}

    with contextlib.ExitStack() as stack:
        endpoints, components, isolate = {}, {"t": "Echo"}, frozenset[str]()
        if kind in ("grpc", "http"):
            endpoints["m"] = stack.enter_context((grpc_node if kind == "grpc" else http_node)(answer))
        else:
            components["m"] = "Moody"
            isolate = frozenset({"m"} if kind == "isolated" else ())
        root = node("t", "transformer", node("m", "model"))
        with serving.graph(root, components, endpoints, isolate=isolate, node_timeouts=settings) as served:
            try:
                yield served
            finally:
                (tmp_path / "gate").touch()
                gate.set()


def fronts(served: serving.Served) -> tuple[Client, Client]:
    return served.grpc, served.rest


@KINDS
def test_a_late_node_ends_the_request(tmp_path: Path, kind: str) -> None:
    said = {"strData": f"wait {tmp_path / 'gate'}"}
    with late(kind, tmp_path) as served:
        for client in fronts(served):
            with pytest.raises(Refused) as caught:
                client.predict(said)
            assert caught.value.status in (grpc.StatusCode.DEADLINE_EXCEEDED, 500)
            assert "Client.Timeout exceeded while awaiting headers" in caught.value.text or client is served.grpc
        poll(lambda: served.process.engine.in_flight == 0)


def test_the_words_of_a_late_grpc_node(tmp_path: Path) -> None:
    with late("component", tmp_path) as served:
        with pytest.raises(Refused) as caught:
            served.grpc.predict({"strData": f"wait {tmp_path / 'gate'}"})
        assert caught.value.text == "node 'm': no answer within 50 ms"
        with pytest.raises(Refused) as caught:
            served.rest.predict({"strData": f"wait {tmp_path / 'gate'}"})
    told = "node 'm': no answer within 50 ms (Client.Timeout exceeded while awaiting headers)"
    assert caught.value.said == {"status": {"code": 500, "info": told, "status": "FAILURE"}}


@KINDS
def test_a_request_that_ends_first_tells_its_own_deadline(tmp_path: Path, kind: str) -> None:
    with late(kind, tmp_path, NodeTimeouts(20, 20, 20)) as served:
        for client in fronts(served):
            with pytest.raises(Refused) as caught:
                client.predict({"strData": f"wait {tmp_path / 'gate'}"}, timeout_s=0.1)
            assert "no answer within 20000 ms" not in caught.value.text


class Stuck(grpc.GenericRpcHandler):
    """Answers nothing before `over`, and sees when a call has ended."""

    def __init__(self) -> None:
        self.over, self.ended = threading.Event(), threading.Event()

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        def serve(request: bytes, context: grpc.ServicerContext) -> bytes:
            context.add_callback(self.ended.set)
            self.over.wait(30)
            return b""

        return grpc.unary_unary_rpc_method_handler(serve)


def test_a_grpc_node_sees_its_call_cancelled() -> None:
    stuck = Stuck()
    server = grpc.server(futures.ThreadPoolExecutor(1), handlers=[stuck])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        endpoints = {"m": f"grpc://127.0.0.1:{port}"}
        with serving.graph(node("m", "model"), endpoints=endpoints, node_timeouts=QUICK) as served:
            with pytest.raises(Refused):
                served.grpc.predict({"strData": "x"})
            assert stuck.ended.wait(10)
    finally:
        stuck.over.set()
        server.stop(0).wait()


def test_feedback_reaches_the_others() -> None:
    over, seen = threading.Event(), []

    def stuck(method: str, content: Any, headers: dict[str, str]) -> Any:
        over.wait(30)
        return {}

    def noting(method: str, content: Any, headers: dict[str, str]) -> Any:
        seen.append(method)
        return {}

    with grpc_node(stuck) as one, http_node(stuck) as two, grpc_node(noting) as root:
        graph = node("r", "router", node("a", "model"), node("b", "model"))
        endpoints = {"r": root, "a": one, "b": two}
        with serving.graph(graph, endpoints=endpoints, node_timeouts=QUICK) as served:
            for client in fronts(served):
                with pytest.raises(Refused, match=r"no answer within|within the|Deadline"):
                    client.feedback({"reward": 1.0, "response": {"meta": {}}})
            assert seen == ["send_feedback"] * 2
            over.set()


def test_the_option_of_run(tmp_path: Path) -> None:
    graph = tmp_path / "graph.yaml"
    graph.write_text(serving.deployment(node("m", "model")))
    with Programs() as programs:
        program = programs.serve(
            "run", str(graph), "--component", f"m={COMPONENTS}:Moody", "--node-timeout", "50ms"
        ).ready()
        client = GrpcClient(program.grpc)
        with pytest.raises(Refused, match="node 'm': no answer within 50 ms"):
            client.predict({"strData": f"wait {tmp_path / 'gate'}"})
        (tmp_path / "gate").touch()
        assert client.predict({"strData": "hello x"}).said["strData"] == "done x"
        client.channel.close()
