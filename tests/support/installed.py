"""Owns an operator that is installed in a test's cluster as docs/install.md says: by `kubectl apply -k`.

Must not change what the manifests say, but for what a kustomization of one's own is for.
"""

import json
import os
from typing import Any, Self

import yaml
from support.gateway.running import Gateway
from support.kube.api import Object, eventually
from support.kube.cluster import Cluster

from operator_lite.crd import FILE

NAMESPACE = "millrace-system"
NAME = "millrace-operator"
KINDS = (
    "deployments", "replicasets", "pods", "services", "endpointslices", "horizontalpodautoscalers",
    "poddisruptionbudgets", "scaledobjects", "httproutes", "grpcroutes", "virtualservices", "destinationrules",
    "persistentvolumeclaims",
)  # fmt: skip
"""All that may be left of a SeldonDeployment."""


class Installed:
    """The operator of a cluster, and what is asked of it by kubectl."""

    def __init__(self, cluster: Cluster, gateway: Gateway) -> None:
        self.cluster = cluster
        self._folder = cluster.folder / "install"
        self._settings = {
            "GATEWAY": f"{gateway.namespace}/{gateway.name}",
            "GATEWAY_HTTP_LISTENER": "http",
            "GATEWAY_GRPC_LISTENER": "grpc",
        }

    def __enter__(self) -> Self:
        self._folder.mkdir()
        changes = [{"op": "add", "path": f"/data/{name}", "value": value} for name, value in self._settings.items()]
        patch = {"target": {"kind": "ConfigMap", "name": "millrace-config"}, "patch": json.dumps(changes)}
        content = {"resources": [os.path.relpath(FILE.parent, self._folder)], "patches": [patch]}
        (self._folder / "kustomization.yaml").write_text(yaml.safe_dump(content))
        self.cluster.kubectl("apply", "--validate=strict", "-k", str(self._folder))
        self.rolled_out(NAMESPACE, NAME)
        return self

    def __exit__(self, *_: object) -> None:
        self.cluster.kubectl("delete", "-k", str(self._folder), "--wait=false")

    def rolled_out(self, namespace: str, name: str) -> None:
        """Waits for all pods of a Deployment."""
        self.cluster.kubectl("rollout", "status", "-n", namespace, f"deployment/{name}", "--timeout=85s")

    def apply(self, namespace: str, *sdeps: Object) -> str:
        """Applies SeldonDeployments; what kubectl says."""
        return self.cluster.kubectl("apply", "-n", namespace, "-f", "-", said=_listed(sdeps))

    def refused(self, namespace: str, sdep: Object) -> str:
        """What kubectl says of one that is wrong."""
        done = self.cluster.try_kubectl("apply", "-n", namespace, "-f", "-", said=_listed([sdep]))
        assert done.returncode != 0, done.stdout
        return done.stderr

    def sdep(self, namespace: str, name: str) -> Object:
        """One of them as it is."""
        group = "/apis/machinelearning.seldon.io/v1"
        return self.cluster.api.get(f"{group}/namespaces/{namespace}/seldondeployments/{name}")

    def available(self, namespace: str, name: str, timeout_s: float = 90.0) -> Object:
        """Its status, once it says of the spec as it is now that all is well, routes included."""

        def well() -> Object | None:
            found = self.sdep(namespace, name)
            status, generation = found.get("status") or {}, found["metadata"]["generation"]
            conditions = {each["type"]: each for each in status.get("conditions") or []}
            good = [conditions.get(each) or {} for each in ("Ready", "RoutesReady")]
            seen = all((each.get("status"), each.get("observedGeneration")) == ("True", generation) for each in good)
            return status if seen else None

        answer: Object = eventually(well, timeout_s, f"{name} is well")
        return answer

    def column(self, namespace: str, name: str) -> list[str]:
        """What `kubectl get sdep` prints of it, below its headings."""
        head, line = self.cluster.kubectl("get", "sdep", name, "-n", namespace).splitlines()
        assert head.split() == ["NAME", "STATE", "REPLICAS", "READY", "AGE"]
        return line.split()

    def left(self, namespace: str) -> list[str]:
        """All objects of a namespace that a SeldonDeployment may have left."""
        return self.cluster.kubectl("get", ",".join(KINDS), "-n", namespace, "-o", "name").split()

    def pods(self, namespace: str, **labels: str) -> list[Object]:
        """The pods of a namespace."""
        chosen = ",".join(f"{key.replace('_', '-')}={value}" for key, value in labels.items())
        return self.cluster.api.items(f"/api/v1/namespaces/{namespace}/pods", labelSelector=chosen)


def _listed(sdeps: Any) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(sdeps)})
