"""Owns a node for a test's cluster: our kubelet, the real kube-proxy, and names of services.

Must run in namespaces of its own, as `make envtest` gives them: it makes interfaces, mounts and rules for packets.

    with Node(cluster, {"web:1": python("-m", "http.server", "8000")}) as node:
        ...
"""

import json
import shutil
import sys
from collections.abc import Mapping
from typing import Self

from support.kube.api import Object
from support.kube.cluster import Cluster, program
from support.kube.daemons import Daemons, free_port
from support.kubelet.setup import ROOT, Image, Setup

PODS = "10.88.1"
RANGE = "10.88.0.0/16"
CLASS: Object = {  # what claims get that name no class; kube-controller-manager makes a folder for each
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "folders", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    "provisioner": "kubernetes.io/host-path",
}


class Node:
    """One node, whose containers are processes of this machine."""

    def __init__(
        self, cluster: Cluster, images: Mapping[str, Image], name: str = "here", haste: float = 1.0,
        capacity: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        assert cluster.address, "a cluster on loopback alone can have no pods"
        self._cluster = cluster
        self.folder = cluster.folder / "pods"
        self.name = name
        user = cluster.credentials.user(f"system:node:{name}", "system:nodes")
        self._setup = Setup(
            name=name, kubeconfig=str(user), folder=str(self.folder), address=cluster.address, pods=PODS,
            images=images, haste=haste, capacity=capacity or {},
        )  # fmt: skip
        self.daemons = Daemons(cluster.folder)

    def log(self, namespace: str, pod: str, container: str) -> str:
        """What a container printed, all its starts together."""
        paths = sorted(self.folder.glob(f"{namespace}_{pod}_*/{container}.log"))
        return "".join(path.read_text(errors="replace") for path in paths)

    def logs(self, namespace: str) -> str:
        """What every container of a namespace printed, for messages of tests."""
        paths = sorted(self.folder.glob(f"{namespace}_*/*.log"))
        return "\n".join(f"--- {path.parent.name} {path.stem}\n{path.read_text(errors='replace')}" for path in paths)

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
        self._cluster.api.delete(f"/api/v1/nodes/{self.name}")
        self.daemons.__exit__()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self) -> None:
        self.folder.mkdir()
        self._cluster.apply(CLASS)
        setup = self._cluster.folder / "kubelet.json"
        self._setup.write(setup)
        python = {"PYTHONPATH": f"{ROOT}/tests"}
        address = str(self._cluster.address)
        self.daemons.start(
            "names",
            sys.executable,
            "-m",
            "support.kube.names",
            str(self._cluster.kubeconfig),
            address,
            environment=python,
        )
        kubelet = self.daemons.start("kubelet", sys.executable, "-m", "support.kubelet", str(setup), environment=python)
        self._start_proxy()
        kubelet.wait_for(self._is_ready)
        self.daemons.check()

    def _start_proxy(self) -> None:
        content = {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "nftables",
            "clientConnection": {"kubeconfig": str(self._cluster.credentials.user("system:kube-proxy"))},
            "hostnameOverride": self.name,
            "clusterCIDR": RANGE,
            "conntrack": {"maxPerCore": 0},
            "nftables": {"minSyncPeriod": "100ms", "syncPeriod": "10s"},
            "healthzBindAddress": f"127.0.0.1:{free_port()}",
            "metricsBindAddress": f"127.0.0.1:{free_port()}",
        }
        path = self._cluster.folder / "kube-proxy.json"
        path.write_text(json.dumps(content))
        self.daemons.start("kube-proxy", program("kube-proxy"), f"--config={path}")

    def _is_ready(self) -> bool:
        found: Object | None = self._cluster.api.find(f"/api/v1/nodes/{self.name}")
        if found is None:
            return False
        conditions = {each["type"]: each["status"] for each in found["status"].get("conditions", [])}
        return conditions.get("Ready") == "True" and not found["spec"].get("taints")
