"""Owns the node: registered, kept ready, and its pods run.

Must not schedule: kube-scheduler binds pods to this node as to any other.
"""

import datetime
import os
import platform
import threading
from collections.abc import Mapping

from support.kube.api import STRATEGIC, Api, Object, Refused
from support.kube.watching import Watched
from support.kubelet.container import now
from support.kubelet.network import Network
from support.kubelet.pod import Pod, Site
from support.kubelet.setup import Setup

LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
BEAT_S = 4.0
END_S = 5.0
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class Kubelet:
    """One node and its pods."""

    def __init__(self, api: Api, setup: Setup) -> None:
        self._api = api
        self._setup = setup
        self._site = Site(api, setup, Network(setup.pods, setup.address), self._services)
        self._wake = threading.Event()
        self._pods: dict[str, Pod] = {}
        self._watched = Watched(api, "/api/v1/pods", self._wake.set, fieldSelector=f"spec.nodeName={setup.name}")
        self._server = Watched(api, "/api/v1/services")

    def run(self) -> None:
        """Runs pods until the process is told to end; then it ends them, without grace."""
        self._register()
        self._server.start()
        self._watched.start()
        threading.Thread(target=self._beat, daemon=True).start()
        try:
            while True:
                self._wake.wait(1.0)
                self._wake.clear()
                self._look()
        finally:
            for pod in self._pods.values():
                pod.gone()
            for pod in self._pods.values():
                pod.join(END_S)

    def _look(self) -> None:
        there = {each["metadata"]["uid"]: each for each in self._watched.all}
        for uid, found in there.items():
            if uid in self._pods:
                self._pods[uid].update(found)
            else:
                self._pods[uid] = Pod(self._site, found)
        for uid in self._pods.keys() - there.keys():
            self._pods[uid].gone()
            if self._pods[uid].ended:
                del self._pods[uid]

    def _services(self) -> Mapping[str, str]:
        """The API server's address, as every container finds it."""
        found = self._server.get("default", "kubernetes")
        if found is None:
            return {}
        return {"KUBERNETES_SERVICE_HOST": found["spec"]["clusterIP"], "KUBERNETES_SERVICE_PORT": "443"}

    def _register(self) -> None:
        architecture = ARCHITECTURES.get(platform.machine(), platform.machine())
        labels = {"kubernetes.io/hostname": self._setup.name, "kubernetes.io/os": "linux",
                  "kubernetes.io/arch": architecture, **self._setup.labels}  # fmt: skip
        try:
            self._api.create("/api/v1/nodes", {"metadata": {"name": self._setup.name, "labels": labels}})
        except Refused as refused:
            if refused.code != 409:
                raise
        lease = {"metadata": {"name": self._setup.name}, "spec": self._lease()}
        try:
            self._api.create(LEASES, lease)
        except Refused as refused:
            if refused.code != 409:
                raise
        self._tell()

    def _lease(self) -> Object:
        at = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return {"holderIdentity": self._setup.name, "leaseDurationSeconds": 40, "renewTime": at}

    def _tell(self) -> None:
        sizes = {"cpu": str(os.cpu_count()), "memory": "64Gi", "pods": "200", "ephemeral-storage": "100Gi",
                 **self._setup.capacity}  # fmt: skip
        if "cpu" not in self._setup.capacity:
            sizes["cpu"] = "64"  # what pods ask for is not what tests of theirs use
        ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "lastHeartbeatTime": now()}
        good = {"status": "False", "reason": "KubeletHasEnough", "lastHeartbeatTime": now()}
        kinds = ("MemoryPressure", "DiskPressure", "PIDPressure")
        status = {
            "capacity": sizes,
            "allocatable": sizes,
            "conditions": [ready, *({"type": kind, **good} for kind in kinds)],
            "addresses": [{"type": "InternalIP", "address": self._setup.address},
                          {"type": "Hostname", "address": self._setup.name}],
            "nodeInfo": {"kubeletVersion": "v1.35.4", "operatingSystem": "linux"},
        }  # fmt: skip
        self._api.patch(f"/api/v1/nodes/{self._setup.name}/status", {"status": status}, STRATEGIC)

    def _beat(self) -> None:
        pause = threading.Event()
        while True:
            try:
                self._api.patch(f"{LEASES}/{self._setup.name}", {"spec": self._lease()})
                self._tell()
            except (OSError, Refused) as error:
                print(f"node: {error}", flush=True)
            pause.wait(BEAT_S)
