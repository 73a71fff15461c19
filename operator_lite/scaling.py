"""Owns what scales and guards the pods of a Deployment: autoscalers, KEDA's objects, disruption budgets.

Must not set replicas (`deployments.replicas` leaves them alone where something scales).
"""

from collections.abc import Callable, Iterator
from typing import Any

from executor.manifest.seldon_shape import PodModel
from operator_lite import deployments
from operator_lite.scope import Object, Scope


def all_of(scope: Scope) -> Iterator[Object]:
    """These objects of a predictor; each is named like its Deployment."""
    home = scope.home()
    for index, pod in scope.pods():
        name = deployments.name_of(scope, index)
        if pod.kedaSpec is not None and scope.config.keda:
            yield _scaled_object(scope, name, pod)
        elif pod.hpaSpec is not None:
            yield _autoscaler(scope, name, pod)
        if pod.pdbSpec is not None:
            chosen = deployments.selector(scope, pod, is_home=index == home)
            spec = pod.pdbSpec.model_dump(exclude_none=True)
            spec["selector"] = {"matchLabels": chosen}
            yield _object(scope, "policy/v1", "PodDisruptionBudget", name, spec)


def _object(scope: Scope, api_version: str, kind: str, name: str, spec: Object) -> Object:
    return {"apiVersion": api_version, "kind": kind, "metadata": scope.meta(name), "spec": spec}


def _autoscaler(scope: Scope, name: str, pod: PodModel) -> Object:
    assert pod.hpaSpec is not None
    hpa = pod.hpaSpec
    metrics = [_metric(each) for each in hpa.metrics] or [dict(each) for each in hpa.metricsv2]
    spec = {
        "scaleTargetRef": _target_of(name),
        "maxReplicas": hpa.maxReplicas,
        "minReplicas": hpa.minReplicas,
        "metrics": metrics or None,
    }
    return _object(scope, "autoscaling/v2", "HorizontalPodAutoscaler", name, spec)


def _scaled_object(scope: Scope, name: str, pod: PodModel) -> Object:
    assert pod.kedaSpec is not None
    spec = {"scaleTargetRef": _target_of(name), **pod.kedaSpec.model_dump(exclude_none=True)}
    return _object(scope, "keda.sh/v1alpha1", "ScaledObject", name, spec)


def _target_of(name: str) -> Object:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}


# --- metrics of autoscaling/v2beta1 in the form of v2


def _metric(old: Object) -> Object:
    kind = str(old.get("type", ""))
    key = kind[:1].lower() + kind[1:]
    source = old.get(key)
    convert = _CONVERT.get(kind)
    # What is in neither form is passed on: the API server says what is wrong with it.
    return {"type": kind, key: convert(source)} if convert and isinstance(source, dict) else dict(old)


def _target(source: Object, **fields: str) -> Object:
    """The one field that is given, with the type that it stands for: `value="targetValue"`."""
    kinds = {"averageUtilization": "Utilization", "averageValue": "AverageValue", "value": "Value"}
    found = next(((new, source[old]) for new, old in fields.items() if source.get(old) is not None), None)
    return {} if found is None else {"type": kinds[found[0]], found[0]: found[1]}


def _named(source: Object, name: str, selector: str) -> Object:
    return {"name": source.get(name, ""), "selector": source.get(selector)}


def _resource(source: Object) -> Object:
    target = _target(source, averageUtilization="targetAverageUtilization", averageValue="targetAverageValue")
    return {"name": source.get("name", ""), "container": source.get("container"), "target": target}


def _pods(source: Object) -> Object:
    metric = _named(source, "metricName", "selector")
    return {"metric": metric, "target": _target(source, averageValue="targetAverageValue")}


def _of_object(source: Object) -> Object:
    metric = _named(source, "metricName", "selector")
    target = _target(source, averageValue="averageValue", value="targetValue")
    return {"describedObject": source.get("target", {}), "metric": metric, "target": target}


def _external(source: Object) -> Object:
    metric = _named(source, "metricName", "metricSelector")
    return {"metric": metric, "target": _target(source, averageValue="targetAverageValue", value="targetValue")}


_CONVERT: dict[str, Callable[[dict[str, Any]], Object]] = {
    "Resource": _resource,
    "ContainerResource": _resource,
    "Pods": _pods,
    "Object": _of_object,
    "External": _external,
}
