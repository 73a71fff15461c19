"""Owns the tests of `bench.runner`, `bench.generator`, `bench.targets` and the command line, on short real runs."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench import __main__ as command
from bench import results, runner
from bench.generator import Generator, Order, Outcome, http_request
from bench.machine import cores
from bench.processes import BenchError

ROOT = Path(__file__).resolve().parents[2]


def outcome(server_s: float, rest_s: float) -> Outcome:
    """A second of load."""
    return Outcome(100, 100, 0, {}, "", 1.0, 0, [], [], server_s, rest_s / 2, rest_s / 2)


@pytest.mark.parametrize(
    ("server", "rest", "limit"), [(0.95, 0.99, "server"), (0.3, 0.9, "generator and node"), (0.2, 0.2, "waiting")]
)
def test_the_limit_is_the_core_that_was_full(server: float, rest: float, limit: str) -> None:
    assert runner.limit_of([outcome(server, rest)]).startswith(limit)


def bench(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """The command itself."""
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=110
    )


def test_a_short_run_gives_a_right_result(tmp_path: Path) -> None:
    stored = tmp_path / "result.json"
    done = bench(
        *["run", "node", "echo", "--against", "raw-tcp", "--seconds", "0.05", "--repeats", "2", "--json"], str(stored)
    )
    assert done.returncode == 0, done.stderr
    runs = results.read(stored)["runs"]
    assert [results.key(run) for run in runs] == [
        ("node", 64, "millrace"), ("node", 64, "raw-tcp"), ("echo", 64, "millrace"), ("echo", 64, "raw-tcp")
    ]  # fmt: skip
    for run in runs:
        assert run["errors"] == 0
        assert run["cpu_us_per_request"] > 0
        assert run["answers"] == "every one compared"
        assert len(run["samples"]) == 2
        assert run["latency"]["loop"] == "open"
    assert "raw-tcp" in done.stdout


def test_a_closed_run_takes_its_shape_from_the_command_line(tmp_path: Path) -> None:
    stored = tmp_path / "result.json"
    done = bench(
        *["run", "rest-grpc", "wrapper-grpc", "--against", "--closed", "3", "1", "--seconds", "0.05"],
        *["--repeats", "1", "--copies", "8", "--json", str(stored)],
    )
    assert done.returncode == 0, done.stderr
    runs = results.read(stored)["runs"]
    assert [(run["scenario"], run["protocol"]) for run in runs] == [("rest-grpc", "http"), ("wrapper-grpc", "grpc")]
    for run in runs:
        assert (run["connections"], run["streams"], run["errors"]) == (3, 1, 0)
        assert run["latency"] == {"loop": "closed"}
        assert run["copied_bytes_per_request"] > 0  # counted in a second process, beside the first


def test_what_cannot_do_the_work_is_skipped_with_the_reason() -> None:
    done = bench(
        *["run", "chain2", "--against", "go-proxy", "--closed", "1", "1", "--seconds", "0.05", "--repeats", "1"]
    )
    assert done.returncode == 0, done.stderr
    assert "skipped: chain2 64 B go-proxy: " in done.stdout


def test_the_list_names_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["list"]) == 0
    text = capsys.readouterr().out
    for name in ("echo", "node", "fan3", "go-proxy", "raw-tcp"):
        assert f"\n{name} " in f"\n{text}"


@pytest.mark.parametrize(
    "wrong", [["run", "nothing"], ["run", "node", "--payload", "4XB"], ["run", "node", "--rate", "-1"]]
)
def test_wrong_arguments_are_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command.main(wrong)
    assert "error" in capsys.readouterr().err


def test_comparing_what_is_no_result_fails_clearly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.json").write_text("[]")
    assert command.main(["compare", str(tmp_path / "a.json"), str(tmp_path / "a.json")]) == 1
    assert "not a result" in capsys.readouterr().err


def test_a_page_is_drawn_from_a_stored_result(tmp_path: Path) -> None:
    run: dict[str, Any] = {
        "scenario": "x",
        "payload_bytes": 1,
        "target": "y",
        **dict.fromkeys(results.NUMBERS),
        "errors": 0,
    }
    (tmp_path / "a.json").write_text(json.dumps({"machine": {}, "runs": [run]}))
    assert command.main(["report", str(tmp_path / "a.json"), str(tmp_path / "a.html")]) == 0
    assert "</html>" in (tmp_path / "a.html").read_text()


def test_the_generator_says_what_it_cannot_reach() -> None:
    with Generator(cores()[1]) as generator:
        with pytest.raises(BenchError, match="open nobody"):
            generator.open(Order("nobody", "tcp", "127.0.0.1", 1, "", b"x"))
        with pytest.raises(BenchError, match="run nobody"):
            generator.run("nobody", count=1)


def test_an_http_request_is_whole() -> None:
    text = http_request({"path": "/p", "host": "h", "port": 1}, b"{}")
    assert text.startswith(b"POST /p HTTP/1.1\r\nHost: h:1\r\n")
    assert text.endswith(b"Content-Length: 2\r\n\r\n{}")
