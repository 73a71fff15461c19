"""Owns what the API server is answered when a SeldonDeployment is written: taken, refused with every reason, or with
its defaults filled in. Must not know HTTP, nor hold a rule or a default of its own: `resource` and `defaults` do.

What is asked and answered is an AdmissionReview of admission.k8s.io/v1.

    created, or its spec or annotations changed   checked whole, as by `millrace check`
    changed otherwise                             taken: what is wrong with it was there before, and a label or a
                                                  finalizer must be possible to take off
    being deleted, deleted, or not ours           taken
"""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from executor.errors import ManifestError
from executor.manifest import seldon
from executor.manifest.seldon_shape import DeploymentModel, UnitModel
from operator_lite import defaults, resource
from operator_lite.config import Config
from operator_lite.scope import Object

API, KIND = "admission.k8s.io/v1", "AdmissionReview"
WRITES = ("CREATE", "UPDATE")
OPERATIONS = (*WRITES, "DELETE", "CONNECT")
CAUSES_MAX = 50
"""Reasons of one refusal that are told; more is more than anyone reads."""
NAMELESS = "to-be-named"
"""Stands for a name that the API server has still to make up (`generateName`)."""


class Malformed(Exception):
    """What came is no review of ours; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked about."""

    uid: str
    operation: str
    found: Object
    """What is to be stored."""
    before: Object
    """What is stored, if anything."""

    @property
    def is_settled(self) -> bool:
        """Whether nothing of it is to be checked: it goes away, or stays what it was."""
        if self.operation not in WRITES or self.found["metadata"].get("deletionTimestamp"):
            return True
        return bool(self.before) and _checked(self.found) == _checked(self.before)


Answer = Callable[[Ask, Config], Object]


def validate(ask: Ask, config: Config) -> Object:
    """Whether it is taken as it is."""
    if ask.is_settled or not resource.is_ours(ask.found, config):
        return _taken(ask)
    try:
        model = resource.read(ask.found, config)
    except ManifestError as error:
        return _refused(ask, error)
    return _taken(ask, warnings=resource.warnings(model))


def mutate(ask: Ask, config: Config) -> Object:
    """What is filled in. What is not right is left as it is, for `validate` to tell."""
    if ask.operation not in WRITES or not resource.is_ours(ask.found, config):
        return _taken(ask)
    try:
        changes = list(patch(ask.found, resource.read(ask.found, config)))
    except ManifestError:
        return _taken(ask)
    if not changes:
        return _taken(ask)
    text = json.dumps(changes, separators=(",", ":")).encode()
    return _taken(ask, patchType="JSONPatch", patch=base64.b64encode(text).decode())


def review(body: bytes, answer: Answer, config: Config) -> bytes:
    """The answer to the text of a review. Raises Malformed."""
    said = answer(read(body), config)
    return json.dumps({"apiVersion": API, "kind": KIND, "response": said}, separators=(",", ":")).encode()


# --- what is asked


