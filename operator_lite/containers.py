"""Owns the containers of nodes: what is added to those that users write, and to those of prepackaged servers.

Must not overwrite anything that their author wrote, but for the few variables that say who a node is.
"""

import json
from typing import Any

from executor.manifest.seldon_shape import Opaque, UnitModel
from operator_lite import defaults, pieces, servers
from operator_lite.scope import Object, Scope

PRE_STOP = {"preStop": {"exec": {"command": ["/bin/sh", "-c", "/bin/sleep 10"]}}}
"""Requests still come for a moment after a pod was told to go."""


def node(scope: Scope, unit: UnitModel, written: Opaque) -> Object:
    """The container of a node."""
    container = servers.filled(scope, unit, written)
    port = "grpc" if defaults.speaks_grpc(unit, scope.model) else "http"
    fallback: dict[str, Any] = {
        "name": unit.name,
        "image": container.get("image"),
        "imagePullPolicy": "IfNotPresent",
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "livenessProbe": pieces.tcp_probe(port, 60),
        "readinessProbe": pieces.tcp_probe(port, 20),
        "lifecycle": PRE_STOP,
    }
    container = {**fallback, **container}
    mounts = [each for each in container.get("volumeMounts") or [] if each.get("name") != "podinfo"]
    container = pieces.mount({**container, "volumeMounts": mounts}, pieces.podinfo_mount())
    return {**container, "env": _environment(scope, unit, container)}


def _environment(scope: Scope, unit: UnitModel, container: Object) -> list[Object]:
    theirs = container.get("env") or []
    return pieces.merged(pieces.env(_ports(scope, unit)), theirs, pieces.env(_identity(scope, container)))


def _ports(scope: Scope, unit: UnitModel) -> dict[str, Any]:
    """How the node listens and what it is made of; what its author says goes before."""
    endpoint = unit.endpoint
    found: dict[str, Any] = {
        "PREDICTIVE_UNIT_SERVICE_PORT": endpoint.service_port,
        "PREDICTIVE_UNIT_HTTP_SERVICE_PORT": endpoint.httpPort,
        "MLSERVER_HTTP_PORT": endpoint.httpPort,
        "PREDICTIVE_UNIT_GRPC_SERVICE_PORT": endpoint.grpcPort,
        "MLSERVER_GRPC_PORT": endpoint.grpcPort,
    }
    parameters = servers.parameters(scope, unit)
    if parameters:
        found["PREDICTIVE_UNIT_PARAMETERS"] = json.dumps(parameters, separators=(",", ":"))
    if unit.modelUri:
        found["MLSERVER_MODEL_URI"] = "/mnt/models"
    return found


def _identity(scope: Scope, container: Object) -> dict[str, Any]:
    """Who the node is; nobody else may say."""
    name, config = container["name"], scope.config
    found = {
        "PREDICTIVE_UNIT_ID": name,
        "MLSERVER_MODEL_NAME": name,
        "PREDICTIVE_UNIT_IMAGE": container.get("image", ""),
        "PREDICTOR_ID": scope.predictor.name,
        "PREDICTOR_LABELS": json.dumps(scope.predictor.labels, separators=(",", ":"), sort_keys=True),
        "SELDON_DEPLOYMENT_ID": scope.name,
        "SELDON_EXECUTOR_ENABLED": "true",
    }
    metrics = defaults.port(container, config.metrics_port_name)
    if metrics:
        found |= {
            "PREDICTIVE_UNIT_METRICS_SERVICE_PORT": str(metrics),
            "PREDICTIVE_UNIT_METRICS_ENDPOINT": config.engine_metrics_path,
            "MLSERVER_METRICS_PORT": str(metrics),
            "MLSERVER_METRICS_ENDPOINT": config.engine_metrics_path,
        }
    return found
