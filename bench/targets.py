"""Owns who is compared: how the executor and each baseline are started for a scenario.

Must not measure. A contender that cannot run here raises `Missing` with the way to get it.
"""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench import build, peer_targets, scenarios
from bench.machine import cores
from bench.processes import HOST, BenchError, free_ports
from bench.stage import ENV, MILLRACE, PYTHON, Stage, Target

BASELINES = Path(__file__).resolve().parent / "baselines"


def start(name: str, stage: Stage) -> Target:
    """Starts one contender on its core. Raises BenchError."""
    if name not in CONTENDERS:
        raise BenchError(f"no contender {name!r}; there are {', '.join(CONTENDERS)}")
    if name in ONE_HOP and [*stage.scenario.remote] != ["m"]:
        raise BenchError(f"{name} passes a request on to one node; scenario {stage.scenario.name} is not that")
    if name not in TLS and stage.scenario.tls:
        raise BenchError(f"{name} is not set up for TLS; {', '.join(TLS)} are")
    return CONTENDERS[name](name, stage)


def _millrace(name: str, stage: Stage) -> Target:
    scenario = stage.scenario
    grpc_port, http_port, metrics_port = free_ports(3)
    if scenario.serves == "microservice":  # it has a third port, and copies are counted in a second one
        command = ["microservice", scenario.alone, "--service-type", "MODEL", "--metrics-port", str(metrics_port)]
    elif scenario.alone:
        command = [scenario.serves, scenario.alone, "--type", "MODEL"]
    else:
        graph = stage.children.folder / f"{scenario.name}.json"
        graph.write_text(json.dumps(scenarios.manifest(scenario)))
        command = ["run", str(graph), "--workers", "1"]  # on one core
        for node, kind in scenario.remote.items():
            where = {
                "grpc": f"{'grpcs' if stage.node else 'grpc'}://{HOST}:{stage.grpc_port}",
                "http": f"http://{HOST}:{stage.http_port}",
                "unix": f"unix:{stage.uds}",
            }[kind]
            command += ["--endpoint", f"{node}={where}"]
        for node, component in scenario.inside.items():
            command += ["--component", f"{node}={component}"]
        for node in scenario.isolated:
            command += ["--isolate", node]
    if stage.front:
        command += ["--tls-cert", stage.front.cert, "--tls-key", stage.front.key]
    if stage.node:
        command += ["--node-ca", stage.node.ca]
    command += ["--host", HOST, "--grpc-port", str(grpc_port), "--http-port", str(http_port), "--log-level", "warning"]
    child = stage.children.start(name, [*PYTHON, "-m", "executor", *command], cores()[0], {**ENV, **stage.env})
    port = http_port if scenario.protocol == "http" else grpc_port
    return Target(name, child, scenario.protocol, port, scenario.path, partial(child.wait_log, "^REST on"), ca=stage.ca)


def _go(name: str, stage: Stage) -> Target:
    (port,) = free_ports(1)
    command = [str(build.go_program()), "-listen", f"{HOST}:{port}"]
    if name == "go-http":
        command += ["-kind", "http", "-backend", f"{HOST}:{stage.http_port}"]
    elif name == "go-proxy":
        command += ["-backend", stage.backend]
    if stage.front:
        command += ["-cert", stage.front.cert, "-key", stage.front.key]
    if stage.node:
        command += ["-ca", stage.node.ca]
    child = stage.children.start(name, command, cores()[0], stage.env)
    ready = partial(child.wait_port, port)
    return Target(name, child, stage.scenario.protocol, port, stage.scenario.path, ready, ca=stage.ca)


def _python(script: str, *options: str) -> Callable[[str, Stage], Target]:
    def start(name: str, stage: Stage) -> Target:
        (port,) = free_ports(1)
        command = [*PYTHON, str(BASELINES / script), "--port", str(port), *options]
        if stage.grpc_port:
            command += ["--backend", stage.backend]
        child = stage.children.start(name, command, cores()[0], {**ENV, **stage.env})
        ready = partial(child.wait_log, "^ready")
        return Target(name, child, stage.scenario.protocol, port, stage.scenario.path, ready)

    return start


def _fastapi(name: str, stage: Stage) -> Target:
    (port,) = free_ports(1)
    script = "fastapi_node.py" if stage.scenario.alone else "fastapi_proxy.py"
    command = [str(build.fastapi_python()), str(BASELINES / script), "--port", str(port)]
    if not stage.scenario.alone:
        command += ["--backend", f"{HOST}:{stage.http_port}"]
    child = stage.children.start(name, command, cores()[0], stage.env)
    return Target(name, child, "http", port, stage.scenario.path, partial(child.wait_port, port))


def _nghttpx(name: str, stage: Stage) -> Target:
    program = build.tool("nghttpx", "apt-get install nghttp2-proxy (Debian, Ubuntu) or brew install nghttp2")
    (port,) = free_ports(1)
    front = "" if stage.front else ";no-tls"
    back = ";tls;sni=localhost" if stage.node else ""
    command = [program, f"--frontend={HOST},{port}{front}", f"--backend={HOST},{stage.grpc_port};;proto=h2{back}"]
    if stage.node:
        command.append(f"--cacert={stage.node.ca}")
    command += ["--workers=1", "--conf=/dev/null", "--errorlog-file=/dev/stderr", "--log-level=ERROR"]
    for side in ("frontend", "backend"):
        command += [f"--{side}-http2-window-size=16777216", f"--{side}-http2-connection-window-size=67108864"]
    if stage.front:
        command += [stage.front.key, stage.front.cert]
    child = stage.children.start(name, command, cores()[0], stage.env)
    # It cannot change a path, so it is asked for the node's.
    return Target(name, child, "grpc", port, scenarios.NODE_GRPC, partial(child.wait_port, port), ca=stage.ca)


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
    "fastapi-node": _fastapi,
    **peer_targets.CONTENDERS,
}
TLS = (MILLRACE, "go-proxy", "go-server", "nghttpx")
"""Those that are set up for TLS here."""
ONE_HOP = ("go-proxy", "go-http", "aio-proxy", "aio-numpy", "nghttpx", "fastapi")
"""Those that cannot do more, nor less, than one remote model."""
ABOUT = {
    MILLRACE: "the executor: `millrace run`; `millrace node` in node-server, `millrace microservice` in wrapper-*",
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
    "fastapi-node": "FastAPI around a class, with numpy in between, as one would write it by hand",
    **peer_targets.ABOUT,
}
