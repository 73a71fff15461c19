"""Owns the objects of the API server of tests: versions, conflicts, defaults, what cannot change, and what goes along.

Must not know HTTP. It is right about what the operator relies on, and about nothing else.
"""

import copy
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from support import fieldsets
from support.fieldsets import Object

Place = tuple[str, str]
Kind = tuple[str, str]
"""apiVersion and plural."""
RFC = "%Y-%m-%dT%H:%M:%SZ"


class Refused(Exception):
    """The answer is an error."""

    def __init__(self, code: int, reason: str, message: str, cause: str = "") -> None:
        super().__init__(message)
        self.code, self.reason, self.message, self.cause = code, reason, message, cause


class Store:
    """All objects."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.changed = threading.Condition(threading.RLock())
        self.objects: dict[Kind, dict[Place, Object]] = {}
        self.log: list[tuple[int, Kind, Object | None, Object | None]] = []
        """Version, kind, what there was, what there is."""
        self.oldest = 0
        self._version = 0
        self._now = now

    @property
    def version(self) -> str:
        """Of all that there is."""
        return str(self._version)

    def install(self, kind: Kind) -> None:
        """The cluster knows the kind from now on."""
        with self.changed:
            self.objects.setdefault(kind, {})

    def uninstall(self, kind: Kind) -> None:
        """The cluster knows the kind no more."""
        with self.changed:
            self.objects.pop(kind, None)
            self.changed.notify_all()

    def forget_log(self) -> None:
        """Nobody can watch from an older version than now."""
        with self.changed:
            self.oldest = self._version
            self.log.clear()
            self.changed.notify_all()

    def all(self, kind: Kind) -> dict[Place, Object]:
        """The objects of a kind."""
        if kind not in self.objects:
            raise Refused(404, "NotFound", "the server could not find the requested resource")
        return self.objects[kind]

    def get(self, kind: Kind, place: Place) -> Object:
        """One of them."""
        found = self.all(kind).get(place)
        if found is None:
            raise Refused(404, "NotFound", f'{kind[1]} "{place[1]}" not found')
        return found

    def create(self, kind: Kind, said: Object, manager: str, dry: bool) -> Object:
        """POST."""
        with self.changed:
            place = said["metadata"].get("namespace", ""), said["metadata"]["name"]
            if place in self.all(kind):
                raise Refused(409, "AlreadyExists", f'{kind[1]} "{place[1]}" already exists')
            new = fieldsets.updated(_bare(said), copy.deepcopy(said), manager, self._time())
            owned = {path for path, _ in fieldsets.fields(said)}
            new["metadata"]["managedFields"] = [
                fieldsets.entry(manager, "Update", owned, said["apiVersion"], self._time())
            ]
            return self._put(kind, place, None, new, dry)

    def apply(self, kind: Kind, said: Object, manager: str, force: bool, dry: bool) -> Object:
        """PATCH, server-side apply."""
        with self.changed:
            place = said["metadata"].get("namespace", ""), said["metadata"]["name"]
            live = self.all(kind).get(place)
            base = copy.deepcopy(live) if live is not None else _bare(said)
            try:
                new = fieldsets.applied(base, said, manager, force, self._time())
            except fieldsets.Conflict as error:
                raise Refused(409, "Conflict", str(error)) from None
            return self._put(kind, place, live, new, dry)

    def replace(self, kind: Kind, said: Object, manager: str, sub: str, dry: bool) -> Object:
        """PUT."""
        with self.changed:
            place = said["metadata"].get("namespace", ""), said["metadata"]["name"]
            live = self.get(kind, place)
            version = said["metadata"].get("resourceVersion")
            if version and version != live["metadata"]["resourceVersion"]:
                raise Refused(409, "Conflict", "the object has been modified; please apply your changes to the latest")
            if sub == "status":
                return self._put(kind, place, live, {**live, "status": copy.deepcopy(said.get("status"))}, dry)
            kept = {key: live["metadata"][key] for key in fieldsets.SERVERS if key in live["metadata"]}
            meta = {**said["metadata"], **kept}
            fields = said["metadata"].get("managedFields")
            meta["managedFields"] = live["metadata"]["managedFields"] if fields is None else fields
            new = {**copy.deepcopy(said), "metadata": copy.deepcopy(meta)}
            if "status" in live:
                new["status"] = live["status"]
            return self._put(kind, place, live, fieldsets.updated(live, new, manager, self._time()), dry)

    def json_patch(self, kind: Kind, place: Place, changes: list[Object], manager: str) -> Object:
        """PATCH, with `test` and `replace` alone."""
        with self.changed:
            live = self.get(kind, place)
            new: Any = copy.deepcopy(live)
            for each in changes:
                *steps, last = each["path"].strip("/").split("/")
                here = new
                for step in steps:
                    here = here[step]
                if each["op"] == "test" and here.get(last) != each["value"]:
                    raise Refused(422, "Invalid", f"testing {each['path']} failed")
                if each["op"] == "replace":
                    here[last] = each["value"]
            return self._put(kind, place, live, fieldsets.updated(live, new, manager, self._time()), False)

    def delete(self, kind: Kind, place: Place, uid: str = "", foreground: bool = False) -> Object:
        """DELETE."""
        with self.changed:
            live = self.get(kind, place)
            if uid and uid != live["metadata"]["uid"]:
                raise Refused(409, "Conflict", "the UID in the precondition does not match")
            if live["metadata"].get("finalizers") or (foreground and self._dependents(live)):
                meta = {**live["metadata"], "deletionTimestamp": self._time()}
                live = self._put(kind, place, live, {**live, "metadata": meta}, False)
                if foreground:
                    for each_kind, each_place in self._dependents(live):
                        self.delete(each_kind, each_place)
                return live
            self._remove(kind, place)
            return live

    def set_status(self, kind: Kind, place: Place, status: Object) -> Object:
        """What a controller of Kubernetes would say of an object."""
        with self.changed:
            live = self.get(kind, place)
            return self._put(kind, place, live, {**live, "status": status}, False)

    def _remove(self, kind: Kind, place: Place) -> None:
        gone = self.all(kind).pop(place)
        self._version += 1
        meta = {**gone["metadata"], "resourceVersion": self.version}
        self._tell(kind, {**gone, "metadata": meta}, None)
        for each_kind, each_place in self._dependents(gone):
            self.delete(each_kind, each_place)
        for owner_kind, owner_place in self._waiting(gone):
            self._remove(owner_kind, owner_place)

    def _dependents(self, owner: Object) -> list[tuple[Kind, Place]]:
        return [
            (kind, place)
            for kind, found in self.objects.items()
            for place, each in found.items()
            if any(one["uid"] == owner["metadata"]["uid"] for one in each["metadata"].get("ownerReferences") or [])
        ]

    def _waiting(self, gone: Object) -> list[tuple[Kind, Place]]:
        """Owners that were deleted, and waited for `gone` alone."""
        uids = {each["uid"] for each in gone["metadata"].get("ownerReferences") or []}
        return [
            (kind, place)
            for kind, found in self.objects.items()
            for place, each in found.items()
            if each["metadata"]["uid"] in uids
            and each["metadata"].get("deletionTimestamp")
            and not each["metadata"].get("finalizers")
            and not self._dependents(each)
        ]

    def _put(self, kind: Kind, place: Place, live: Object | None, new: Object, dry: bool) -> Object:
        new = self._defaulted(copy.deepcopy(new), live)
        _check(live, new)
        if live is not None and new == live:
            return live
        meta = new["metadata"]
        if live is None:
            meta |= {"uid": str(uuid.uuid4()), "creationTimestamp": self._time(), "generation": 1}
        elif new.get("spec") != live.get("spec"):
            meta["generation"] = live["metadata"].get("generation", 1) + 1
        if dry:
            meta.setdefault("resourceVersion", self.version)
            return new
        self._version += 1
        meta["resourceVersion"] = self.version
        self.all(kind)[place] = new
        self._tell(kind, live, new)
        return new

    def _tell(self, kind: Kind, old: Object | None, new: Object | None) -> None:
        self.log.append((self._version, kind, old, new))
        self.changed.notify_all()

    def _defaulted(self, new: Object, live: Object | None) -> Object:
        spec = new.get("spec") or {}
        if new["kind"] == "Deployment":
            spec.setdefault("replicas", 1)
            spec.setdefault("progressDeadlineSeconds", 600)
            spec.setdefault("revisionHistoryLimit", 10)
        if new["kind"] == "Service":
            spec.setdefault("sessionAffinity", "None")
            spec.setdefault("clusterIP", live["spec"]["clusterIP"] if live else f"10.0.0.{self._version % 250 + 1}")
        return new

    def _time(self) -> str:
        return self._now().strftime(RFC)


def _bare(said: Object) -> Object:
    meta = {key: said["metadata"][key] for key in ("name", "namespace") if key in said["metadata"]}
    return {"apiVersion": said["apiVersion"], "kind": said["kind"], "metadata": meta}


def _check(live: Object | None, new: Object) -> None:
    kind, spec = new["kind"], new.get("spec") or {}
    if kind == "Deployment":
        chosen = spec["selector"]["matchLabels"].items()
        if not chosen <= (spec["template"]["metadata"].get("labels") or {}).items():
            raise Refused(422, "Invalid", "`selector` does not match template `labels`")
    if live is None:
        return
    for owner, field in (("Deployment", "selector"), ("Service", "clusterIP")):
        if kind == owner and spec.get(field) != live["spec"].get(field):
            raise Refused(422, "Invalid", f"spec.{field}: Invalid value: field is immutable")
    if kind == "PersistentVolumeClaim" and spec != live["spec"]:
        raise Refused(422, "Invalid", "spec: Forbidden: spec is immutable after creation")
