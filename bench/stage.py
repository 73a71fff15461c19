"""Owns what the contenders of a scenario share: nodes, certificates, and the form in which a contender is described.

Must not start a contender: `bench.targets` does.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench import certificates, scenarios
from bench.machine import cores
from bench.payloads import Check, RequestOf
from bench.processes import HOST, Child, Children, free_ports
from bench.scenarios import Scenario

ROOT = Path(__file__).resolve().parent.parent
MILLRACE = "millrace"
ENV = {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
PYTHON = [sys.executable, "-P"]


@dataclass(frozen=True)
class Target:
    """One contender, running."""

    name: str
    server: Child
    protocol: str
    """What the generator speaks to it: grpc, http or tcp."""
    port: int
    path: str
    ready: Callable[[], None]
    """Returns when it takes requests. Raises BenchError. Contenders start side by side, so this comes later."""
    request: RequestOf | None = None
    """What it is asked instead of the scenario's request, where it speaks another protocol."""
    check: Callable[[int], Check] | None = None
    """How its answers are known to be right then."""
    varies: bool = False
    """Whether right answers differ in their bytes without end: a sample of them is decoded instead."""
    ca: str = ""
    """Who has signed its certificate, a file; empty: it does not speak TLS."""


@dataclass
class Stage:
    """What the contenders of one scenario share: its processes and its nodes."""

    scenario: Scenario
    children: Children
    nodes: list[Child]
    grpc_port: int = 0
    http_port: int = 0
    uds: str = ""
    echo_port: int = 0
    env: dict[str, str] = field(default_factory=dict)
    """More environment for contenders."""
    front: certificates.Files | None = None
    """What contenders serve TLS with, where clients speak it."""
    node: certificates.Files | None = None
    """What the node serves TLS with, where it does."""

    @property
    def ca(self) -> str:
        """What clients need for TLS; empty: it is not spoken."""
        return self.front.ca if self.front else ""

    @property
    def backend(self) -> str:
        """Where the node is, for baselines."""
        return f"{HOST}:{self.grpc_port}"


def stage(scenario: Scenario, children: Children) -> Stage:
    """Starts the nodes of a scenario: one server answers for all of them, the same for every contender."""
    made = Stage(scenario, children, [])
    if scenario.tls:
        setattr(made, scenario.tls, certificates.make(children.folder))
    if scenario.remote:
        made.grpc_port, made.http_port = free_ports(2)
        if not scenario.asks:
            _start_node(made)
    return made


def _start_node(made: Stage) -> None:
    command = [*PYTHON, "-m", "executor", "node", scenarios.ECHO, "--type", "MODEL", "--host", HOST]
    command += ["--grpc-port", str(made.grpc_port), "--http-port", str(made.http_port), "--log-level", "warning"]
    if made.node is not None:
        command += ["--tls-cert", made.node.cert, "--tls-key", made.node.key]
    if "unix" in made.scenario.remote.values():
        made.uds = str(made.children.folder / "node.sock")
        command += ["--uds", made.uds]
    made.nodes.append(made.children.start("node", command, cores()[1], ENV))
    made.nodes[0].wait_log("^REST on")
