"""Owns small SeldonDeployments for tests of a cluster that runs pods. Must not apply them."""

from typing import Any

from support.kube.api import Object

HEAD = {"apiVersion": "machinelearning.seldon.io/v1", "kind": "SeldonDeployment"}


def sdep(graph: Object, name: str = "shop", **predictor: Any) -> Object:
    """A resource of one predictor."""
    return {**HEAD, "metadata": {"name": name}, "spec": {"predictors": [{"name": "main", "graph": graph, **predictor}]}}


def told(name: str = "shop", **pod: Any) -> Object:
    """One of a node in a container, which tells its predictor and its version."""
    env = [{"name": "VERSION", "value": "1"}]
    container = {"name": "model", "image": "millrace/test-told:1", "env": env, **pod.pop("container", {})}
    spec = {"containers": [container], **pod.pop("spec", {})}
    return sdep({"name": "model", "type": "MODEL"}, name, componentSpecs=[{"spec": spec, **pod}])


def wrong() -> Object:
    """One that is refused, and why can be told by the word MODLE."""
    return sdep({"name": "model", "type": "MODLE"}, "wrong")
