"""Owns a running test gateway: nginx, told by HTTPRoutes and GRPCRoutes of a test's cluster what goes where.

Must not make routes: tests do, or the operator. The cluster has Gateway API's CRDs before it starts.
"""

import sys
from typing import Self

from support.gateway.controller import GROUP, NAME
from support.kube.api import Object
from support.kube.cluster import Cluster
from support.kube.daemons import Daemons
from support.kubelet.setup import ROOT

HTTP, GRPC = 80, 81


class Gateway:
    """A Gateway of this name in this namespace; `http` and `grpc` are where clients reach it."""

    def __init__(self, cluster: Cluster, namespace: str = "default", name: str = "gateway") -> None:
        assert cluster.address, "a cluster on loopback alone can have no gateway"
        self._cluster = cluster
        self._path = f"{GROUP}/namespaces/{namespace}/gateways"
        self.namespace = namespace
        self.name = name
        self.http = f"http://{cluster.address}:{HTTP}"
        self.grpc = f"{cluster.address}:{GRPC}"
        self.daemons = Daemons(cluster.folder)

    def __enter__(self) -> Self:
        self.daemons.__enter__()
        try:
            self._start()
        except BaseException:
            self.daemons.show()
            self.daemons.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._cluster.api.delete(f"{self._path}/{self.name}")
        self._cluster.api.delete(f"{GROUP}/gatewayclasses/{self.name}")
        self.daemons.__exit__()

    def _start(self) -> None:
        folder = self._cluster.folder / "gateway"
        folder.mkdir(exist_ok=True)
        address = str(self._cluster.address)
        command = [sys.executable, "-m", "support.gateway", str(self._cluster.kubeconfig), str(folder), address]
        process = self.daemons.start("gateway", *command, environment={"PYTHONPATH": f"{ROOT}/tests"})
        listeners = [_listener("http", HTTP, "HTTPRoute"), _listener("grpc", GRPC, "GRPCRoute")]
        self._make(f"{GROUP}/gatewayclasses", "GatewayClass", {"controllerName": NAME})
        self._make(self._path, "Gateway", {"gatewayClassName": self.name, "listeners": listeners})
        process.wait_for(self._is_programmed)

    def _make(self, path: str, kind: str, spec: Object) -> None:
        head = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": kind, "metadata": {"name": self.name}}
        self._cluster.api.create(path, {**head, "spec": spec})

    def _is_programmed(self) -> bool:
        found = self._cluster.api.get(f"{self._path}/{self.name}")
        conditions = {each["type"]: each["status"] for each in found.get("status", {}).get("conditions", [])}
        return conditions.get("Programmed") == "True"


def _listener(name: str, port: int, kind: str) -> Object:
    allowed = {"kinds": [{"kind": kind}], "namespaces": {"from": "All"}}
    return {"name": name, "port": port, "protocol": "HTTP", "allowedRoutes": allowed}
