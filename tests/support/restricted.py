"""Owns Kubernetes' pod security standard "restricted", as far as it concerns pods on Linux. Must not know whose pods.

Written after its public description; a real API server checks the same when it runs with the namespace's label.
"""

from collections.abc import Iterator
from typing import Any

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
SECCOMP = ("RuntimeDefault", "Localhost")
HOST = ("hostNetwork", "hostPID", "hostIPC")
Object = dict[str, Any]


def faults(spec: Object) -> Iterator[str]:
    """What of a pod's spec the standard refuses."""
    pod = spec.get("securityContext") or {}
    yield from (f"{name} is set" for name in HOST if spec.get(name))
    for volume in spec.get("volumes") or []:
        if not volume.keys() - {"name"} <= VOLUMES:
            yield f"volume {volume['name']} is of a kind that is not allowed"
    for each in (*(spec.get("initContainers") or []), *spec["containers"]):
        yield from (f"{each['name']}: {fault}" for fault in _container(each, pod))


def _container(container: Object, pod: Object) -> Iterator[str]:
    own = container.get("securityContext") or {}
    capabilities = own.get("capabilities") or {}
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation must be false"
    if own.get("privileged"):
        yield "it is privileged"
    if "ALL" not in (capabilities.get("drop") or []):
        yield "capabilities must drop ALL"
    if not set(capabilities.get("add") or []) <= {"NET_BIND_SERVICE"}:
        yield "capabilities are added"
    if own.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True:
        yield "runAsNonRoot must be true"
    if 0 in (own.get("runAsUser"), pod.get("runAsUser")):
        yield "it runs as root"
    if (own.get("seccompProfile") or pod.get("seccompProfile") or {}).get("type") not in SECCOMP:
        yield "there is no seccomp profile"
    if any("hostPort" in port for port in container.get("ports") or []):
        yield "it takes a port of the host"
    if own.get("procMount", "Default") != "Default":
        yield "procMount is set"
