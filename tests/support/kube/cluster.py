"""Owns a real cluster for tests: etcd, kube-apiserver, kube-controller-manager and kube-scheduler on loopback.

Must not run pods: the kubelet and the network are apart (`support.kubelet`), and many tests need neither. `make
envtest` finds or builds the programs and names their folder in KUBEBUILDER_ASSETS.

    with Cluster(Path(folder)) as cluster:
        cluster.install_crds("gateway-api")
        cluster.kubectl("apply", "-f", "-", said=manifest)
        cluster.api.get("/apis/apps/v1/namespaces/default/deployments/web")
"""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from support.kube.api import Api, Refused, eventually
from support.kube.credentials import ADMIN, Credentials
from support.kube.daemons import Daemon, Daemons, free_port, is_listening

SERVICES = "10.96.0.0/16"
KUBERNETES = "10.96.0.1"  # the Service of the API server
NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)
QUIET = "--v=0"
ALL = ("*", "-nodeipam")
CLEANERS = ("garbage-collector-controller", "namespace-controller")
"""Those that delete what is owned by nothing any more: for tests that play the others' part themselves."""


def program(name: str) -> str:
    """Where one of the programs is."""
    folder = os.environ.get("KUBEBUILDER_ASSETS")
    assert folder, "KUBEBUILDER_ASSETS names no folder; `make envtest` sets it"
    return str(Path(folder, name))


