"""Tests `webhook` in the operator as it is started in a cluster: a process of its own, with its options."""

import base64
import http.client
import json
import signal
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from support import reviews
from support.apiserver import ApiServer
from support.cluster import served
from support.processes import Programs
from support.resources import ONE, sdep
from support.servers import free_port

from operator_lite.crd import FILE
from operator_lite.trust import CONFIGURATIONS, SECRET

NAME = "millrace-webhook.millrace-system.svc"
VALIDATING = (CONFIGURATIONS[0].api_version, CONFIGURATIONS[0].plural)


@pytest.fixture
def server() -> Iterator[ApiServer]:
    found = served()
    for kind in (SECRET, *CONFIGURATIONS):
        found.store.install((kind.api_version, kind.plural))
    applied = yaml.safe_load((FILE.parent / "cluster" / "webhook.yaml").read_text())
    found.store.create(VALIDATING, applied, "kubectl", False)
    yield found
    found.stop()


def bundle(server: ApiServer) -> str:
    (hook,) = server.store.get(VALIDATING, ("", "millrace-webhook"))["webhooks"]
    return base64.b64decode(hook["clientConfig"].get("caBundle", "")).decode()


def answer(port: int, path: str, authority: str, body: bytes) -> tuple[int, bytes]:
    context = ssl.create_default_context(cadata=authority)
    with (
        socket.create_connection(("127.0.0.1", port), 30) as plain,
        context.wrap_socket(plain, server_hostname=NAME) as wrapped,
    ):
        connection = http.client.HTTPConnection(NAME)
        connection.sock = wrapped
        connection.request("POST" if body else "GET", path, body or None, {"Content-Type": "application/json"})
        found = connection.getresponse()
        return found.status, found.read()


def test_replicas_of_the_operator_refuse_what_is_wrong_whoever_leads(server: ApiServer, tmp_path: Path) -> None:
    kubeconfig = server.kubeconfig(tmp_path / "kubeconfig")
    ports = [free_port(), free_port()]
    path = yaml.safe_load((FILE.parent / "cluster" / "webhook.yaml").read_text())["webhooks"][0]
    with Programs() as programs:
        started = [
            programs.start("operator", "--kubeconfig", str(kubeconfig), "--operator-namespace", "millrace-system",
                           "--metrics-addr", "127.0.0.1:0", "--webhook-port", f"127.0.0.1:{port}")
            for port in ports
        ]  # fmt: skip
        for each, port in zip(started, ports, strict=True):
            each.wait_for(lambda each=each, port=port: f"the webhook answers on port {port}" in each.err)  # type: ignore[misc]
        for port in ports:
            assert answer(port, "/readyz", bundle(server), b"") == (200, b"ok\n")
            wrong = reviews.body(sdep(ONE.replace("type: MODEL", "type: MODLE")))
            status, said = answer(port, path["clientConfig"]["service"]["path"], bundle(server), wrong)
            assert status == 200
            assert '"MODLE" is not allowed' in json.loads(said)["response"]["status"]["message"]
        for each in started:
            each.signal(signal.SIGTERM)
        assert [each.ended(60) for each in started] == [0, 0]
    assert len([verb for verb, where in server.requests if verb == "post" and where.endswith("/secrets")]) >= 1
    assert len(server.store.all(("v1", "secrets"))) == 1
