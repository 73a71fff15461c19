"""Owns `millrace executor` as Seldon's operator starts it: its arguments, its predictor as Go writes it, its ports.

Must not assert what it answers.
"""

import base64
import json
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from support.clients import GrpcClient, RestClient
from support.processes import Program, Programs

IDENTITY = ("--sdep", "churn", "--namespace", "shop", "--predictor", "main")
EMPTY = {"ENGINE_PREDICTOR": "", "GOMAXPROCS": "1"}


def unit(name: str, type: str = "MODEL", /, *children: Mapping[str, Any], **endpoint: Any) -> dict[str, Any]:
    """A node of the graph. `rest` and `grpc` are URLs of a node; other fields are the endpoint's."""
    made: dict[str, Any] = {"name": name, "type": type, "children": list(children)}
    rest, grpc = endpoint.pop("rest", None), endpoint.pop("grpc", None)
    ports = {"httpPort": _port(rest), "grpcPort": _port(grpc)}
    made["endpoint"] = {
        "service_host": "127.0.0.1",
        "service_port": ports["httpPort"] or ports["grpcPort"],
        **{name: port for name, port in ports.items() if port},
        **endpoint,
    }
    return made


def _port(url: str | None) -> int:
    return int(url.rpartition(":")[2]) if url else 0


def predictor(graph: Mapping[str, Any], **more: Any) -> str:
    """The value of ENGINE_PREDICTOR: all that the operator leaves in it, nulls and empty objects included."""
    container = {"name": "m", "image": "shop/m:1", "resources": {}, "ports": [{"name": "http", "containerPort": 9000}]}
    whole = {
        "name": "main",
        "graph": graph,
        "componentSpecs": [{"metadata": {"creationTimestamp": None}, "spec": {"containers": [container]}}],
        "replicas": 0,
        "engineResources": {},
        "labels": {"version": "main"},
        "svcOrchSpec": {},
        "traffic": 0,
        "explainer": None,
        **more,
    }
    return base64.b64encode(json.dumps(whole).encode()).decode()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Container:
    """One executor container."""

    def __init__(
        self, programs: Programs, *arguments: str, environment: Mapping[str, str] | None = None, file: str | None = None
    ) -> None:
        self.http_port, self.grpc_port = free_port(), free_port()
        given = ["--file", file] if file else []
        self.program: Program = programs.start(
            "executor", *IDENTITY, "--http_port", str(self.http_port), "--grpc_port", str(self.grpc_port),
            *given, *arguments, environment={**EMPTY, **(environment or {})},
        )  # fmt: skip
        self.rest = RestClient(self.http_port)

    def ready(self) -> "Container":
        """Waits until it serves."""
        self.program.ready()
        return self

    def grpc(self) -> GrpcClient:
        """A client; whoever asks for one closes its channel."""
        return GrpcClient(f"127.0.0.1:{self.grpc_port}")

    def ask_grpc(self, said: Any, headers: Sequence[tuple[str, str]] = ()) -> Any:
        """The answer to one request over gRPC."""
        client = self.grpc()
        try:
            return client.predict(said, headers).said
        finally:
            client.channel.close()


def annotated(path: Path, *lines: str) -> str:
    """A file of annotations."""
    path.write_text("\n".join(lines) + "\n")
    return str(path)
