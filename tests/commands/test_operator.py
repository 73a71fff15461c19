"""`millrace operator` as users call it."""

import http.client
import importlib.util
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import processes
from support.apiserver import ApiServer
from support.cluster import SPEC, Cluster, served, until
from support.commands import failure

from executor import cli
from operator_lite.kinds import LEASE


@pytest.fixture
def server() -> Iterator[ApiServer]:
    found = served()
    yield found
    found.stop()


@pytest.fixture
def cluster(server: ApiServer, tmp_path: Path) -> Cluster:
    return Cluster(server.kubeconfig(tmp_path / "kubeconfig"))


def page(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, body


def test_from_start_to_stop(cluster: Cluster) -> None:
    program = [sys.executable, "-m", "executor", "operator", "--kubeconfig", str(cluster.kubeconfig), "--namespace",
               cluster.namespace, "--operator-namespace", cluster.namespace, "--metrics-addr", "127.0.0.1:0",
               "--route-settle", "1ms"]  # fmt: skip
    running = subprocess.Popen(program, stderr=subprocess.PIPE, text=True)
    assert running.stderr is not None
    try:
        said = ""
        while not (found := re.search(r"metrics and health on port (\d+)", said)):
            line = running.stderr.readline()
            assert line, said
            said += line
        port = int(found[1])
        cluster.sdep("iris", SPEC)
        cluster.all_ready("iris")
        assert page(port, "/readyz") == (200, "ok\n")
        assert page(port, "/healthz") == (200, "ok\n")
        text = page(port, "/metrics")[1]
        assert "millrace_operator_leader 1\n" in text
        assert 'millrace_operator_resources{state="Available"} 1\n' in text
        running.send_signal(signal.SIGTERM)
        rest = running.stderr.read()
        assert running.wait(20) == 0, rest
        assert "stopped" in rest
    finally:
        running.kill()
        running.stderr.close()
        running.wait()
    lease = cluster.get(LEASE, "millrace-operator")
    assert lease is not None
    assert lease["spec"]["holderIdentity"] == ""


def test_a_dry_run_prints_what_would_change(server: ApiServer, cluster: Cluster) -> None:
    cluster.sdep("iris", SPEC)
    before = server.store.version
    done = processes.run("operator", "--dry-run", "--kubeconfig", str(cluster.kubeconfig))
    assert done.returncode == 0, done.stderr
    assert "## Deployment iris-main-0-model: would be made\n" in done.stdout
    assert done.stdout.endswith("# 1 resources, 1 would change, 0 problems\n")
    assert server.store.version == before


def test_without_election_and_without_pages(cluster: Cluster) -> None:
    program = [sys.executable, "-m", "executor", "operator", "--kubeconfig", str(cluster.kubeconfig),
               "--no-leader-election", "--metrics-addr", "0", "--namespace", cluster.namespace]  # fmt: skip
    with subprocess.Popen(program, stderr=subprocess.DEVNULL) as running:
        cluster.sdep("iris", SPEC)
        until(lambda: cluster.status("iris").get("state"))
        running.send_signal(signal.SIGINT)
        assert running.wait(20) == 0
    assert cluster.get(LEASE, "millrace-operator") is None


def test_mistakes(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = failure(capsys, "operator", "--renew-deadline", "20s")
    assert "--renew-deadline must be shorter than --lease-duration" in wrong
    with pytest.raises(SystemExit):
        cli.main(["operator", "--metrics-addr", "8080"])
    assert "write it as HOST:PORT" in capsys.readouterr().err
    done = processes.run("operator", "--dry-run", "--kubeconfig", str(tmp_path / "nothing"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("millrace: no API server is known")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "pip install 'millrace[operator]'" in failure(capsys, "operator", "--dry-run")
