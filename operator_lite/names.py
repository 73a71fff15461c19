"""Owns the names of all objects and labels, and the rule for those that are too long. Must not make the objects."""

import hashlib

from executor.manifest.seldon_shape import SERVICE_NAME, PredictorModel

LENGTH_MAX = 63

MANAGED_BY = "app.kubernetes.io/managed-by"
ID = "seldon-deployment-id"
APP = "seldon-app"
ENGINE = "seldon-container-engine"
HAS_ENGINE = "seldon-deployment-contains-svcorch"
PODINFO = "seldon-podinfo"
HOSTS, GATEWAY = "seldon.io/istio-host", "seldon.io/istio-gateway"
NO_INITIALIZER = "seldon.io/no-storage-initializer"


def short(name: str) -> str:
    """`name`, or what stands for it where it is longer than Kubernetes takes."""
    return name if len(name) <= LENGTH_MAX else f"seldon-{digest(name)}"


def digest(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def pods(deployment: str, predictor: PredictorModel, index: int, prefixed: bool) -> str:
    """The Deployment of a componentSpec; `prefixed` keeps the resource's name in those that are too long."""
    pod = predictor.componentSpecs[index]
    last = str(pod.metadata.get("name") or "") or "-".join(str(each.get("name", "")) for each in pod.containers())
    name = f"{deployment}-{predictor.name}-{index}-{last}"
    if prefixed and len(name) > LENGTH_MAX and len(deployment) + 33 <= LENGTH_MAX:
        return f"{deployment}-{digest(name)}"
    return short(name)


def predictor(deployment: str, model: PredictorModel) -> str:
    """The Service of a predictor, and what belongs to all of it."""
    return model.annotations.get(SERVICE_NAME) or short(f"{deployment}-{model.name}")


def container(deployment: str, predictor: PredictorModel, name: str) -> str:
    """The Service of a node's container."""
    return short(f"{deployment}-{predictor.name}-{name}")


def part(deployment: str, predictor: PredictorModel, what: str) -> str:
    """A part of a predictor that there is one of: `svc-orch`, `explainer`, `state`."""
    return short(f"{deployment}-{predictor.name}-{what}")


def container_label(name: str) -> str:
    """The label of pods in which the container `name` runs."""
    return short(f"seldon-app-svc-{name}")
