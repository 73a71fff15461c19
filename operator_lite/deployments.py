"""Owns Deployments: one for each componentSpec, and one for an executor that has pods of its own.

Must not overwrite what users write in their pod specs.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from executor.manifest.seldon_shape import PodModel
from operator_lite import containers, engine, names, pieces, servers, storage
from operator_lite.scope import Object, Scope

GRACE_S = 20
HOSTNAME = "kubernetes.io/hostname"


def all_of(scope: Scope) -> Iterator[Object]:
    """The Deployments of a predictor."""
    home = scope.home()
    for index, pod in scope.pods():
        yield _of_pod(scope, index, pod, is_home=index == home)
    if scope.has_engine and home is None:
        yield _apart(scope)


def name_of(scope: Scope, index: int) -> str:
    """The name of the Deployment of a componentSpec, and of what belongs to it alone."""
    return names.pods(scope.name, scope.predictor, index, scope.config.names_prefixed)


def names_of(scope: Scope) -> list[str]:
    """The names of all Deployments of a predictor."""
    found = [name_of(scope, index) for index, _ in scope.pods()]
    return [*found, _name_apart(scope)] if scope.has_engine and scope.home() is None else found


def _name_apart(scope: Scope) -> str:
    return names.part(scope.name, scope.predictor, "svc-orch")


def selector(scope: Scope, pod: PodModel | None, is_home: bool) -> dict[str, str]:
    """Which pods belong to a Deployment; None is the executor's own."""
    nodes = scope.nodes_in(pod) if pod is not None else {}
    services = {names.container_label(each): names.container(scope.name, scope.predictor, each) for each in nodes}
    return {names.ID: scope.id, **services, **({names.APP: scope.service} if is_home else {})}


def _of_pod(scope: Scope, index: int, pod: PodModel, is_home: bool) -> Object:
    name = name_of(scope, index)
    nodes = scope.nodes_in(pod)
    labels = {
        "app": name,
        "fluentd": "true",
        **scope.predictor.labels,
        **(pod.metadata.get("labels") or {}),
        **{pieces.TYPE_LABELS[unit.type]: "true" for unit in nodes.values() if unit.type in pieces.TYPE_LABELS},
        **selector(scope, pod, is_home),
    }
    written = pod.metadata.get("annotations") or {}
    annotations = {**scope.model.spec.annotations, **scope.predictor.annotations, **written}
    spec = _pod_spec(scope, pod, is_home)
    marks = {names.HAS_ENGINE: "true"} if is_home and scope.has_engine else {}
    return _deployment(
        scope, name, labels, marks, annotations, selector(scope, pod, is_home), spec, replicas(scope, pod)
    )


def replicas(scope: Scope, pod: PodModel) -> int | None:
    """How many pods; None leaves it to whatever scales them, or to Kubernetes."""
    if (pod.kedaSpec is not None and scope.config.keda) or pod.hpaSpec is not None:
        return None
    return _first(pod.replicas, scope.predictor.replicas, scope.model.spec.replicas)


def _first(*values: int | None) -> int | None:
    return next((value for value in values if value is not None), None)


def _apart(scope: Scope) -> Object:
    """The executor alone, where it should be, or where no pod has a node that it could stand beside."""
    name = _name_apart(scope)
    chosen = selector(scope, None, is_home=True)
    labels = {"app": name, "fluentd": "true", **scope.predictor.labels, **chosen}
    annotations = {**scope.model.spec.annotations, **scope.predictor.annotations}
    account = scope.config.engine_service_account
    spec: Object = {"serviceAccountName": account, "containers": [engine.container(scope)]}
    if scope.secret:
        spec = _with_certificate(scope, spec)
    wanted = _first(scope.predictor.svcOrchSpec.replicas, scope.predictor.replicas, scope.model.spec.replicas)
    return _deployment(
        scope, name, labels, {names.HAS_ENGINE: "true"}, annotations, chosen, finished(scope, spec), wanted
    )


def _deployment(
    scope: Scope,
    name: str,
    labels: Mapping[str, str],
    marks: Mapping[str, str],
    annotations: Mapping[str, str],
    chosen: Mapping[str, str],
    spec: Object,
    wanted: int | None,
) -> Object:
    shadow = {"seldon.io/shadow": "true"} if scope.predictor.shadow else {}
    meta = scope.meta(name, {**labels, **shadow, **marks}, annotations)
    pod_labels = {key: value for key, value in meta["labels"].items() if key not in marks}
    scraped = {"prometheus.io/path": scope.config.engine_metrics_path, "prometheus.io/scrape": "true"}
    body: dict[str, Any] = {
        "selector": {"matchLabels": dict(chosen)},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "10%"}},
        "template": {"metadata": {"labels": pod_labels, "annotations": {**scraped, **annotations}}, "spec": spec},
        "replicas": wanted,
        "progressDeadlineSeconds": scope.predictor.progressDeadlineSeconds,
    }
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": body}


