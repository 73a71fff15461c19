"""Owns server-side apply as far as tests need it: who manages which fields, merging, taking away, conflicts.

Must not store anything. Lists of containers, ports and the like are maps by their keys, as Kubernetes' own schemas say;
all others are one value.
"""

import json
from collections.abc import Iterator
from typing import Any

Object = dict[str, Any]
Field = tuple[str, ...]
KEYS = {
    "containers": ("name",), "initContainers": ("name",), "env": ("name",), "volumes": ("name",),
    "volumeMounts": ("mountPath",), "ownerReferences": ("uid",), "conditions": ("type",),
}  # fmt: skip
PORTS = (("containerPort", "protocol"), ("port", "protocol"))
SERVERS = {"name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields",
           "deletionTimestamp"}  # fmt: skip


class Conflict(Exception):
    """Another manager says otherwise."""


def keys_of(name: str, value: Any) -> tuple[str, ...]:
    """What tells the entries of a list apart; nothing if it is one value."""
    if not isinstance(value, list) or not value or not all(isinstance(each, dict) for each in value):
        return ()
    if name == "ports":
        return next((keys for keys in PORTS if keys[0] in value[0]), ())
    return KEYS.get(name, ())


def mark(entry: Object, keys: tuple[str, ...]) -> str:
    """An entry as `managedFields` names it."""
    named = {key: entry.get(key, "TCP" if key == "protocol" else None) for key in keys}
    return "k:" + json.dumps(named, sort_keys=True, separators=(",", ":"))


def fields(found: Any, name: str = "", at: Field = ()) -> Iterator[tuple[Field, Any]]:
    """Every field that a value says, with what it says."""
    keys = keys_of(name, found)
    if isinstance(found, dict) and (found or not at):
        for key, value in found.items():
            if len(at) == 1 and at[0] == "f:metadata" and key in SERVERS:
                continue
            if at or key not in ("apiVersion", "kind", "status"):
                yield from fields(value, key, (*at, f"f:{key}"))
    elif keys:
        for entry in found:
            yield (*at, mark(entry, keys), "."), None
            yield from fields(entry, "", (*at, mark(entry, keys)))
    else:
        yield at, found


def nested(paths: set[Field]) -> Object:
    """Fields in the form of `fieldsV1`."""
    root: Object = {}
    for path in sorted(paths):
        here = root
        for step in path:
            here = here.setdefault(step, {})
    return root


def flat(found: Object, at: Field = ()) -> set[Field]:
    """The same back."""
    if not found:
        return {at} if at else set()
    return {path for step, below in found.items() for path in flat(below, (*at, step))}


def merged(live: Any, new: Any, name: str = "") -> Any:
    """What is there, with what is said put over it."""
    keys = keys_of(name, new)
    if isinstance(live, dict) and isinstance(new, dict):
        return {**live, **{key: merged(live.get(key), value, key) for key, value in new.items()}}
    if keys and isinstance(live, list):
        before = {mark(each, keys): each for each in live}
        for each in new:
            before[mark(each, keys)] = merged(before.get(mark(each, keys)), each)
        return list(before.values())
    return new


def without(found: Any, path: Field, name: str = "") -> Any:
    """A value without one field. An entry goes when nothing is left of it but its keys."""
    step, *rest = path
    if step == "." or found is None:
        return found
    if step.startswith("f:"):
        key = step[2:]
        if key not in found:
            return found
        if not rest:
            return {each: value for each, value in found.items() if each != key}
        below = without(found[key], tuple(rest), key)
        return {**found, key: below}
    if not isinstance(found, list):
        return found
    keys = keys_of(name, found)
    kept = []
    for each in found:
        if mark(each, keys) == step:
            if rest == ["."]:
                continue
            each = without(each, tuple(rest))
        kept.append(each)
    return kept


def entry(manager: str, operation: str, paths: set[Field], version: str, time: str, sub: str = "") -> Object:
    """An entry of `managedFields`."""
    found = {"manager": manager, "operation": operation, "apiVersion": version, "time": time,
             "fieldsType": "FieldsV1", "fieldsV1": nested(paths)}  # fmt: skip
    return {**found, "subresource": sub} if sub else found


def applied(live: Object, said: Object, manager: str, force: bool, time: str) -> Object:
    """What server-side apply makes of an object."""
    new = dict(fields(said))
    now = dict(fields(live))
    entries = live["metadata"].get("managedFields") or []
    ours = next((each for each in entries if (each["manager"], each["operation"]) == (manager, "Apply")), None)
    others = [each for each in entries if each is not ours]
    before = flat(ours["fieldsV1"]) if ours else set()
    kept = []
    for each in others:
        owned = flat(each["fieldsV1"])
        lost = {path for path in owned & set(new) if path[-1] != "." and now.get(path) != new[path]}
        if lost and not force:
            raise Conflict(f'Apply failed with {len(lost)} conflict: conflict with "{each["manager"]}"')
        kept.append({**each, "fieldsV1": nested(owned - lost)} if lost else each)
    shared = {path for each in kept for path in flat(each["fieldsV1"])}
    result = live
    gone = before - set(new) - shared
    for path in sorted(gone, key=lambda path: (path[-1] == ".", len(path)), reverse=True):
        if not any(other != path and other[: len(path) - (path[-1] == ".")] == path[: len(path) - (path[-1] == ".")]
                   for other in (set(new) | shared)):  # fmt: skip
            result = without(result, path)
    result = merged(result, {key: value for key, value in said.items() if key != "status"})
    same = before == set(new)
    stamp = ours["time"] if ours and same and _plain(result) == _plain(live) else time
    mine = entry(manager, "Apply", set(new), said["apiVersion"], stamp)
    meta = {**result["metadata"], "managedFields": [*[each for each in kept if each["fieldsV1"]], mine]}
    return {**result, "metadata": meta}


def updated(live: Object, new: Object, manager: str, time: str) -> Object:
    """Who manages what after an update: what it changed is its author's."""
    before, after = dict(fields(live)), dict(fields(new))
    changed = {path for path in after if path not in before or before[path] != after[path]}
    entries = new["metadata"].get("managedFields") or []
    kept, mine = [], set(changed)
    for each in entries:
        owned = flat(each["fieldsV1"]) & set(after) if not each.get("subresource") else flat(each["fieldsV1"])
        if (each["manager"], each["operation"]) == (manager, "Update") and not each.get("subresource"):
            mine |= owned
        elif owned - changed:
            kept.append({**each, "fieldsV1": nested(owned - changed)})
    last = [entry(manager, "Update", mine, new["apiVersion"], time)] if mine else []
    return {**new, "metadata": {**new["metadata"], "managedFields": [*kept, *last]}}


def _plain(found: Object) -> Object:
    meta = {key: value for key, value in found["metadata"].items() if key != "managedFields"}
    return {**found, "metadata": meta}
