"""How many processes `millrace run` and `millrace node` start where nobody says it."""

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from support import serving
from support.serving import COMPONENTS

from executor import app, cli, cpus, limits, workers_option
from executor.commands import node, run
from executor.settings import RunSettings

REMOTE = serving.node("m", "model", endpoint={"service_host": "127.0.0.1", "service_port": 9000, "type": "GRPC"})
BUILT_IN = serving.node("m", "", implementation="SIMPLE_MODEL")
LEARNS = serving.node(
    "r", "", serving.node("a", implementation="SIMPLE_MODEL"), serving.node("b", implementation="SIMPLE_MODEL"),
    implementation="EPSILON_GREEDY",
)  # fmt: skip
SERVER = serving.node("m", "", implementation="SKLEARN_SERVER") | {"modelUri": "s3://m"}
ENDPOINT = ("--endpoint", "m=grpc://127.0.0.1:9000")
COMPONENT = ("--component", f"m={COMPONENTS}:Echo")


@pytest.fixture(autouse=True)
def _three_cpus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("300000 100000")
    count = cpus.container_workers
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))
    monkeypatch.setattr(cpus, "container_workers", lambda asked, notes: count(asked, notes, tmp_path))


def asked(*arguments: str) -> argparse.Namespace:
    parsed = cli._parser().parse_args(arguments)
    assert isinstance(parsed, argparse.Namespace)
    return parsed


def settled(graph: Mapping[str, Any], *arguments: str) -> RunSettings:
    parsed = asked("run", "graph.json", *arguments)
    settings = run.settings_of(parsed, {})
    return workers_option.settled(parsed, settings, app.hosts(settings, serving.deployment(graph)))


@pytest.mark.parametrize(
    ("graph", "arguments", "count"),
    [
        (REMOTE, (), 3),
        (REMOTE, ENDPOINT, 3),
        (REMOTE, ("--workers", "1"), 1),
        (BUILT_IN, (), 3),
        (LEARNS, (), 3),
        (LEARNS, ("--state", "memory"), 1),
        (SERVER, (), 1),
        (SERVER, ENDPOINT, 3),
        (REMOTE, COMPONENT, 1),
        (REMOTE, (*COMPONENT, "--isolate", "m"), 1),
        (REMOTE, (*COMPONENT, "--workers", "2"), 2),
    ],
)
def test_as_many_as_cpus_where_no_component_is_loaded(
    graph: Mapping[str, Any], arguments: tuple[str, ...], count: int
) -> None:
    assert settled(graph, *arguments).workers == count


def test_they_share_the_memory_for_messages() -> None:
    parts = ("--max-message-bytes", "1000000", "--memory-budget", "30MiB")
    assert settled(REMOTE, *parts).limits.memory_budget_bytes == 10 << 20
    assert settled(REMOTE, *parts, "--workers", "1").limits.memory_budget_bytes == 30 << 20


@pytest.mark.parametrize(("budget", "count"), [("4MiB", 2), ("3MiB", 1), ("2MiB", 1)])
def test_never_more_than_there_is_memory_for(budget: str, count: int) -> None:
    assert settled(REMOTE, "--max-message-bytes", "1000000", "--memory-budget", budget).workers == count


def test_nor_than_the_container_has_memory_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "memory", lambda: 300 << 20)
    assert settled(REMOTE).workers == 1
    assert settled(REMOTE, "--max-message-bytes", "1000000").workers == 3


def test_a_node_is_one_process_unless_told() -> None:
    assert node.settings_of(asked("node", "model.py:Model"), {}).workers == 1
    assert node.settings_of(asked("node", "model.py:Model", "--workers", "2"), {}).workers == 2