def _pod_spec(scope: Scope, pod: PodModel, is_home: bool) -> Object:
    nodes = scope.nodes_in(pod)
    made = [
        containers.node(scope, nodes[each["name"]], each) if each.get("name") in nodes else dict(each)
        for each in pod.containers()
    ]
    made += [beside for unit in nodes.values() for beside in servers.sidecars(scope, unit)]
    spec: Object = {**pod.spec, "containers": made}
    for unit in nodes.values():
        if servers.fetches(scope, unit):
            reader = servers.runs_model(scope, unit)
            image, secret = unit.storageInitializerImage, unit.envSecretRefName
            wanted = storage.Wanted(unit.name, reader, unit.modelUri, image, secret)
            spec = storage.fetched(spec, wanted, scope)
    accounts = [unit.serviceAccountName for unit in nodes.values() if unit.serviceAccountName]
    if accounts and not spec.get("serviceAccountName"):
        spec["serviceAccountName"] = accounts[0]
    if is_home and scope.has_engine:
        spec = {**spec, "containers": [*spec["containers"], engine.container(scope)]}
    if is_home and scope.secret:
        spec = _with_certificate(scope, spec)
    return finished(scope, spec)


def _with_certificate(scope: Scope, spec: Object) -> Object:
    """The certificate is there for all containers, but who answers clients is the only one to serve with it: an
    executor speaks plainly to its nodes.
    """
    path = scope.config.cert_path
    server = names.ENGINE if scope.has_engine else scope.predictor.graph.name
    told = pieces.env({"SELDON_CERT_MOUNT_PATH": path})
    found = []
    for each in spec["containers"]:
        mounted = pieces.mount(each, {"name": pieces.CERTS, "mountPath": path, "readOnly": True})
        serves = each["name"] == server
        found.append({**mounted, "env": pieces.merged(each.get("env") or [], told)} if serves else mounted)
    volume = {"name": pieces.CERTS, "secret": {"secretName": scope.secret}}
    return pieces.add_volumes({**spec, "containers": found}, volume)


def finished(scope: Scope, spec: Object) -> Object:
    """The pod's spec with what all pods have."""
    every = [*(spec.get("initContainers") or []), *spec["containers"]]
    mounted = {each["name"] for one in every for each in one.get("volumeMounts") or []}
    if names.PODINFO in mounted:
        spec = pieces.add_volumes(spec, pieces.podinfo_volume())
    if pieces.TMP in mounted:
        spec = pieces.add_volumes(spec, {"name": pieces.TMP, "emptyDir": {}})
    if engine.STATE in mounted:
        spec = _with_state(scope, spec)
    return {"terminationGracePeriodSeconds": GRACE_S, **spec, "securityContext": _security(scope, spec) or None}


def _security(scope: Scope, spec: Object) -> Object:
    """Who says anything of it has said whom the pod runs as, but cannot know of the executor's volume."""
    user, group = scope.config.user, engine.user(scope)
    said = spec.get("securityContext") or ({"runAsUser": user} if user is not None else {})
    keeps = any(each["name"] == engine.STATE for each in spec.get("volumes") or [])
    return {**said, "fsGroup": said.get("fsGroup", group)} if keeps and group is not None else dict(said)


def _with_state(scope: Scope, spec: Object) -> Object:
    """The volume with what routers have learned. A pod of an update reads it while the old one still writes, which
    SQLite takes on one machine alone: so executors of a predictor stand on the same one, those of another graph too.
    """
    claim = {"claimName": engine.claim_name(scope)}
    spec = pieces.add_volumes(spec, {"name": engine.STATE, "persistentVolumeClaim": claim})
    executors = {names.ID: scope.id, names.APP: scope.service}
    term = {"labelSelector": {"matchLabels": executors}, "topologyKey": HOSTNAME}
    affinity = dict(spec.get("affinity") or {})
    near = dict(affinity.get("podAffinity") or {})
    rule = "requiredDuringSchedulingIgnoredDuringExecution"
    near[rule] = [*(near.get(rule) or []), term]
    return {**spec, "affinity": {**affinity, "podAffinity": near}}
