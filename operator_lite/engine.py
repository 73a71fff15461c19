"""Owns the executor's container: its arguments, environment, probes, and where it keeps what routers learn.

Must not decide in which pod it runs.
"""

import base64
import json
from typing import Any

from executor.manifest.seldon_shape import PodModel
from operator_lite import names, pieces, servers
from operator_lite.config import Config
from operator_lite.scope import Object, Scope

ENVIRONMENT = "seldon.io/engine-"
NOT_ENVIRONMENT = ("seldon.io/engine-separate-pod",)
STATE, STATE_PATH = "millrace-state", "/var/lib/millrace"
DRAIN_S = 5
"""How long a pod that was told to go still serves as before: its Service takes a moment to hear of it."""
GRACE_S = 14
"""How long requests may take after that; together less than the 20 s that a pod is given."""


def container(scope: Scope) -> Object:
    """The executor of a predictor."""
    config, image = scope.config, scope.config.engine()
    scheme = "HTTPS" if scope.secret else "HTTP"
    found: Object = {
        "name": names.ENGINE,
        "image": image.name,
        "imagePullPolicy": config.engine_pull_policy,
        "args": [*image.args, *_arguments(scope), *_state_argument(scope)],
        "env": _environment(scope),
        # Metrics are served on the port for REST: it has one name, since server-side apply takes no number twice.
        "ports": [
            {"name": "http", "containerPort": config.engine_http_port, "protocol": "TCP"},
            {"name": "grpc", "containerPort": config.engine_grpc_port, "protocol": "TCP"},
        ],
        "readinessProbe": pieces.http_probe("/ready", config.engine_http_port, 20, 60, scheme),
        "livenessProbe": pieces.http_probe("/live", config.engine_http_port, 20, 60, scheme),
        "resources": scope.predictor.svcOrchSpec.resources or _resources(config),
        "securityContext": {**pieces.restricted(user(scope), image.is_ours), "runAsUser": config.engine_user},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    }
    found = pieces.mount(found, pieces.podinfo_mount())
    if keeps_volume(scope):
        found = pieces.mount(found, {"name": STATE, "mountPath": STATE_PATH})
    return pieces.mount(found, pieces.tmp_mount(names.ENGINE)) if image.is_ours else found


def user(scope: Scope) -> int | None:
    """Whom it runs as: the same as the rest of its pod, unless the configuration says."""
    return scope.config.engine_user if scope.config.engine_user is not None else scope.user(scope.front)


def keeps_volume(scope: Scope) -> bool:
    """Whether what routers learn is on a volume of the pod."""
    return scope.learns and scope.config.state == "volume" and scope.config.engine().is_ours


def claim_name(scope: Scope) -> str:
    """The claim for that volume."""
    return names.part(scope.name, scope.predictor, "state")


def claim(scope: Scope) -> Object:
    """That claim. Pods that share it stand on one machine, see `deployments`."""
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": scope.config.state_size}},
        "storageClassName": scope.config.state_class or None,
    }
    meta = scope.meta(claim_name(scope))
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec}


def _arguments(scope: Scope) -> list[str]:
    config, spec = scope.config, scope.model.spec
    flags = {
        "--sdep": scope.name,
        "--namespace": scope.namespace,
        "--predictor": scope.predictor.name,
        "--http_port": config.engine_http_port,
        "--grpc_port": config.engine_grpc_port,
        "--protocol": spec.protocol,
        "--transport": spec.transport or "rest",
        "--prometheus_path": config.engine_metrics_path,
        "--server_type": spec.serverType,
        "--log_work_buffer_size": scope.annotation("seldon.io/executor-logger-queue-size", config.logger_queue),
        "--log_write_timeout_ms": scope.annotation(
            "seldon.io/executor-logger-write-timeout-ms", config.logger_timeout_ms
        ),
        "--shutdown_delay": f"{DRAIN_S}s",
        "--graceful_timeout": f"{GRACE_S}s",
    }
    listed = [str(word) for flag, value in flags.items() for word in (flag, value)]
    return [*listed, f"--full_health_checks={str(config.engine_full_checks).lower()}"]


def _state_argument(scope: Scope) -> list[str]:
    if not scope.learns or not scope.config.engine().is_ours:
        return []
    place = f"{STATE_PATH}/state.sqlite" if keeps_volume(scope) else scope.config.state
    return ["--state", place]


def _environment(scope: Scope) -> list[Object]:
    ours: dict[str, Any] = {
        "ENGINE_PREDICTOR": encoded(scope),
        "REQUEST_LOGGER_DEFAULT_ENDPOINT": scope.config.logger_url,
    }
    pod_name = {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name", "apiVersion": "v1"}}}
    annotated = {
        key.removeprefix(ENVIRONMENT).upper().replace("-", "_"): value
        for key, value in scope.model.spec.annotations.items()
        if key.startswith(ENVIRONMENT) and key not in NOT_ENVIRONMENT
    }
    return pieces.merged(pieces.env(ours), [pod_name], pieces.env(annotated), scope.predictor.svcOrchSpec.env)


def encoded(scope: Scope) -> str:
    """The predictor as its executor gets it. What says how many pods there are, and how other containers run, is left
    out: a change of it restarts no executor.
    """
    update: dict[str, Any] = {"traffic": 0, "replicas": 0, "explainer": None, "componentSpecs": []}
    plain = scope.predictor.model_copy(update=update).model_dump(exclude_none=True, exclude_unset=True)
    for key in ("componentSpec", "svcOrchSpec", "progressDeadlineSeconds"):
        plain.pop(key, None)
    plain["componentSpecs"] = [{"spec": {"containers": _images(scope, pod)}} for _, pod in scope.pods()]
    text = json.dumps(plain, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    return base64.b64encode(text.encode()).decode()


def _images(scope: Scope, pod: PodModel) -> list[Object]:
    """The containers, as far as the metrics of an executor name them."""
    nodes = scope.nodes_in(pod)
    found = [
        servers.filled(scope, nodes[each["name"]], each) if each.get("name") in nodes else each
        for each in pod.containers()
    ]
    return [{"name": each.get("name", ""), "image": each.get("image", "")} for each in found]


def _resources(config: Config) -> Object:
    parts = zip(("requests", "limits"), config.engine_cpu, config.engine_memory, strict=True)
    return {kind: {"cpu": cpu, "memory": memory} for kind, cpu, memory in parts}
