"""Owns what the operator may do in a cluster: the least that it needs, kind by kind, as the files of `manifests` say.

Must not talk to a cluster.

Usage: python -m operator_lite.rights [--check]
"""

import argparse
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from operator_lite.desired import KEPT
from operator_lite.kinds import CONFIG_MAP, EVENT, LEASE, NAMESPACE, OWNED, RESOURCE, Kind
from operator_lite.scope import Object
from operator_lite.trust import CONFIGURATIONS, SECRET, Place

FOLDER = Path(__file__).parent / "manifests"
API = "rbac.authorization.k8s.io/v1"
NAME, NAMESPACED = "millrace-operator", "millrace-operator-models"
HOME = "millrace-system"
CONFIG_MAPS = ("millrace-config", "seldon-config")
ALL = True
"""Says that a role is of the whole cluster."""
HEAD = "# Made by `python -m operator_lite.rights`: change that.\n"


@dataclass(frozen=True, slots=True)
class Right:
    """Verbs on a kind, or on a part of it, or on some of its objects."""

    kind: Kind
    verbs: tuple[str, ...]
    sub: str = ""
    names: tuple[str, ...] = ()

    @property
    def resource(self) -> str:
        """As rules name it."""
        return f"{self.kind.plural}/{self.sub}" if self.sub else self.kind.plural

    def rule(self) -> Object:
        """As a rule of a role."""
        found: Object = {"apiGroups": [self.kind.group], "resources": [self.resource], "verbs": list(self.verbs)}
        return {**found, "resourceNames": list(self.names)} if self.names else found


def _owned(kind: Kind) -> Right:
    """What is applied is patched, and made by `create`; what goes with its owner is never deleted."""
    verbs = ("get", "list", "watch", "create", "patch")
    return Right(kind, verbs if kind.name in KEPT else (*verbs, "delete"))


MODELS = (
    Right(RESOURCE, ("get", "list", "watch")),
    Right(RESOURCE, ("update",), "status"),
    # Clusters that check owner references ask for this of who blocks the deletion of an owner.
    Right(RESOURCE, ("update",), "finalizers"),
    *map(_owned, OWNED),
    Right(EVENT, ("create",)),
)
"""Where SeldonDeployments are."""
CLUSTER = (Right(NAMESPACE, ("list", "watch")),)
"""Of an operator for all namespaces: some of them are another operator's."""
OWN = (
    Right(CONFIG_MAP, ("get",), names=CONFIG_MAPS),
    Right(LEASE, ("create", "get", "update")),
    Right(SECRET, ("create",)),
    Right(SECRET, ("get", "update"), names=(Place(HOME).secret,)),
)
"""In its own namespace."""
CONFIGURED = Place(HOME).configuration
TRUSTED = tuple(Right(kind, ("get", "update"), names=(CONFIGURED,)) for kind in CONFIGURATIONS)
"""For the webhook's CA."""


def files() -> Mapping[Path, list[Object]]:
    """The objects of each file."""
    return {
        FOLDER / "base" / "rights.yaml": _granted(NAME, OWN),
        FOLDER / "cluster" / "rights.yaml": _granted(NAME, (*MODELS, *CLUSTER, *TRUSTED), ALL),
        FOLDER / "namespaced" / "rights.yaml": [
            *_granted(NAMESPACED, MODELS),
            # `namespaced` puts the namespace's name for the last word: each such operator has its own.
            *_granted(
                f"{NAME}-NAMESPACE", [replace(each, names=(f"{CONFIGURED}-NAMESPACE",)) for each in TRUSTED], True
            ),
        ],
    }


def _granted(name: str, rights: Iterable[Right], of_cluster: bool = False) -> list[Object]:
    """A role, and its binding to the operator."""
    kind = "ClusterRole" if of_cluster else "Role"
    meta = {"name": name, **({} if of_cluster else {"namespace": HOME})}
    account = {"kind": "ServiceAccount", "name": NAME, "namespace": HOME}
    role = {"apiGroup": API.partition("/")[0], "kind": kind, "name": name}
    return [
        {"apiVersion": API, "kind": kind, "metadata": meta, "rules": _rules(rights)},
        {"apiVersion": API, "kind": f"{kind}Binding", "metadata": meta, "roleRef": role, "subjects": [account]},
    ]


def _rules(rights: Iterable[Right]) -> list[Object]:
    """One rule for all resources of a group with the same verbs."""
    found: list[Object] = []
    for each in (right.rule() for right in rights):
        joined = next((one for one in found if "resourceNames" not in one and _is_like(one, each)), None)
        if joined is None:
            found.append(each)
        else:
            joined["resources"] += each["resources"]
    return found


def _is_like(one: Object, other: Object) -> bool:
    return {**one, "resources": None} == {**other, "resources": None}


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def text(objects: list[Object]) -> str:
    """A file."""
    documents = [
        yaml.dump(each, Dumper=_Plain, sort_keys=False, width=120, default_flow_style=None) for each in objects
    ]
    return HEAD + "---\n".join(documents)


def main(arguments: list[str] | None = None) -> int:
    """Writes the files, or says whether they are as they should be; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m operator_lite.rights", description="write the operator's roles")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file is out of date")
    check = parser.parse_args(arguments).check
    wanted = {path: text(objects) for path, objects in files().items()}
    stale = [path for path, said in wanted.items() if not path.is_file() or path.read_text() != said]
    if not check:
        for path in stale:
            path.write_text(wanted[path])
        return 0
    for path in stale:
        print(f"{path} is not what the operator needs; run `python -m operator_lite.rights`", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
