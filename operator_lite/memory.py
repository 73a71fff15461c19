"""Owns what our last apply of each object said, and what it came to, so that it is not said again for nothing.

Must not be needed: when it is lost, all is applied once more, and the server finds that nothing differs.
"""

import hashlib
import json
from typing import Any

from operator_lite import kinds
from operator_lite.scope import Object
from operator_lite.work import Key


class Memory:
    """Marks of objects, by their owners. A resource is with one worker at a time, so nothing is locked."""

    def __init__(self) -> None:
        self._marks: dict[Key, dict[tuple[str, str], tuple[str, str]]] = {}

    def is_same(self, wanted: Object, live: Object) -> bool:
        """Whether an apply would say the same, of an object that is still the same."""
        mark = self._marks.get(_owner(wanted), {}).get(kinds.key(wanted))
        return mark == (_mark(wanted), _mark(_content(live)))

    def remember(self, wanted: Object, done: Object) -> None:
        """An apply went well."""
        marks = self._marks.setdefault(_owner(wanted), {})
        marks[kinds.key(wanted)] = (_mark(wanted), _mark(_content(done)))

    def drop(self, gone: Object) -> None:
        """An object was deleted."""
        self._marks.get(_owner(gone), {}).pop(kinds.key(gone), None)

    def forget(self, key: Key) -> None:
        """A resource is gone, and its objects with it."""
        self._marks.pop(key, None)


def _owner(found: Object) -> Key:
    return found["metadata"]["namespace"], kinds.controller(found)["name"]


def _content(live: Object) -> Object:
    """What of an object says how it should be."""
    meta = live["metadata"]
    named = {name: meta.get(name) for name in ("uid", "labels", "annotations", "ownerReferences", "deletionTimestamp")}
    return {"metadata": named, "spec": live.get("spec")}


def _mark(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
