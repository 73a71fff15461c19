"""Owns which kinds of objects the operator deals with, and where the API server keeps them. Must not talk to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from operator_lite import desired, resource, scope


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object."""

    api_version: str
    name: str
    namespaced: bool = True

    @property
    def plural(self) -> str:
        """Its name in paths; all of ours are regular."""
        return f"{self.name.lower()}s"

    @property
    def group(self) -> str:
        """Its API group; empty for the core."""
        return self.api_version.rpartition("/")[0]

    @property
    def is_optional(self) -> bool:
        """Whether a cluster may have no definition of it: those of Kubernetes itself are in groups without a dot."""
        return "." in self.group and self != RESOURCE

    def path(self, namespace: str = "", name: str = "", sub: str = "") -> str:
        """Where all of them are, or those of a namespace, or one, or a part of one."""
        root = f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        within = f"/namespaces/{namespace}" if namespace and self.namespaced else ""
        return root + within + "".join(f"/{part}" for part in (self.plural, name, sub) if part)

    def __str__(self) -> str:
        return f"{self.name} ({self.api_version})"


RESOURCE = Kind(f"{resource.GROUP}/{resource.STORED}", "SeldonDeployment")
NAMESPACE = Kind("v1", "Namespace", namespaced=False)
CONFIG_MAP = Kind("v1", "ConfigMap")
EVENT = Kind("v1", "Event")
LEASE = Kind("coordination.k8s.io/v1", "Lease")
key = scope.key
OWNED = tuple(Kind(*each) for each in desired.KINDS)
"""What SeldonDeployments become."""


def of(found: Mapping[str, Any]) -> Kind:
    """The kind of an object."""
    return Kind(found["apiVersion"], found["kind"])


def place(found: Mapping[str, Any]) -> tuple[str, str]:
    """Namespace and name."""
    return found["metadata"].get("namespace", ""), found["metadata"]["name"]


def controller(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """The owner that takes care of an object; empty if nobody does."""
    return next((each for each in found["metadata"].get("ownerReferences") or [] if each.get("controller")), {})
