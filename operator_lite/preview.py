"""Owns what `--dry-run` prints: what this operator would change for each SeldonDeployment, as the server would do it.

Must not change anything.

Objects that we have applied before, or that are nobody's, are applied with the server's own dry run, so that its
defaults and checks are in. Those of another operator would be taken over first, which no dry run shows: for them a dry
run puts the object in the place of what is there.
"""

import base64
import difflib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from executor.errors import ManifestError
from operator_lite import desired, kinds, managed, plan, pruning, resource
from operator_lite.api import Api, ApiError
from operator_lite.config import Config
from operator_lite.kinds import NAMESPACE, OWNED, RESOURCE, Kind
from operator_lite.names import ID, short
from operator_lite.plan import Act
from operator_lite.scope import Object

SERVERS = ("managedFields", "resourceVersion", "generation", "creationTimestamp", "uid", "selfLink")
"""What the server keeps for itself of an object's metadata."""
MAPS = {"env": "name", "ports": "name", "volumes": "name", "volumeMounts": "mountPath"}
"""Lists whose order says nothing to a reader, and what their entries are told apart by."""
SHARED = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy", "sessionAffinity")


@dataclass(slots=True)
class Counts:
    """What came of it."""

    resources: int = 0
    changed: int = 0
    problems: int = 0


class Preview:
    """What would change."""

    def __init__(self, api: Api, config: Config, namespace: str = "") -> None:
        self._api = api
        self._config = config
        self._namespace = namespace
        self._absent: set[str] = set()
        self.counts = Counts()

    def lines(self) -> Iterator[str]:
        """The text, line by line. Raises `ApiError` when the server cannot be asked."""
        self._absent = {kind.name for kind in OWNED if kind.is_optional and self._lacks(kind)}
        for found in self._api.items(RESOURCE, self._namespace)[0]:
            self.counts.resources += 1
            namespace, name = kinds.place(found)
            said = list(self._resource(found))
            yield f"# {namespace}/{name}: {said[0] if len(said) == 1 else 'changes'}"
            if len(said) > 1:
                self.counts.changed += 1
                yield from said
        counts = self.counts
        yield f"# {counts.resources} resources, {counts.changed} would change, {counts.problems} problems"

    def _resource(self, found: Object) -> Iterator[str]:
        """One line that says all, or several that show what changes."""
        try:
            if not resource.is_ours(found, self._config, self._labels_of(found["metadata"]["namespace"])):
                yield "is left to the operator that its seldon.io/controller-id names"
                return
            model = resource.read(found, self._config)
        except ManifestError as error:
            self.counts.problems += 1
            yield f"is refused: {resource.told(error)}"
            return
        said = [f"# {each}" for each in resource.warnings(model)]
        wanted = [plan.owned(each, found) for each in desired.desired(desired.scopes(model, self._config))]
        for each in wanted:
            said += self._object(each)
        said += self._leaving(found, wanted)
        yield from (["nothing would change"] if not said else ["", *said])

    def _lacks(self, kind: Kind) -> bool:
        """Whether the cluster has no definition of a kind."""
        try:
            self._api.items(kind, self._namespace, ID)
        except ApiError as error:
            if error.code == 404:
                return True
            raise
        return False

    def _labels_of(self, namespace: str) -> dict[str, str]:
        if self._namespace:
            return {}
        found = self._api.get(NAMESPACE, "", namespace) or {}
        return found.get("metadata", {}).get("labels") or {}

    def _object(self, wanted: Object) -> list[str]:
        title = " ".join(kinds.key(wanted))
        if wanted["kind"] in self._absent:
            return [f"## {title}: would not be made: the cluster has no {kinds.of(wanted)}"]
        try:
            live = self._api.get(kinds.of(wanted), *kinds.place(wanted))
            wanted = plan.fitted(wanted, live)
            step = plan.step(wanted, live)
            if live is None:
                return [f"## {title}: would be made", *_difference({}, wanted, title)]
            if step.act is Act.KEEP:
                return []
            if step.act in (Act.REFUSE, Act.WAIT):
                self.counts.problems += 1
                return [f"## {title}: would be left alone: {step.why}"]
            if step.act is Act.RECREATE:
                return [f"## {title}: would be deleted and made anew: {step.why}", *_difference(live, wanted, title)]
            return self._changed(wanted, live, step, title)
        except ApiError as error:
            self.counts.problems += 1
            return [f"## {title}: {error.message}"]

    def _changed(self, wanted: Object, live: Object, step: plan.Step, title: str) -> list[str]:
        if step.act is Act.ADOPT:
            then = self._api.replace(_in_place_of(wanted, live), dry=True)
        else:
            then = self._api.apply(wanted, dry=True)
            if step.hands_over:
                then = {**then, "spec": {**then["spec"], "replicas": live["spec"]["replicas"]}}
        shown = _difference(live, then, title)
        if not shown:
            return []
        template = [(each.get("spec") or {}).get("template") for each in (live, then)]
        restarts = "; its pods would be replaced" if template[0] != template[1] else ""
        how = "would be taken over and changed" if step.act is Act.ADOPT else "would be changed"
        return [f"## {title}: {how}{restarts}", *shown]

    def _leaving(self, found: Object, wanted: list[Object]) -> list[str]:
        """What would go: the resource's own objects that it does not want."""
        kept, meta = {kinds.key(each) for each in wanted}, found["metadata"]
        label = f"{ID}={short(meta['name'])}"
        present = [kind for kind in OWNED if kind.name not in self._absent]
        there = [each for kind in present for each in self._api.items(kind, meta["namespace"], label)[0]]
        own = [each for each in there if kinds.controller(each).get("uid") == meta["uid"]]
        held = pruning.held(wanted, own)
        going = [each for each in own if kinds.key(each) not in kept and each["kind"] not in desired.KEPT]
        when = {False: "", True: " when requests get in as is wanted"}
        return [f"## {' '.join(kinds.key(each))}: would be deleted{when[kinds.key(each) in held]}" for each in going]


