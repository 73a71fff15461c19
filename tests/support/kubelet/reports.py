"""Owns what a pod's status says: phase, conditions, and the states of its containers.

Must not send it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from support.kube.api import Object
from support.kubelet.container import Container, now

Given = Mapping[str, Any]


def phase(policy: str, started: bool, containers: Sequence[Container]) -> str:
    """Where a pod is in its life."""
    if not started:
        return "Pending"
    codes = [each.exit_code for each in containers]
    if policy == "Always" or any(code is None for code in codes):
        return "Running"
    if policy == "OnFailure":
        return "Succeeded" if not any(codes) else "Running"
    return "Failed" if any(codes) else "Succeeded"


def conditions(
    found: Object, initialized: bool, networked: bool, ended: bool, containers: Sequence[Container]
) -> list[Object]:
    """Those of a kubelet; each keeps its time while it stays as it is."""
    all_ready = initialized and not ended and all(each.ready for each in containers)
    known = {each["type"]: each for each in found.get("status", {}).get("conditions", [])}
    gates = [each["conditionType"] for each in found["spec"].get("readinessGates", [])]
    open_gates = all(known.get(gate, {}).get("status") == "True" for gate in gates)
    unready = [each.name for each in containers if not each.ready]
    why = {"reason": "ContainersNotReady", "message": f"containers with unready status: [{' '.join(unready)}]"}
    wanted = {
        "PodReadyToStartContainers": (networked, {}),
        "Initialized": (initialized, {"reason": "ContainersNotInitialized"}),
        "ContainersReady": (all_ready, why),
        "Ready": (all_ready and open_gates, why if not all_ready else {"reason": "ReadinessGatesNotReady"}),
    }
    made = []
    for name, (holds, more) in wanted.items():
        status = str(holds)
        before = known.get(name, {})
        since = before.get("lastTransitionTime") if before.get("status") == status else None
        made.append({"type": name, "status": status, "lastTransitionTime": since or now(), **({} if holds else more)})
    return made


def status(found: Object, containers: Sequence[Container], init: Sequence[Container]) -> Object:
    """The lists of containers' states."""
    images = {
        each["name"]: each["image"] for kind in ("containers", "initContainers") for each in found["spec"].get(kind, [])
    }
    made: Object = {"containerStatuses": [each.status(images[each.name]) for each in containers]}
    if init:
        made["initContainerStatuses"] = [each.status(images[each.name]) for each in init]
    return made
