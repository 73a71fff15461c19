"""Owns how fields of an object and their managers are read: who said what, by Kubernetes' `managedFields`.

Must not talk to the API server.

Server-side apply takes away what a manager said before and does not say any more, unless somebody else says it too. So
a field that changes hands needs two steps, and so does an object that Seldon's operator made by updates.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from operator_lite.scope import Object

MANAGER = "millrace-operator"
HANDOVER = "millrace-handover"
"""Says for the moment what we say no more, until its new manager says it."""
SELDON = ("manager",)
"""The name of Seldon's operator: that of its program."""
REPLICAS = ("spec", "replicas")


def is_applied(found: Mapping[str, Any]) -> bool:
    """Whether this operator has applied the object before."""
    return any(_ours(each) for each in _entries(found))


def owns(found: Mapping[str, Any], path: Iterable[str]) -> bool:
    """Whether we say the field at `path`, so that it would go if we no longer did."""
    return any(_has(each.get("fieldsV1") or {}, path) for each in _entries(found) if _ours(each))


def changed_at(found: Mapping[str, Any]) -> str:
    """When our last change of the object was, as the server's clock says; empty if never."""
    return max((each.get("time") or "" for each in _entries(found) if _ours(each)), default="")


def said(found: Mapping[str, Any]) -> list[Any]:
    """What our applies have said of the object, and when it last changed anything: the same if one changed nothing."""
    return [(each.get("time"), each.get("fieldsV1")) for each in _entries(found) if _ours(each)]


def taken_over(found: Mapping[str, Any], *said: tuple[str, ...]) -> list[Object]:
    """The entries with those of Seldon's operator as ours: what we do not say goes when we apply next. The fields at
    the paths `said` are ours with them, whoever said them.
    """
    theirs = [each for each in _entries(found) if _is_seldons(each)]
    ours = [each for each in _entries(found) if _ours(each)]
    others = [each for each in _entries(found) if each not in theirs and each not in ours]
    if not theirs:
        return list(_entries(found))
    fields: Object = {}
    for each in (*(each.get("fieldsV1") or {} for each in (*ours, *theirs)), *map(_at, said)):
        fields = _joined(fields, each)
    entry = {**theirs[0], "manager": MANAGER, "operation": "Apply", "fieldsV1": fields}
    return [*others, entry]


def others(found: Mapping[str, Any], name: str) -> Object:
    """The labels or annotations of the object that neither we nor Seldon's operator say."""
    path = ("metadata", name)
    told = [each.get("fieldsV1") or {} for each in _entries(found) if _ours(each) or _is_seldons(each)]
    pairs = found["metadata"].get(name) or {}
    return {key: value for key, value in pairs.items() if not any(_has(each, (*path, key)) for each in told)}


def handed_over(found: Mapping[str, Any]) -> Object:
    """What is applied in the name of `HANDOVER`: the number of pods as it is."""
    meta = {key: found["metadata"][key] for key in ("name", "namespace")}
    body = {"replicas": found["spec"]["replicas"]}
    return {"apiVersion": found["apiVersion"], "kind": found["kind"], "metadata": meta, "spec": body}


def _entries(found: Mapping[str, Any]) -> Iterable[Object]:
    return found["metadata"].get("managedFields") or []


def _ours(entry: Mapping[str, Any]) -> bool:
    return entry.get("manager") == MANAGER and entry.get("operation") == "Apply" and not entry.get("subresource")


def _is_seldons(entry: Mapping[str, Any]) -> bool:
    return entry.get("manager") in SELDON and entry.get("operation") == "Update" and not entry.get("subresource")


def _has(fields: Mapping[str, Any], path: Iterable[str]) -> bool:
    for step in path:
        if f"f:{step}" not in fields:
            return False
        fields = fields[f"f:{step}"]
    return True


def _at(path: Iterable[str]) -> Object:
    """What is written of a field."""
    found: Object = {}
    for step in reversed(tuple(path)):
        found = {f"f:{step}": found}
    return found


def _joined(one: Object, other: Object) -> Object:
    return {**one, **{key: _joined(one.get(key, {}), each) for key, each in other.items()}}
