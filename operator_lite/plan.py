"""Owns what has to be done about one object, by what is wanted and what is there. Must not do it.

`reconcile` does it, `preview` shows it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from operator_lite import managed, names
from operator_lite.desired import KEPT
from operator_lite.kinds import controller
from operator_lite.scope import Object

ADDRESS = ("spec", "clusterIP")


class Act(Enum):
    """What to do."""

    CREATE = "make it"
    APPLY = "apply it"
    ADOPT = "take it over from another operator, and apply it"
    RECREATE = "delete it and make it anew"
    REFUSE = "leave it alone"
    WAIT = "wait until it is gone"
    KEEP = "keep it as it is"


@dataclass(frozen=True, slots=True)
class Step:
    """What to do about an object, and why."""

    act: Act
    why: str = ""
    hands_over: bool = False
    """Whether the number of pods is somebody else's from now on."""


def owned(wanted: Object, owner: Mapping[str, Any]) -> Object:
    """The object with the resource as what takes care of it, so that it goes with it."""
    meta = owner["metadata"]
    reference = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": meta["name"], "uid": meta["uid"],
                 "controller": True, "blockOwnerDeletion": True}  # fmt: skip
    return {**wanted, "metadata": {**wanted["metadata"], "ownerReferences": [reference]}}


def fitted(wanted: Object, live: Object | None) -> Object:
    """The same, but that a Service which another operator made keeps its address: executors of that one have it still,
    and those that follow them. We say the address then, which we never do of a Service of our own, so it stays known.
    """
    if live is None or wanted["spec"].get("clusterIP") != "None":
        return wanted
    address = live["spec"].get("clusterIP") or "None"
    if address == "None" or (managed.is_applied(live) and not managed.owns(live, ADDRESS)):
        return wanted
    return {**wanted, "spec": {**wanted["spec"], "clusterIP": address}}


def taken_over(wanted: Object, live: Object) -> list[Object]:
    """The entries of an object that is taken over. An address that it keeps is ours from the first: it would not be
    known that it is another operator's, did the apply that says it not follow.
    """
    keeps = wanted["kind"] == "Service" and wanted["spec"].get("clusterIP", "None") != "None"
    return managed.taken_over(live, *([ADDRESS] if keeps else []))


def step(wanted: Object, live: Object | None) -> Step:
    """What to do about an object; `wanted` comes from `owned` and `fitted`."""
    if live is None:
        return Step(Act.CREATE)
    stranger = _stranger(wanted, live)
    if stranger:
        return Step(Act.REFUSE, stranger)
    if live["metadata"].get("deletionTimestamp"):
        return Step(Act.WAIT, "it is being deleted, and will be made anew")
    if wanted["kind"] in KEPT:
        return Step(Act.KEEP)
    is_ours = managed.is_applied(live)
    fixed = _fixed(wanted, live)
    if fixed:
        may = is_ours or wanted["kind"] != "Deployment"
        return Step(Act.RECREATE if may else Act.REFUSE, fixed if may else f"{fixed}; delete it to have it made anew")
    return Step(Act.APPLY if is_ours else Act.ADOPT, hands_over=_hands_over(wanted, live))


def _stranger(wanted: Object, live: Object) -> str:
    """Whose the object is, if not the resource's. One without an owner is taken by its label."""
    ours, owner = controller(wanted), controller(live)
    if owner:
        is_same = owner.get("uid") == ours["uid"]
        return "" if is_same else f"there is one that belongs to {owner.get('kind')} {owner.get('name')}"
    labels = live["metadata"].get("labels") or {}
    if labels.get(names.ID) == wanted["metadata"]["labels"][names.ID]:
        return ""
    return f"there is one that is nobody's; give it the label {names.ID} to have it taken over, or delete it"


def _fixed(wanted: Object, live: Object) -> str:
    """What differs that cannot be changed."""
    if wanted["kind"] == "Deployment":
        is_now = live["spec"].get("selector") or {}
        return "" if is_now == wanted["spec"]["selector"] else f"its selector cannot change; it is {is_now}"
    if wanted["kind"] == "Service":
        has, needs = live["spec"].get("clusterIP") != "None", wanted["spec"].get("clusterIP") != "None"
        return "" if has == needs else f"its address cannot be {'given' if needs else 'taken away'} afterwards"
    return ""


def _hands_over(wanted: Object, live: Object) -> bool:
    if wanted["kind"] != "Deployment" or "replicas" in wanted["spec"]:
        return False
    return managed.owns(live, managed.REPLICAS) or not managed.is_applied(live)
