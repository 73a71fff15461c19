"""Owns who is compared: how the executor, its nodes and each baseline are started for a scenario.

Must not measure. A contender that cannot run here raises `Missing` with the way to get it.
"""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bench import build, scenarios
from bench.machine import cores
from bench.processes import HOST, BenchError, Child, Children, free_ports
from bench.scenarios import Scenario

ROOT = Path(__file__).resolve().parent.parent
BASELINES = Path(__file__).resolve().parent / "baselines"
PEERS = Path(__file__).resolve().parent / "peers"
MILLRACE = "millrace"
_ENV = {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
_PYTHON = [sys.executable, "-P"]


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

    @property
    def backend(self) -> str:
        """Where the node is, for baselines."""
        return f"{HOST}:{self.grpc_port}"


def stage(scenario: Scenario, children: Children) -> Stage:
    """Starts the nodes of a scenario: one server answers for all of them, the same for every contender."""
    made = Stage(scenario, children, [])
    if scenario.remote:
        made.grpc_port, made.http_port = free_ports(2)
        command = [*_PYTHON, "-m", "executor", "node", scenarios.ECHO, "--type", "MODEL", "--host", HOST]
        command += ["--grpc-port", str(made.grpc_port), "--http-port", str(made.http_port), "--log-level", "warning"]
        if "unix" in scenario.remote.values():
            made.uds = str(children.folder / "node.sock")
            command += ["--uds", made.uds]
        made.nodes.append(children.start("node", command, cores()[1], _ENV))
        made.nodes[0].wait_log("^REST on")
    return made


def start(name: str, stage: Stage) -> Target:
    """Starts one contender on its core. Raises BenchError."""
    if name not in CONTENDERS:
        raise BenchError(f"no contender {name!r}; there are {', '.join(CONTENDERS)}")
    if name in ONE_HOP and [*stage.scenario.remote] != ["m"]:
        raise BenchError(f"{name} passes a request on to one node; scenario {stage.scenario.name} is not that")
    return CONTENDERS[name](name, stage)


def _millrace(name: str, stage: Stage) -> Target:
    scenario = stage.scenario
    grpc_port, http_port = free_ports(2)
    if scenario.alone:
        command = ["node", scenario.alone, "--type", "MODEL"]
    else:
        graph = stage.children.folder / f"{scenario.name}.json"
        graph.write_text(json.dumps(scenarios.manifest(scenario)))
        command = ["run", str(graph)]
        for node, kind in scenario.remote.items():
            where = {
                "grpc": f"grpc://{HOST}:{stage.grpc_port}",
                "http": f"http://{HOST}:{stage.http_port}",
                "unix": f"unix:{stage.uds}",
            }[kind]
            command += ["--endpoint", f"{node}={where}"]
        for node, component in scenario.inside.items():
            command += ["--component", f"{node}={component}"]
        for node in scenario.isolated:
            command += ["--isolate", node]
    command += ["--host", HOST, "--grpc-port", str(grpc_port), "--http-port", str(http_port), "--log-level", "warning"]
    child = stage.children.start(name, [*_PYTHON, "-m", "executor", *command], cores()[0], {**_ENV, **stage.env})
    port = http_port if scenario.protocol == "http" else grpc_port
    return Target(name, child, scenario.protocol, port, scenario.path, partial(child.wait_log, "^REST on"))


def _go(name: str, stage: Stage) -> Target:
    (port,) = free_ports(1)
    command = [str(build.go_program()), "-listen", f"{HOST}:{port}"]
    if name == "go-http":
        command += ["-kind", "http", "-backend", f"{HOST}:{stage.http_port}"]
    elif name == "go-proxy":
        command += ["-backend", stage.backend]
    child = stage.children.start(name, command, cores()[0], stage.env)
    return Target(name, child, stage.scenario.protocol, port, stage.scenario.path, partial(child.wait_port, port))


def _python(script: str, *options: str) -> Callable[[str, Stage], Target]:
    def start(name: str, stage: Stage) -> Target:
        (port,) = free_ports(1)
        command = [*_PYTHON, str(BASELINES / script), "--port", str(port), *options]
        if stage.grpc_port:
            command += ["--backend", stage.backend]
        child = stage.children.start(name, command, cores()[0], {**_ENV, **stage.env})
        ready = partial(child.wait_log, "^ready")
        return Target(name, child, stage.scenario.protocol, port, stage.scenario.path, ready)

    return start


def _fastapi(name: str, stage: Stage) -> Target:
    (port,) = free_ports(1)
    command = [str(build.fastapi_python()), str(BASELINES / "fastapi_proxy.py"), "--port", str(port)]
    command += ["--backend", f"{HOST}:{stage.http_port}"]
    child = stage.children.start(name, command, cores()[0], stage.env)
    return Target(name, child, "http", port, stage.scenario.path, partial(child.wait_port, port))


def _ray(name: str, stage: Stage) -> Target:
    (port,) = free_ports(1)
    command = [str(build.peer(name) / "python"), str(PEERS / "ray_serve.py"), "--port", str(port)]
    env = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "0"}
    child = stage.children.start(name, command, cores()[0], env)
    return Target(name, child, "http", port, "/predict", partial(child.wait_log, "^ready"))