def read(body: bytes) -> Ask:
    """What a review asks. Raises Malformed."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"the body is no JSON: {error}") from None
    head = (found.get("apiVersion"), found.get("kind")) if isinstance(found, dict) else (None, None)
    if head != (API, KIND):
        raise Malformed(f"the body must be an {KIND} of {API}")
    request = _mapping(found, "request")
    uid, operation = request.get("uid"), request.get("operation")
    if not isinstance(uid, str) or not uid:
        raise Malformed("request.uid must be a text that is not empty")
    if operation not in OPERATIONS:
        raise Malformed(f"request.operation must be one of {', '.join(OPERATIONS)}")
    _check_kind(_mapping(request, "kind", "request."))
    if operation not in WRITES:
        return Ask(uid, operation, {}, {})
    before = _object(request, "oldObject") if operation == "UPDATE" else {}
    return Ask(uid, operation, _object(request, "object"), before)


def _check_kind(kind: Mapping[str, Any]) -> None:
    wanted = {"group": resource.GROUP, "kind": seldon.KIND}
    if {key: kind.get(key) for key in wanted} != wanted or kind.get("version") not in resource.SERVED:
        versions = ", ".join(resource.SERVED)
        raise Malformed(f"request.kind must be {seldon.KIND} of {resource.GROUP} in a version of {versions}")


def _object(request: Mapping[str, Any], name: str) -> Object:
    """A resource of the request, with what is known of it by the request alone, and without what is of no concern."""
    found = _mapping(request, name, "request.")
    meta = dict(_mapping(found, "metadata", f"request.{name}."))
    meta.pop("managedFields", None)
    if not meta.get("name") and meta.get("generateName"):
        meta["name"] = f"{meta['generateName']}{NAMELESS}"
    if not meta.get("namespace") and request.get("namespace"):
        meta["namespace"] = request["namespace"]
    if not isinstance(meta.get("labels") or {}, dict):
        raise Malformed(f"request.{name}.metadata.labels must be a mapping")
    return {**found, "metadata": meta}


def _mapping(found: Mapping[str, Any], name: str, within: str = "") -> Object:
    inner = found.get(name)
    if not isinstance(inner, dict):
        raise Malformed(f"{within}{name} must be a mapping")
    return inner


def _checked(found: Mapping[str, Any]) -> tuple[Any, ...]:
    """All that checks look at."""
    meta = found["metadata"]
    labels = meta.get("labels") or {}
    return found.get("spec"), meta.get("annotations") or {}, labels.get(resource.CONTROLLER)


# --- what is answered


def _taken(ask: Ask, **more: Any) -> Object:
    return {"uid": ask.uid, "allowed": True, **{key: each for key, each in more.items() if each}}


def _refused(ask: Ask, error: ManifestError) -> Object:
    """With one cause for each problem: kubectl lists them."""
    told, left = error.problems[:CAUSES_MAX], len(error.problems) - CAUSES_MAX
    causes = [{"reason": "FieldValueInvalid", "field": each.path, "message": each.message} for each in told]
    message = resource.told(ManifestError(told))
    if left > 0:
        message += f"; and {left} more"
    meta = ask.found["metadata"]
    details = {"group": resource.GROUP, "kind": seldon.KIND, "name": str(meta.get("name") or ""), "causes": causes}
    status = {"status": "Failure", "code": 422, "reason": "Invalid", "message": message, "details": details}
    return {"uid": ask.uid, "allowed": False, "status": status}


# --- defaults


def patch(found: Mapping[str, Any], model: DeploymentModel) -> Iterator[Object]:
    """What `defaults` makes of the resource by itself, as a JSON patch. Ports, hosts and images are not in it: they
    follow the operator's configuration and what else is in the pods, and would be stale once either changes.
    """
    for at, raw, each in _members("/spec/predictors", found["spec"]["predictors"], model.spec.predictors):
        labels = {"version": each.name, **each.labels}
        if not raw.get("labels"):
            yield _added(at, "labels", labels)
        elif labels != raw["labels"]:
            yield _added(f"{at}/labels", "version", labels["version"])
        yield from _unit_patch(f"{at}/graph", raw["graph"], each.graph)


def _unit_patch(at: str, raw: Mapping[str, Any], unit: UnitModel) -> Iterator[Object]:
    for name, value in defaults.kind_of(unit).items():
        if value is not None and raw.get(name) != value:
            yield _added(at, name, value)
    for below, inner, child in _members(f"{at}/children", raw.get("children") or [], unit.children):
        yield from _unit_patch(below, inner, child)


def _members(at: str, raw: Any, models: list[Any]) -> Iterator[tuple[str, Any, Any]]:
    """What a list has, with where it is; a single mapping may stand for a list of one."""
    if isinstance(raw, dict):
        yield at, raw, models[0]
        return
    for index, (inner, model) in enumerate(zip(raw, models, strict=True)):
        yield f"{at}/{index}", inner, model


def _added(at: str, name: str, value: Any) -> Object:
    return {"op": "add", "path": f"{at}/{name}", "value": value}
