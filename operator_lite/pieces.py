"""Owns small parts that several containers have alike: environment, probes, mounts, security. Must not decide who has
which.
"""

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

from operator_lite import names
from operator_lite.scope import Object

TMP = "millrace-tmp"
CERTS = "seldon-cert-volume"
TYPE_LABELS = {
    "MODEL": "seldon.io/model",
    "ROUTER": "seldon.io/router",
    "COMBINER": "seldon.io/combiner",
    "TRANSFORMER": "seldon.io/transformer",
    "OUTPUT_TRANSFORMER": "seldon.io/output-transformer",
}


def env(values: Mapping[str, object]) -> list[Object]:
    """Variables as Kubernetes lists them."""
    return [{"name": name, "value": str(value)} for name, value in values.items()]


def merged(*groups: Iterable[Object]) -> list[Object]:
    """Variables of several groups, each name once, since server-side apply takes none twice. Later groups win, and
    theirs stand where they have them: one may refer to those before it.
    """
    found: dict[Any, Object] = {}
    for each in chain(*groups):
        found.pop(each.get("name"), None)
        found[each.get("name")] = each
    return list(found.values())


def restricted(user: int | None, is_ours: bool) -> Object:
    """What Kubernetes' pod security standard "restricted" asks of a container that runs as `user`, and a root that
    cannot be written. An image that is not ours may be root's, where nobody says a user; a pod's author may want root.
    """
    return {
        "runAsUser": user,
        "runAsNonRoot": True if user or (user is None and is_ours) else None,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
        "readOnlyRootFilesystem": True if is_ours else None,
    }


def podinfo_mount() -> Object:
    """The pod's annotations, for those who read their settings there."""
    return {"name": names.PODINFO, "mountPath": "/etc/podinfo"}


def podinfo_volume() -> Object:
    """The volume of `podinfo_mount`."""
    item = {"path": "annotations", "fieldRef": {"fieldPath": "metadata.annotations", "apiVersion": "v1"}}
    return {"name": names.PODINFO, "downwardAPI": {"items": [item], "defaultMode": 420}}


def tmp_mount(container: str) -> Object:
    """A place to write to under a root that cannot be written, each container its own."""
    return {"name": TMP, "mountPath": "/tmp", "subPath": container}


def mount(container: Object, new: Object) -> Object:
    """The container with one more mount, unless it has one there."""
    mounts = container.get("volumeMounts") or []
    taken = any(each.get("mountPath") == new["mountPath"] for each in mounts)
    return container if taken else {**container, "volumeMounts": [*mounts, new]}


def add_volumes(spec: Object, *volumes: Object) -> Object:
    """The pod's spec with these volumes, but for those whose names it has."""
    present = spec.get("volumes") or []
    known = {each.get("name") for each in present}
    return {**spec, "volumes": [*present, *(each for each in volumes if each["name"] not in known)]}


def tcp_probe(port: str, delay: int) -> Object:
    """Whether something listens."""
    return {"tcpSocket": {"port": port}, **_timing(delay, 1)}


def http_probe(path: str, port: str | int, delay: int, timeout: int, scheme: str = "HTTP") -> Object:
    """Whether `path` is answered."""
    return {"httpGet": {"path": path, "port": port, "scheme": scheme}, **_timing(delay, timeout)}


def _timing(delay: int, timeout: int) -> dict[str, Any]:
    return {
        "initialDelaySeconds": delay,
        "periodSeconds": 5,
        "failureThreshold": 3,
        "successThreshold": 1,
        "timeoutSeconds": timeout,
    }
