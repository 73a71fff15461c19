"""`millrace check` in whole: what it prints of a manifest, right or wrong."""

from pathlib import Path

import pytest
from support.commands import GRAPH, failure

from executor import cli


@pytest.fixture
def graph(tmp_path: Path) -> str:
    path = tmp_path / "graph.yaml"
    path.write_text(GRAPH)
    return str(path)


def test_check_draws_the_graph(capsys: pytest.CaptureFixture[str], graph: str) -> None:
    assert cli.main(["check", graph, "--local"], {}) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "demo/p"
    assert [line.split()[0] for line in told[1:2]] == ["r"]
    assert any("├─ a" in line for line in told)
    assert told[-1] == f"{graph}: ok, 1 graph, by the local rules"
    assert cli.main(["check", graph, "--predictor", "p", "--component", "r=x.py:R", "--endpoint", "a=grpc://h:1",
                     "--endpoint", "b=grpc://h:2"], {}) == 0  # fmt: skip
    assert "demo/p" in capsys.readouterr().out


def test_check_tells_every_problem(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(GRAPH.replace("ROUTER", "ROUTR").replace("name: b, type: MODEL", "name: b, typ: MODEL"))
    told = failure(capsys, "check", str(path), "--local")
    assert told.startswith("millrace: ")
    assert "ROUTR" in told
    assert "typ" in told
    assert told.count("line ") >= 2


def test_check_with_a_node_left_over(capsys: pytest.CaptureFixture[str], graph: str) -> None:
    told = failure(capsys, "check", graph, "--component", "r=x.py:R", "--component", "a=x.py:A")
    assert "b" in told


def test_check_says_what_run_will_need(capsys: pytest.CaptureFixture[str], graph: str) -> None:
    assert cli.main(["check", graph, "--local"], {}) == 0
    assert "note: `millrace run` needs a --component or an --endpoint for r, a, b\n" in capsys.readouterr().out


@pytest.mark.parametrize("options", [["--local"], ["--endpoint", "r=grpc://h:1"], []])
def test_check_says_of_a_name_that_it_does_not_know(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, options: list[str]
) -> None:
    path = tmp_path / "graph.yaml"
    container = "{name: r, image: shop/r:1}"
    path.write_text(
        GRAPH.replace("type: ROUTER", "implementation: RANDOM_ABTESTT\n      modelUri: gs://x")
        .replace("{name: a, type: MODEL}", "{name: a, implementation: SIMPLE_MODEL}")
        .replace("{name: b, type: MODEL}", "{name: b, implementation: SIMPLE_MODEL}")
        + f"    componentSpecs: [{{spec: {{containers: [{container}]}}}}]\n"
    )
    assert cli.main(["check", str(path), *options], {}) == 0
    told = capsys.readouterr().out
    unknown = 'RANDOM_ABTESTT is neither built in nor a server of Seldon\'s (did you mean "RANDOM_ABTEST"?)'
    assert f'note: node "r": {unknown}; it is taken for a server of your own\n' in told
    assert "SIMPLE_MODEL is" not in told


def test_check_knows_prepackaged_servers(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "graph.yaml"
    text = GRAPH.replace("{name: a, type: MODEL}", "{name: a, implementation: ONNX_SERVER, modelUri: s3://b/a}")
    path.write_text(text.replace("{name: b, type: MODEL}", "{name: b, implementation: TRITON_SERVER, modelUri: /b}"))
    assert cli.main(["check", str(path), "--local"], {}) == 0
    told = capsys.readouterr().out
    assert "_SERVER is neither" not in told
    assert "note: `millrace run` needs a --component or an --endpoint for r, b\n" in told
    assert "TRITON_SERVER runs in a container of its own" in failure(capsys, "check", str(path), "--component", "r=x:R")


def test_check_tells_of_a_logger_that_could_log_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "graph.yaml"
    path.write_text(GRAPH.replace("{name: a, type: MODEL}", "{name: a, type: MODEL, logger: {mode: all, url: 'h:x'}}"))
    told = failure(capsys, "check", str(path), "--local")
    assert "children[0].logger.url: url of node \"a\" 'h:x': allowed is http://HOST" in told
    assert "line " in told
