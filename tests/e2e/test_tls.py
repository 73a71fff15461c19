"""TLS from client to node, in real processes: Seldon's variables, both kinds of node, certificates that are renewed."""

import re
import ssl
from pathlib import Path
from typing import Any

import pytest
from support import serving
from support.certificates import Scene
from support.processes import Program, Programs, poll
from support.serving import COMPONENTS, node

from executor.client.synchronous import Client

pytestmark = pytest.mark.timeout(90)


def port(program: Program, front: str) -> int:
    """Where a TLS front listens; `front` is how its line begins and ends."""
    found = re.search(front, program.out, re.M)
    assert found, program.out
    return int(found[1])


def grpc_port(program: Program) -> int:
    return port(program, r"^gRPC on 127\.0\.0\.1:(\d+) \(TLS\)$")


def rest_port(program: Program) -> int:
    return port(program, r"^REST on https://127\.0\.0\.1:(\d+)$")


def shown(program: Program, scene: Scene) -> str:
    """The certificate that REST shows to a new connection."""
    return ssl.get_server_certificate(("127.0.0.1", rest_port(program)), ca_certs=scene.ca, timeout=5)


def test_from_client_to_nodes(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    (tmp_path / "tls.crt").write_bytes(Path(scene.server.cert).read_bytes())
    (tmp_path / "tls.key").write_bytes(Path(scene.server.key).read_bytes())
    graph: Any = node("first", "model", node("second", "model"))
    graph["children"][0]["endpoint"] = {"type": "REST"}
    manifest = tmp_path / "graph.yaml"
    manifest.write_text(serving.deployment(graph))
    with Programs() as programs:
        mounted = {"SELDON_CERT_MOUNT_PATH": str(tmp_path)}
        remote = programs.start(
            "node", f"{COMPONENTS}:Echo", "--grpc-port", "0", "--http-port", "0", "--tls-client-ca", scene.ca,
            environment=mounted,
        )  # fmt: skip
        remote.ready()
        remote.wait_for(lambda: "REST on" in remote.out)
        run = programs.serve(
            "run", str(manifest), "--endpoint", f"first=grpcs://127.0.0.1:{grpc_port(remote)}",
            "--endpoint", f"second=https://127.0.0.1:{rest_port(remote)}", "--node-ca", scene.ca,
            "--node-cert", scene.client.cert, "--node-key", scene.client.key,
            "--tls-cert", scene.server.cert, "--tls-key", scene.server.key,
        )  # fmt: skip
        run.ready()
        run.wait_for(lambda: "REST on" in run.out)
        before = shown(run, scene)
        with Client(f"127.0.0.1:{grpc_port(run)}", ca=scene.ca) as client:
            first = client.predict("hello").value
            Path(scene.server.cert).write_text("broken")
            run.wait_for(lambda: "what was loaded before stays in use" in run.err)
            assert shown(run, scene) == before
            scene.authority.pair("server")
            poll(lambda: shown(run, scene) != before, what="the new certificate is shown")
            assert client.predict("hello").value == first
            with Client(f"127.0.0.1:{grpc_port(run)}", ca=scene.ca) as newcomer:
                assert newcomer.predict("hello").value == first
