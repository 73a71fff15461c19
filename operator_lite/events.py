"""Owns what `kubectl describe sdep` tells of the past: events, each said once. Must not fail: nothing hangs on them."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from operator_lite.api import Api, ApiError

log = logging.getLogger(__name__)

SOURCE = "millrace-operator"
REMEMBERED = 4096
LENGTH_MAX = 1024
"""Kubernetes takes no longer message."""
SHORT = {"HorizontalPodAutoscaler": "HPA", "PodDisruptionBudget": "PDB"}
"""How kinds are called in reasons."""


class Recorder:
    """Says what happens to resources."""

    def __init__(self, api: Api, now: Callable[[], datetime], identity: str = "") -> None:
        self._api = api
        self._now = now
        self._identity = identity
        self._said: OrderedDict[tuple[Any, ...], None] = OrderedDict()
        self._lock = threading.Lock()

    def did(self, resource: Mapping[str, Any], verb: str, kind: str, name: str, why: str = "") -> None:
        """Something was done to an object: `verb` is Create, Update or Delete."""
        reason = f"{verb}{SHORT.get(kind, kind)}"
        past = {"Create": "made", "Update": "changed", "Delete": "deleted"}[verb]
        self._send(resource, "Normal", reason, f"{kind} {name} was {past}{': ' if why else ''}{why}")

    def warn(self, resource: Mapping[str, Any], reason: str, message: str) -> None:
        """Something is wrong. It is said once for each version of the resource's spec."""
        meta = resource["metadata"]
        said = (meta.get("uid"), meta.get("generation"), reason, message)
        with self._lock:
            known = said in self._said
            self._said[said] = None
            self._said.move_to_end(said)
            if len(self._said) > REMEMBERED:
                self._said.popitem(last=False)
        if not known:
            self._send(resource, "Warning", reason, message)

    def _send(self, resource: Mapping[str, Any], kind: str, reason: str, message: str) -> None:
        meta, now = resource["metadata"], self._now()
        log.info("%s/%s: %s: %s", meta["namespace"], meta["name"], reason, message)
        moment = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        name = f"{meta['name'][:200]}.{int(now.timestamp() * 1e6):x}.{threading.get_ident() & 0xFFFF:x}"
        about = {key: resource[key] for key in ("apiVersion", "kind")}
        about |= {key: meta[key] for key in ("name", "namespace", "uid", "resourceVersion") if key in meta}
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": meta["namespace"]},
            "involvedObject": about,
            "type": kind,
            "reason": reason,
            "message": message[:LENGTH_MAX],
            "source": {"component": SOURCE, "host": self._identity},
            "firstTimestamp": moment,
            "lastTimestamp": moment,
            "count": 1,
        }
        try:
            self._api.create(event)
        except ApiError as error:
            log.warning("an event was not taken: %s", error.message)
