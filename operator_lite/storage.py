"""Owns how models get into pods: the init container that fetches them, and the volume they lie in.

Must not know which server reads them.
"""

from dataclasses import dataclass

from operator_lite import pieces
from operator_lite.config import MODELS, Image
from operator_lite.scope import Object, Scope

PVC = "pvc://"
PVC_VOLUME, PVC_PATH = "kfserving-pvc-source", "/mnt/pvc"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A model, and for whom it is."""

    name: str
    """What init container and volume are named after."""
    container: str
    """The container that reads it."""
    uri: str
    image: str = ""
    """What fetches it, in place of the configured image."""
    secret: str = ""


def fetched(spec: Object, wanted: Wanted, scope: Scope) -> Object:
    """The pod's spec with the model there for its container. An init container of that name is kept."""
    name = f"{wanted.name}-model-initializer"[:63].rstrip("-")
    volume = f"{wanted.name}-provision-location"[:63].rstrip("-")
    mount = {"name": volume, "mountPath": MODELS}
    present = spec.get("initContainers") or []
    volumes: list[Object] = [{"name": volume, "emptyDir": {}}]
    if not any(each.get("name") == name for each in present):
        claim, source = _split(wanted.uri)
        lent = _lent(spec, wanted, claim)
        container = _fetcher(name, source, [mount, *(_mounted(each) for each in lent)], wanted, scope)
        spec = {**spec, "initContainers": [*present, container]}
        used = {each["name"] for each in container["volumeMounts"]}
        volumes += [*lent, *([{"name": pieces.TMP, "emptyDir": {}}] if pieces.TMP in used else [])]
    readers = [
        pieces.mount(each, {**mount, "readOnly": True}) if each["name"] == wanted.container else each
        for each in spec["containers"]
    ]
    return pieces.add_volumes({**spec, "containers": readers}, *volumes)


def _lent(spec: Object, wanted: Wanted, claim: str) -> list[Object]:
    """The volume that a model is copied from, if it lies on one; each claim of a pod has a volume of its own."""
    if not claim:
        return []
    source = {"persistentVolumeClaim": {"claimName": claim}}
    taken = {each.get("name"): each.get("persistentVolumeClaim") for each in spec.get("volumes") or []}
    is_free = taken.get(PVC_VOLUME, source["persistentVolumeClaim"]) == source["persistentVolumeClaim"]
    return [{"name": PVC_VOLUME if is_free else f"{PVC_VOLUME}-{wanted.name}"[:63].rstrip("-"), **source}]


def _mounted(volume: Object) -> Object:
    return {"name": volume["name"], "mountPath": PVC_PATH, "readOnly": True}


def _fetcher(name: str, source: str, mounts: list[Object], wanted: Wanted, scope: Scope) -> Object:
    config = scope.config
    image = Image(wanted.image) if wanted.image else config.fetcher()
    container: Object = {
        "name": name,
        "image": image.name,
        "imagePullPolicy": "IfNotPresent",
        "args": [*image.args, source, MODELS],
        "resources": {kind: dict(each) for kind, each in config.initializer_resources.items()},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": mounts,
        "securityContext": pieces.restricted(scope.user_of_ours(wanted.name), image.is_ours),
    }
    if image.is_ours:
        container = pieces.mount(container, pieces.tmp_mount(name))
    secret = wanted.secret or config.credentials_secret
    return {**container, "envFrom": [{"secretRef": {"name": secret}}] if secret else None}


def _split(uri: str) -> tuple[str, str]:
    """The claim of a model that lies on a volume, if any, and what to fetch."""
    if not uri.startswith(PVC):
        return "", uri
    claim, _, path = uri.removeprefix(PVC).partition("/")
    return claim, f"{PVC_PATH}/{path}"
