"""`millrace call` from the outside: its words for servers that are not there, are something else, or speak TLS."""

from pathlib import Path

import pytest
from support import processes, serving
from support.certificates import Scene
from support.containers import free_port
from support.processes import Programs
from support.serving import COMPONENTS, node


@pytest.mark.parametrize("rest", [[], ["--rest"]])
def test_a_refused_connection_is_told_once(rest: list[str]) -> None:
    done = processes.run("call", f"127.0.0.1:{free_port()}", "--data", "1", *rest)
    assert done.returncode == 1
    assert done.stderr.count("Connection refused") == 1
    assert done.stderr.startswith("millrace: UNAVAILABLE: ")
    assert len(done.stderr.splitlines()) == 1


def test_asking_the_other_front_is_told_in_words() -> None:
    with serving.graph(node("m", "model"), {"m": "Echo"}) as served:
        over_rest = processes.run("call", served.target, "--rest", "--data", "1")
        over_grpc = processes.run("call", f"127.0.0.1:{served.port}", "--data", "1")
    told = f"{served.target} does not answer as an HTTP server does; is that its gRPC port?"
    assert over_rest.stderr == f"millrace: UNAVAILABLE: {told}\n"
    assert over_grpc.returncode == 1
    assert len(over_grpc.stderr.splitlines()) == 1


def test_tls(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    ports = str(free_port()), str(free_port())
    with Programs() as programs:
        programs.start(
            "node", f"{COMPONENTS}:Echo", "--grpc-port", ports[0], "--http-port", ports[1],
            "--tls-cert", scene.server.cert, "--tls-key", scene.server.key, "--tls-client-ca", scene.ca,
        ).ready()  # fmt: skip
        shown = ["--ca", scene.ca, "--cert", scene.client.cert, "--key", scene.client.key]
        for where in (["127.0.0.1:" + ports[0]], ["127.0.0.1:" + ports[1], "--rest"]):
            done = processes.run("call", *where, "--data", '"hello"', *shown)
            assert (done.returncode, done.stderr) == (0, "")
            assert '"hello"' in done.stdout
            for wrong in (["--tls"], ["--ca", scene.ca]):
                refused = processes.run("call", *where, "--data", "1", *wrong)
                assert refused.returncode == 1
                assert refused.stderr.startswith("millrace: UNAVAILABLE: ")
                assert "Traceback" not in refused.stderr
        missing = processes.run("call", where[0], "--data", "1", "--ca", "/nowhere/ca.pem")
    assert missing.returncode == 2
    assert "/nowhere/ca.pem" in missing.stderr
