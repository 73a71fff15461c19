"""Owns a cluster for tests of the operator: an API server, and hands that do what kubelets and controllers would.

Must not know what the operator does. The server is the one of `apiserver`, or a real one (`make envtest`); tests that
use nothing but `Cluster` run on both.
"""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from support.apiserver import ApiServer
from support.resources import ONE

from operator_lite.api import Api, ApiError
from operator_lite.kinds import CONFIG_MAP, EVENT, LEASE, NAMESPACE, OWNED, RESOURCE, Kind

PATIENCE_S = 60.0
"""A real garbage collector asks twice a minute which kinds there are, and holds back when some are new."""
Object = dict[str, Any]
SPEC: Object = yaml.safe_load(ONE)
DEPLOYMENT = next(kind for kind in OWNED if kind.name == "Deployment")


def kind_of(name: str) -> Kind:
    """A kind that the operator makes, by its name."""
    return next(kind for kind in OWNED if kind.name == name)


def served(without: tuple[str, ...] = ()) -> ApiServer:
    """A server that knows all kinds but some."""
    server = ApiServer()
    for kind in (RESOURCE, *OWNED, NAMESPACE, EVENT, LEASE, CONFIG_MAP):
        if kind.name not in without:
            server.store.install((kind.api_version, kind.plural))
    return server


class Cluster:
    """A namespace of an API server, of its own for each test."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        self.api = Api.connect(str(kubeconfig))
        self.namespace = f"test-{uuid.uuid4().hex[:8]}"
        self.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}})

    def get(self, kind: Kind, name: str) -> Object | None:
        """An object of the namespace."""
        return self.api.get(kind, self.namespace, name)

    def names(self, kind: Kind) -> list[str]:
        """The names of all objects of a kind."""
        return sorted(each["metadata"]["name"] for each in self.api.items(kind, self.namespace)[0])

    def put(self, found: Object) -> Object:
        """Applies an object as kubectl would."""
        meta = {"namespace": self.namespace, **found["metadata"]}
        return self.api.apply({**found, "metadata": meta}, "kubectl")

    def sdep(self, name: str, spec: Object, **metadata: Any) -> Object:
        """Applies a SeldonDeployment."""
        head = {"apiVersion": RESOURCE.api_version, "kind": RESOURCE.name}
        return self.put({**head, "metadata": {"name": name, **metadata}, "spec": spec})

    def status(self, name: str) -> Object:
        """What a SeldonDeployment says of itself."""
        return (self.get(RESOURCE, name) or {}).get("status") or {}

    def condition(self, name: str, which: str) -> Object:
        """One of its conditions; empty if it has none such."""
        found = self.status(name).get("conditions") or []
        return next((each for each in found if each["type"] == which), {})

    def reasons(self, name: str) -> list[str]:
        """What events say of a resource, oldest first."""
        found = self.api.items(EVENT, self.namespace)[0]
        mine = [each for each in found if each["involvedObject"]["name"] == name]
        return [each["reason"] for each in sorted(mine, key=lambda each: each["metadata"]["name"])]

    def make_ready(self, *names: str) -> None:
        """The pods of Deployments are there; of all of them, if none is named. As kube-controller-manager says it."""
        for name in names:
            until(partial(self._made_ready, name))
        for name in () if names else self.names(DEPLOYMENT):
            self._made_ready(name)

    def _made_ready(self, name: str) -> bool:
        found = self.get(DEPLOYMENT, name)
        if found is None:
            return False
        count = found["spec"].get("replicas", 1)
        state = {"observedGeneration": found["metadata"]["generation"], "replicas": count, "updatedReplicas": count,
                 "readyReplicas": count, "availableReplicas": count}  # fmt: skip
        try:
            self.api.replace({**found, "status": state}, "status")
        except ApiError as error:
            if error.code not in (404, 409):
                raise
            return False
        return True

    def all_ready(self, name: str) -> None:
        """Makes all pods ready until the resource, as it is written now, is Available."""

        def available() -> bool:
            self.make_ready()
            found = self.get(RESOURCE, name) or {}
            seen = self.condition(name, "Ready").get("observedGeneration") == found["metadata"]["generation"]
            return seen and self.status(name).get("state") == "Available"

        until(available)


def of_seldon(cluster: Cluster) -> Object:
    """A Deployment of a resource, as Seldon's operator makes it, with four pods and a variable that we do not know."""
    owner = cluster.sdep("iris", SPEC, labels={"seldon.io/controller-id": "seldon"})
    labels = {"seldon-deployment-id": "iris", "seldon-app-svc-model": "iris-main-model", "seldon-app": "iris-main"}
    env = [{"name": "OF_SELDON", "value": "1"}]
    pod = {"containers": [{"name": "model", "image": "model:1", "env": env}]}
    meta = {**_of(owner, "iris-main-0-model"), "labels": labels}
    body = {"replicas": 4, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod}}  # fmt: skip
    found = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": body}
    return cluster.api.create(found, manager="manager")


def node_of_seldon(cluster: Cluster, spec: Object) -> Object:
    """The Service of a resource's node, as Seldon's operator makes it: with an address."""
    owner = cluster.sdep("iris", spec, labels={"seldon.io/controller-id": "seldon"})
    chosen = {"seldon-app-svc-model": "iris-main-model"}
    meta = {**_of(owner, "iris-main-model"), "labels": {"seldon-deployment-id": "iris", **chosen}}
    ports = [{"name": "http", "port": 9000, "protocol": "TCP"}, {"name": "grpc", "port": 9500, "protocol": "TCP"}]
    found = {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"selector": chosen, "ports": ports}}
    return cluster.api.create(found, manager="manager")


def _of(owner: Object, name: str) -> Object:
    """The metadata of an object that a resource takes care of."""
    meta = owner["metadata"]
    reference = {"apiVersion": RESOURCE.api_version, "kind": RESOURCE.name, "name": meta["name"],
                 "uid": meta["uid"], "controller": True, "blockOwnerDeletion": True}  # fmt: skip
    return {"name": name, "namespace": meta["namespace"], "ownerReferences": [reference]}


def until(holds: Callable[[], Any], patience_s: float = PATIENCE_S) -> Any:
    """Waits for something to be so; what it is. Says what it was waiting for when it does not come."""
    ends = time.monotonic() + patience_s
    while True:
        found = holds()
        if found:
            return found
        assert time.monotonic() < ends, f"waited {patience_s} s in vain: {holds}"
        time.sleep(0.02)


@contextmanager
def cluster(folder: Path, real: Path | None = None) -> Iterator[Cluster]:
    """The cluster of a kubeconfig if there is one, else ours."""
    if real is not None:
        yield Cluster(real)
        return
    server = served()
    try:
        yield Cluster(server.kubeconfig(folder / "kubeconfig"))
    finally:
        server.stop()
