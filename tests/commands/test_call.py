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
    guess = "is that its gRPC port, or does it want TLS (--tls)?"
    told = f"{served.target} does not answer as an HTTP server does; {guess}"
    assert over_rest.stderr == f"millrace: UNAVAILABLE: {told}\n"
    assert over_grpc.returncode == 1
    assert len(over_grpc.stderr.splitlines()) == 1
    assert "does it speak gRPC? A REST port does not" in over_grpc.stderr


def test_without_tls_where_it_is_wanted(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    ports = str(free_port()), str(free_port())
    with Programs() as programs:
        programs.start(
            "node", f"{COMPONENTS}:Echo", "--grpc-port", ports[0], "--http-port", ports[1],
            "--tls-cert", scene.server.cert, "--tls-key", scene.server.key,
        ).ready()  # fmt: skip
        over_grpc = processes.run("call", "127.0.0.1:" + ports[0], "--data", "1")
        over_rest = processes.run("call", "127.0.0.1:" + ports[1], "--data", "1", "--rest")
    assert over_grpc.stderr.endswith(": closed by the peer before it said anything; does it want TLS? (--tls)\n")
    assert over_rest.stderr.endswith("does it want TLS (--tls)?\n")


def test_a_misspelled_member_is_named_over_both() -> None:
    with serving.graph(node("m", "model"), {"m": "Echo"}) as served:
        for where in ([served.target], [f"127.0.0.1:{served.port}", "--rest"]):
            done = processes.run("call", *where, "--data", '{"data": {"ndaray": [[1]]}}')
            assert "the message has no data; 'data.ndaray' is not known, allowed are names, tensor" in done.stderr


@pytest.mark.parametrize("rest", [[], ["--rest"]])
def test_feedback_on_the_answer(rest: list[str], tmp_path: Path) -> None:
    log = tmp_path / "log"
    leaves = [node(name, "model", name=name, log=str(log)) for name in ("a", "b")]
    root = node("r", "router", *leaves, name="r", log=str(log))
    with serving.graph(root, {"r": "Said", "a": "Said", "b": "Said"}) as served:
        where = f"127.0.0.1:{served.port}" if rest else served.target
        done = processes.run("call", where, *rest, "--data", '["x#1"]', "--reward", "0.5", "--truth", '["y"]')
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("\nreward: 0.5, sent as feedback\n")
    told = set(log.read_text().splitlines())
    assert {"b.send_feedback(x#1,0.5,y,None)", "r.send_feedback(x#1,0.5,y,1)"} <= told
    assert not any(line.startswith("a.") for line in told)
    lacking = processes.run("call", where, "--data", "1", "--truth", "1")
    assert (lacking.returncode, lacking.stderr) == (2, "millrace: --truth: needs --reward as well\n")


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
        unsigned = processes.run("call", *where, "--data", "1", "--ca", scene.ca)
        # Whether the answer's head is awaited when the server hangs up is a matter of the moment.
        assert "certificate?" in unsigned.stderr or "a certificate (--cert, --key)?" in unsigned.stderr
        missing = processes.run("call", where[0], "--data", "1", "--ca", "/nowhere/ca.pem")
    assert missing.returncode == 2
    assert "/nowhere/ca.pem" in missing.stderr
