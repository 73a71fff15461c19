"""Workers that serve with TLS: the parent hands connections on before the handshake, each worker does its own."""

import http.client
import json
import ssl
from pathlib import Path

import pytest
from support import serving
from support.certificates import Scene
from support.processes import Programs
from support.serving import COMPONENTS, node

from executor.client import Client


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_grpc_and_rest_over_tls_on_two_workers(scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "graph.yaml"
    path.write_text(serving.deployment(node("m", "model")))
    tls = scene.serving()
    with Programs() as programs:
        program = programs.serve(
            "run", str(path), "--component", f"m={COMPONENTS}:Moody", "--workers", "2",
            "--tls-cert", tls.cert, "--tls-key", tls.key,
        ).ready()  # fmt: skip
        assert "(TLS)" in program.out
        assert "REST on https://" in program.out
        pids = set()
        for _ in range(6):
            with Client(program.grpc.removesuffix(" (TLS)"), ca=scene.ca) as client:
                pids.add(str(client.predict("pid", timeout_s=5.0).value))
            context = ssl.create_default_context(cafile=scene.ca)
            rest = http.client.HTTPSConnection("127.0.0.1", program.http_port, context=context, timeout=5)
            rest.request(
                "POST", "/api/v1.0/predictions", json.dumps({"strData": "pid"}), {"Content-Type": "application/json"}
            )
            pids.add(json.loads(rest.getresponse().read())["strData"])
            rest.close()
        assert len(pids) == 2