def _in_place_of(wanted: Object, live: Object) -> Object:
    """The object as it would be after it was taken over, with what the server has to be told again."""
    spec, has = dict(wanted["spec"]), live["spec"]
    if wanted["kind"] == "Service":
        spec = {**{name: has[name] for name in SHARED if name in has}, **spec}
    if wanted["kind"] == "Deployment" and "replicas" not in spec:
        spec["replicas"] = has.get("replicas")
    meta = {**wanted["metadata"], "resourceVersion": live["metadata"]["resourceVersion"]}
    meta |= {
        name: {**managed.others(live, name), **(meta.get(name) or {})}
        for name in ("labels", "annotations")
        if meta.get(name) or managed.others(live, name)
    }
    return {**wanted, "metadata": meta, "spec": spec}


def _difference(before: Object, after: Object, title: str) -> list[str]:
    one, other = (text(each).splitlines() for each in (before, after))
    return list(difflib.unified_diff(one, other, f"{title} (is)", f"{title} (would be)", n=2, lineterm=""))


def text(found: Object) -> str:
    """An object as people read it: without what is the server's own, and lists that are maps in one order."""
    if not found:
        return ""
    meta = {name: value for name, value in found["metadata"].items() if name not in SERVERS}
    shown = {name: value for name, value in found.items() if name != "status"} | {"metadata": meta}
    dumped: str = yaml.safe_dump(_readable(shown), sort_keys=True, width=120)
    return dumped


def _readable(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        if value.get("name") == "ENGINE_PREDICTOR" and "value" in value:
            return {**value, "value": _decoded(value["value"])}
        return {key: _readable(each, key) for key, each in value.items()}
    if isinstance(value, list):
        key = MAPS.get(name)
        ordered = sorted(value, key=lambda each: str(each.get(key))) if key else value
        return [_readable(each) for each in ordered]
    return value


def _decoded(value: str) -> Any:
    try:
        return json.loads(base64.b64decode(value, validate=True))
    except ValueError:
        return value
