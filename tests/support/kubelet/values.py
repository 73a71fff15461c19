"""Owns values that a pod refers to: fields of its own, config maps, secrets, resources; and the environment of both.

Must not write anything.
"""

import json
import math
import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from support.kube.api import Api, Object, decoded

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
UNITS = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12,
         "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}  # fmt: skip


class NotThere(Exception):
    """Something that a pod refers to and that does not exist: its containers wait."""


def quantity(text: str) -> float:
    """The number that a quantity means."""
    found = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", str(text))
    if not found or found[2] not in UNITS:
        raise NotThere(f"quantity {text}")
    return float(found[1]) * UNITS[found[2]]


def expanded(text: str, known: Mapping[str, str]) -> str:
    """`$(NAME)` replaced where the name is known; `$$` is one `$`."""

    def value(found: re.Match[str]) -> str:
        if found[0].startswith("$$"):
            return found[0][1:]
        return known.get(found[1], found[0])

    return re.sub(r"\$\$\(\w[\w.-]*\)|\$\((\w[\w.-]*)\)|\$\$", value, text)


class Values:
    """What one pod can refer to."""

    def __init__(self, api: Api, pod: Callable[[], Object], node: str, host: str) -> None:
        self._api = api
        self._pod = pod
        self._node = node
        self._host = host
        self.address = ""

    @property
    def namespace(self) -> str:
        return str(self._pod()["metadata"]["namespace"])

    def config(self, name: str, optional: bool = False) -> dict[str, bytes]:
        """A config map's values."""
        found = self._found("configmaps", name, optional)
        texts = {key: value.encode() for key, value in (found.get("data") or {}).items()}
        return texts | decoded({"data": found.get("binaryData")})

    def secret(self, name: str, optional: bool = False) -> dict[str, bytes]:
        """A secret's values."""
        return decoded(self._found("secrets", name, optional))

    def field(self, path: str) -> str:
        """A field of the pod, as the downward API names it."""
        pod = self._pod()
        meta, spec = pod["metadata"], pod["spec"]
        own = {
            "spec.nodeName": self._node,
            "spec.serviceAccountName": spec.get("serviceAccountName", "default"),
            "status.hostIP": self._host,
            "status.podIP": self.address,
            "status.podIPs": self.address,
        }
        if path in own:
            return str(own[path])
        keyed = re.fullmatch(r"metadata\.(labels|annotations)\['(.+)'\]", path)
        if keyed:
            return str(meta.get(keyed[1], {}).get(keyed[2], ""))
        if path in ("metadata.labels", "metadata.annotations"):
            pairs = sorted(meta.get(path.rpartition(".")[2], {}).items())
            return "\n".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in pairs)
        return str(meta[path.removeprefix("metadata.")])

    def resource(self, reference: Mapping[str, Any], container: Mapping[str, Any] | None = None) -> str:
        """What a container asked for, or the machine's size where it did not."""
        name = reference.get("containerName")
        if name is not None:
            container = next(each for each in self._pod()["spec"]["containers"] if each["name"] == name)
        assert container is not None
        kind, _, what = reference["resource"].partition(".")
        given = container.get("resources", {}).get(kind, {}).get(what)
        if given is None:
            given = (
                str(os.cpu_count()) if what == "cpu" else str(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
            )
        return str(math.ceil(quantity(given) / quantity(reference.get("divisor") or "1")))

    def environment(
        self, container: Mapping[str, Any], image: Mapping[str, str], services: Mapping[str, str]
    ) -> dict[str, str]:
        """The environment of a container: its image's, the services', then its own in order."""
        known = {"PATH": PATH, "HOME": "/root", "HOSTNAME": self._pod()["metadata"]["name"], **image, **services}
        for source in container.get("envFrom", []):
            known |= self._all_of(source)
        for variable in container.get("env", []):
            value = self._one(variable, container, known)
            if value is not None:
                known[variable["name"]] = value
        return known

    def _all_of(self, source: Mapping[str, Any]) -> dict[str, str]:
        prefix = source.get("prefix", "")
        if "configMapRef" in source:
            found = self.config(source["configMapRef"]["name"], source["configMapRef"].get("optional", False))
        else:
            found = self.secret(source["secretRef"]["name"], source["secretRef"].get("optional", False))
        return {prefix + key: value.decode() for key, value in found.items()}

    def _one(self, variable: Mapping[str, Any], container: Mapping[str, Any], known: Mapping[str, str]) -> str | None:
        source = variable.get("valueFrom")
        if source is None:
            return expanded(variable.get("value", ""), known)
        if "fieldRef" in source:
            return self.field(source["fieldRef"]["fieldPath"])
        if "resourceFieldRef" in source:
            return self.resource(source["resourceFieldRef"], container)
        kind = "configMapKeyRef" if "configMapKeyRef" in source else "secretKeyRef"
        reference = source[kind]
        optional = reference.get("optional", False)
        read = self.config if kind == "configMapKeyRef" else self.secret
        found = read(reference["name"], optional)
        if reference["key"] in found:
            return found[reference["key"]].decode()
        if optional:
            return None
        raise NotThere(f"key {reference['key']} in {kind.removesuffix('KeyRef')} {self.namespace}/{reference['name']}")

    def _found(self, kind: str, name: str, optional: bool) -> Object:
        found = self._api.find(f"/api/v1/namespaces/{self.namespace}/{kind}/{name}")
        if found is None and not optional:
            raise NotThere(f'{kind[:-1]} "{name}" not found')
        return found or {}