class Cluster:
    """One cluster. `address` is where pods reach the API server; without one it is on loopback alone.

    `controllers` are those of kube-controller-manager that run; there is a scheduler if all do.
    """

    def __init__(self, folder: Path, address: str | None = None, controllers: Sequence[str] = ALL) -> None:
        self.folder = folder
        self.address = address
        self._controllers = controllers
        self.daemons = Daemons(folder)
        self._port, self._etcd_port = free_port(), free_port()
        self.credentials = Credentials(folder, f"https://127.0.0.1:{self._port}")
        self.kubeconfig = self.credentials.user(*ADMIN)
        self.api = Api(self.kubeconfig)

    def kubectl(self, *arguments: str, said: str | None = None, kubeconfig: Path | None = None) -> str:
        """What kubectl prints; fails the test when it fails."""
        done = self.try_kubectl(*arguments, said=said, kubeconfig=kubeconfig)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def try_kubectl(
        self, *arguments: str, said: str | None = None, kubeconfig: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """What kubectl does; as the administrator when no other kubeconfig is given."""
        command = [program("kubectl"), f"--kubeconfig={kubeconfig or self.kubeconfig}", *arguments]
        environment = {**os.environ, "KUBECACHEDIR": str(self.folder / "kubectl"), "KUBERC": "off"}
        return subprocess.run(command, input=said, capture_output=True, text=True, timeout=90, env=environment)

    def apply(self, *objects: Mapping[str, Any]) -> None:
        """Applies objects, as `kubectl apply --server-side` does."""
        whole = {"apiVersion": "v1", "kind": "List", "items": objects}
        self.kubectl("apply", "--server-side", "-f", "-", said=json.dumps(whole))

    def namespace(self, name: str, **labels: str) -> str:
        """Makes a namespace, and waits for what each has from the start. Its name."""
        self.api.create("/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}})
        eventually(lambda: self.api.find(f"/api/v1/namespaces/{name}/serviceaccounts/default"))
        eventually(lambda: self.api.find(f"/api/v1/namespaces/{name}/configmaps/kube-root-ca.crt"))
        return name

    def account(self, namespace: str, name: str) -> Path:
        """A kubeconfig for a service account that is there."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        token = self.api.create(path, {"spec": {"expirationSeconds": 7200}})["status"]["token"]
        return self.credentials.bearer(f"{namespace}/{name}", token, namespace)

    def install_crds(self, *projects: str) -> None:
        """Installs the CRDs of other projects (`gateway-api`, `istio`, `keda`), and waits until they are served."""
        folder = os.environ.get("MILLRACE_CRDS")
        assert folder, "MILLRACE_CRDS names no folder; `make envtest` sets it"
        for project in projects:
            path = str(Path(folder, project))
            self.kubectl("apply", "--server-side", "-f", path)
            self.kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", path)

    def events(self, namespace: str) -> list[str]:
        """`Reason: message` of each event, for messages of tests."""
        found = self.api.items(f"/api/v1/namespaces/{namespace}/events")
        return [f"{each['reason']}: {each['message']}" for each in found]

    def __enter__(self) -> Self:
        self.daemons.__enter__()
        try:
            self._start()
        except BaseException:
            self.daemons.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.api.close()
        self.daemons.__exit__()

    def _start(self) -> None:
        etcd = self._start_etcd()
        etcd.wait_for(lambda: is_listening(self._etcd_port))
        server = self._start_api_server()
        server.wait_for(self._is_ready)
        self._start_controllers()
        if self._controllers != ALL:
            return
        self._start_scheduler()
        eventually(lambda: self.api.find("/api/v1/namespaces/default/serviceaccounts/default"), 60, "a first account")
        eventually(lambda: self.api.find("/api/v1/namespaces/default/configmaps/kube-root-ca.crt"), 60, "a root CA")

    def _start_etcd(self) -> Daemon:
        client, peer = f"http://127.0.0.1:{self._etcd_port}", f"http://127.0.0.1:{free_port()}"
        return self.daemons.start(
            "etcd", program("etcd"), "--data-dir", str(self.folder / "etcd"), "--unsafe-no-fsync",
            "--listen-client-urls", client, "--advertise-client-urls", client,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}",
            "--log-level", "warn",
        )  # fmt: skip

    def _start_api_server(self) -> Daemon:
        its = self.credentials
        addresses = ["127.0.0.1", KUBERNETES, *([self.address] if self.address else [])]
        certificate, key = its.serving([*NAMES, *addresses])
        return self.daemons.start(
            "kube-apiserver", program("kube-apiserver"), QUIET,
            f"--etcd-servers=http://127.0.0.1:{self._etcd_port}",
            f"--bind-address={'0.0.0.0' if self.address else '127.0.0.1'}",
            f"--advertise-address={self.address or '127.0.0.1'}", f"--secure-port={self._port}",
            f"--endpoint-reconciler-type={'lease' if self.address else 'none'}",
            f"--cert-dir={self.folder}", f"--tls-cert-file={certificate}", f"--tls-private-key-file={key}",
            f"--client-ca-file={its.ca}", "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction", "--anonymous-auth=false", "--profiling=false",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-key-file={its.accounts_key}", f"--service-account-signing-key-file={its.accounts_key}",
            f"--service-cluster-ip-range={SERVICES}", "--allow-privileged=true", "--shutdown-delay-duration=0s",
        )  # fmt: skip

    def _start_controllers(self) -> None:
        its = self.credentials
        user = its.user("system:kube-controller-manager")
        self.daemons.start(
            "kube-controller-manager", program("kube-controller-manager"), QUIET,
            f"--kubeconfig={user}", f"--authentication-kubeconfig={user}", f"--authorization-kubeconfig={user}",
            "--use-service-account-credentials=true", f"--service-account-private-key-file={its.accounts_key}",
            f"--root-ca-file={its.ca}", f"--cluster-signing-cert-file={its.ca}",
            f"--cluster-signing-key-file={its.ca_key}", f"--controllers={','.join(self._controllers)}",
            "--bind-address=127.0.0.1", "--secure-port=0", "--leader-elect=false",
            "--node-monitor-grace-period=20s", "--enable-hostpath-provisioner=true",
        )  # fmt: skip

    def _start_scheduler(self) -> None:
        user = self.credentials.user("system:kube-scheduler")
        self.daemons.start(
            "kube-scheduler", program("kube-scheduler"), QUIET,
            f"--kubeconfig={user}", f"--authentication-kubeconfig={user}", f"--authorization-kubeconfig={user}",
            "--bind-address=127.0.0.1", "--secure-port=0", "--leader-elect=false",
        )  # fmt: skip

    def _is_ready(self) -> bool:
        try:
            return self.api.text("/readyz")[0] == 200
        except (OSError, Refused):
            return False


def shown(found: Mapping[str, Any]) -> str:
    """An object as messages of tests show it."""
    return json.dumps(found, indent=1, sort_keys=True)
