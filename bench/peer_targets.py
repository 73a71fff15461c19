"""Owns how other servers are started: each in its own environment, all of its processes on the server's core.

Must not install them: `bench.build` does when asked. Their programs are in `bench/peers`.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench import build, payloads
from bench.machine import cores
from bench.processes import HOST, free_ports
from bench.stage import Stage, Target

PEERS = Path(__file__).resolve().parent / "peers"
INFER = "/inference.GRPCInferenceService/ModelInfer"
DIVISOR = 16.0
INFER_CHECK = partial(payloads.infer_check, divisor=DIVISOR)
INSTANCES_CHECK = payloads.json_check(payloads.instances_request, DIVISOR)


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


def _triton(name: str, stage: Stage) -> Target:
    grpc_port, http_port = free_ports(2)
    programs = build.peer("triton")
    command = [str(programs / "python"), str(PEERS / "triton_server.py"), "--folder", str(stage.children.folder)]
    command += ["--grpc-port", str(grpc_port), "--http-port", str(http_port)]
    child = stage.children.start(name, command, cores()[0], {"PATH": f"{programs}:/usr/bin:/bin"})
    ready = partial(child.wait_answer, http_port, "/v2/health/ready")
    # Its answers have a map, whose entries come in any order.
    return Target(name, child, "grpc", grpc_port, INFER, ready, payloads.infer_request, INFER_CHECK, varies=True)


def _kserve(name: str, stage: Stage) -> Target:
    http_port, grpc_port = free_ports(2)
    rest = name == "kserve"
    command = [str(build.peer("kserve") / "python"), str(PEERS / "kserve_graph.py")]
    command += ["--http-port", str(http_port), "--grpc-port", str(grpc_port), "--ports", *map(str, free_ports(2))]
    child = stage.children.start(name, [*command, *(() if rest else ("--over-grpc",))], cores()[0])
    ready = partial(child.wait_log, "^ready")
    if rest:
        path = "/v1/models/compose:predict"
        return Target(name, child, "http", http_port, path, ready, payloads.instances_request, INSTANCES_CHECK)
    return Target(name, child, "grpc", grpc_port, INFER, ready, payloads.infer_request, INFER_CHECK)


def _wrapper(name: str, stage: Stage) -> Target:
    http_port, grpc_port, metrics_port = free_ports(3)
    rest = stage.scenario.protocol == "http"
    command = [str(build.peer(name) / "seldon-core-microservice"), "seldon_class.Echo"]
    command += ["--http-port", str(http_port), "--grpc-port", str(grpc_port), "--metrics-port", str(metrics_port)]
    # With one thread gunicorn closes each connection after its answer.
    command += ["--threads", "2", "--log-level", "WARNING"]
    child = stage.children.start(name, command, cores()[0], {"PYTHONPATH": str(PEERS)})
    port = http_port if rest else grpc_port
    return Target(name, child, stage.scenario.protocol, port, stage.scenario.path, partial(child.wait_port, port))


CONTENDERS: dict[str, Callable[[str, Stage], Target]] = {
    "triton": _triton,
    "kserve": _kserve,
    "kserve-grpc": _kserve,
    "ray-serve": _ray,
    "bentoml": _bentoml,
    "seldon-wrapper": _wrapper,
}
ABOUT = {
    "triton": "a Triton ensemble of two Python models, over its own protocol with raw tensors, with all its processes",
    "kserve": "KServe's SDK over REST (V1): a transformer and a predictor, a process each",
    "kserve-grpc": "the same over gRPC (V2)",
    "ray-serve": "a Ray Serve application of two deployments, with all processes that Ray starts",
    "bentoml": "two BentoML services, one depending on the other, with all processes that it starts",
    "seldon-wrapper": "Seldon Core 1.18.2's Python wrapper around the same class, with all processes that it starts",
}