def _bentoml(name: str, stage: Stage) -> Target:
    (port,) = free_ports(1)
    command = [str(build.peer(name) / "bentoml"), "serve", "bento:Scaler", "--host", HOST, "--port", str(port)]
    command += ["--working-dir", str(PEERS)]
    env = {"BENTOML_DO_NOT_TRACK": "True", "BENTOML_HOME": str(stage.children.folder / "bentoml")}
    child = stage.children.start(name, command, cores()[0], env)
    return Target(name, child, "http", port, "/predict", partial(child.wait_answer, port, "/readyz"))


def _nghttpx(name: str, stage: Stage) -> Target:
    program = build.tool("nghttpx", "apt-get install nghttp2-proxy (Debian, Ubuntu) or brew install nghttp2")
    (port,) = free_ports(1)
    command = [program, f"--frontend={HOST},{port};no-tls", f"--backend={HOST},{stage.grpc_port};;proto=h2"]
    command += ["--workers=1", "--conf=/dev/null", "--errorlog-file=/dev/stderr", "--log-level=ERROR"]
    for side in ("frontend", "backend"):
        command += [f"--{side}-http2-window-size=16777216", f"--{side}-http2-connection-window-size=67108864"]
    child = stage.children.start(name, command, cores()[0], stage.env)
    # It cannot change a path, so it is asked for the node's.
    return Target(name, child, "grpc", port, scenarios.NODE_GRPC, partial(child.wait_port, port))


def _raw_tcp(name: str, stage: Stage) -> Target:
    (port,) = free_ports(1)
    command = [str(build.relay()), str(port)]
    if stage.scenario.remote:
        if not stage.echo_port:
            (stage.echo_port,) = free_ports(1)
            echo = stage.children.start("echo", [str(build.relay()), str(stage.echo_port)], cores()[1])
            echo.wait_log("^ready")
            stage.nodes.append(echo)
        command.append(str(stage.echo_port))
    child = stage.children.start(name, command, cores()[0], stage.env)
    return Target(name, child, "tcp", port, "", partial(child.wait_log, "^ready"))


CONTENDERS: dict[str, Callable[[str, Stage], Target]] = {
    MILLRACE: _millrace,
    "go-proxy": _go,
    "go-server": _go,
    "go-http": _go,
    "aio-proxy": _python("aio_proxy.py"),
    "aio-server": _python("aio_proxy.py"),
    "aio-numpy": _python("aio_proxy.py", "--decode"),
    "grpcio-node": _python("grpcio_node.py"),
    "nghttpx": _nghttpx,
    "raw-tcp": _raw_tcp,
    "fastapi": _fastapi,
    "ray-serve": _ray,
    "bentoml": _bentoml,
}
ONE_HOP = ("go-proxy", "go-http", "aio-proxy", "aio-numpy", "nghttpx", "fastapi")
"""Those that cannot do more, nor less, than one remote model."""
ABOUT = {
    MILLRACE: "the executor: `millrace run`, or `millrace node` in node-server",
    "go-proxy": "grpc-go passing raw bytes on, with large windows and buffers; the current release, see goproxy/go.mod",
    "go-server": "the same answering by itself",
    "go-http": "Go's net/http reading a body and forwarding it",
    "aio-proxy": "grpc.aio on uvloop passing raw bytes on",
    "aio-server": "the same answering by itself",
    "aio-numpy": "grpc.aio with protobuf and numpy in between, as one would write it by hand",
    "grpcio-node": "a synchronous grpcio server around a class, as Seldon's Python wrapper is built",
    "nghttpx": "nghttp2's proxy, in C++",
    "raw-tcp": "bytes passed on without any protocol: what the kernel asks for (an echo where there is no node)",
    "fastapi": "FastAPI in front, httpx behind",
    "ray-serve": "a Ray Serve application of two deployments, with all processes that Ray starts",
    "bentoml": "two BentoML services, one depending on the other, with all processes that it starts",
}
